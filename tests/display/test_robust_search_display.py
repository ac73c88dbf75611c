"""The picture of a search: every setting is a mark, filled where it is safe, and the one taken has a ring."""

from __future__ import annotations

import numpy as np
import pytest

import backdoor_curves as bc


def display() -> bc.RobustSearchDisplay:
    asr, scores = np.array([0.9, 0.3, 0.1, 0.2]), np.array([0.98, 0.97, 0.9, 0.85])
    return bc.RobustSearchDisplay(asr, scores, asr <= 0.3, np.array([0, 1, 2]), 1, 0.3)


def test_settings_are_marks_and_the_front_a_line(nothing_overlaps):
    """In per cent of triggered rows, and in the units of the score."""
    drawn = display().plot()
    np.testing.assert_allclose(drawn.marks_.get_offsets(), np.column_stack([[90, 30, 10, 20], [0.98, 0.97, 0.9, 0.85]]))
    assert drawn.front_.get_xdata().tolist() == [90.0, 30.0, 10.0]
    assert [color[3] > 0 for color in drawn.marks_.get_facecolors()] == [False, True, True, True]
    nothing_overlaps(drawn.figure_)


def test_it_is_drawn_again_in_place():
    """As all displays are."""
    drawn = display().plot()
    assert drawn.plot().figure_ is drawn.figure_


def test_a_search_that_is_not_fitted_is_refused():
    """There is nothing to draw."""
    with pytest.raises(ValueError, match="a fitted RobustSearchCV was expected"):
        bc.RobustSearchDisplay.from_search(object())
