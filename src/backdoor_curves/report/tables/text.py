"""The table of a run for the terminal: a line a setting, mean and standard deviation over its seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from backdoor_curves.metrics import theta
from backdoor_curves.search.safety import SafeRegion, safe_regions
from backdoor_curves.study.store.statistics import by_setting

Row = Mapping[str, Any]
SOMETIMES = ("data", "trigger", "labels", "injection")
"""Coordinates that have a column where they differ between cells."""


def as_text(table: Sequence[Row]) -> str:
    """Return the table of rows as `Run.table` gives them."""
    controlled = any(row["control_area"] is not None for row in table)
    shown = [name for name in SOMETIMES if len({row[name] for row in table}) > 1]
    control = ("without trigger",) if controlled else ()
    measured = ("clean acc.", "ASR at β=1", *control, "θ", "slope", "holds to β", "area", "half-loss β")
    lines = [(*shown, "learner", "lambda", "gamma", "p", *measured, "path")]
    for rows in by_setting(table):
        first = rows[0]
        done = [row for row in rows if not row["error"]]
        lines.append(
            (
                *(first[name] for name in shown),
                first["learner"],
                f"{first['lambda']:g}",
                "" if first["gamma"] is None else f"{first['gamma']:g}",
                f"{first['rate']:g}",
                _mean(done, "clean_accuracy_at_1"),
                _mean(done, "asr_at_1"),
                *((_mean(done, "control_asr_at_1"),) if controlled else ()),
                *_slope(done),
                _mean(done, "area"),
                _half(done),
                _path(rows),
            )
        )
    return "\n".join(_aligned(lines, len(shown) + 1))


def legend(table: Sequence[Row]) -> str:
    """Return what the columns of `as_text` mean, in a few lines."""
    seeds = len({row["seed"] for row in table})
    lines = [
        f"clean acc. (at β=1), ASR, area: mean ± standard deviation over {seeds} seeds"
        if seeds > 1
        else "clean acc.: at β=1",
        "slope: of the triggered loss at β=0, and θ = -(2/π) arctan(slope)"
        + (", means; it predicts the loss up to the β beside it, the least of the seeds" if seeds > 1 else "")
        + ("; ≈: estimated by refits" if any(row["slope_estimate_at_0"] is not None for row in table) else ""),
        "area: of the triggered loss over β; half-loss β: where that loss has fallen to half of its value at β=0"
        + (" (median of the seeds that get there)" if seeds > 1 else ""),
        "path: exact at every β, with the largest bound on a score's distance to the optimum; or refitted β by β",
    ]
    if any(row["control_area"] is not None for row in table):
        lines.insert(1, "without trigger: ASR of the control, trained on the same wrong labels without the trigger")
    return "\n".join(lines)


def safe_text(table: Sequence[Row]) -> str:
    """Return where each learner is safe, a line each; "" where nothing is judged."""
    regions = [region for region in safe_regions(table) if region.best is not None]
    if not regions:
        return ""
    shown = [name for name in SOMETIMES if len({getattr(region, name) for region in regions}) > 1]
    bounds = regions[0].bounds
    lines = [
        (*(getattr(region, name) for name in shown), f"p {region.rate:g}", region.learner, _safest(region))
        for region in regions
    ]
    means = f"safe: clean acc. within {bounds.margin:g} of the learner's best, ASR at most {bounds.asr:g}, in the mean"
    return "\n".join([means, *_aligned(lines, len(lines[0]))])


def _safest(region: SafeRegion) -> str:
    """Return the most accurate safe setting, or that there is none."""
    tried = sum(setting.judged for setting in region.settings)
    if (chosen := region.chosen) is None:
        return f"none of {tried} settings is safe"
    gamma = "" if chosen.gamma is None else f", gamma {chosen.gamma:g}"
    rates = f"clean acc. {chosen.clean_accuracy:.3f}, ASR {chosen.asr:.3f}"
    return f"{len(region.safe)} of {tried} settings safe, best lambda {chosen.lam:g}{gamma}: {rates}"


def _aligned(lines: Sequence[Sequence[str]], words: int) -> list[str]:
    """Return lines in columns, the first ones words to the left, the others numbers to the right, the last as it is."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def padded(line: Sequence[str]) -> Iterator[str]:
        for k, (cell, width) in enumerate(zip(line[:-1], widths[:-1], strict=True)):
            yield cell.ljust(width) if k < words else cell.rjust(width)
        yield line[-1]

    return ["  ".join(padded(line)) for line in lines]


def _mean(rows: Sequence[Row], name: str) -> str:
    values = [row[name] for row in rows]
    if not values:
        return "-"
    return f"{np.mean(values):.3f}" + (f" ±{np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def _slope(rows: Sequence[Row]) -> tuple[str, str, str]:
    """Return theta, the slope and its range; of refits the slope is an estimate from their first betas, marked by ≈."""
    exact, estimated = ([row[name] for row in rows] for name in ("slope_at_0", "slope_estimate_at_0"))
    if rows and None not in exact:
        mean_theta, slope = np.mean([row["theta"] for row in rows]), np.mean(exact)
        return f"{mean_theta:.3f}", f"{slope:.4g}", f"{min(row['slope_range'] for row in rows):.1g}"
    if rows and None not in estimated:
        slope, error = np.mean(estimated), max(row["slope_estimate_error"] for row in rows)
        return f"≈{theta(slope):.3f}", f"≈{slope:.3g} ±{error:.1g}", "-"
    return "-", "-", "-"


def _half(rows: Sequence[Row]) -> str:
    """Return the median over the seeds that reach half of the loss, with their number where not all do."""
    values = [row["half_loss_beta"] for row in rows if row["half_loss_beta"] is not None]
    if not values:
        return "never" if rows else "-"
    return f"{np.median(values):.4f}" + ("" if len(values) == len(rows) else f" ({len(values)} of {len(rows)})")


def _path(rows: Sequence[Row]) -> str:
    """Return how the path was followed, and what was not as it should be."""
    done = [row for row in rows if not row["error"]]
    if not done:
        return f"failed: {rows[0]['error']}"
    bounds = [row["score_bound"] for row in done]
    text = f"exact, ±{max(bounds):.0e}" if None not in bounds else "refit"
    missed = sum(row["betas_missed"] for row in done)
    return (
        text
        + (f", {missed} fits unconverged" if missed else "")
        + (f", {len(rows) - len(done)} of {len(rows)} failed" if len(done) < len(rows) else "")
    )
