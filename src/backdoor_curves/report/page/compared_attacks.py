"""Attacks side by side on the page: what each looks like, who takes it in how fast, how far it moves a row."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from PIL import Image

from backdoor_curves.data.images import strongest_channel
from backdoor_curves.display.style import DIVERGING, HUES
from backdoor_curves.report.page.content import Content, ShownSetting
from backdoor_curves.report.page.series import Series
from backdoor_curves.report.page.svg import (
    Scale,
    axis_below,
    axis_left,
    element,
    marker,
    picture,
    polyline,
    text,
    ticks,
)
from backdoor_curves.report.page.words import learner_title, number, percent, rate_name
from backdoor_curves.report.tables.attacks import Comparison, Interval, comparisons, figure
from backdoor_curves.study.compute.stamped_images import STEPS, StampedImages
from backdoor_curves.study.plan.names import data_name, labels_name, setting_name
from backdoor_curves.study.plan.scenario import Scenario, Setting

TILE, GAP = 56.0, 6.0
"""Width of a picture, and the way from one to the next."""
LEAST = 5e-4
"""Share of rows that reads as more than nothing in per cent."""
MOST = 60
"""Attacks that a page has pictures and curves of."""


@dataclass(frozen=True)
class LearnerColumn:
    """A learner of the comparison at the setting that stands for it."""

    setting: Setting
    number: int
    title: str
    at: str

    @property
    def hue(self) -> int:
        """Which colour it has, as elsewhere on the page."""
        return self.number % len(HUES)


@dataclass(frozen=True)
class Entry:
    """What became of an attack on a learner, in words."""

    asr: str
    between: str
    rest: tuple[str, ...]


@dataclass(frozen=True)
class AttackCard:
    """An attack as the template takes it; pictures are SVG, or "" where there is nothing to draw."""

    place: int
    name: str
    labels: str
    images: str
    stretch: str
    curves: str
    entries: tuple[Entry | None, ...]
    moved: tuple[str, ...]


@dataclass(frozen=True)
class ComparisonView:
    """A comparison as the template takes it."""

    number: int
    where: str
    columns: tuple[LearnerColumn, ...]
    cards: tuple[AttackCard, ...]
    strength: str
    n_seeds: int

    @property
    def has_images(self) -> bool:
        """Whether there is a picture of an attack: tables and texts have none."""
        return any(card.images for card in self.cards)


def comparison_views(content: Content) -> list[ComparisonView]:
    """Return the comparisons of a run as its page shows them; none where each of the data has one attack."""
    shown = {
        (scenario.scenario, Setting.of(learner.learner, one.setting.hyperparameters)): one
        for scenario in content.scenarios
        for learner in scenario.learners
        for one in learner.shown
    }
    views, room = [], MOST
    for number_, comparison in enumerate(comparisons(content.run.cells)):
        if len(comparison.scenarios) > room:
            continue
        room -= len(comparison.scenarios)
        views.append(_view(number_, comparison, content, shown))
    return views


def _view(
    number_: int, comparison: Comparison, content: Content, shown: Mapping[tuple[Scenario, Setting], ShownSetting]
) -> ComparisonView:
    columns = tuple(
        LearnerColumn(
            setting,
            content.learners.index(setting.learner),
            learner_title(setting.learner),
            setting_name(setting.values),
        )
        for setting in comparison.most_accurate()
    )
    cards = []
    for place, (scenario, name) in enumerate(comparison.names.items(), start=1):
        kept = [one for column in columns if (one := shown.get((scenario, column.setting))) is not None]
        images = next((content.images[one.key] for one in kept if one.key in content.images), None)
        series = [(column, one.series) for column in columns if (one := shown.get((scenario, column.setting)))]
        cards.append(
            AttackCard(
                place=place,
                name=name,
                labels=labels_name(scenario),
                images="" if images is None else _images(f"v{number_}-{place}-i", name, images),
                stretch="" if images is None else _stretch(images),
                curves=_curves(f"v{number_}-{place}-c", name, series),
                entries=tuple(_entry(comparison, scenario, column.setting) for column in columns),
                moved=_moved(comparison, scenario, columns),
            )
        )
    return ComparisonView(
        number_,
        f"{data_name(comparison.data)}, {rate_name(comparison.rate)}",
        columns,
        tuple(cards),
        _strength(f"v{number_}-s", comparison, columns),
        max((one.n_cells for found in comparison.numbers.values() for one in found.values()), default=0),
    )


# --- the table -------------------------------------------------------------------------------------------------------


def _entry(comparison: Comparison, scenario: Scenario, setting: Setting) -> Entry | None:
    asr, half, clean, elsewhere = (
        comparison.number(scenario, setting, quantity)
        for quantity in ("asr_at_1", "half_loss_beta", "clean_accuracy_at_1", "elsewhere_at_1")
    )
    if asr is None:
        return None
    rest = [f"β½ {_half(half)}", f"clean {'–' if clean is None else _percents(clean)}"]
    if elsewhere is not None and elsewhere.mean >= LEAST:
        rest.append(f"elsewhere {figure(elsewhere.mean, percent=True)}")
    return Entry(figure(asr.mean, percent=True), _between(asr), tuple(rest))


def _between(found: Interval) -> str:
    if not np.isfinite(found.low):
        return ""
    return f"{figure(found.low, percent=True)}–{figure(found.high, percent=True)}"


def _percents(found: Interval) -> str:
    between = _between(found)
    return figure(found.mean, percent=True) + (f" ({between})" if between else "")


def _half(found: Interval | None) -> str:
    """Return a half-loss beta; how many seeds have it, where some never come to it."""
    if found is None:
        return "never"
    some = f"; {found.n_seeds} of {found.n_cells}" if found.n_seeds < found.n_cells else ""
    between = f" ({found.low:.2g}–{found.high:.2g}{some})" if np.isfinite(found.low) else some
    return f"{found.mean:.2g}{between}"


def _moved(comparison: Comparison, scenario: Scenario, columns: Sequence[LearnerColumn]) -> tuple[str, ...]:
    """Return how far a row moves: three numbers of the rows, and how far each learner sees it move."""
    first = columns[0].setting
    rows = [comparison.number(scenario, first, f"moved_{name}") for name in ("l2", "largest", "share")]
    seen = [comparison.number(scenario, column.setting, "moved_seen") for column in columns]
    said = ["–" if one is None else number(one.mean) for one in (*rows[:2], *seen)]
    share = "–" if rows[2] is None else percent(rows[2].mean)
    return *said[:2], share, *said[2:]


# --- pictures --------------------------------------------------------------------------------------------------------


def _images(name: str, attack: str, found: StampedImages) -> str:
    """Return a test image without the trigger, with it, and the difference, stretched."""
    height, width = found.clean.shape[1:3]
    down = TILE * height / width
    tones = strongest_channel(found.difference[0].astype(float)) / STEPS
    difference = Image.fromarray(colormaps[DIVERGING]((1.0 + tones) / 2.0, bytes=True)[..., :3])
    drawn = [*(Image.fromarray(images[0].squeeze()) for images in (found.clean, found.triggered)), difference]
    parts = [_placed(one, k * (TILE + GAP), 14.0, TILE, down) for k, one in enumerate(drawn)]
    parts += [
        text(word, k * (TILE + GAP), 10.0, class_="note") for k, word in enumerate(("clean", "triggered", "difference"))
    ]
    words = f"A test image without the trigger and with it, and their difference {_stretch(found)}."
    return picture(name, (3 * TILE + 2 * GAP + 2.0, down + 16.0), f"What {attack} looks like", words, *parts)


def _stretch(found: StampedImages) -> str:
    """Return the factor by which the difference is stretched."""
    largest = float(found.largest[0])
    return f"× {1.0 / largest:.3g}" if largest > 0.0 else "none"


def _placed(image: Image.Image, x: float, y: float, width: float, height: float) -> str:
    stream = io.BytesIO()
    image.save(stream, "png", optimize=True)
    href = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    return element("image", x=x, y=y, width=width, height=height, href=href, class_="pixels")


def _curves(name: str, attack: str, drawn: Sequence[tuple[LearnerColumn, Series | None]]) -> str:
    """Return the attack success rate over beta, a line a learner."""
    found = [(column, series) for column, series in drawn if series is not None]
    if not found:
        return ""
    x, y = Scale(0.0, 1.0, 34.0, 176.0), Scale(0.0, 100.0, 96.0, 20.0)
    parts = [
        axis_left(y, x.start, [0.0, 50.0, 100.0], "ASR, %", x.end),
        axis_below(x, y.start, [0.0, 0.5, 1.0], "β"),
    ]
    for column, series in found:
        xs = [x(float(beta)) for beta in series.betas]
        ys = [y(100.0 * float(value)) for value in series.lines["asr"]]
        parts.append(polyline(xs, ys, f"line h{column.hue}"))
    words = " ".join(f"{column.title}: to {percent(float(series.lines['asr'][-1]))}." for column, series in found)
    return picture(name, (182.0, 130.0), f"Attack success rate of {attack} over β", words, *parts)


def _strength(name: str, comparison: Comparison, columns: Sequence[LearnerColumn]) -> str:
    """Return the attack success rate over how far a row moves in its pixels; the number of an attack stands above."""
    found = [
        (place, moved.mean, scenario)
        for place, scenario in enumerate(comparison.scenarios, start=1)
        if (moved := comparison.number(scenario, columns[0].setting, "moved_l2")) is not None and moved.mean > 0.0
    ]
    if not found:
        return ""
    nearest, farthest = (pick(distance for _, distance, _ in found) for pick in (min, max))
    low, high = nearest / 1.2, farthest * 1.2
    x, y = Scale(low, high, 48.0, 640.0, log=True), Scale(0.0, 100.0, 310.0, 66.0)
    values = [v for power in range(-6, 7) for one in (1.0, 2.0, 5.0) if low <= (v := one * 10.0**power) <= high]
    parts = [
        axis_left(y, x.start, ticks(0, 100), "attack success rate, % (β = 1)", x.end),
        axis_below(x, y.start, values, "mean distance |x' − x| of a triggered row from its own, in units of the rows"),
    ]
    marks = []  # above all lines
    for rank, (place, distance, scenario) in enumerate(sorted(found, key=lambda one: one[1])):
        at, top = x(distance), 11.0 + 11.0 * (rank % 4)  # side by side their numbers would run into one another
        parts.append(element("line", x1=at, x2=at, y1=top + 3.0, y2=y.start, class_="hair"))
        parts.append(text(str(place), at, top, text_anchor="middle", class_="note"))
        for column in columns:
            asr = comparison.number(scenario, column.setting, "asr_at_1")
            if asr is not None:
                marks.append(marker(column.number, at, y(100.0 * asr.mean), class_=f"m full h{column.hue}"))
    words = f"{len(found)} attacks, from a distance of {nearest:.3g} to {farthest:.3g}. The table has all numbers."
    return picture(name, (660.0, 352.0), "Attack success rate over how far a row moves", words, *parts, *marks)
