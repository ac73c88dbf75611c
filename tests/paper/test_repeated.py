"""The recipe repeated, on a small world: the fits of the named estimators one by one, and tasks that survive."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC
from small_published import BETAS, SETTINGS, images, placeholders, poisoned
from threadpoolctl import threadpool_limits

from backdoor_curves.paper.numbers import published, repeated
from backdoor_curves.paper.numbers.repeated import repeat
from backdoor_curves.paper.numbers.tasks import CurveTask, PathTask, SlopeTask, clipped_log_loss, tasks_of
from backdoor_curves.poisoning import paper_protocol as protocol

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LINEAR = ("logistic", "ridge", "svm")


@pytest.fixture(autouse=True)
def one_thread():
    """As the repetition computes: more threads add up in another order, and numbers are compared to the last bit."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def world(monkeypatch):
    """The small images in the place of MNIST."""
    monkeypatch.setattr(repeated, "_images", lambda pair, *_: images(pair))


def estimator(learner, C, gamma):
    return {
        "logistic": LogisticRegression(C=C, solver="liblinear"),
        "ridge": RidgeClassifier(alpha=1 / (2 * C)),
        "svm": LinearSVC(C=C, loss="hinge"),
        "svm-rbf": SVC(C=C, gamma=gamma or 1.0),
    }[learner]


def rows_of(data):
    """The poisoned training rows in the order of the original ones."""
    X, y = data.original_train.X.copy(), data.original_train.y.copy()
    X[data.poison_rows], y[data.poison_rows] = data.poison_train
    return X.reshape(len(X), -1), y


def fits(learner, C, gamma, data):
    """A fit for each beta; at 0 without the poison."""
    X, y = rows_of(data)
    for beta in BETAS:
        used = np.flatnonzero(~data.is_poison) if beta == 0 else np.arange(len(y))
        weights = np.where(data.is_poison, beta, 1.0)[used]
        yield estimator(learner, C, gamma).fit(X[used], y[used], sample_weight=weights), used


def row_loss(learner, margin):
    if learner == "logistic":
        p = min(max(1 / (1 + np.exp(-margin)), 1e-15), 1 - 1e-15)
        return -log(p)
    return (1 - margin) ** 2 if learner == "ridge" else max(0.0, 1 - margin)


@pytest.mark.parametrize("learner", SETTINGS)
@pytest.mark.parametrize("rate", [0.1, 0.2])
def test_curves_are_those_of_a_fit_for_each_beta(learner, rate):
    """LinearSVC goes on in numpy's stream, which the draw of the poison has left; the log loss is clipped."""
    for C, gamma in SETTINGS[learner]:
        found = CurveTask(learner, (7, 1), 3, C, gamma, rate, tuple(BETAS)).run(images)
        data = poisoned(rate)
        protocol.choice(60, int(60 * rate), protocol.SEED)
        for i, (fit, _) in enumerate(fits(learner, C, gamma, data)):
            for split in ("triggered", "clean"):
                X, y = getattr(data, f"{split}_test")
                margins = (2 * y - 1) * fit.decision_function(X.reshape(len(X), -1))
                assert found[split][i] == pytest.approx(np.mean([row_loss(learner, m) for m in margins]), rel=1e-10)


def test_clipping_matters_and_is_the_published_one():
    """Beyond a score of 34.5 a probability is within 1e-15 of 0; -log(1e-15) is then the loss."""
    scores = np.array([[-40.0], [-30.0]])
    assert clipped_log_loss(scores, np.array([1])) == pytest.approx([-log(1e-15), 30.0], rel=1e-9)
    assert clipped_log_loss(-scores, np.array([0])) == pytest.approx([-log(1e-15), 30.0], rel=1e-3)


@pytest.mark.parametrize("learner", LINEAR)
def test_paths_are_the_parameters_of_the_fits(learner):
    """Both C of LinearSVC are fitted in one stream, which the draw of the test rows begins."""
    settings, data = tuple(SETTINGS[learner]), poisoned(0.1)
    found = PathTask(learner, (7, 1), 3, settings, tuple(BETAS)).run(images)
    protocol.choice(20, 20, protocol.SEED)
    for i, (C, gamma) in enumerate(settings):
        every = [fit for fit, _ in fits(learner, C, gamma, data)]
        W = [fit.coef_.ravel() for fit in every]
        np.testing.assert_allclose(found[f"{i}/coef"], W, rtol=1e-12)
        np.testing.assert_allclose(found[f"{i}/intercept"], [fit.intercept_.item() for fit in every], rtol=1e-12)
        np.testing.assert_allclose(found[f"{i}/norm"], [sqrt(w @ w) for w in W], rtol=1e-12)
        cosines = [w @ W[0] / sqrt((w @ w) * (W[0] @ W[0])) for w in W]
        np.testing.assert_allclose(found[f"{i}/cosine"], cosines, rtol=1e-12)
        X, y = data.triggered_test
        assert found[f"{i}/asr"] == (every[-1].predict(X.reshape(len(X), -1)) == y).mean()


def test_an_unconverged_linear_svm_depends_on_its_place_in_the_stream():
    """So each C in a stream of its own would not be the published path: the order of the fits is part of it."""
    (_, second) = SETTINGS["svm"]
    together = PathTask("svm", (7, 1), 3, tuple(SETTINGS["svm"]), tuple(BETAS)).run(images)
    alone = PathTask("svm", (7, 1), 3, (second,), tuple(BETAS)).run(images)
    assert not np.array_equal(together["1/coef"], alone["0/coef"])


def test_rbf_paths_repeat_the_misplaced_duals():
    """At beta = 0 the duals are packed in front, as published; at the others they are at their rows."""
    ((C, gamma), *_), data = SETTINGS["svm-rbf"], poisoned(0.1)
    found = PathTask("svm-rbf", (7, 1), 3, ((C, gamma),), tuple(BETAS)).run(images)
    duals = np.zeros((3, 60))
    for i, (fit, used) in enumerate(fits("svm-rbf", C, gamma, data)):
        duals[i, fit.support_ if i == 0 else used[fit.support_]] = fit.dual_coef_[0]
    np.testing.assert_array_equal(found["0/coef"], duals)
    assert "0/intercept" not in found


@pytest.mark.parametrize("learner", SETTINGS)
def test_slopes_are_the_published_rows_of_the_seed(learner):
    """The seed is that of trigger and poison, at a rate of .1."""
    settings = tuple(published.PublishedSetting(10, C, gamma) for C, gamma in SETTINGS[learner])
    found = SlopeTask(learner, (7, 1), 3, settings).run(images)["rows"]
    for row, setting in zip(found, settings, strict=True):
        data = poisoned(0.1, seed=10)
        again = published.published_row(learner, data, C=setting.C, gamma=setting.gamma)
        assert published.PublishedRow(*row.tolist()) == again


def test_tasks_cover_every_published_number_once():
    """A slope task a seed, a curve task a curve, a path task a setting, but one for all C of LinearSVC."""
    tasks = tasks_of(placeholders())
    kinds = [sum(isinstance(task, kind) for task in tasks) for kind in (SlopeTask, CurveTask, PathTask)]
    assert kinds == [8, 16, 7]
    assert len({task.name for task in tasks}) == len(tasks)


@pytest.mark.usefixtures("world")
def test_every_number_is_repeated_in_its_own_place(tmp_path):
    """The record comes back with the numbers of the tasks; none is still the 0 that was asked for."""
    asked = placeholders()
    found = repeat(asked, tmp_path)
    for file, meant in zip(found.slopes, asked.slopes, strict=True):
        assert list(file.rows) == list(meant.rows)
        for setting, row in file.rows.items():
            data = poisoned(0.1, seed=setting.seed)
            assert row == published.published_row(file.learner, data, C=setting.C, gamma=setting.gamma)
    for curve in found.curves[0].curves:
        task = CurveTask(curve.learner, (7, 1), 3, curve.C, curve.gamma, curve.rate, tuple(BETAS))
        np.testing.assert_array_equal(curve.triggered, task.run(images)["triggered"])
        np.testing.assert_array_equal(curve.clean, task.run(images)["clean"])
    for path in found.paths[0].paths:
        assert path.coef.shape == (3, 60 if path.gamma else 36)
        assert (path.intercept is None) == (path.gamma is not None)
        assert np.all(path.norm > 0)


@pytest.mark.usefixtures("world")
def test_a_second_run_computes_nothing(tmp_path, monkeypatch):
    """And gives the same numbers, to the last bit."""
    first, said = repeat(placeholders(), tmp_path), []
    monkeypatch.setattr(repeated, "_compute", None)
    again = repeat(placeholders(), tmp_path, progress=lambda done, total: said.append((done, total)))
    assert said == [(31, 31)]
    assert again.slopes == first.slopes
    for one, other in zip(first.paths[0].paths, again.paths[0].paths, strict=True):
        np.testing.assert_array_equal(one.coef, other.coef)


@pytest.mark.usefixtures("world")
def test_what_was_done_before_a_stop_is_kept(tmp_path, monkeypatch):
    """Tasks leave their files one by one; only those that are missing or damaged are computed again."""
    real, said = PathTask.run, []

    def fails(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PathTask, "run", fails)
    with pytest.raises(KeyboardInterrupt):
        repeat(placeholders(), tmp_path)
    done = sorted(tmp_path.iterdir())
    assert 8 <= len(done) < 31
    done[0].write_bytes(done[0].read_bytes()[:100])
    monkeypatch.setattr(PathTask, "run", real)
    repeat(placeholders(), tmp_path, progress=lambda done, _: said.append(done))
    assert said == list(range(len(done) - 1, 32))


@pytest.mark.usefixtures("world")
def test_other_betas_or_settings_are_other_tasks(tmp_path):
    """A file is found by all that its task is."""
    few = replace(placeholders(), slopes=(), paths=())
    repeat(few, tmp_path)
    others = replace(placeholders(betas=np.array([0.0, 0.5])), slopes=(), paths=())
    before = len(list(tmp_path.iterdir()))
    assert len(repeat(others, tmp_path).curves[0].curves[0].clean) == 2
    assert len(list(tmp_path.iterdir())) == 2 * before


@pytest.mark.usefixtures("world")
def test_another_scikit_learn_computes_anew(tmp_path, monkeypatch):
    """Where an unconverged solver stops is a matter of its version."""
    few = replace(placeholders(), slopes=(), paths=())
    repeat(few, tmp_path)
    before = len(list(tmp_path.iterdir()))
    monkeypatch.setattr(repeated.sklearn, "__version__", "0.0")
    repeat(few, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2 * before


def test_the_order_of_the_tasks_is_no_part_of_a_number():
    """Each task sets the stream where its fits shall begin, so processes may share the tasks out as they like."""
    tasks = [task for task in tasks_of(placeholders()) if task.learner == "svm"]
    forward = [task.run(images) for task in tasks]
    backward = [task.run(images) for task in reversed(tasks)][::-1]
    for one, other in zip(forward, backward, strict=True):
        assert one.keys() == other.keys()
        for name, array in one.items():
            np.testing.assert_array_equal(array, other[name])
