"""Accuracies."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from backdoor_curves.metrics import attack_success_rate, clean_accuracy, clean_accuracy_drop, robust_accuracy

N = 50


def labels(seed: int, *shape: int) -> np.ndarray:
    return np.array(["ham", "news", "spam"])[np.random.default_rng(seed).integers(3, size=shape)]


TRUE, ATTACKER, PREDICTED = labels(0, N), labels(1, N), labels(2, 4, N)


@pytest.mark.parametrize("accuracy", [clean_accuracy, robust_accuracy])
def test_accuracies_are_scikit_learns_at_each_beta(accuracy):
    """The share of rows predicted as their true class is what everyone calls the accuracy."""
    expected = [accuracy_score(TRUE, at_beta) for at_beta in PREDICTED]
    assert accuracy(TRUE, PREDICTED).tolist() == pytest.approx(expected, rel=1e-15)


def by_loop(predicted: np.ndarray) -> float:
    """Successes over attempts, row by row, where a row of the attacker's class is no attempt."""
    hits = [p == a for p, a, t in zip(predicted, ATTACKER, TRUE, strict=True) if a != t]
    return sum(hits) / len(hits)


def test_the_attacks_success_is_counted_on_rows_of_other_classes():
    """A model without a backdoor predicts the target class for rows that are of it."""
    expected = [by_loop(at_beta) for at_beta in PREDICTED]
    assert attack_success_rate(ATTACKER, PREDICTED, TRUE).tolist() == pytest.approx(expected, rel=1e-15)


def test_the_loop_notices_rows_of_the_target_class():
    """Counting them is the commonest mistake with this number, and it changes it."""
    with_them = attack_success_rate(ATTACKER, PREDICTED)
    assert with_them.tolist() != pytest.approx([by_loop(at_beta) for at_beta in PREDICTED], rel=1e-15)
    assert with_them.tolist() == pytest.approx([accuracy_score(ATTACKER, at_beta) for at_beta in PREDICTED], rel=1e-15)


def test_a_model_without_a_backdoor_has_no_success():
    """It predicts the true classes, so the attack never succeeds and the robust accuracy is 1."""
    assert attack_success_rate(ATTACKER, TRUE, TRUE) == 0.0
    assert robust_accuracy(TRUE, TRUE) == 1.0


def test_one_set_of_predictions_gives_a_plain_float():
    """Numbers for tables and files, not arrays without axes."""
    for share in (
        clean_accuracy(TRUE, PREDICTED[0]),
        robust_accuracy(TRUE, PREDICTED[0]),
        attack_success_rate(ATTACKER, PREDICTED[0]),
        attack_success_rate(ATTACKER, PREDICTED[0], TRUE),
    ):
        assert type(share) is float


def test_all_leading_axes_are_kept():
    """Betas and seeds, say."""
    assert attack_success_rate(ATTACKER, PREDICTED.reshape(2, 2, N), TRUE).shape == (2, 2)


@pytest.mark.parametrize(("before", "after", "drop"), [(0.75, 0.5, 0.25), (0.5, 0.75, -0.25), (1.0, 0.0, 1.0)])
def test_the_drop_is_before_minus_after(before, after, drop):
    """Positive where the poison cost accuracy, negative where it helped."""
    assert clean_accuracy_drop(before, after) == drop
