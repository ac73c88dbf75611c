"""Maps of a learner over one or two hyperparameters: accuracy, attack success rate, what is certified; what is safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backdoor_curves.report.page.content import Region, ShownLearner, ShownSetting
from backdoor_curves.report.page.svg import element, picture, short, text
from backdoor_curves.report.page.words import learner_title, percent, setting_name, shown
from backdoor_curves.report.page.words import value as in_words
from backdoor_curves.search.axes import Axis, axes_of
from backdoor_curves.search.exposure import HALF
from backdoor_curves.search.safe_region import JudgedSetting
from backdoor_curves.study.compute.quantities import CERTIFIED_ROWS, certified_share
from backdoor_curves.study.plan.names import ONLY_SETTING, symbols_of

STEPS = 9
"""Of the colours of a map."""
SPAN = 0.1
"""How far below the best clean accuracy the colours of the accuracy map reach."""
WIDE, NARROW, ROOMY = 52.0, 18.0, 26.0
"""Pixels of a cell: at most, at least, and those that a number with a digit behind its point takes."""
WIDTH = 368.0
"""Of a map, in pixels, where its cells are neither."""
TOP = 30.0

LABELS = {"lambda": "λ, strength of the penalty", "gamma": "γ"}
"""Of axes; another has its own name."""
LETTER = 6.2
"""Pixels that a letter takes, on average."""
MOST_LETTERS = 14
"""Of a word beside a map."""
NOTHING = Axis("", (None,))
"""The axis that is not there."""

Place = tuple[int, int]
"""Of a cell: along x to the right, along y upwards."""


@dataclass(frozen=True)
class _Quantity:
    """What a map shows: its title, its colours, its number, and which share of the colours that is.

    `said` is what the label of a cell calls the number, where it is neither accuracy nor success rate: it has these.
    """

    title: str
    ramp: str
    value: Callable[[ShownSetting], float]
    share: Callable[[float], float]
    said: str = ""


@dataclass(frozen=True)
class _Grid:
    """Where the cells of a map are."""

    x: Axis
    y: Axis
    symbols: Mapping[str, str]

    @cached_property
    def left(self) -> float:
        if self.flat:
            return 8.0
        return max(46.0, *(14.0 + LETTER * len(_tick(value, MOST_LETTERS)) for value in self.y.values))

    @property
    def flat(self) -> bool:
        """Whether it is a strip over one hyperparameter."""
        return self.y is NOTHING

    @cached_property
    def wide(self) -> float:
        return min(WIDE, max(NARROW, (WIDTH - self.left) / len(self.x.values)))

    @property
    def high(self) -> float:
        return 30.0 if self.wide >= ROOMY else 20.0

    def place(self, setting: JudgedSetting) -> Place:
        """Return where a setting stands."""
        x, y = (0 if axis is NOTHING else axis.place(setting.hyperparameters) for axis in (self.x, self.y))
        return x, y

    def corner(self, place: Place) -> tuple[float, float]:
        """Return the upper left corner of a cell; y rises upwards."""
        row = len(self.y.values) - 1 - place[1]
        return self.left + self.wide * place[0], TOP + self.high * row

    @property
    def bottom(self) -> float:
        return TOP + self.high * len(self.y.values)

    @property
    def right(self) -> float:
        return self.left + self.wide * len(self.x.values)

    def label(self, axis: Axis) -> str:
        """Return what stands at an axis."""
        symbol = self.symbols.get(axis.name, axis.name)
        return LABELS[axis.name] if symbol != axis.name else symbol or ONLY_SETTING


def _grid_of(learner: ShownLearner) -> _Grid | None:
    """Return the grid of a learner's maps; None where its settings differ in more than two hyperparameters."""
    settings = [one.setting.hyperparameters for one in learner.shown]
    axes = axes_of(settings)
    if len(axes) > 2:
        return None
    names = list(settings[0]) if settings else []
    x, y = [*axes, NOTHING, NOTHING][:2]
    return _Grid(x, y, dict(zip(names, symbols_of(names), strict=True)))


def _tick(value: Any, most: int) -> str:
    """Return a value beside a map, numbers in two or three digits and words in so many letters."""
    if value is None:
        return ""
    said = short(value) if isinstance(value, int | float) and not isinstance(value, bool) else in_words(value)
    return said if len(said) <= most else f"{said[: most - 1]}…"


def accuracy_map(name: str, learner: ShownLearner) -> str:
    """Return the map of clean accuracy; the strongest colour at the best, the faintest from ten points below it on."""
    best = learner.region.best
    top = best.clean_accuracy if best else 1.0
    quantity = _Quantity(
        "Clean accuracy, %", "a", lambda one: one.setting.clean_accuracy, lambda v: (v - top) / SPAN + 1.0
    )
    return _map(name, learner, quantity)


def attack_map(name: str, learner: ShownLearner) -> str:
    """Return the map of the attack success rate, from 0 to 100 %."""
    return _map(
        name, learner, _Quantity("Attack success rate, %", "s", lambda one: one.setting.asr, lambda value: value)
    )


def certificate_map(name: str, learner: ShownLearner) -> str:
    """Return the map of the certified share, from 0 to 100 %; "" where some setting shown has none.

    At the most rows with which some setting has half of the test rows certified, or else at the fewest.
    """
    shares = {m: [one.mean(certified_share(m)) for one in learner.shown if one.key] for m in CERTIFIED_ROWS}
    known = {m: [share for share in of_m if share is not None] for m, of_m in shares.items()}
    if not shares[1] or len(known[1]) < len(shares[1]):
        return ""
    m = max((m for m, of_m in known.items() if max(of_m) >= HALF), default=min(CERTIFIED_ROWS))
    rows = "1 row" if m == 1 else f"{m} rows"
    quantity = _Quantity(
        f"Certified, {rows}, %",
        "a",
        lambda one: one.mean(certified_share(m)) or 0.0,
        lambda value: value,
        f"certified against {rows}",
    )
    return _map(name, learner, quantity)


def _map(name: str, learner: ShownLearner, quantity: _Quantity) -> str:
    """Return a map; "" of settings that differ in more than two hyperparameters, which have a table."""
    grid = _grid_of(learner)
    if grid is None:
        return ""
    over = [shown(grid.symbols[axis.name], MOST_LETTERS) for axis in (grid.x, grid.y) if axis is not NOTHING]
    return picture(
        name,
        (max(grid.right, grid.left + 150.0) + 4.0, grid.bottom + 38.0),
        f"{quantity.title} of {learner_title(learner.learner)}" + (f" over {' and '.join(over)}" if over else ""),
        _in_words(learner, quantity),
        text(quantity.title, grid.left, 14.0, class_="title"),
        *(_cell(one, learner.region, grid, quantity) for one in learner.shown),
        _outline({grid.place(one.setting) for one in learner.shown if one.setting.safe}, grid),
        _axes(grid),
        role="group",
    )


def _axes(grid: _Grid) -> str:
    every = 1 if grid.wide >= 30 else 2 if grid.wide >= 20 else 3  # a label such as 0.316 is some 30 pixels wide
    middle = grid.wide / 2.0
    room = max(3, int(every * grid.wide / LETTER))
    ticks = list(enumerate(grid.x.values))[::every]
    parts = [
        text(_tick(value, room), grid.corner((k, 0))[0] + middle, grid.bottom + 15.0, text_anchor="middle")
        for k, value in ticks
    ]
    parts.append(text(shown(grid.label(grid.x), 60), grid.left, grid.bottom + 31.0, class_="label"))
    if not grid.flat:
        for k, value in enumerate(grid.y.values):
            y = grid.corner((0, k))[1] + grid.high / 2.0 + 4.0
            parts.append(text(_tick(value, MOST_LETTERS), grid.left - 6.0, y, text_anchor="end"))
        parts.append(_label_above(grid))
    return element("g", *parts, class_="axis")


def _label_above(grid: _Grid) -> str:
    """Return the name of y over its values; a long one begins at the left and stands under the title."""
    label = shown(grid.label(grid.y), 60)
    if LETTER * len(label) <= grid.left - 6.0:
        return text(label, grid.left - 6.0, TOP - 8.0, text_anchor="end", class_="label")
    return text(label, 0.0, TOP - 4.0, class_="label")


def _cell(one: ShownSetting, region: Region, grid: _Grid, quantity: _Quantity) -> str:
    """Return a cell of a map: a link to its curve, with its number."""
    setting = one.setting
    (x, y), wide, high = grid.corner(grid.place(setting)), grid.wide, grid.high
    if not one.key:
        return element("rect", x=x, y=y, width=wide, height=high, class_="empty")
    value = quantity.value(one)
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
        f"ASR {percent(setting.asr, digits)}, "
        + (f"{quantity.said} {percent(value, digits)}, " if quantity.said else "")
        + standing,
    )


def _outline(safe: set[Place], grid: _Grid) -> str:
    """Return a line around the safe cells: their edges that no two of them share."""
    places = {place: grid.corner(place) for place in safe}
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
    values = [quantity.value(one) for one in learner.shown if one.key]
    if not values:
        return "No cell is done."
    return (
        f"{len(values)} settings, from {percent(min(values))} to {percent(max(values))}; "
        f"{len(learner.region.safe)} are safe. The table has all numbers."
    )
