"""The figures of a scenario: maps over lambda and gamma, the frontier, curves, slopes, deviations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backdoor_curves.report.content import Learner, Scenario, Shown
from backdoor_curves.report.series import DEVIATIONS, LOSSES, SHARES
from backdoor_curves.report.svg import (
    Scale,
    axis_below,
    axis_left,
    element,
    log_ticks,
    marker,
    picture,
    polyline,
    short,
    text,
    ticks,
)
from backdoor_curves.report.words import learner_name, percent, setting_name
from backdoor_curves.study.safety import SafeRegion, Setting

STEPS = 9
"""Of the colours of a map."""
SPAN = 0.1
"""How far below the best clean accuracy the colours of the accuracy map reach."""
LOWEST = 0.25
"""How far below the best clean accuracy the frontier's picture reaches."""


# --- maps ------------------------------------------------------------------------------------------------------------


def accuracy_map(name: str, learner: Learner) -> str:
    """Return the map of clean accuracy; darkest at the best, lightest from ten points below it on."""
    best = learner.region.best
    top = best.clean_accuracy if best else 1.0
    return _map(name, learner, "Clean accuracy, %", "a", lambda one: one.clean_accuracy, lambda v: (v - top) / SPAN + 1)


def attack_map(name: str, learner: Learner) -> str:
    """Return the map of the attack success rate, from 0 to 100 %."""
    return _map(name, learner, "Attack success rate, %", "s", lambda one: one.asr, lambda value: value)


def _map(
    name: str,
    learner: Learner,
    what: str,
    ramp: str,
    value: Callable[[Setting], float],
    share: Callable[[float], float],
) -> str:
    settings = [one.setting for one in learner.shown]
    lams = sorted({setting.lam for setting in settings})
    gammas = sorted({setting.gamma for setting in settings if setting.gamma is not None}) or [None]
    wide = min(52.0, max(18.0, 324.0 / len(lams)))
    high = 30.0 if wide >= 28 else 20.0
    left, top = 46.0 if gammas != [None] else 8.0, 30.0
    x = {lam: left + wide * i for i, lam in enumerate(lams)}
    y = {gamma: top + high * i for i, gamma in enumerate(reversed(gammas))}
    bottom, right = top + high * len(gammas), left + wide * len(lams)
    cells = [_cell(one, learner.region, (x[one.setting.lam], y[one.setting.gamma], wide, high), ramp, value, share) for one in learner.shown]
    every = 1 if wide >= 30 else 2 if wide >= 20 else 3
    axes = [text(short(lam), x[lam] + wide / 2, bottom + 15, text_anchor="middle") for lam in lams[::every]]
    axes.append(text("λ, strength of the penalty", left, bottom + 31, class_="label"))
    if gammas != [None]:
        axes += [text(short(gamma), left - 6, y[gamma] + high / 2 + 4, text_anchor="end") for gamma in gammas]
        axes.append(text("γ", left - 6, top - 8, text_anchor="end", class_="label"))
    outline = _outline({(one.lam, one.gamma) for one in settings if one.safe}, lams, gammas, (left, top, wide, high))
    return picture(
        name,
        (max(right + 8.0, 180.0), bottom + 38.0),
        f"{what} of {learner_name(learner.name)} over λ" + (" and γ" if gammas != [None] else ""),
        _map_in_words(learner, value),
        text(what, left, 14, class_="title"),
        *cells,
        outline,
        element("g", *axes, class_="axis"),
        role="group",
    )


def _cell(
    one: Shown,
    region: SafeRegion,
    box: tuple[float, float, float, float],
    ramp: str,
    value: Callable[[Setting], float],
    share: Callable[[float], float],
) -> str:
    """Return a cell of a map: a link to its curve, with its number."""
    x, y, wide, high = box
    setting = one.setting
    if not setting.seeds:
        return element("rect", x=x, y=y, width=wide, height=high, class_="empty")
    step = round(min(max(share(value(setting)), 0.0), 1.0) * (STEPS - 1))
    marks = [text(f"{100 * value(setting):.{1 if wide >= 30 else 0}f}", x + wide / 2, y + high / 2 + 4)]
    if setting == region.best:
        marks.append(element("path", d=f"M{x + 3:.1f} {y + 3:.1f}h8l-8 8z", class_="corner"))
    if setting == region.chosen:
        marks.append(element("circle", cx=x + wide - 7, cy=y + 7, r=3.2, class_="corner"))
    return element(
        "a",
        element("rect", x=x, y=y, width=wide, height=high),
        *marks,
        href=f"#cell={one.key}",
        class_=f"c {ramp}{step}" + ("" if setting.judged else " unjudged"),
        data_n=one.number,
        aria_label=f"{setting_name(setting)}: clean accuracy {percent(setting.clean_accuracy)}, "
        f"ASR {percent(setting.asr)}, {_standing(setting)}",
    )


def _standing(setting: Setting) -> str:
    return "safe" if setting.safe else "not safe" if setting.judged else "not judged, seeds are missing"


def _outline(
    safe: set[tuple[float, float | None]],
    lams: Sequence[float],
    gammas: Sequence[float | None],
    box: tuple[float, float, float, float],
) -> str:
    """Return a line around the safe cells: their edges that no two of them share."""
    left, top, wide, high = box
    column = {lam: i for i, lam in enumerate(lams)}
    row = {gamma: i for i, gamma in enumerate(reversed(gammas))}
    inside = {(column[lam], row[gamma]) for lam, gamma in safe}
    edges = []
    for i, j in sorted(inside):
        x0, x1, y0, y1 = left + wide * i, left + wide * (i + 1), top + high * j, top + high * (j + 1)
        sides = {
            (i, j - 1): (x0, y0, x1, y0),
            (i, j + 1): (x0, y1, x1, y1),
            (i - 1, j): (x0, y0, x0, y1),
            (i + 1, j): (x1, y0, x1, y1),
        }
        edges += [side for beside, side in sides.items() if beside not in inside]
    path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in edges)
    return element("path", d=path, class_="safe-line") if path else ""


def _map_in_words(learner: Learner, value: Callable[[Setting], float]) -> str:
    values = [value(one.setting) for one in learner.shown if one.setting.seeds]
    if not values:
        return "No cell is done."
    return (
        f"{len(values)} settings, from {percent(min(values))} to {percent(max(values))}; "
        f"{len(learner.region.safe)} are safe. The table below has all numbers."
    )


# --- the frontier ----------------------------------------------------------------------------------------------------


def frontier(name: str, scenario: Scenario) -> str:
    """Return clean accuracy over ASR, a mark a setting: filled where safe; lines join those that no other beats."""
    judged = [(learner, [one for one in learner.shown if one.setting.judged]) for learner in scenario.learners]
    settings = [one.setting for _, group in judged for one in group]
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
    for learner, group in judged:
        inside = [one for one in group if one.setting.clean_accuracy >= low]
        edge = _unbeaten([one.setting for one in inside])
        points = [(x(100 * s.asr), y(100 * s.clean_accuracy)) for s in edge]
        if len(points) > 1:
            parts.append(polyline(*zip(*points, strict=True), f"edge h{learner.hue}"))
        for one in inside:
            s = one.setting
            class_ = f"m h{learner.hue}" + (" full" if s.safe else "")
            parts.append(marker(learner.hue, x(100 * s.asr), y(100 * s.clean_accuracy), class_=class_, data_n=one.number))
    hidden = sum(setting.clean_accuracy < low for setting in settings)
    safe = sum(setting.safe for setting in settings)
    words = f"{len(settings)} settings, {safe} of them safe."
    if hidden:
        parts.append(text(f"{hidden} settings under {100 * low:.0f} % are not drawn", x.end, y.end - 10, text_anchor="end", class_="note"))
        words += f" {hidden} with a clean accuracy under {percent(low)} are not drawn."
    return picture(name, (620.0, 342.0), "Clean accuracy against attack success rate", words, *parts)


def _unbeaten(settings: Sequence[Setting]) -> list[Setting]:
    """Return the settings that no other beats in both, by rising ASR."""
    edge: list[Setting] = []
    for setting in sorted(settings, key=lambda one: (one.asr, -one.clean_accuracy)):
        if not edge or setting.clean_accuracy > edge[-1].clean_accuracy:
            edge.append(setting)
    return edge


# --- over beta -------------------------------------------------------------------------------------------------------


def curves(name: str, learner: Learner) -> str:
    """Return losses above and shares below over beta: the most accurate setting, and the safe or most resistant one."""
    panes = [(LOSSES, "mean loss of test rows", None), (SHARES, "% of test rows", 100.0)]
    return _over_beta(name, learner, panes, "Backdoor learning curves")


def deviations(name: str, learner: Learner) -> str:
    """Return |w| above and how far it turned from w(0) below, over beta, of the same settings."""
    panes = [(DEVIATIONS[:1], "ρ = |w(β)|", None), (DEVIATIONS[1:], "ν, 0: as w(0), ½: at right angles", None)]
    return _over_beta(name, learner, panes, "Deviation of the parameters")


def compared(learner: Learner) -> list[tuple[str, Shown]]:
    """Return the settings whose curves are compared, with a class each: "best", and "calm" where it is another one."""
    best, calm = learner.of(learner.region.best), learner.of(learner.resistant)
    found = [("best", best), ("calm", calm if calm is not best else None)]
    return [(kind, one) for kind, one in found if one is not None and one.series is not None]


def _over_beta(name: str, learner: Learner, panes: Sequence[tuple[Sequence[str], str, float | None]], what: str) -> str:
    drawn = compared(learner)
    x = Scale(0.0, 1.0, 40.0, 228.0)
    parts, top = [], 30.0
    for number, (lines, label, whole) in enumerate(panes):
        factor = 1.0 if whole is None else whole
        found = [
            (kind, line, one.series) for kind, one in drawn for line in lines if one.series and line in one.series.lines
        ]
        if not found:
            continue
        highest = whole or max(float(series.lines[line].max()) for _, line, series in found) * 1.04 or 1.0
        y = Scale(0.0, highest, top + 112.0, top)
        last = number == len(panes) - 1
        parts.append(axis_left(y, x.start, ticks(0.0, highest, 4), label, x.end))
        parts.append(axis_below(x, y.start, [0.0, 0.5, 1.0], "β, weight of the poison" if last else ""))
        for kind, line, series in found:
            xs = [x(float(beta)) for beta in series.betas]
            ys = [y(factor * float(value)) for value in series.lines[line]]
            clean = " dashed" if line.startswith("clean") else ""
            parts.append(polyline(xs, ys, f"line {kind}{clean}"))
        parts.append(element("line", x1=x.end, x2=x.end, y1=y.end, y2=y.start, class_="beta", data_x0=x.start, data_x1=x.end))
        top += 112.0 + 52.0
    if not parts:
        return ""
    words = " ".join(
        f"{setting_name(one.setting)}: "
        + "; ".join(
            f"{line.replace('_', ' ')} from {series.lines[line][0]:.3g} to {series.lines[line][-1]:.3g}"
            for lines, _, _ in panes
            for line in lines
            if line in series.lines
        )
        + "."
        for _, one in drawn
        if (series := one.series) is not None
    )
    return picture(name, (240.0, top - 6.0), f"{what} of {learner_name(learner.name)}", words, *parts)


# --- slopes ----------------------------------------------------------------------------------------------------------


def slopes(name: str, scenario: Scenario) -> str:
    """Return theta over lambda, and the ASR that came of it over theta; a mark a setting."""
    found = [
        (learner, one, theta)
        for learner in scenario.learners
        for one in learner.shown
        if one.setting.seeds and (theta := one.mean("theta")) is not None
    ]
    if not found:
        return ""
    lams = [one.setting.lam for _, one, _ in found]
    low, high = min(lams), max(lams)
    low, high = (low / 2, high * 2) if low == high else (low / 1.3, high * 1.3)
    bottom = min(0.0, *(theta for *_, theta in found))
    y1, y2 = Scale(bottom, 1.0, 250.0, 34.0), Scale(0.0, 100.0, 250.0, 34.0)
    x1, x2 = Scale(low, high, 44.0, 306.0, log=True), Scale(bottom, 1.0, 388.0, 650.0)
    parts = [
        axis_left(y1, x1.start, ticks(bottom, 1.0), "θ, slope of the curve at β = 0", x1.end),
        axis_below(x1, y1.start, log_ticks(low, high), "λ, strength of the penalty"),
        axis_left(y2, x2.start, ticks(0, 100), "attack success rate, % (β = 1)", x2.end),
        axis_below(x2, y2.start, ticks(bottom, 1.0), "θ, slope of the curve at β = 0"),
    ]
    for learner, one, theta in found:
        spread = one.numbers["theta"]
        class_ = f"m h{learner.hue}" + (" full" if one.setting.safe else "")
        at = x1(one.setting.lam)
        parts.append(element("line", x1=at, x2=at, y1=y1(spread.low), y2=y1(spread.high), class_=f"range h{learner.hue}"))
        parts.append(marker(learner.hue, at, y1(theta), class_=class_, data_n=one.number))
        parts.append(marker(learner.hue, x2(theta), y2(100 * one.setting.asr), class_=class_, data_n=one.number))
    thetas = [theta for *_, theta in found]
    return picture(
        name,
        (664.0, 292.0),
        "Slope over lambda, and attack success rate over slope",
        f"{len(found)} settings, θ from {min(thetas):.3f} to {max(thetas):.3f}. The table has all numbers.",
        *parts,
    )
