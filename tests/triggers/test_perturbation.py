"""One perturbation for all rows, and the worst one for a linear head."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from backdoor_curves import LinearHead, PerturbationTrigger

RNG = np.random.default_rng(0)
ROWS = RNG.random((6, 5))
ROWS[0, 0], ROWS[1, 2] = 0.98, 0.01  # that are cut by the box
Y = np.zeros(6, dtype=int)
W = np.array([1.5, -0.3, 0.2, 0.0, -2.0])
TWO = LinearHead(W, 0.3, classes=("no", "yes"))
THREE = LinearHead(RNG.normal(size=(3, 5)), RNG.normal(size=3), classes=(3, 4, 5))
SIX = LinearHead(4 * RNG.normal(size=(6, 30)), RNG.normal(size=6), classes=tuple(range(6)))
MANY = RNG.random((40, 30))
"""Rows of which each is sure of a class of its own: the weights of the classes decide many signs."""


def loss(head: LinearHead, X: np.ndarray, target: int) -> float:
    """Mean of -log softmax, term by term."""
    scores = np.array([[w @ x + b for w, b in zip(head.coef, head.intercept, strict=True)] for x in X])
    return float(np.mean([np.log(np.exp(s - s[target]).sum()) for s in scores]))


@pytest.mark.parametrize(("target", "sign"), [("yes", 1), ("no", -1)])
def test_for_two_classes_no_perturbation_in_the_box_raises_any_score_by_more(target, sign):
    """All of 3^5 corners and middles, after clipping, at each row; the pixel of weight 0 is left alone."""
    trigger = PerturbationTrigger.worst_case(TWO, target, 0.1, ROWS)
    v = trigger.perturbation
    assert v.tolist() == (0.1 * sign * np.array([1, -1, 1, 0, -1])).tolist()
    reached = sign * (trigger(ROWS, Y) @ W)
    for other in product((-0.1, 0.0, 0.1), repeat=5):
        assert (sign * (np.clip(ROWS + other, 0, 1) @ W) <= reached + 1e-15).all()


def test_for_two_classes_it_is_the_solution_of_the_linear_programme():
    """max w v over the box, before clipping, by an interior method that knows no closed form."""
    solved = linprog(-W, bounds=[(-0.1, 0.1)] * 5)
    v = PerturbationTrigger.worst_case(TWO, "yes", 0.1, ROWS).perturbation
    assert W @ v == pytest.approx(-solved.fun, rel=1e-9)


@pytest.mark.parametrize(("head", "X"), [(THREE, ROWS), (SIX, MANY)], ids=["three", "six"])
def test_for_more_classes_it_follows_the_gradient_of_the_softmax_loss(head, X):
    """The sign of central differences of the mean loss over the rows, in each entry; none is 0 here."""
    for t, target in enumerate(head.classes):
        v = PerturbationTrigger.worst_case(head, target, 0.02, X).perturbation
        steps = 1e-6 * np.eye(X.shape[1])
        slopes = np.array([(loss(head, X + h, t) - loss(head, X - h, t)) / 2e-6 for h in steps])
        assert (np.abs(slopes) > 1e-6).all()  # below that rounding of the losses decides the sign
        assert np.array_equal(v, -0.02 * np.sign(slopes))
        assert loss(head, X + v, t) < loss(head, X, t)


def test_rows_that_are_sure_of_the_target_have_a_gradient_too():
    """The softmax of the others is e^-5000 there, 0 in double precision; their ratios decide all the same."""
    sure = LinearHead(THREE.coef, [5000.0, 0.0, 3.0], THREE.classes)
    pulled = PerturbationTrigger.worst_case(sure, 3, 0.1, ROWS).perturbation
    p = np.exp(ROWS @ (THREE.coef[1:] - THREE.coef[0]).T + [0.0, 3.0]).mean(axis=0)
    assert np.array_equal(pulled, 0.1 * np.sign(p @ (THREE.coef[0] - THREE.coef[1:])))


def test_units_and_strengths_multiply_the_perturbation():
    """x + 3 v, clipped; bytes move by the share of 255, rounded; rows without a range are not clipped."""
    trigger = PerturbationTrigger.worst_case(TWO, "yes", 0.1, ROWS)
    assert np.allclose(trigger.at_strength(3)(ROWS, Y), np.clip(ROWS + 3 * trigger.perturbation, 0, 1), atol=1e-15)
    images = np.rint(255 * ROWS).astype(np.uint8).reshape(6, 1, 5, 1)
    stamped = PerturbationTrigger.worst_case(TWO, "yes", 0.1, images, (0, 255))(images, Y)
    expected = np.clip(images.astype(int) + 25.5 * np.sign(W).reshape(1, 5, 1), 0, 255)
    assert (np.abs(stamped - expected) <= 0.5).all()
    free = PerturbationTrigger.worst_case(TWO, "yes", 7.0, ROWS, None)
    assert np.allclose(free(ROWS, Y), ROWS + 7 * np.sign(W), rtol=1e-15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: PerturbationTrigger.worst_case(TWO, "yes", 0, ROWS),
            r"eps, a number in \(0, 1\], was expected, 0 came",
        ),
        (
            lambda: PerturbationTrigger.worst_case(TWO, "yes", -1, ROWS, None),
            "eps, a number > 0, was expected, -1 came",
        ),
        (
            lambda: PerturbationTrigger.worst_case(TWO, "yes", 0.1, ROWS[:, :4]),
            "rows of 5 entries, as the head has weights, were expected, of 4 came",
        ),
        (lambda: PerturbationTrigger.worst_case(TWO, 1, 0.1, ROWS), r"a class of \['no', 'yes'\] was expected, 1 came"),
        (
            lambda: PerturbationTrigger.worst_case(TWO, "yes", 0.1, ROWS[:0]),
            "rows at which .* were expected, none came",
        ),
        (
            lambda: PerturbationTrigger.worst_case(LinearHead(np.zeros(5), 1, (0, 1)), 1, 0.1, ROWS),
            "weights of 1 that differ from those of other classes were expected",
        ),
        (lambda: PerturbationTrigger(np.zeros(5)), "not 0 throughout, was expected"),
        (lambda: PerturbationTrigger("v"), "a perturbation of numbers was expected"),
        (lambda: PerturbationTrigger(np.array([np.nan])), "finite"),
        (lambda: PerturbationTrigger(np.ones(5), strength=0), "strength, a number > 0, was expected, 0 came"),
        (lambda: PerturbationTrigger(np.ones(4))(ROWS, Y), r"shape \(4,\) were expected, \(5,\) came"),
        (lambda: PerturbationTrigger(np.ones(5))(9 * ROWS, Y), r"pixels in \[0, 1\] were expected"),
        (lambda: PerturbationTrigger(np.ones(5), 1, None)(np.full((1, 5), np.inf), Y), "NaN or infinity came"),
        (
            lambda: PerturbationTrigger(np.ones(5))(np.ones((2, 5), int), Y),
            r"pixels in \[0, 1\] were expected, int64 came",
        ),
        (lambda: PerturbationTrigger(np.ones(5), 1, None)(np.ones((2, 5), int), Y), r"convert them, X.astype\(float\)"),
        (lambda: PerturbationTrigger(np.ones(5))(np.ones(5), Y), r"rows \(n, d\), was expected, 1 axes came"),
        (lambda: PerturbationTrigger(np.ones(5), 1, None)([[1.0] * 5], Y), r"rows \(n, d\), was expected, list came"),
    ],
)
def test_what_cannot_be_added_is_refused(make, message):
    """A sentence each."""
    with pytest.raises(ValueError, match=message):
        make()


def test_the_repr_is_one_line_without_numbers():
    """It is kept with the poisoned data."""
    assert repr(PerturbationTrigger(np.ones((2, 3)), 3, None)) == (
        "PerturbationTrigger(2 x 3, at most 1, strength=3, value_range=None)"
    )
