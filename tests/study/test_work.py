"""Cells: which there are, on which data, with which learner, and what comes of them."""

from __future__ import annotations

import numpy as np
import pytest
from joblib import Parallel, delayed
from scipy.special import expit
from small_study import computed, small, small_results

import backdoor_curves as bc
from backdoor_curves.curve import ToleranceError
from backdoor_curves.study import work
from backdoor_curves.study.config import DataConfig, LearnerConfig, PoisonConfig, TriggerConfig, built_in_study
from backdoor_curves.study.work import Cell, cells, compute, estimator, poisoned_data


@pytest.fixture(scope="module")
def rows():
    """Overlapping classes, so that every loss keeps rows within its margin."""
    rng = np.random.default_rng(0)
    y = np.repeat([-1.0, 1.0], 40)
    return rng.normal(size=(80, 3)) + 0.7 * y[:, None], y


def test_cells_go_learner_by_learner_and_seeds_run_fastest():
    """The table and results.csv keep this order, so that seeds of one setting stand together."""
    study = small(learners=[LearnerConfig("ridge", [1.0, 2.0]), LearnerConfig("rbf-svm", [3.0], [0.1, 0.2])])
    order = cells(study)
    assert [(c.learner, c.lam, c.gamma) for c in order[::4]] == [
        ("ridge", 1.0, None),
        ("ridge", 2.0, None),
        ("rbf-svm", 3.0, 0.1),
        ("rbf-svm", 3.0, 0.2),
    ]
    assert [(c.rate, c.seed) for c in order[:4]] == [(0.1, 0), (0.1, 1), (0.5, 0), (0.5, 1)]


def test_keys_are_unique_even_for_lambdas_that_print_alike():
    """A key is the name of a file: two cells of one name would be one file."""
    close = small(learners=[LearnerConfig("ridge", [1.0, 1.0 + 1e-9, 1e-9])], rates=[0.1, 0.1 + 1e-9])
    for study in (built_in_study(), close):
        keys = [cell.key for cell in cells(study)]
        assert len(set(keys)) == len(keys)
        assert not any("/" in key for key in keys)


def test_a_key_reads_as_the_study_was_written():
    """Whoever looks into the folder finds lambda = 10 as 10."""
    assert Cell("rbf-svm", 10.0, 0.05, 0.1, 2).key == "rbf-svm_lambda10_gamma0.05_p0.1_seed2"


@pytest.mark.parametrize("injection", ["replace", "append"])
def test_rates_are_nested_on_one_test_set(injection):
    """A curve over rates must move with the rate alone."""
    by_rate = poisoned_data(small(rates=[0.1, 0.25, 0.5], poison=PoisonConfig(injection=injection)), seed=0)
    few, some, many = (by_rate[rate] for rate in (0.1, 0.25, 0.5))
    assert set(few.poison_rows) < set(some.poison_rows) < set(many.poison_rows)
    for other in (some, many):
        assert np.array_equal(few.original_train.X, other.original_train.X)
        assert np.array_equal(few.clean_test.X, other.clean_test.X)
        assert np.array_equal(few.triggered_test.X, other.triggered_test.X)


def test_a_seed_names_the_data():
    """The same seed gives the same rows, trigger and poison; another gives others of each."""
    study = small(rates=[0.5])
    (first, again, other) = (poisoned_data(study, seed)[0.5] for seed in (0, 0, 1))
    for part in ("original_train", "poison_train", "clean_test", "triggered_test"):
        assert np.array_equal(getattr(first, part).X, getattr(again, part).X)
        assert not np.array_equal(getattr(first, part).X, getattr(other, part).X)
    assert np.array_equal(first.poison_rows, again.poison_rows)
    assert not np.array_equal(first.poison_rows, other.poison_rows)
    corner = first.triggered_test.X[:, -2:, -2:, 0], other.triggered_test.X[:, -2:, -2:, 0]
    assert not np.isin(corner[0], corner[1]).any()


def test_the_trigger_is_the_one_that_the_study_asks_for():
    """A patch of ones in the upper left corner is white there; a feature trigger sets its columns."""
    study = small(trigger=TriggerConfig(size=3, pattern="ones", position="top-left"))
    assert (poisoned_data(study, 0)[0.1].triggered_test.X[:, :3, :3] == 1.0).all()
    study = small(data=DataConfig("toy"), trigger=TriggerConfig("feature", columns=[1], values=[1.2]))
    data = poisoned_data(study, 0)[0.1]
    assert (data.triggered_test.X[:, 1] == 1.2).all()
    assert len(data.original_train) == 200


def test_ridge_is_at_the_optimum_of_lambda_over_two(rows):
    """alpha |w|^2 of scikit-learn is lambda / 2 |w|^2 beside the sum of squares: the gradient must vanish."""
    X, y = rows
    fitted = estimator(Cell("ridge", 7.0, None, 0.1, 0)).fit(X, y)
    w, b = np.ravel(fitted.coef_), np.ravel(fitted.intercept_)[0]
    residual = X @ w + b - y
    assert fitted.alpha == 3.5
    np.testing.assert_allclose(2 * X.T @ residual + 7.0 * w, 0, atol=1e-9)  # rounding of sums of 80 terms
    assert abs(residual.sum()) < 1e-9


def test_logistic_regression_is_at_the_optimum_of_lambda_over_two(rows):
    """C sum loss + |w|^2 / 2 is lambda / 2 |w|^2 beside the sum at C = 1 / lambda: the gradient must vanish."""
    X, y = rows
    fitted = estimator(Cell("logistic", 7.0, None, 0.1, 0)).fit(X, y)
    w, b = np.ravel(fitted.coef_), np.ravel(fitted.intercept_)[0]
    slope = -y * expit(-y * (X @ w + b))
    np.testing.assert_allclose(X.T @ slope + 7.0 * w, 0, atol=1e-6)  # the solver stops at a gradient of 1e-8 a row
    assert abs(slope.sum()) < 1e-6


@pytest.mark.parametrize(("kind", "gamma"), [("linear-svm", None), ("rbf-svm", 0.3)])
def test_svms_are_at_the_optimum_of_lambda_over_two(rows, kind, gamma):
    """lambda w = sum a y x, with a = 1 where the hinge slopes, 0 where it is flat, between in its corner."""
    X, y = rows
    fitted = estimator(Cell(kind, 7.0, gamma, 0.1, 0)).fit(X, y)
    a = np.zeros(len(y))
    a[fitted.support_] = 7.0 * fitted.dual_coef_[0] * y[fitted.support_]
    margin = y * fitted.decision_function(X)
    assert (a >= 0).all()
    assert (a <= 1 + 1e-12).all()
    np.testing.assert_allclose(a[margin < 1 - 2e-3], 1.0)  # libsvm stops within 1e-3 of its corner
    np.testing.assert_allclose(a[margin > 1 + 2e-3], 0.0)
    assert (margin < 1 - 2e-3).any()
    if gamma is not None:
        assert fitted._gamma == gamma


def numbers(result):
    betas = np.linspace(0, 1, 5)
    curves = [curve for curve in (result.curve, result.control) if curve is not None]
    return [getattr(c, quantity)(split, betas) for c in curves for quantity in ("loss", "accuracy")
            for split in ("triggered", "clean")]  # fmt: skip


def test_two_processes_compute_what_one_does():
    """Where a cell is computed is no part of its result, but for sums in another order: processes have one thread."""
    for one, two in zip(small_results(), computed(small(), n_jobs=2), strict=True):
        assert one.cell == two.cell
        assert not one.error
        np.testing.assert_allclose(numbers(one), numbers(two), rtol=1e-12)


def test_a_cell_is_the_curve_of_its_seed_and_rate():
    """By another road: the curve of the same data computed here; that of another seed differs."""
    study = small()
    for result in small_results():
        data = poisoned_data(study, result.cell.seed)[result.cell.rate]
        again = work.run_cell(result.cell, data, control=True)
        wrong = work.run_cell(result.cell, poisoned_data(study, result.cell.seed + 1)[result.cell.rate], control=True)
        np.testing.assert_array_equal(numbers(result), numbers(again))
        assert not np.array_equal(numbers(result), numbers(wrong))
        assert result.curve.info.rate == result.cell.rate
        assert result.curve.info.hyperparameters == {"lambda": result.cell.lam}


def test_a_control_is_computed_only_where_it_is_asked_for():
    """It doubles the work."""
    assert all(result.control is not None for result in small_results())
    (result,) = computed(small(rates=[0.5], seeds=[0], poison=PoisonConfig()))
    assert result.curve is not None
    assert result.control is None


@pytest.mark.parametrize("error", [ValueError("two\n   lines"), ToleranceError("two lines"), MemoryError("two lines")])
def test_a_cell_that_fails_is_a_result_with_its_reason_in_one_line(monkeypatch, error):
    """One bad cell must not cost the others, and scikit-learn's messages run over several lines."""
    real = work.backdoor_learning_curve

    def fails_at_half(learner, data, **options):
        if data.rate == 0.5:
            raise error
        return real(learner, data, **options)

    monkeypatch.setattr(work, "backdoor_learning_curve", fails_at_half)
    for result in computed(small()):
        if result.cell.rate == 0.5:
            assert result.curve is None
            assert result.error == f"{type(error).__name__}: two lines"
        else:
            assert result.curve is not None
            assert result.error == ""


def test_a_fault_of_ours_is_not_taken_for_a_failed_cell(monkeypatch):
    """An AttributeError is a bug: it must be seen, not tabulated."""

    def broken(*_, **__):
        raise AttributeError("a bug")

    monkeypatch.setattr(work, "backdoor_learning_curve", broken)
    with pytest.raises(AttributeError, match="a bug"):
        computed(small())


def test_data_that_cannot_be_had_are_an_error_before_any_cell(monkeypatch):
    """Else hours pass before the sentence comes."""
    monkeypatch.setattr(work, "run_cell", lambda *_: pytest.fail("a cell was computed"))
    with pytest.raises(ValueError, match="at most 1797 rows"):
        list(compute(small(data=DataConfig(n_train=5000)), n_jobs=1))


def test_rows_larger_than_a_megabyte_reach_the_workers_whole():
    """joblib hands such arrays over as read-only memory maps, the poison rows beside them as copies."""
    rng = np.random.default_rng(0)
    y = np.arange(3000) % 2
    X = rng.normal(size=(3000, 64)) + y[:, np.newaxis]
    trigger = bc.FeatureTrigger((0,), (9.0,))
    data = bc.poison((X, y), (X[:50], y[:50]), trigger=trigger, rate=0.02, rng=rng)
    cells_of_two = [work.Cell(kind, 1.0, None, 0.02, 0) for kind in ("ridge", "logistic")]
    there = Parallel(n_jobs=2)(delayed(work.run_cell)(cell, data, True) for cell in cells_of_two)
    for cell, result in zip(cells_of_two, there, strict=True):
        assert result.error == ""
        here = work.run_cell(cell, data, True)
        for curve, expected in ((result.curve, here.curve), (result.control, here.control)):
            np.testing.assert_allclose(curve.loss(), expected.loss(), rtol=1e-9)
