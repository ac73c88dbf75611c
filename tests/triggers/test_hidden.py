"""Rows that look like themselves and have the features of others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear
from scipy.spatial.distance import cdist

from backdoor_curves import HiddenTrigger, PatchTrigger

RNG = np.random.default_rng(0)
ROWS = RNG.random((150, 12))
Y = np.zeros(150, dtype=int)
SOURCES = RNG.random((7, 12))
A = RNG.normal(size=(5, 12))
EPS = 0.1


class Tanh:
    """A frozen layer of its own, tanh(A x), with its derivative; it counts the rows that it is shown."""

    seen = 0

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The features of rows of any shape."""
        self.seen += len(X)
        return np.tanh(X.reshape(len(X), -1) @ A.T)

    def vjp(self, X: np.ndarray, G: np.ndarray) -> np.ndarray:
        """G times the derivative, shaped as X."""
        return ((G * (1 - self.transform(X) ** 2)) @ A).reshape(X.shape)


class Linear:
    """The matrix as a map."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        """A x."""
        return X @ A.T

    def vjp(self, X: np.ndarray, G: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """G A."""
        return G @ A


def within(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row's box."""
    return np.maximum(X - EPS, 0), np.minimum(X + EPS, 1)


def squares(Z: np.ndarray, features=lambda Z: Z @ A.T) -> np.ndarray:
    """|f(z) - f(x')|^2 to the source that is nearest to the clean row."""
    F = features(ROWS), features(SOURCES), features(Z)
    return np.square(F[2] - F[1][cdist(F[0], F[1]).argmin(axis=1)]).sum(axis=1)


def test_in_pixels_each_entry_is_the_nearest_that_is_allowed():
    """A grid of 2001 values between each entry's bounds has none that is nearer to the nearest source's."""
    hidden = HiddenTrigger(SOURCES, eps=EPS)(ROWS, Y)
    goal = SOURCES[cdist(ROWS, SOURCES).argmin(axis=1)]
    low, high = within(ROWS)
    assert (hidden >= low).all()
    assert (hidden <= high).all()
    grid = low + np.linspace(0, 1, 2001)[:, np.newaxis, np.newaxis] * (high - low)
    assert (np.abs(hidden - goal) <= np.abs(grid - goal).min(axis=0) + 1e-15).all()


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-8])
def test_in_linear_features_it_is_as_near_to_the_optimum_as_is_promised(tolerance):
    """scipy's box-constrained least squares, row by row, at 1e-14: F - F* is at most the share of F(z_0)."""
    hidden = HiddenTrigger(SOURCES, A, EPS, tolerance=tolerance)(ROWS, Y)
    low, high = within(ROWS)
    assert (hidden >= low).all()
    assert (hidden <= high).all()
    goal = (SOURCES @ A.T)[cdist(ROWS @ A.T, SOURCES @ A.T).argmin(axis=1)]
    best = np.array([
        2 * lsq_linear(A, t, (lo, hi), tol=1e-14).cost for t, lo, hi in zip(goal, low, high, strict=True)
    ])  # fmt: skip
    assert (squares(hidden) - best <= tolerance * squares(ROWS) + 1e-12).all()
    assert (best > 1e-3).mean() > 0.2  # some cannot be reached, and then the gap must be small, not the distance
    assert (best < 1e-12).any()


def test_a_map_with_a_derivative_finds_the_optimum_of_the_matrix():
    """The same problem, by descent alone: a convex one has no other minimum."""
    proven = squares(HiddenTrigger(SOURCES, A, EPS, tolerance=1e-9)(ROWS, Y))
    found = squares(HiddenTrigger(SOURCES, Linear(), EPS, tolerance=1e-9)(ROWS, Y))
    assert np.allclose(found, proven, rtol=0, atol=1e-5 * squares(ROWS).max())


def test_through_a_network_features_come_nearer_and_rows_stay_near():
    """No row is farther than it was, nearly all are much nearer, and no random row of the box is nearer still."""
    layer = Tanh()
    hidden = HiddenTrigger(SOURCES.reshape(7, 3, 4), layer, EPS, tolerance=1e-6)(ROWS.reshape(150, 3, 4), Y).reshape(
        150, 12
    )
    low, high = within(ROWS)
    assert (hidden >= low).all()
    assert (hidden <= high).all()
    before, after = squares(ROWS, layer.transform), squares(hidden, layer.transform)
    assert (after <= before).all()
    assert np.median(after / before) < 0.5
    drawn = np.random.default_rng(1).random((500, 150, 12))
    nearest = np.min([squares(low + u * (high - low), layer.transform) for u in drawn], axis=0)
    assert (after <= nearest).all()


def test_more_steps_are_never_worse_and_steps_are_counted():
    """The rows that a network is shown are bounded: for features, twice for a start, twice a step at most."""
    distances = []
    for steps in (1, 5, 50):
        layer = Tanh()
        hidden = HiddenTrigger(SOURCES, layer, EPS, tolerance=1e-12, steps=steps)(ROWS, Y)
        assert layer.seen <= 7 + 150 * (3 + 2 * steps)
        distances.append(squares(hidden, Tanh().transform))
    assert (distances[0] >= distances[1]).all()
    assert (distances[1] >= distances[2]).all()


def test_bytes_are_whole_and_within_eps():
    """16/255 is 16 of 255, and so many bytes at most; a row without bounds may leave [0, 1]."""
    images = np.rint(255 * ROWS).astype(np.uint8).reshape(150, 3, 4, 1)
    patched = PatchTrigger.ones(2, value_range=(0, 255))(images[:5], Y[:5])
    hidden = HiddenTrigger(patched, value_range=(0, 255))(images, Y)
    assert hidden.dtype == np.uint8
    assert np.abs(hidden.astype(int) - images).max() == 16
    free = HiddenTrigger(SOURCES + 5, eps=2.0, value_range=None)(ROWS, Y)
    assert np.allclose(free, ROWS + 2)


def test_a_row_that_is_near_already_stays():
    """The minimum is 0 and reached: no step, no division by it."""
    for features in (None, A, Tanh()):
        assert np.allclose(HiddenTrigger(ROWS[:9], features, EPS)(ROWS[:9], Y), ROWS[:9], rtol=0, atol=1e-12)
    assert np.array_equal(HiddenTrigger(SOURCES, np.zeros((2, 12)), EPS)(ROWS, Y), ROWS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HiddenTrigger(SOURCES[:0]), "sources, one row at least, were expected, none came"),
        (lambda: HiddenTrigger(2 * SOURCES), r"HiddenTrigger: sources: pixels in \[0, 1\] were expected"),
        (lambda: HiddenTrigger(SOURCES, A[:, :5]), r"a finite matrix of shape \(p, 12\), were expected, \(5, 5\) came"),
        (lambda: HiddenTrigger(SOURCES, "fc7"), r"a map with transform\(X\) and vjp\(X, G\), were expected, str came"),
        (lambda: HiddenTrigger(SOURCES, eps=0), r"eps, a number in \(0, 1\], was expected, 0 came"),
        (lambda: HiddenTrigger(SOURCES, eps=-1, value_range=None), "eps, a number > 0, was expected, -1 came"),
        (lambda: HiddenTrigger(SOURCES, tolerance=0), "tolerance, a number > 0, was expected, 0 came"),
        (lambda: HiddenTrigger(SOURCES, steps=0), "steps, a whole number >= 1, was expected, 0 came"),
        (lambda: HiddenTrigger(SOURCES)(ROWS[:, :5], Y), r"the sources' shape \(12,\) were expected, \(5,\) came"),
        (
            lambda: HiddenTrigger(SOURCES, A, EPS, tolerance=1e-12, steps=3)(ROWS, Y),
            "rows within 1e-12 of the optimum after 3 steps were expected, .* raise steps or tolerance",
        ),
    ],
)
def test_what_cannot_be_hidden_is_refused(make, message):
    """A sentence each."""
    with pytest.raises(ValueError, match=message):
        make()


def test_the_repr_is_one_line_without_numbers():
    """It is kept with the poisoned data."""
    assert repr(HiddenTrigger(SOURCES)) == "HiddenTrigger(7 sources of 12, features=identity, eps=0.06275)"
    assert "features=matrix of (5, 12), eps=0.1" in repr(HiddenTrigger(SOURCES, A, 0.1))
    assert "features=Tanh" in repr(HiddenTrigger(SOURCES, Tanh()))
