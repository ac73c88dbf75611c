"""The table of a learner's settings: its hyperparameters, and a column for each quantity that has a heading."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from backdoor_curves.report.page.content import ShownLearner, ShownSetting
from backdoor_curves.report.page.words import number, shown, value
from backdoor_curves.study.compute.quantities import ALL_QUANTITIES, CERTIFICATE_QUANTITIES, CONTROL_QUANTITIES
from backdoor_curves.study.plan.names import ONLY_SETTING, symbols_of


@dataclass(frozen=True)
class Line:
    """A setting, and what stands in its columns."""

    shown: ShownSetting
    hyperparameters: list[str]
    quantities: list[str]


@dataclass(frozen=True)
class SettingsTable:
    """The headings and lines of a learner's table."""

    hyperparameters: list[str]
    quantities: list[str]
    lines: list[Line]


def settings_table(learner: ShownLearner) -> SettingsTable:
    """Return the table of the settings shown; those of a control or a certificate are there if one has some."""
    asked_for = (CONTROL_QUANTITIES, CERTIFICATE_QUANTITIES)
    known = {name for one in learner.shown for name in one.numbers}
    left_out = {name for some in asked_for if not known & some.keys() for name in some}
    kept = [name for name, quantity in ALL_QUANTITIES.items() if quantity.heading and name not in left_out]
    names = list(learner.shown[0].setting.hyperparameters) if learner.shown else []
    lines = [Line(one, _at(one, names), [_text(one, name) for name in kept]) for one in learner.shown]
    headings = [shown(symbol, 120) for symbol in symbols_of(names)] or ["setting"]
    return SettingsTable(headings, [ALL_QUANTITIES[name].heading for name in kept], lines)


def _at(one: ShownSetting, names: Sequence[str]) -> list[str]:
    return [value(one.setting.hyperparameters[name]) for name in names] or [ONLY_SETTING]


def _text(one: ShownSetting, name: str) -> str:
    """Return a quantity of a setting in the mean over seeds, a share in per cent."""
    if name in OF_THEIR_OWN:
        return OF_THEIR_OWN[name](one)
    mean = one.mean(name)
    if ALL_QUANTITIES[name].is_share:
        return "–" if mean is None else f"{100 * mean:.1f}"
    return number(mean)


def _slope(one: ShownSetting) -> str:
    """Return the slope; of refits an estimate, marked."""
    exact, estimate = one.mean("slope_at_0"), one.mean("slope_estimate_at_0")
    return f"≈ {number(estimate)}" if exact is None and estimate is not None else number(exact)


def _half_loss(one: ShownSetting) -> str:
    """Return the half-loss over the seeds that get there, with their number where not all do."""
    if "half_loss_beta" not in one.numbers:
        return "never" if one.cells else "–"
    n, n_done = one.numbers["half_loss_beta"].n, len(one.cells)
    return number(one.mean("half_loss_beta")) + (f" ({n} of {n_done})" if n < n_done else "")


def _bound(one: ShownSetting) -> str:
    """Return the worst bound of the seeds; refits and networks have none."""
    if "score_bound" not in one.numbers:
        return ("trained" if "slope_at_0" in one.numbers else "refit") if one.cells else "–"
    return number(one.numbers["score_bound"].high, 2)


OF_THEIR_OWN: Mapping[str, Callable[[ShownSetting], str]] = {
    "slope_at_0": _slope,
    "half_loss_beta": _half_loss,
    "score_bound": _bound,
}
"""Quantities that are not the mean over all seeds that are done."""
