"""The figures of a scenario: the frontier, curves over beta, deviations, slopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backdoor_curves.report.page.content import ShownLearner, ShownScenario, ShownSetting
from backdoor_curves.report.page.series import DEVIATIONS, LOSSES, SHARES, TOLERANCE, Series, thinned
from backdoor_curves.report.page.svg import (
    Scale,
    axis_below,
    axis_left,
    element,
    log_ticks,
    marker,
    picture,
    polyline,
    text,
    ticks,
)
from backdoor_curves.report.page.terms import ATTACK, Terms
from backdoor_curves.report.page.words import learner_title, setting_name
from backdoor_curves.search.safe_region import JudgedSetting
from backdoor_curves.study.plan.names import strength_of

LOWEST = 0.25
"""How far below the best clean accuracy the frontier's picture reaches: of what is worse nobody would choose one."""
PANE, STEP = 112.0, 164.0
"""The height of a pane over beta, and the way from one to the next."""


def _mark(learner: ShownLearner, one: ShownSetting, x: float, y: float) -> str:
    """Return the mark of a setting: the learner's shape and colour, filled where it is safe."""
    class_ = f"m h{learner.hue}" + (" full" if one.setting.safe else "")
    return marker(learner.number, x, y, class_=class_, data_n=one.number)


# --- the frontier ----------------------------------------------------------------------------------------------------


def frontier(name: str, scenario: ShownScenario) -> str:
    """Return clean accuracy over ASR, a mark a setting: filled where safe; lines join those that no other beats."""
    settings = [one.setting for one in scenario.shown if one.setting.judged]
    if not settings:
        return ""
    top = max(setting.clean_accuracy for setting in settings)
    low = max(min(setting.clean_accuracy for setting in settings), top - LOWEST)
    pad = max(0.06 * (top - low), 0.005)
    x = Scale(0.0, 100.0, 52.0, 600.0)
    y = Scale(100 * (low - pad), 100 * min(top + pad, 1.0 + pad / 2), 300.0, 34.0)
    bound = 100 * scenario.learners[0].region.bounds.asr
    parts = [
        element("rect", x=x.start, y=y.end, width=x(bound) - x.start, height=y.start - y.end, class_="under"),
        axis_below(x, y.start, ticks(0, 100), "attack success rate, % of triggered test rows (β = 1)"),
        axis_left(y, x.start, ticks(y.low, min(y.high, 100.0)), "clean accuracy, % of clean test rows", x.end),
        element("line", x1=x(bound), x2=x(bound), y1=y.end, y2=y.start, class_="bound"),
        text(f"ASR ≤ {bound:g} %", x(bound) + 5, y.start - 8, class_="note"),
    ]
    for learner in scenario.learners:
        inside = [one for one in learner.shown if one.setting.judged and one.setting.clean_accuracy >= low]
        edge = _unbeaten([one.setting for one in inside])
        if len(edge) > 1:
            xs, ys = [x(100 * one.asr) for one in edge], [y(100 * one.clean_accuracy) for one in edge]
            parts.append(polyline(xs, ys, f"edge h{learner.hue}"))
        parts += [_mark(learner, one, x(100 * one.setting.asr), y(100 * one.setting.clean_accuracy)) for one in inside]
    words = f"{len(settings)} settings, {sum(setting.safe for setting in settings)} of them safe."
    if hidden := sum(setting.clean_accuracy < low for setting in settings):
        note = f"{hidden} settings under {100 * low:.0f} % are not drawn"
        parts.append(text(note, x.end, y.start - 8, text_anchor="end", class_="note"))
        words += f" {note}."
    return picture(name, (620.0, 342.0), "Clean accuracy against attack success rate", words, *parts)


def _unbeaten(settings: Sequence[JudgedSetting]) -> list[JudgedSetting]:
    """Return the settings that no other beats in both, by rising ASR."""
    edge: list[JudgedSetting] = []
    for setting in sorted(settings, key=lambda one: (one.asr, -one.clean_accuracy)):
        if not edge or setting.clean_accuracy > edge[-1].clean_accuracy:
            edge.append(setting)
    return edge


# --- over beta -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pane:
    """What a pane over beta shows: lines, the words above them, the largest value (None: that of the lines), a unit."""

    lines: tuple[str, ...]
    label: str
    top: float | None = None
    factor: float = 1.0


CURVES = (Pane(LOSSES, "mean loss of test rows"), Pane(SHARES, "% of test rows", 100.0, 100.0))
TURNS = (Pane(DEVIATIONS[:1], "ρ = |w(β)|"), Pane(DEVIATIONS[1:], "ν, turn of w"))


def curves(name: str, learner: ShownLearner, terms: Terms = ATTACK) -> str:
    """Return losses above and shares below over beta: the most accurate setting, and the safe or most resistant one."""
    return _over_beta(name, learner, CURVES, terms.title, terms)


def deviations(name: str, learner: ShownLearner, terms: Terms = ATTACK) -> str:
    """Return |w| above and how far it turned from w(0) below, over beta, of the same settings."""
    return _over_beta(name, learner, TURNS, "Deviation of the parameters", terms)


def compared_curves(learner: ShownLearner, terms: Terms = ATTACK) -> list[tuple[str, ShownSetting, Series]]:
    """Return the settings whose curves are compared, with their kind."""
    found = [(kind, one) for kind, one in learner.compared if kind in terms.kinds]
    return [(kind, one, one.series) for kind, one in found if one.series is not None]


def _over_beta(name: str, learner: ShownLearner, panes: Sequence[Pane], what: str, terms: Terms) -> str:
    drawn = compared_curves(learner, terms)
    kept = [pane for pane in panes if any(line in series.lines for line in pane.lines for *_, series in drawn)]
    if not kept:
        return ""
    below = f"β, weight of {terms.weighted}"
    parts = [_pane(pane, drawn, 30.0 + STEP * k, below * (k == len(kept) - 1)) for k, pane in enumerate(kept)]
    words = " ".join(
        f"{setting_name(one.setting)}: "
        + "; ".join(
            f"{terms.line(line)} from {series.lines[line][0]:.3g} to {series.lines[line][-1]:.3g}"
            for pane in kept
            for line in pane.lines
            if line in series.lines
        )
        + "."
        for _, one, series in drawn
    )
    size = (182.0, 24.0 + STEP * len(kept))
    return picture(name, size, f"{what} of {learner_title(learner.learner)}", words, *parts)


def _pane(pane: Pane, drawn: Sequence[tuple[str, ShownSetting, Series]], top: float, below: str) -> str:
    """Return the axes and lines of a pane, and the mark that the slider moves; `below` is said of beta, or nothing."""
    found = [(kind, line, series) for kind, _, series in drawn for line in pane.lines if line in series.lines]
    highest = pane.top or max(float(series.lines[line].max()) for _, line, series in found) * 1.04 or 1.0
    x, y = Scale(0.0, 1.0, 38.0, 176.0), Scale(0.0, highest, top + PANE, top)
    parts = [
        axis_left(y, x.start, ticks(0.0, highest, 4), pane.label, x.end),
        axis_below(x, y.start, [0.0, 0.5, 1.0], below),
    ]
    for kind, line, series in found:
        values = pane.factor * series.lines[line]
        kept = thinned(series.betas, values[np.newaxis] / highest, TOLERANCE / 3.0)
        xs, ys = [x(float(series.betas[k])) for k in kept], [y(float(values[k])) for k in kept]
        parts.append(polyline(xs, ys, f"line {kind}" + (" dashed" if line.startswith("clean") else "")))
    ends = {"x1": x.end, "x2": x.end, "y1": y.end, "y2": y.start, "data_x0": x.start, "data_x1": x.end}
    return element("g", *parts, element("line", class_="beta", **ends))


# --- slopes ----------------------------------------------------------------------------------------------------------


def slopes(name: str, scenario: ShownScenario) -> str:
    """Return theta over lambda, and the ASR that came of it over theta; a mark a setting."""
    found = [
        (learner, one, one.numbers["theta"])
        for learner in scenario.learners
        for one in learner.shown
        if "theta" in one.numbers
    ]
    if not found:
        return ""
    lams = [lam for _, one, _ in found if (lam := strength_of(one.setting.hyperparameters)) is not None] or [1.0]
    low, high = min(lams) / 1.3, max(lams) * 1.3
    bottom = min(0.0, *(theta.low for *_, theta in found))
    x1, y1 = Scale(low, high, 44.0, 306.0, log=True), Scale(bottom, 1.0, 250.0, 34.0)
    x2, y2 = Scale(bottom, 1.0, 388.0, 650.0), Scale(0.0, 100.0, 250.0, 34.0)
    parts = [
        axis_left(y1, x1.start, ticks(bottom, 1.0), "θ, slope of the curve at β = 0", x1.end),
        axis_below(x1, y1.start, log_ticks(low, high), "λ, strength of the penalty"),
        axis_left(y2, x2.start, ticks(0, 100), "attack success rate, % (β = 1)", x2.end),
        axis_below(x2, y2.start, ticks(bottom, 1.0), "θ, slope of the curve at β = 0"),
    ]
    for learner, one, theta in found:
        lam = strength_of(one.setting.hyperparameters)
        if lam is not None:
            x = x1(lam)
            ends = {"x1": x, "x2": x, "y1": y1(theta.low), "y2": y1(theta.high)}
            parts.append(element("line", class_=f"range h{learner.hue}", **ends))
            parts.append(_mark(learner, one, x, y1(theta.mean)))
        parts.append(_mark(learner, one, x2(theta.mean), y2(100 * one.setting.asr)))
    thetas = [theta.mean for *_, theta in found]
    words = f"{len(found)} settings, θ from {min(thetas):.3f} to {max(thetas):.3f}. The table has all numbers."
    return picture(name, (664.0, 292.0), "Slope over lambda, and attack success rate over slope", words, *parts)
