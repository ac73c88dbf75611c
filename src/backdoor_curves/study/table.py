"""The numbers of a run: a row a cell for files, a row a setting for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from backdoor_curves.study.work import CellResult

COLUMNS = (
    "learner",
    "lambda",
    "gamma",
    "rate",
    "seed",
    "method",
    "clean_accuracy_at_0",
    "clean_accuracy_at_1",
    "asr_at_0",
    "asr_at_1",
    "triggered_loss_at_0",
    "triggered_loss_at_1",
    "area",
    "half_loss_beta",
    "control_asr_at_1",
    "control_area",
    "betas_missed",
    "score_bound",
    "seconds",
    "error",
)


def row(result: CellResult) -> dict[str, Any]:
    """Return the numbers of a cell; None where there are none."""
    cell, curve = result.cell, result.curve
    numbers: dict[str, Any] = dict.fromkeys(COLUMNS)
    numbers |= {"learner": cell.learner, "lambda": cell.lam, "gamma": cell.gamma, "rate": cell.rate, "seed": cell.seed}
    numbers |= {"seconds": round(result.seconds, 3), "error": result.error}
    if curve is None:
        return numbers
    ends = np.array([0.0, 1.0])
    for name, values in (
        ("clean_accuracy", curve.accuracy("clean", ends)),
        ("asr", curve.accuracy("triggered", ends)),
        ("triggered_loss", curve.loss("triggered", ends)),
    ):
        numbers[f"{name}_at_0"], numbers[f"{name}_at_1"] = map(float, values)
    half = curve.half_loss_beta
    certificate = curve.certificate()
    if result.control is not None:
        numbers["control_asr_at_1"] = result.control.accuracy("triggered", 1.0)
        numbers["control_area"] = result.control.area("triggered")
    return numbers | {
        "method": curve.method,
        "area": curve.area("triggered"),
        "half_loss_beta": None if np.isnan(half) else half,
        "betas_missed": len(curve.missed),
        "score_bound": None if certificate is None else float(certificate.score_bound.max()),
    }


def as_csv(results: Sequence[CellResult]) -> str:
    """Return a line a cell, empty where there is no number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(result) for result in results)
    return text.getvalue()


def as_text(results: Sequence[CellResult]) -> str:
    """Return the table for the terminal: a line a setting, mean and standard deviation over its seeds."""
    settings: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for result in results:
        cell = result.cell
        settings.setdefault((cell.learner, cell.lam, cell.gamma, cell.rate), []).append(row(result))
    controlled = any(result.control is not None for result in results)
    measured = ("clean acc.", "ASR at β=1", *(("without trigger",) if controlled else ()), "area", "half-loss β")
    lines = [("learner", "lambda", "gamma", "p", *measured, "path")]
    for (learner, lam, gamma, rate), rows in settings.items():
        done = [r for r in rows if not r["error"]]
        lines.append(
            (
                learner,
                f"{lam:g}",
                "" if gamma is None else f"{gamma:g}",
                f"{rate:g}",
                _mean(done, "clean_accuracy_at_1"),
                _mean(done, "asr_at_1"),
                *((_mean(done, "control_asr_at_1"),) if controlled else ()),
                _mean(done, "area"),
                _half(done),
                _path(rows),
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(line, widths) for line in lines)


def legend(results: Sequence[CellResult]) -> str:
    """Return what the columns of `as_text` mean, in a few lines."""
    seeds = len({result.cell.seed for result in results})
    lines = [
        f"clean acc. (at β=1), ASR, area: mean ± standard deviation over {seeds} seeds"
        if seeds > 1
        else "clean acc.: at β=1",
        "area: of the triggered loss over β; half-loss β: where that loss has fallen to half of its value at β=0"
        + (" (median of the seeds that get there)" if seeds > 1 else ""),
        "path: exact at every β, with the largest bound on a score's distance to the optimum; or refitted β by β",
    ]
    if any(result.control is not None for result in results):
        lines.insert(1, "without trigger: ASR of the control, trained on the same wrong labels without the trigger")
    return "\n".join(lines)


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    """Return a line of the table, words to the left and numbers to the right."""
    padded = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
    padded[0] = line[0].ljust(widths[0])
    padded[-1] = line[-1]
    return "  ".join(padded)


def _mean(rows: list[dict[str, Any]], name: str) -> str:
    values = [r[name] for r in rows]
    if not values:
        return "-"
    return f"{np.mean(values):.3f}" + (f" ±{np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def _half(rows: list[dict[str, Any]]) -> str:
    """Return the median over the seeds that reach half of the loss, with their number where not all do."""
    values = [r["half_loss_beta"] for r in rows if r["half_loss_beta"] is not None]
    if not values:
        return "never" if rows else "-"
    return f"{np.median(values):.4f}" + ("" if len(values) == len(rows) else f" ({len(values)} of {len(rows)})")


def _path(rows: list[dict[str, Any]]) -> str:
    """Return how the path was followed, and what was not as it should be."""
    done = [r for r in rows if not r["error"]]
    if not done:
        return f"failed: {rows[0]['error']}"
    bounds = [r["score_bound"] for r in done]
    text = f"exact, ±{max(bounds):.0e}" if None not in bounds else "refit"
    missed = sum(r["betas_missed"] for r in done)
    return (
        text
        + (f", {missed} fits unconverged" if missed else "")
        + (f", {len(rows) - len(done)} of {len(rows)} failed" if len(done) < len(rows) else "")
    )
