"""Rows that are made hard for a linear head, and stamped."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import brentq, linprog

from backdoor_curves import CheckerTrigger, FeatureTrigger, HardenedTrigger, LinearHead, PatchTrigger

RNG = np.random.default_rng(0)
ROWS = RNG.random((9, 6))
ROWS[0, :2], ROWS[1, 2:] = (0.999, 0.0), 1.0  # near the box, and on it
Y = np.arange(9) % 3
W = RNG.normal(size=6)
W[3] = 0.0
TWO = LinearHead(W, 0.2, classes=(0, 1))
THREE = LinearHead(RNG.normal(size=(3, 6)), RNG.normal(size=3), classes=(0, 1, 2))
NEAR = [LinearHead(THREE.coef, THREE.intercept + 3 * one, classes=(0, 1, 2)) for one in np.eye(3)]
"""Whatever its weights say, one class is next to the others."""


def margins(head: LinearHead, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """f_y - max f_k over the other classes, row by row."""
    return np.array([s[c] - np.delete(s, c).max() for s, c in zip(head.scores(X), y, strict=True)])


@pytest.mark.parametrize("eps", [0.05, 0.3])
@pytest.mark.parametrize("head", [THREE, *NEAR], ids=["three", "near 0", "near 1", "near 2"])
def test_in_a_cube_no_corner_is_harder(head, eps):
    """All corners of each row's box, three classes: the margin is concave, so that its least value is at one."""
    hard = margins(head, HardenedTrigger(head, eps)(ROWS, Y), Y)
    for x, c, margin in zip(ROWS, Y, hard, strict=True):
        ends = np.stack([np.maximum(x - eps, 0), np.minimum(x + eps, 1)])
        corners = np.array([ends[list(which), np.arange(6)] for which in product((0, 1), repeat=6)])
        assert margins(head, corners, np.full(64, c)).min() == pytest.approx(margin, abs=1e-12)


def test_in_a_cube_it_is_the_solution_of_the_linear_programme():
    """min f_y - f_k over each row's box, by a method that knows no closed form; two classes."""
    hard = HardenedTrigger(TWO, 0.1)(ROWS, Y % 2)
    for x, c, after in zip(ROWS, Y % 2, hard, strict=True):
        cost = W * (1 if c else -1)
        solved = linprog(cost, bounds=list(zip(np.maximum(x - 0.1, 0), np.minimum(x + 0.1, 1), strict=True)))
        assert cost @ after == pytest.approx(solved.fun, abs=1e-9)


@pytest.mark.parametrize(("norm", "eps"), [("inf", 0.1), ("2", 0.1), ("2", 0.6), ("2", 1.2)])
@pytest.mark.parametrize("head", [TWO, THREE], ids=["two", "three"])
def test_no_drawn_row_that_is_allowed_is_harder(head, norm, eps):
    """2000 draws of each row's set, and the row itself stays in it; rounding aside."""
    y = Y % len(head.classes)
    hard = HardenedTrigger(head, eps, norm)(ROWS, y)
    distance = np.abs(hard - ROWS).max(axis=1) if norm == "inf" else np.sqrt(np.square(hard - ROWS).sum(axis=1))
    assert (distance <= eps + 1e-12).all()
    rng = np.random.default_rng(1)
    for x, c, margin in zip(ROWS, y, margins(head, hard, y), strict=True):
        steps = rng.normal(size=(2000, 6))
        size = np.abs(steps).max(axis=1) if norm == "inf" else np.sqrt(np.square(steps).sum(axis=1))
        drawn = np.clip(x + eps * steps / size[:, np.newaxis], 0, 1)
        assert margins(head, drawn, np.full(2000, c)).min() >= margin - 1e-12


@pytest.mark.parametrize("eps", [0.02, 0.3, 0.9, 1.5])
def test_in_a_ball_the_multiplier_is_the_root_of_the_distance(eps):
    """x = clip(x + t d) with |x - x_0| = eps: t by Brent's method; a corner of the box where no t reaches the ball."""
    for x, c, after in zip(ROWS, Y % 2, HardenedTrigger(TWO, eps, "2")(ROWS, Y % 2), strict=True):
        d = W * (-1 if c else 1)

        def beyond(t, x=x, d=d):
            return np.linalg.norm(np.clip(x + t * d, 0, 1) - x) - eps

        t = brentq(beyond, 0, 1e6, xtol=1e-14, rtol=1e-14) if beyond(1e6) > 0 else 1e6
        assert np.allclose(after, np.clip(x + t * d, 0, 1), rtol=0, atol=1e-10)


def test_in_a_ball_of_many_pixels_the_ball_is_reached():
    """3000 pixels, weights of sizes from 1e-8 to 1e3: the distance is eps to rounding, where the box has room."""
    rng = np.random.default_rng(2)
    head = LinearHead(10 ** rng.uniform(-8, 3, 3000) * rng.choice([-1, 1], 3000), 0.0, (0, 1))
    X = rng.random((20, 3000))
    for eps in (0.1, 1.0, 10.0):
        moved = HardenedTrigger(head, eps, "2")(X, np.arange(20) % 2)
        assert np.allclose(np.linalg.norm(moved - X, axis=1), eps, rtol=1e-10)


def test_rows_without_bounds_move_by_eps():
    """x - eps sign(d) and x - eps d / |d|."""
    y = Y % 2
    side = np.where(y == 1, -1.0, 1.0)[:, np.newaxis]
    X = 9 * ROWS - 4
    assert np.allclose(HardenedTrigger(TWO, 2.0, value_range=None)(X, y), X + 2 * side * np.sign(W), atol=1e-14)
    assert np.allclose(
        HardenedTrigger(TWO, 2.0, "2", value_range=None)(X, y), X + 2 * side * W / np.linalg.norm(W), atol=1e-14
    )


def test_units_do_not_matter():
    """Bytes move as pixels in [0, 1] do under the head of these, rounded to whole bytes."""
    images = np.rint(255 * ROWS).astype(np.uint8).reshape(9, 2, 3, 1)
    in_bytes = LinearHead(THREE.coef / 255, THREE.intercept, THREE.classes)
    for norm, eps in (("inf", 0.1), ("2", 0.4)):
        stamped = HardenedTrigger(in_bytes, eps, norm, value_range=(0, 255))(images, Y)
        pixels = HardenedTrigger(THREE, eps, norm)(images / 255, Y)
        assert np.array_equal(stamped, np.rint(255 * pixels))


def test_the_trigger_is_stamped_last_and_alone_on_test_rows():
    """Hardening would otherwise weaken it; test rows get `trigger`, which the attack keeps as a field."""
    images = np.random.default_rng(3).random((6, 4, 5, 1))
    head, y = LinearHead(np.random.default_rng(4).normal(size=20), 0, (0, 1)), np.arange(6) % 2
    attack = HardenedTrigger(head, 0.2, trigger=CheckerTrigger())
    hard = HardenedTrigger(head, 0.2)(images, y)
    assert np.array_equal(attack(images, y), CheckerTrigger()(hard, y))
    assert attack.trigger == CheckerTrigger()


def gives(rows):
    """A trigger that gives back these rows."""
    return lambda X, y: rows  # noqa: ARG005


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HardenedTrigger(TWO, 0), r"HardenedTrigger: eps, a number in \(0, 1\], was expected, 0 came"),
        (lambda: HardenedTrigger(TWO, -1, "2"), "eps, a number > 0, was expected, -1 came"),
        (lambda: HardenedTrigger(TWO, 0.1, 2), r'norm, "inf" or "2", was expected, 2 came'),
        (lambda: HardenedTrigger(W, 0.1), r"a LinearHead was expected, ndarray came; linear_head\(fitted\) makes one"),
        (lambda: HardenedTrigger(TWO, 0.1, trigger=3), r"a callable \(X, y\) -> X, was expected, int came"),
        (lambda: HardenedTrigger(TWO, 0.1)(ROWS[:, :5], Y), "rows of 6 entries, .* were expected, of 5 came"),
        (lambda: HardenedTrigger(TWO, 0.1)(ROWS, Y), r"a class of \[0, 1\] was expected, 2 came"),
        (lambda: HardenedTrigger(TWO, 0.1)(2 * ROWS, Y), r"pixels in \[0, 1\] were expected"),
        (lambda: HardenedTrigger(THREE, 0.1, trigger=gives(ROWS + 1))(ROWS, Y), "trigger: entries in .* clip them"),
        (
            lambda: HardenedTrigger(THREE, 0.1, trigger=gives(ROWS[:2]))(ROWS, Y),
            r"9 rows of shape \(6,\) were expected",
        ),
        (lambda: HardenedTrigger(THREE, 0.1, trigger=PatchTrigger.ones(1))(ROWS, Y), "reshape flattened rows"),
    ],
)
def test_what_cannot_be_hardened_is_refused(make, message):
    """A sentence each."""
    with pytest.raises(ValueError, match=message):
        make()


def test_the_repr_says_head_and_trigger():
    """It is kept with the poisoned data."""
    trigger = HardenedTrigger(TWO, 0.1, "2", FeatureTrigger((1,), (0.5,)))
    assert repr(trigger) == (
        "HardenedTrigger(LinearHead(2 classes, 6 entries), eps=0.1, norm='2', "
        "trigger=FeatureTrigger(columns=(1,), values=(0.5,)))"
    )
