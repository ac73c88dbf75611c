"""For all pictures: a test sees its own alone, and none needs a screen."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def _only_its_own_figures():
    """A test finds none of those that others left, so that figures can be counted, and leaves none."""
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture
def nothing_overlaps():
    """Return a check that no two texts of a figure overlap and none is cut off by its edge."""

    def check(figure) -> None:
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        # Axes that turn a tick label off, or have it outside their limits, keep the text.
        inside = figure.bbox.padded(1.0)
        texts = [text for text in figure.findobj(mpl.text.Text) if text.get_visible() and text.get_text().strip()]
        boxes = {id(text): (text.get_text(), text.get_window_extent(renderer)) for text in shown(figure, texts)}
        found = list(boxes.values())
        for i, (name, box) in enumerate(found):
            assert inside.x0 <= box.x0 <= box.x1 <= inside.x1, name
            assert inside.y0 <= box.y0 <= box.y1 <= inside.y1, name
            for other, also in found[i + 1 :]:
                assert not box.padded(-0.5).overlaps(also.padded(-0.5)), (name, other)

    return check


def shown(figure, texts):
    """Return the texts without the tick labels that lie outside of the limits of their axis."""
    hidden = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if not low <= tick.get_loc() <= high or not axis.get_visible():
                    hidden |= {id(tick.label1), id(tick.label2)}
    return [text for text in texts if id(text) not in hidden]
