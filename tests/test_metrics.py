"""Accuracies."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score
from sklearn.metrics import confusion_matrix as sklearns

from backdoor_curves.metrics import (
    attack_success_rate,
    clean_accuracy,
    clean_accuracy_drop,
    confusion_matrix,
    outcomes,
    robust_accuracy,
)

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


# Outcomes

WEIGHT = 0.5 + np.arange(N) % 4
COUNTED = TRUE != ATTACKER


def shares_by_loop(predicted: np.ndarray, rows: np.ndarray) -> list[float]:
    """The weight of rows by where they go, over the weight of all, row by row."""
    sums = {"attacker": 0.0, "true": 0.0, "elsewhere": 0.0}
    for p, a, t, w in zip(predicted[rows], ATTACKER[rows], TRUE[rows], WEIGHT[rows], strict=True):
        sums["attacker" if p == a else "true" if p == t else "elsewhere"] += w
    return [part / sum(sums.values()) for part in sums.values()]


def test_outcomes_are_the_shares_of_a_loop_over_the_rows_that_count():
    """Over all rows and by their true class, weighted; rows of the attacker's class are no attempts."""
    found = outcomes(ATTACKER, PREDICTED, TRUE, weight=WEIGHT)
    for k, at_beta in enumerate(PREDICTED):
        expected = shares_by_loop(at_beta, COUNTED)
        assert [found.attacker[k], found.true[k], found.elsewhere[k]] == pytest.approx(expected, rel=1e-14)
        for c, label in enumerate(found.classes):
            expected = shares_by_loop(at_beta, COUNTED & (label == TRUE))
            assert found.by_class[k, c].tolist() == pytest.approx(expected, rel=1e-14)
    assert found.n == COUNTED.sum()
    assert found.n_by_class.tolist() == [(COUNTED & (label == TRUE)).sum() for label in found.classes]


def test_outcomes_are_the_other_metrics_and_the_rest():
    """Attack success and robust accuracy, on the same rows, by their own functions; the three are everything."""
    found = outcomes(ATTACKER, PREDICTED, TRUE, weight=WEIGHT)
    np.testing.assert_allclose(found.attacker, attack_success_rate(ATTACKER, PREDICTED, TRUE, WEIGHT), rtol=1e-14)
    robust = robust_accuracy(TRUE[COUNTED], PREDICTED[:, COUNTED], WEIGHT[COUNTED])
    np.testing.assert_allclose(found.true, robust, rtol=1e-14)
    np.testing.assert_allclose(found.attacker + found.true + found.elsewhere, 1.0, rtol=1e-14)
    np.testing.assert_allclose(found.by_class.sum(axis=-1), 1.0, rtol=1e-14)
    assert (found.elsewhere > 0.1).all()


def test_outcomes_over_all_rows_are_the_mean_of_those_by_class():
    """Each class in the share of its weight: micro is not macro."""
    found = outcomes(ATTACKER, PREDICTED, TRUE, weight=WEIGHT)
    weights = [WEIGHT[COUNTED & (label == TRUE)].sum() for label in found.classes]
    np.testing.assert_allclose(np.average(found.by_class[..., 0], axis=-1, weights=weights), found.attacker, rtol=1e-14)
    assert not np.allclose(found.by_class[..., 0].mean(axis=-1), found.attacker)


def test_outcomes_keep_all_leading_axes_and_give_plain_floats_without():
    """Betas and seeds, say."""
    found = outcomes(ATTACKER, PREDICTED.reshape(2, 2, N), TRUE)
    assert (found.attacker.shape, found.by_class.shape) == ((2, 2), (2, 2, 3, 3))
    assert type(outcomes(ATTACKER, PREDICTED[0], TRUE).elsewhere) is float


def test_outcomes_are_printed_as_a_table_with_the_number_of_rows():
    """One for each set of predictions; a class with a long name keeps its columns."""
    one = outcomes([1] * 4, [1, 1, 0, 2], [0, 0, 0, 2])
    lines = str(one).splitlines()
    assert lines[0].split() == ["true", "class", "n", "attacker", "true", "elsewhere"]
    assert lines[1].split() == ["all", "4", "0.500", "0.500", "0.000"]
    assert [line.split()[:2] for line in lines[2:]] == [["0", "3"], ["2", "1"]]
    assert len({len(line) for line in lines}) == 1
    assert repr(one) == "Outcomes(attacker=0.500, true=0.500, elsewhere=0.000, n=4, 2 classes)"
    several = outcomes(["spam"] * 2, [["spam", "ham"], ["ham", "ham"]], ["a rather long name", "ham"])
    assert str(several).count("a rather long name") == 2
    assert "[1]\n" in str(several)
    assert "of shape (2,)" in repr(several)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: outcomes([1, 1], [1, 1], [1, 1]), "y_true: a row whose true class is not the attacker's"),
        (lambda: outcomes([1], [1, 1], [0, 0]), "y_attacker: one label a row"),
        (lambda: outcomes([1, 1], [1, 1], [0]), "y_true: one label a row"),
        (lambda: outcomes(["1"], [1], [0]), "y_attacker: labels as in the predictions, numbers, were expected"),
        (lambda: outcomes([1], [1], [0], weight=[0]), "weight: finite numbers > 0"),
    ],
    ids=["no row counts", "lengths", "true labels too few", "text", "weight 0"],
)
def test_outcomes_of_what_does_not_fit_are_refused(call, said):
    """In the words of the other metrics."""
    with pytest.raises((ValueError, TypeError), match=said):
        call()


@pytest.mark.parametrize("classes", [["ham", "news", "spam"], ["spam", "ham", "eggs", "news"]])
def test_confusion_matrices_are_scikit_learns_at_each_beta(classes):
    """In the order of the classes, one that does not occur among them; with and without weights."""
    weight = np.random.default_rng(3).uniform(0.5, 2.0, size=N)
    for given in (None, weight):
        expected = [sklearns(TRUE, at_beta, labels=classes, sample_weight=given) for at_beta in PREDICTED]
        np.testing.assert_allclose(confusion_matrix(TRUE, PREDICTED, classes, weight=given), expected, rtol=1e-14)
    assert confusion_matrix(TRUE, PREDICTED[0], classes).shape == (len(classes), len(classes))
    assert confusion_matrix(TRUE, PREDICTED.reshape(2, 2, N), classes).shape == (2, 2, len(classes), len(classes))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: confusion_matrix([0, 1], [0, 2], [0, 1]), r"y_pred: labels among \[0, 1\] were expected, 2 came"),
        (lambda: confusion_matrix([0, 3], [0, 1], [0, 1]), r"y_true: labels among \[0, 1\] were expected, 3 came"),
        (lambda: confusion_matrix([0, 1], [0, 1, 1], [0, 1]), "y_true: one label a row was expected"),
        (lambda: confusion_matrix([0, 1], [0, 1], []), r"classes: all labels, each once, were expected, \[\] came"),
        (lambda: confusion_matrix([0, 1], [0, 1], [0, 1, 0]), "classes: all labels, each once, were expected"),
    ],
)
def test_confusion_matrices_of_what_does_not_fit_are_refused(call, said):
    """No row falls silently out of the matrix."""
    with pytest.raises(ValueError, match=said):
        call()
    with pytest.raises(TypeError, match="y_true: labels as in the classes, text, were expected, numbers came"):
        confusion_matrix([0, 1], [0, 1], ["0", "1"])
