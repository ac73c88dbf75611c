"""Hinges along lines, against quadrature and by hand: corners, ties and jumps that random curves seldom meet."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.losses.hinge_integrals import corners, first_half, hinge_integrals
from backdoor_curves.losses.score_encodings import encode
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear

NODES = np.array([0.0, 0.1, 0.4, 0.4, 0.7, 1.0])
MARGINS = np.array(
    [[-1.0, 2.0, 1.0], [3.0, 0.5, 1.0], [0.0, 1.0, 1.0], [2.5, -1.0, 1.0], [0.5, 1.0, 1.0], [0.9, 3.0, 0.0]]
)


@pytest.mark.parametrize("squared", [False, True])
def test_integrals_are_those_of_adaptive_quadrature(squared):
    """Row by row and piece by piece, with the corner told; the piece of a jump has no width."""
    for column, found in zip(MARGINS.T, hinge_integrals(NODES, MARGINS, squared), strict=True):
        total = 0.0
        for (start, stop), (m0, m1) in zip(pairwise(NODES), pairwise(column), strict=True):
            if stop > start:

                def hinge(beta, start=start, stop=stop, m0=m0, m1=m1):
                    return max(0.0, 1.0 - m0 - (m1 - m0) * (beta - start) / (stop - start)) ** (1 + squared)

                corner = start + (stop - start) * np.clip((1.0 - m0) / (m1 - m0), 0, 1) if m1 != m0 else start
                total += quad(hinge, start, stop, points=[corner], epsabs=1e-14)[0]
        assert found == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("loss", ["hinge", "squared hinge", "squared", "logistic"])
def test_rows_on_lines_integrate_every_loss(loss):
    """In closed form where there is one; Gauss's rule is exact for the square, and good to 1e-4 for the logistic."""
    y = np.array([1, 1, 1])
    rows = ScoredRows(PiecewiseLinear(NODES), MARGINS[..., np.newaxis], y, np.ones(3), loss, "binary", 2)
    expected = sum(
        quad(lambda b: rows.mean_loss(np.array([b]))[0], start, stop, limit=200, epsabs=1e-12)[0]
        for start, stop in ((0, 0.1), (0.1, 0.4 - 1e-15), (0.4, 0.7), (0.7, 1.0))
    )
    assert rows.area() == pytest.approx(expected, abs=1e-4 if loss == "logistic" else 1e-9)


def test_rows_with_several_columns_integrate_those_that_concern_them():
    """Of the pairs of classes two in three have the row's class; the third has no margin."""
    y, nodes = np.array([0, 1, 2, 0, 1]), np.array([0.0, 0.2, 0.5, 1.0])
    for encoding in ("one-vs-one", "one-vs-rest"):
        scores = np.random.default_rng(0).normal(size=(4, 5, 3)) + 3 * nodes[:, None, None] * encode(y, 3, encoding)
        rows = ScoredRows(PiecewiseLinear(nodes), scores, y, np.ones(5), "hinge", encoding, 3)
        grid = np.linspace(0, 1, 200_001)
        assert rows.area() == pytest.approx(np.trapezoid(rows.mean_loss(grid), grid), abs=1e-9)
        assert rows.mean_loss(np.array([rows.half_loss_beta()]))[0] == pytest.approx(rows.mean_loss(np.zeros(1))[0] / 2)


def test_corners_are_crossings_of_margins_that_are_not_on_the_margin():
    """A row that stays at 1 but for rounding crosses nothing; a jump crosses at its beta, which is a knot anyway."""
    noise = 1e-13 * np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])[:, np.newaxis]
    assert corners(NODES, 1.0 + noise, tie=1e-11).size == 0
    assert corners(NODES, 1.0 + 1e3 * noise, tie=1e-11).size == 4  # or the check could not fail
    across = np.array([0.0, 0.0, 0.0, 2.0, 2.0, 2.0])[:, np.newaxis]
    assert corners(NODES, across, tie=1e-11).size == 0


def test_half_is_not_found_inside_a_jump_but_at_it():
    """Both sides of the jump cross the margin somewhere between them, at no beta."""
    nodes = np.array([0.0, 0.5, 0.5, 1.0])
    # 2 on either side; the rows change places, and halfway between them the sum would be 0
    margins = np.array([[-1.0, 3.0], [-1.0, 3.0], [3.0, -1.0], [3.0, -1.0]])
    assert np.isnan(first_half(nodes, margins))
    assert first_half(nodes, np.array([[-1.0], [-1.0], [0.5], [0.5]])) == 0.5


def test_the_slope_at_1_is_from_the_left():
    """A margin that reaches 1 at beta = 1 was below it; from the right nothing would be left."""
    rows = ScoredRows(
        PiecewiseLinear(np.array([0.0, 1.0])),
        np.array([[[0.0]], [[1.0]]]),
        np.ones(1, int),
        np.ones(1),
        "hinge",
        "binary",
        2,
    )
    assert rows.mean_loss_derivative(np.array([0.0, 0.5, 1.0])).tolist() == [-1.0, -1.0, -1.0]


def test_the_slope_at_a_corner_is_from_the_right():
    """Where a margin crosses 1 the loss goes on without it; where one comes back, with it."""
    interpolant = PiecewiseLinear(np.array([0.0, 1.0]))
    out, back = np.array([[[0.5]], [[1.5]]]), np.array([[[1.5]], [[0.5]]])
    for nodal, expected in ((out, 0.0), (back, 1.0)):
        for off in (-1e-13, 0.0, 1e-13):
            rows = ScoredRows(interpolant, nodal + off, np.ones(1, int), np.ones(1), "hinge", "binary", 2)
            assert rows.mean_loss_derivative(np.array([0.5])).tolist() == pytest.approx([expected], abs=1e-12)
