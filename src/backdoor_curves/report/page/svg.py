"""SVG as text: elements, scales, ticks and axes. Text is escaped here, and nowhere else need be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np


def element(name: str, /, *children: str, **attributes: object) -> str:
    """Return an SVG element; children are markup, attributes are escaped.

    A name such as `class_` or `text_anchor` stands for `class` and `text-anchor`; None leaves an attribute out.

    Examples
    --------
    >>> from backdoor_curves.report.page.svg import element, text
    >>> element("g", text("a < b", 1, 2.21), class_="x")
    '<g class="x"><text x="1" y="2.2">a &lt; b</text></g>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(children)
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def text(words: str, x: float, y: float, **attributes: object) -> str:
    """Return words at a place, escaped."""
    return element("text", escape(words), x=x, y=y, **attributes)


def picture(
    name: str, size: tuple[float, float], title: str, description: str, *children: str, role: str = "img"
) -> str:
    """Return a whole SVG with its title and description for those who hear it; its name is its own on the page.

    `role="group"` is for pictures with links in them, which a reader may step into.
    """
    width, height = size
    return element(
        "svg",
        element("title", escape(title), id=f"{name}-t"),
        element("desc", escape(description), id=f"{name}-d"),
        *children,
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        width=width,
        height=height,
        role=role,
        aria_labelledby=f"{name}-t",
        aria_describedby=f"{name}-d",
    )


def polyline(xs: Sequence[float], ys: Sequence[float], class_: str) -> str:
    """Return a line through points."""
    points = " ".join(f"{_plain(float(x))},{_plain(float(y))}" for x, y in zip(xs, ys, strict=True))
    return element("polyline", points=points, class_=class_)


@dataclass(frozen=True)
class Scale:
    """From values to places: linear, or logarithmic.

    Parameters
    ----------
    low, high : float
        Values at the ends.
    start, end : float
        Places of the ends, in pixels; start > end for an axis that goes up.
    log : bool
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        share = ((math.log(value) if self.log else value) - low) / (high - low)
        return self.start + share * (self.end - self.start)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Return round values in [low, high], about so many.

    Examples
    --------
    >>> from backdoor_curves.report.page.svg import ticks
    >>> ticks(0, 1)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> ticks(0.83, 0.99, 4)
    [0.85, 0.9, 0.95]
    """
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.99)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.12g}") + 0.0 for k in range(first, last + 1)]


def log_ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Return powers of ten in [low, high], at most so many; the ends where there is but one.

    Examples
    --------
    >>> from backdoor_curves.report.page.svg import log_ticks
    >>> log_ticks(0.001, 1e4, 4)
    [0.01, 1.0, 100.0, 10000.0]
    """
    powers = np.arange(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    if len(powers) < 2:
        return [low, high] if high > low else [low]
    step = math.ceil(len(powers) / about)
    return [float(10.0**power) for power in powers[(len(powers) - 1) % step :: step]]


def short(value: float) -> str:
    """Return a value for a tick, in two or three digits.

    Examples
    --------
    >>> from backdoor_curves.report.page.svg import short
    >>> short(0.005994842503189409), short(1e4), short(278.25), short(-0.5), short(3e-6)
    ('0.006', '10⁴', '280', '-0.5', '3·10⁻⁶')
    """
    if value and not 1e-4 <= abs(value) < 1e4:
        mantissa, _, power = f"{value:.1e}".partition("e")
        raised = "10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        return raised if mantissa == "1.0" else f"{mantissa.removesuffix('.0')}·{raised}"
    return f"{float(f'{value:.2g}'):g}"


def axis_below(scale: Scale, y: float, values: Sequence[float], label: str) -> str:
    """Return the axis of x: a line, ticks and their values, and what it is."""
    middle = (scale.start + scale.end) / 2
    return element(
        "g",
        element(
            "path",
            d=_across(scale.start, scale.end, [y]) + "".join(f"M{_plain(scale(v))} {_plain(y)}v4" for v in values),
        ),
        *(text(_tick(scale, v), scale(v), y + 16) for v in values),
        *([text(label, middle, y + 33, class_="label")] if label else []),
        class_="axis below",
    )


def axis_left(scale: Scale, x: float, values: Sequence[float], label: str, end: float) -> str:
    """Return the axis of y: values with fine lines across to `end`, and what it is, above the axis."""
    return element(
        "g",
        element("path", d=_across(x, end, [scale(v) for v in values]), class_="grid"),
        *(text(_tick(scale, v), x - 6, scale(v) + 3.5) for v in values),
        text(label, x, scale.end - 10, class_="label"),
        class_="axis left",
    )


def _across(start: float, end: float, heights: Sequence[float]) -> str:
    """Return the path of level lines."""
    return "".join(f"M{_plain(start)} {_plain(y)}H{_plain(end)}" for y in heights)


def _tick(scale: Scale, value: float) -> str:
    """Return the words of a tick; those of a linear scale are round as they are."""
    return short(value) if scale.log else f"{value:g}"


def marker(shape: int, x: float, y: float, **attributes: object) -> str:
    """Return one of four marks, so that learners differ in more than colour: circle, square, triangle, diamond."""
    r = 4.5
    if shape % 4 == 0:
        return element("circle", cx=x, cy=y, r=r, **attributes)
    corners = {
        1: [(-r, -r), (r, -r), (r, r), (-r, r)],
        2: [(0, -r * 1.2), (r * 1.1, r * 0.9), (-r * 1.1, r * 0.9)],
        3: [(0, -r * 1.3), (r * 1.3, 0), (0, r * 1.3), (-r * 1.3, 0)],
    }[shape % 4]
    points = " ".join(f"{_plain(x + dx)},{_plain(y + dy)}" for dx, dy in corners)
    return element("polygon", points=points, **attributes)


def _plain(value: object) -> str:
    """Return a number to a tenth of a pixel, and anything else as text."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0") if math.isfinite(value) else "0"
    return str(value)
