"""The maps of a learner over lambda and gamma: clean accuracy and attack success rate, the safe region outlined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backdoor_curves.report.page.content import Region, ShownLearner, ShownSetting
from backdoor_curves.report.page.svg import element, picture, short, text
from backdoor_curves.report.page.words import learner_title, percent, setting_name
from backdoor_curves.search.safe_region import JudgedSetting

STEPS = 9
"""Of the colours of a map."""
SPAN = 0.1
"""How far below the best clean accuracy the colours of the accuracy map reach."""
WIDE, NARROW, ROOMY = 52.0, 18.0, 26.0
"""Pixels of a cell: at most, at least, and those that a number with a digit behind its point takes."""
WIDTH = 368.0
"""Of a map, in pixels, where its cells are neither."""
TOP = 30.0

Gamma = float | None


@dataclass(frozen=True)
class _Quantity:
    """What a map shows: its title, its colours, its number, and which share of the colours that is."""

    title: str
    ramp: str
    value: Callable[[JudgedSetting], float]
    share: Callable[[float], float]


@dataclass(frozen=True)
class _Grid:
    """Where the cells of a map are."""

    lams: Sequence[float]
    gammas: Sequence[Gamma]

    @property
    def left(self) -> float:
        return 8.0 if self.flat else 46.0

    @property
    def flat(self) -> bool:
        """Whether it is a strip over lambda."""
        return list(self.gammas) == [None]

    @property
    def wide(self) -> float:
        return min(WIDE, max(NARROW, (WIDTH - self.left) / len(self.lams)))

    @property
    def high(self) -> float:
        return 30.0 if self.wide >= ROOMY else 20.0

    def corner(self, lam: float, gamma: Gamma) -> tuple[float, float]:
        """Return the upper left corner of a cell; gamma rises upwards."""
        row = len(self.gammas) - 1 - self.gammas.index(gamma)
        return self.left + self.wide * self.lams.index(lam), TOP + self.high * row

    @property
    def bottom(self) -> float:
        return TOP + self.high * len(self.gammas)

    @property
    def right(self) -> float:
        return self.left + self.wide * len(self.lams)


def accuracy_map(name: str, learner: ShownLearner) -> str:
    """Return the map of clean accuracy; the strongest colour at the best, the faintest from ten points below it on."""
    best = learner.region.best
    top = best.clean_accuracy if best else 1.0
    quantity = _Quantity("Clean accuracy, %", "a", lambda one: one.clean_accuracy, lambda v: (v - top) / SPAN + 1.0)
    return _map(name, learner, quantity)


def attack_map(name: str, learner: ShownLearner) -> str:
    """Return the map of the attack success rate, from 0 to 100 %."""
    return _map(name, learner, _Quantity("Attack success rate, %", "s", lambda one: one.asr, lambda value: value))


def _map(name: str, learner: ShownLearner, quantity: _Quantity) -> str:
    settings = [one.setting for one in learner.shown]
    gammas: list[Gamma] = sorted({one.gamma for one in settings}, key=lambda gamma: gamma or 0.0)
    grid = _Grid(sorted({one.lam for one in settings}), gammas)
    return picture(
        name,
        (max(grid.right, grid.left + 150.0) + 4.0, grid.bottom + 38.0),
        f"{quantity.title} of {learner_title(learner.learner)} over λ" + ("" if grid.flat else " and γ"),
        _in_words(learner, quantity),
        text(quantity.title, grid.left, 14.0, class_="title"),
        *(_cell(one, learner.region, grid, quantity) for one in learner.shown),
        _outline({(one.lam, one.gamma) for one in settings if one.safe}, grid),
        _axes(grid),
        role="group",
    )


def _axes(grid: _Grid) -> str:
    every = 1 if grid.wide >= 30 else 2 if grid.wide >= 20 else 3  # a label such as 0.316 is some 30 pixels wide
    middle = grid.wide / 2.0
    parts = [
        text(short(lam), grid.corner(lam, grid.gammas[0])[0] + middle, grid.bottom + 15.0, text_anchor="middle")
        for lam in grid.lams[::every]
    ]
    parts.append(text("λ, strength of the penalty", grid.left, grid.bottom + 31.0, class_="label"))
    if not grid.flat:
        for gamma in grid.gammas:
            y = grid.corner(grid.lams[0], gamma)[1] + grid.high / 2.0 + 4.0
            parts.append(text("" if gamma is None else short(gamma), grid.left - 6.0, y, text_anchor="end"))
        parts.append(text("γ", grid.left - 6.0, TOP - 8.0, text_anchor="end", class_="label"))
    return element("g", *parts, class_="axis")


def _cell(one: ShownSetting, region: Region, grid: _Grid, quantity: _Quantity) -> str:
    """Return a cell of a map: a link to its curve, with its number."""
    setting = one.setting
    (x, y), wide, high = grid.corner(setting.lam, setting.gamma), grid.wide, grid.high
    if not one.key:
        return element("rect", x=x, y=y, width=wide, height=high, class_="empty")
    value = quantity.value(setting)
    step = round(min(max(quantity.share(value), 0.0), 1.0) * (STEPS - 1))
    digits = 1 if wide >= ROOMY else 0
    marks = [text(f"{100 * value:.{digits}f}", x + wide / 2.0, y + high / 2.0 + 4.0)]
    if setting is region.best:
        marks.append(element("path", d=f"M{x + 3:.1f} {y + 3:.1f}h8l-8 8z", class_="corner"))
    if setting is region.chosen:
        marks.append(element("circle", cx=x + wide - 7.0, cy=y + 7.0, r=3.2, class_="corner"))
    standing = "safe" if setting.safe else "not safe" if setting.judged else "not judged, seeds are missing"
    return element(
        "a",
        element("rect", x=x, y=y, width=wide, height=high),
        *marks,
        href=f"#cell={one.key}",
        class_=f"c {quantity.ramp}{step}" + ("" if setting.judged else " unjudged") + (" small" if wide < 34 else ""),
        data_n=one.number,
        aria_label=f"{setting_name(setting)}: clean accuracy {percent(setting.clean_accuracy, digits)}, "
        f"ASR {percent(setting.asr, digits)}, {standing}",
    )


def _outline(safe: set[tuple[float, Gamma]], grid: _Grid) -> str:
    """Return a line around the safe cells: their edges that no two of them share."""
    places = {(grid.lams.index(lam), grid.gammas.index(gamma)): grid.corner(lam, gamma) for lam, gamma in safe}
    edges = []
    for (i, j), (x, y) in sorted(places.items()):
        right, below = x + grid.wide, y + grid.high
        sides = {
            (i, j + 1): (x, y, right, y),
            (i, j - 1): (x, below, right, below),
            (i - 1, j): (x, y, x, below),
            (i + 1, j): (right, y, right, below),
        }
        edges += [side for beside, side in sides.items() if beside not in places]
    path = "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in edges)
    if not path:
        return ""
    return element("path", d=path, class_="halo") + element("path", d=path, class_="safe-line")


def _in_words(learner: ShownLearner, quantity: _Quantity) -> str:
    values = [quantity.value(one.setting) for one in learner.shown if one.key]
    if not values:
        return "No cell is done."
    return (
        f"{len(values)} settings, from {percent(min(values))} to {percent(max(values))}; "
        f"{len(learner.region.safe)} are safe. The table has all numbers."
    )
