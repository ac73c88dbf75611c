"""The head that an attacker is given."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves import LinearHead

COEF = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]])


def test_two_classes_with_one_score_differ_by_it():
    """-s / 2 and s / 2: their softmax is the logistic function of s, and their difference s."""
    head, X = LinearHead(COEF[0], 0.7, ("a", "b")), np.random.default_rng(0).normal(size=(4, 3))
    scores, s = head.scores(X), X @ COEF[0] + 0.7
    assert np.allclose(scores[:, 1] - scores[:, 0], s, rtol=1e-14)
    assert np.allclose(np.exp(scores[:, 1]) / np.exp(scores).sum(axis=1), 1 / (1 + np.exp(-s)), rtol=1e-14)


@pytest.mark.parametrize("value_range", [(0.0, 255.0), (-1.0, 1.0), None])
def test_in_pixels_the_scores_are_those_of_the_units(value_range):
    """f(low + (high - low) z) by either road."""
    head, z = LinearHead(COEF, [0.1, 0.2], (0, 1)), np.random.default_rng(0).random((4, 3))
    low, high = value_range or (0.0, 1.0)
    assert np.allclose(head.in_pixels(value_range).scores(z), head.scores(low + (high - low) * z), rtol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((COEF, [0, 0], (0, 1, 2)), r"weights of shape \(K, d\) for K classes, .* \(2, 3\) for 3 classes came"),
        ((COEF[:1], 0, (0, 1, 2)), r"\(1, 3\) for 3 classes came"),
        ((COEF, 0, (0, 1)), r"2 intercepts were expected, \(1,\) came"),
        ((COEF[0], [0, 0], (0, 1)), r"one intercept was expected for one score, \(2,\) came"),
        ((COEF, [0, 0], (1, 1)), r"each class once was expected, \(1, 1\) came"),
        ((COEF + np.inf, [0, 0], (0, 1)), "finite weights were expected"),
        (("w", 0, (0, 1)), "arrays of numbers, were expected"),
    ],
)
def test_what_is_no_head_is_refused(arguments, message):
    """A sentence each."""
    with pytest.raises(ValueError, match=message):
        LinearHead(*arguments)
