"""The table of a run for the terminal: a line a setting, mean and standard deviation over its seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from backdoor_curves.metrics import theta
from backdoor_curves.report.region_words import region_words
from backdoor_curves.search.safe_region import SafeRegion, safe_regions
from backdoor_curves.study.plan.names import ONLY_SETTING, SYMBOLS, learner_name, scenario_words, telling, value_name
from backdoor_curves.study.plan.scenario import Learner, Scenario
from backdoor_curves.study.store.statistics import by_setting
from backdoor_curves.study.store.stored_cell import StoredCell

PROVED = 1e-6
"""How far scores may be from the optimum's on an exact path, by default: a bound beyond it proves nothing."""


def as_text(cells: Sequence[StoredCell]) -> str:
    """Return the table of cells, as `Run.cells` has them; data, trigger, labels and injection where they differ."""
    controlled = _any_has(cells, "control_area")
    shown = telling(cell.scenario for cell in cells)
    control = ("without trigger",) if controlled else ()
    measured = ("clean acc.", "ASR at β=1", *control, "θ", "slope", "holds to β", "area", "half-loss β")
    kinds = SYMBOLS if any("lambda" in cell.hyperparameters for cell in cells) else {}
    names = [*kinds, *(name for cell in cells for name in cell.hyperparameters if name not in kinds)]
    names = list(dict.fromkeys(names))
    lines = [(*shown, "learner", *names, "p", *measured, "path")]
    for group in by_setting(cells):
        first, words = group[0], scenario_words(group[0].scenario)
        values = first.hyperparameters
        done = [cell for cell in group if cell.status == "done"]
        lines.append(
            (
                *(words[name] for name in shown),
                learner_name(first.learner),
                *(value_name(values[name]) if name in values else "" for name in names),
                f"{first.scenario.rate:g}",
                mean_of(done, "clean_accuracy_at_1"),
                mean_of(done, "asr_at_1"),
                *((mean_of(done, "control_asr_at_1"),) if controlled else ()),
                *slope_of(done),
                mean_of(done, "area"),
                _half(done),
                path_of(group),
            )
        )
    return "\n".join(aligned(lines, len(shown) + 1))


def legend(cells: Sequence[StoredCell]) -> str:
    """Return what the columns of `as_text` mean, in a few lines."""
    seeds = len({cell.seed for cell in cells})
    lines = [
        f"clean acc. (at β=1), ASR, area: mean ± standard deviation over {seeds} seeds"
        if seeds > 1
        else "clean acc.: at β=1",
        "slope: of the triggered loss at β=0, and θ = -(2/π) arctan(slope)"
        + (", means; it predicts the loss up to the β beside it, the least of the seeds" if seeds > 1 else "")
        + ("; ≈: estimated by refits" if _any_has(cells, "slope_estimate_at_0") else ""),
        "area: of the triggered loss over β; half-loss β: where that loss has fallen to half of its value at β=0"
        + (" (median of the seeds that get there)" if seeds > 1 else ""),
        "path: exact at every β, with the largest bound on a score's distance to the optimum; or refitted β by β",
    ]
    if any(cell.is_trained for cell in cells):
        lines[-1] += "; trained: of a network, with exact slopes, and estimated between its βs"
    if _any_has(cells, "control_area"):
        lines.insert(1, "without trigger: ASR of the control, trained on the same wrong labels without the trigger")
    return "\n".join(lines)


def safe_text(cells: Sequence[StoredCell]) -> str:
    """Return where each learner is safe, a line each; "" where nothing is judged."""
    regions = [region for region in safe_regions(cells) if region.best is not None]
    if not regions:
        return ""
    shown = telling(region.scenario for region in regions)
    bounds = regions[0].bounds
    lines = []
    for region in regions:
        words = scenario_words(region.scenario)
        told = (words[name] for name in shown)
        lines.append((*told, f"p {region.scenario.rate:g}", learner_name(region.learner), _safest(region)))
    means = f"safe: clean acc. within {bounds.margin:g} of the learner's best, ASR at most {bounds.asr:g}, in the mean"
    return "\n".join([means, *aligned(lines, len(lines[0]))])


def _safest(region: SafeRegion[Scenario, Learner]) -> str:
    """Return the most accurate safe setting, or that there is none."""
    tried = sum(setting.judged for setting in region.settings)
    if (chosen := region.chosen) is None:
        return f"none of {tried} settings is safe"
    at = ", ".join(f"{name} {value_name(value)}" for name, value in chosen.hyperparameters.items()) or ONLY_SETTING
    rates = f"clean acc. {chosen.clean_accuracy:.3f}, ASR {chosen.asr:.3f}"
    along = "" if "lambda" in chosen.hyperparameters else "".join(f"; {words}" for words in region_words(region))
    return f"{len(region.safe)} of {tried} settings safe, best {at}: {rates}{along}"


def aligned(lines: Sequence[Sequence[str]], words: int) -> list[str]:
    """Return lines in columns, the first ones words to the left, the others numbers to the right, the last as it is."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def padded(line: Sequence[str]) -> Iterator[str]:
        for k, (cell, width) in enumerate(zip(line[:-1], widths[:-1], strict=True)):
            yield cell.ljust(width) if k < words else cell.rjust(width)
        yield line[-1]

    return ["  ".join(padded(line)) for line in lines]


def _any_has(cells: Sequence[StoredCell], quantity: str) -> bool:
    return any(cell.numbers.get(quantity) is not None for cell in cells)


def mean_of(cells: Sequence[StoredCell], quantity: str) -> str:
    """Return the mean of a quantity over cells, with its standard deviation; "-" where none is done."""
    values = [cell.numbers[quantity] for cell in cells]
    if not values:
        return "-"
    return f"{np.mean(values):.3f}" + (f" ±{np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def slope_of(cells: Sequence[StoredCell]) -> tuple[str, str, str]:
    """Return theta, the slope and its range; of refits the slope is an estimate from their first betas, marked by ≈."""
    rows = [cell.numbers for cell in cells]
    exact, estimated = ([row[name] for row in rows] for name in ("slope_at_0", "slope_estimate_at_0"))
    if rows and None not in exact:
        mean_theta, slope = np.mean([row["theta"] for row in rows]), np.mean(exact)
        return f"{mean_theta:.3f}", f"{slope:.4g}", f"{min(row['slope_range'] for row in rows):.1g}"
    if rows and None not in estimated:
        slope, error = np.mean(estimated), max(row["slope_estimate_error"] for row in rows)
        return f"≈{theta(slope):.3f}", f"≈{slope:.3g} ±{error:.1g}", "-"
    return "-", "-", "-"


def _half(cells: Sequence[StoredCell]) -> str:
    """Return the median over the seeds that reach half of the loss, with their number where not all do."""
    values = [value for cell in cells if (value := cell.numbers["half_loss_beta"]) is not None]
    if not values:
        return "never" if cells else "-"
    return f"{np.median(values):.4f}" + ("" if len(values) == len(cells) else f" ({len(values)} of {len(cells)})")


def path_of(cells: Sequence[StoredCell]) -> str:
    """Return how the path was followed, and what was not as it should be."""
    done = [cell.numbers for cell in cells if cell.status == "done"]
    if not done:
        return f"failed: {cells[0].reason}"
    bounds = [row["score_bound"] for row in done]
    unproved = "trained" if all(cell.is_trained for cell in cells if cell.status == "done") else "refit"
    text = unproved if None in bounds else f"{'exact' if max(bounds) <= PROVED else 'not proved'}, ±{max(bounds):.0e}"
    missed = sum(row["betas_missed"] for row in done)
    return (
        text
        + (f", {missed} fits unconverged" if missed else "")
        + (f", {len(cells) - len(done)} of {len(cells)} failed" if len(done) < len(cells) else "")
    )
