"""Cells: with which learner they are computed, what comes of them, and that nothing else has a part in it."""

from __future__ import annotations

import gc
import io
import weakref

import msgspec
import numpy as np
import pytest
from scipy.special import expit
from sklearn.svm import LinearSVC
from small_study import cell_of, done_here, four_learners, small

import backdoor_curves as bc
from backdoor_curves.kernels import on_demand
from backdoor_curves.learners import shared as shared_module
from backdoor_curves.learners.follow import ToleranceError
from backdoor_curves.paths.logistic import LogisticPath
from backdoor_curves.paths.svm.path import NotOptimalError, SVMPath
from backdoor_curves.study.compute import cell as work
from backdoor_curves.study.compute.cell import compute, curve_from_bytes, estimator, prepare
from backdoor_curves.study.file.config import DataConfig, KeepConfig, LearnerConfig, PoisonConfig
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.sources import draw, poisoned


@pytest.fixture(scope="module")
def rows():
    """Overlapping classes, so that every loss keeps rows within its margin."""
    rng = np.random.default_rng(0)
    y = np.repeat([-1.0, 1.0], 40)
    return rng.normal(size=(80, 3)) + 0.7 * y[:, None], y


def of(learner, **changes):
    return estimator(cell_of(small(), kind=learner, lam=7.0, **changes).cell)


def test_ridge_is_at_the_optimum_of_lambda_over_two(rows):
    """alpha |w|^2 of scikit-learn is lambda / 2 |w|^2 beside the sum of squares: the gradient must vanish."""
    X, y = rows
    fitted = of("ridge").fit(X, y)
    w, b = np.ravel(fitted.coef_), np.ravel(fitted.intercept_)[0]
    residual = X @ w + b - y
    assert fitted.alpha == 3.5
    np.testing.assert_allclose(2 * X.T @ residual + 7.0 * w, 0, atol=1e-9)  # rounding of sums of 80 terms
    assert abs(residual.sum()) < 1e-9


@pytest.mark.parametrize("intercept", ["free", "penalised"])
def test_logistic_regression_is_at_the_optimum_of_lambda_over_two(rows, intercept):
    """C sum loss + |w|^2 / 2 is lambda / 2 |w|^2 beside the sum at C = 1 / lambda: the gradient must vanish."""
    X, y = rows
    fitted = of("logistic", intercept=intercept).set_params(tol=1e-8).fit(X, y)
    w, b = np.ravel(fitted.coef_), np.ravel(fitted.intercept_)[0]
    slope = -y * expit(-y * (X @ w + b))
    np.testing.assert_allclose(X.T @ slope + 7.0 * w, 0, atol=1e-5)  # the solvers stop at 1e-8 of a row or of the start
    assert abs(slope.sum() + (7.0 * b if intercept == "penalised" else 0.0)) < 1e-5
    assert abs(b) > 1e-3  # else the two could not be told apart


@pytest.mark.parametrize(("kind", "gamma"), [("linear-svm", None), ("rbf-svm", 0.3)])
def test_svms_are_at_the_optimum_of_lambda_over_two(rows, kind, gamma):
    """lambda w = sum a y x, with a = 1 where the hinge slopes, 0 where it is flat, between in its corner."""
    X, y = rows
    fitted = of(kind, gamma=gamma).fit(X, y)
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


def test_a_penalised_svm_is_liblinears_with_a_random_state_of_its_own():
    """It visits rows in random order: two cells draw apart, one cell draws the same each time."""
    svm = of("linear-svm", intercept="penalised")
    assert isinstance(svm, LinearSVC)
    assert (svm.loss, svm.C) == ("hinge", 1 / 7.0)
    assert svm.random_state == of("linear-svm", intercept="penalised").random_state
    assert svm.random_state != of("linear-svm", intercept="penalised", rate=0.5).random_state


def arrays_of(record: bytes) -> dict[str, bytes]:
    with np.load(io.BytesIO(record)) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


def same(one, other) -> bool:
    """Whether two outcomes agree to the last bit, but for their time."""
    records = [{name: arrays_of(record) for name, record in outcome.records.items()} for outcome in (one, other)]
    return one.numbers == other.numbers and records[0] == records[1] and one.reason == other.reason == ""


def test_a_cell_is_the_same_to_the_last_bit_whatever_came_before_it():
    """Alone on a new bench, or last after all others in either order: so runs can be stopped, split and merged."""
    plan, outcomes = done_here(four_learners(keep=KeepConfig(knots=True, coefficients=True)))
    assert not any(outcome.reason for outcome in outcomes.values())
    rows = draw(plan.cells[0].cell.scenario.data, 0, None, offline=True)
    for group in plan.groups:
        cells = [planned for planned in plan.cells if planned.group == group.number]
        backwards = prepare(group, *rows)
        for planned in reversed(cells):
            assert same(compute(planned.key, planned.cell, backwards), outcomes[planned.key])
        assert same(compute(cells[-1].key, cells[-1].cell, prepare(group, *rows)), outcomes[cells[-1].key])


def test_cells_add_nothing_to_the_shared_kernel():
    """All rows are in it from the start, so that no cell finds values that depend on who came before."""
    plan = make_plan(four_learners(poison=(PoisonConfig(control=True),)))
    rows = draw(plan.cells[0].cell.scenario.data, 0, None, offline=True)
    for group in plan.groups:
        bench = prepare(group, *rows)
        shared = bench.shared[group.rates[0]]
        before = {key: kernel.kept for key, kernel in shared.kernels.items()}
        for planned in plan.cells:
            if planned.group == group.number:
                compute(planned.key, planned.cell, bench)
        assert {key: kernel.kept for key, kernel in shared.kernels.items()} == before
        assert bool(before) == (
            group.first.setting.learner.kind in ("linear-svm", "rbf-svm") and group.first.method != "refit"
        )


def test_a_bench_without_a_kernel_holds_the_training_rows_of_one_rate():
    """Each rate has a training set of its own: a worker would else hold a copy of the data for each."""
    plan = make_plan(four_learners(rates=(0.1, 0.2, 0.3)))
    rows = draw(plan.cells[0].cell.scenario.data, 0, None, offline=True)
    for group in plan.groups:
        bench = prepare(group, *rows)
        held = [weakref.ref(data.clean_train) for data in bench.data.values()]
        for planned in plan.by_group([planned for planned in plan.cells if planned.group == group.number]):
            compute(planned.key, planned.cell, bench)
        gc.collect()
        has_kernel = bool(bench.shared[group.rates[0]].kernels)
        assert sum(one() is not None for one in held) == (3 if has_kernel else 0)


def on_a_plateau(**changes):
    """An RBF SVM that all but interpolates: from C = 10 on no clean row is at its bound, at C = 0.5 some are."""
    learner = LearnerConfig("rbf-svm", (0.01, 0.1, 2.0), (1.0,))
    parts = {"learners": (learner,), "poison": (PoisonConfig(),), "data": (DataConfig(n_train=90, n_test=40),)}
    return small(**parts | {"rates": (0.1, 0.3), "seeds": (0,)} | changes)


def test_cells_on_a_plateau_share_the_path_of_the_smallest_lambda(monkeypatch):
    """It is followed once for each rate, and what they say of themselves is what they say alone."""
    followed = []
    real = shared_module.svm_path
    monkeypatch.setattr(shared_module, "svm_path", lambda *given: followed.append(given[2].max()) or real(*given))
    plan, outcomes = done_here(on_a_plateau())
    assert sorted(followed) == [0.5, 0.5, 100.0, 100.0]  # C = 10 is served by C = 100
    for planned in plan.cells:
        _, alone = done_here(on_a_plateau(learners=(LearnerConfig("rbf-svm", (planned.cell.setting.lam,), (1.0,)),)))
        ours, theirs = outcomes[planned.key].numbers, alone[planned.key].numbers
        for name, value in theirs.items():
            if name not in ("method", "score_bound") and value is not None:  # the latter is of rounding errors
                assert ours[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


def test_large_groups_share_no_path(monkeypatch):
    """Its time would count as that of cells that do not need it."""
    monkeypatch.setattr(work, "FEW", 10)
    followed = []
    real = shared_module.svm_path
    monkeypatch.setattr(shared_module, "svm_path", lambda *given: followed.append(given[2].max()) or real(*given))
    done_here(on_a_plateau(rates=(0.1,)))
    assert sorted(followed) == [0.5, 10.0, 100.0]


def test_a_reference_that_fails_costs_its_own_cell_alone(monkeypatch):
    """The others are then followed alone."""
    real = shared_module.svm_path

    def fails_at_large_c(X, y, u0, *rest):
        if u0.max() > 50.0:
            raise NotOptimalError("too large")
        return real(X, y, u0, *rest)

    monkeypatch.setattr(shared_module, "svm_path", fails_at_large_c)
    plan, outcomes = done_here(on_a_plateau(rates=(0.1,)))
    assert [bool(outcomes[p.key].reason) for p in plan.cells] == [True, False, False]


@pytest.mark.parametrize("learner", ["rbf-svm", "logistic"])
def test_a_cell_computes_one_certificate(monkeypatch, learner):
    """At the betas that it reports and in the middle of its path; it takes as long as some of the path."""
    kind = SVMPath if learner == "rbf-svm" else LogisticPath
    asked = []
    real = kind.certificate
    monkeypatch.setattr(kind, "certificate", lambda path, betas, rows: asked.append(betas) or real(path, betas, rows))
    settings = LearnerConfig(learner, (1.0,), (0.05,) if learner == "rbf-svm" else ())
    parts = {"learners": (settings,), "poison": (PoisonConfig(),), "rates": (0.1,), "seeds": (0,)}
    _, outcomes = done_here(small(**parts, keep=KeepConfig("condensed", (0.0, 0.1, 1.0))))
    (betas,), (outcome,) = asked, outcomes.values()
    assert {0.0, 0.1, 1.0} < set(betas)
    assert len(betas) == 4
    assert outcome.numbers["score_bound"] == curve_from_bytes(outcome.records["curve"]).certificate().score_bound.max()


def test_a_cell_is_the_curve_of_its_seed_and_rate():
    """By another road: the curve of the same data computed alone; that of another seed differs."""
    plan, outcomes = done_here(four_learners(seeds=(0, 1), rates=(0.3,)))
    kept = {p.key: curve_from_bytes(outcomes[p.key].records["curve"]) for p in plan.cells}
    for planned in plan.cells:
        cell = planned.cell
        rate = cell.scenario.rate
        train, test = draw(cell.scenario.data, cell.seed, None, offline=True)
        data = poisoned(train, test, cell, (rate,))[rate]
        alone = bc.backdoor_learning_curve(estimator(cell), data, method=cell.method).loss("triggered", [0.0, 1.0])
        for other in plan.cells:
            if msgspec.structs.replace(other.cell, seed=cell.seed) == cell:
                agree = np.allclose(kept[other.key].loss("triggered", [0.0, 1.0]), alone, rtol=1e-7)
                assert agree == (other.cell.seed == cell.seed)
        assert outcomes[planned.key].numbers["area"] == pytest.approx(kept[planned.key].area(), rel=1e-12)
        assert kept[planned.key].info.rate == rate
        assert kept[planned.key].info.hyperparameters["lambda"] == pytest.approx(cell.setting.lam, rel=1e-15)


def test_a_control_is_computed_only_where_it_is_asked_for():
    """It doubles the work."""
    _, with_control = done_here(small())
    assert all(set(o.records) == {"curve", "control"} for o in with_control.values())
    assert all(o.numbers["control_area"] > 0 for o in with_control.values())
    _, without = done_here(small(poison=(PoisonConfig(),)))
    assert all(set(o.records) == {"curve"} for o in without.values())
    assert all(o.numbers["control_area"] is None for o in without.values())


@pytest.mark.parametrize("curves", ["condensed", "full", "grid", "none"])
def test_what_a_study_keeps_is_what_it_asks_for(curves):
    """Whole curves answer at every beta, a grid at its betas, and the numbers are the same for all."""
    betas = (0.0, 0.5, 1.0)
    learners = (LearnerConfig("linear-svm", (1.0,)),)
    study = small(keep=KeepConfig(curves, betas), learners=learners, rates=(0.1,), seeds=(0,), poison=(PoisonConfig(),))
    _, outcomes = done_here(study)
    (outcome,) = outcomes.values()
    _, whole = done_here(
        small(keep=KeepConfig("full", betas), learners=learners, rates=(0.1,), seeds=(0,), poison=(PoisonConfig(),))
    )
    (reference,) = whole.values()
    curve = curve_from_bytes(reference.records["curve"])
    assert outcome.numbers == reference.numbers
    assert (
        set(outcome.records) == {"condensed": {"curve"}, "full": {"curve"}, "grid": {"arrays"}, "none": set()}[curves]
    )
    if curves == "condensed":
        condensed = curve_from_bytes(outcome.records["curve"])
        np.testing.assert_allclose(condensed.loss("clean", 0.123), curve.loss("clean", 0.123), rtol=1e-12)
    if curves == "grid":
        with np.load(io.BytesIO(outcome.records["arrays"])) as arrays:
            assert set(arrays.files) == {
                "betas",
                "triggered_loss",
                "clean_loss",
                "attack_success_rate",
                "clean_accuracy",
            }
            np.testing.assert_allclose(arrays["clean_loss"], curve.loss("clean", betas), rtol=1e-12)


def test_coefficients_are_those_of_the_path():
    """w of a linear model gives its scores; duals give those of an SVM by its kernel."""
    keep = KeepConfig("none", (0.0, 1.0), knots=True, coefficients=True)
    plan, outcomes = done_here(four_learners(keep=keep))
    for planned in plan.cells:
        with np.load(io.BytesIO(outcomes[planned.key].records["arrays"])) as arrays:
            if planned.cell.method == "refit":
                assert set(arrays.files) == {"betas", "knots"}
            elif planned.cell.setting.learner.kind in ("linear-svm", "rbf-svm"):
                assert arrays["duals"].shape[0] == 2
                assert arrays["duals"].max() <= 1 / planned.cell.setting.lam * (1 + 1e-9)
                assert arrays["knots"].size
            else:
                assert arrays["coef"].shape[0] == 2
                assert arrays["coef"].reshape(2, -1).shape[1] == 64


@pytest.mark.parametrize("error", [ValueError("two\n   lines"), ToleranceError("two lines"), MemoryError("two lines")])
def test_a_cell_that_fails_is_an_outcome_with_its_reason_in_one_line(monkeypatch, error):
    """One bad cell must not cost the others, and scikit-learn's messages run over several lines."""
    real = work.backdoor_learning_curve

    def fails_at_half(learner, data, **options):
        if data.rate == 0.5:
            raise error
        return real(learner, data, **options)

    monkeypatch.setattr(work, "backdoor_learning_curve", fails_at_half)
    plan, outcomes = done_here(small())
    for planned in plan.cells:
        reason = outcomes[planned.key].reason
        assert reason == (f"{type(error).__name__}: two lines" if planned.cell.scenario.rate == 0.5 else "")


def test_a_fault_of_ours_says_that_it_is_one(monkeypatch):
    """It costs its cell and no other, and whoever reads the reason knows where to send it."""

    def broken(*_, **__):
        raise AttributeError("a bug")

    monkeypatch.setattr(work, "backdoor_learning_curve", broken)
    _, outcomes = done_here(small())
    for outcome in outcomes.values():
        assert outcome.reason.startswith("AttributeError: a bug (at test_cell.py:")
        assert "please report it" in outcome.reason


def test_cells_without_a_kernel_matrix_are_those_with_one_whatever_came_before(monkeypatch):
    """To rounding; and to the last bit whether others were computed before or not."""
    learners = (LearnerConfig("rbf-svm", (1.0, 0.5), (0.02,)),)
    plan, whole = done_here(small(learners=learners, seeds=(0,)))
    (group,) = plan.groups
    rows = draw(plan.cells[0].cell.scenario.data, 0, None, offline=True)
    monkeypatch.setattr(on_demand, "ROOM", 0.0)
    bench = prepare(group, *rows)
    assert not any(shared.kernels for shared in bench.shared.values())
    for planned in plan.cells:
        found = compute(planned.key, planned.cell, bench)
        assert same(compute(planned.key, planned.cell, prepare(group, *rows)), found)
        assert found.numbers.keys() == whole[planned.key].numbers.keys()
        for name, right in whole[planned.key].numbers.items():
            is_float = isinstance(right, float)
            assert found.numbers[name] == (pytest.approx(right, rel=1e-9, abs=1e-9, nan_ok=True) if is_float else right)
