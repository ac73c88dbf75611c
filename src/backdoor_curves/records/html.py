"""How records show themselves in a notebook: a small picture and the numbers that matter, as HTML without a script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from jaxtyping import Float

WIDTH, HEIGHT, MARGIN = 260.0, 120.0, 6.0
"""Of the picture, in pixels."""
TRIGGERED, CLEAN = "#D55E00", "#0072B2"


def curve_picture(
    betas: Float[np.ndarray, " b"], triggered: Float[np.ndarray, " b"], clean: Float[np.ndarray, " b"], title: str
) -> str:
    """Return two lines over beta as an SVG: the triggered rows' solid and orange, the clean rows' dashed and blue.

    Parameters
    ----------
    betas : array of shape (b,), in [0, 1]
    triggered, clean : arrays of shape (b,)
        Not negative; they share an axis from 0 up.
    title : str
        What a screen reader says.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.records.html import curve_picture
    >>> curve_picture(np.array([0.0, 1.0]), np.array([2.0, 0.5]), np.array([0.1, 0.1]), "a curve").count("<polyline")
    2
    """
    top = max(float(triggered.max()), float(clean.max())) or 1.0
    x = MARGIN + np.asarray(betas) * (WIDTH - 2 * MARGIN)

    def line(values: Float[np.ndarray, " b"], style: str) -> str:
        y = HEIGHT - MARGIN - values / top * (HEIGHT - 2 * MARGIN)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        return f'<polyline points="{points}" fill="none" stroke-width="2" {style}/>'

    floor = HEIGHT - MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{HEIGHT:g}" role="img">'
        f"<title>{escape(title)}</title>"
        f'<line x1="{MARGIN:g}" x2="{WIDTH - MARGIN:g}" y1="{floor:g}" y2="{floor:g}" stroke="#888"/>'
        + line(clean, f'stroke="{CLEAN}" stroke-dasharray="6 4"')
        + line(triggered, f'stroke="{TRIGGERED}"')
        + "</svg>"
    )


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows with the same keys as an HTML table; numbers have four digits, None nothing."""
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{_said(value)}</td>" for value in row.values()) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _said(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))
