"""Sums over the rows of dask arrays, on a real local cluster: the same numbers, and workers may die."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.paths.base import PathError

distributed = pytest.importorskip("distributed", reason="needs the extra dask")
dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array", reason="needs the extra dask")

pytestmark = pytest.mark.filterwarnings("ignore")  # those of dask and tornado are their own
BETAS = np.linspace(0.0, 1.0, 7)
ESTIMATORS = [LogisticRegression(C=0.01), LogisticRegression(C=0.01, class_weight="balanced"), RidgeClassifier()]


@pytest.fixture(scope="module")
def cluster():
    """Two workers of one thread each, in processes of their own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    """Whoever has a client has its workers do the work."""
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def rows(n=1200, d=5):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    return X, (X @ rng.standard_normal(d) + rng.standard_normal(n) > 0).astype(int)


def poisoned(X, y, injection="append"):
    tests = rows(100)
    trigger = bc.FeatureTrigger((0, 1), (3.0, 3.0))
    rng = np.random.default_rng(1)
    return bc.poison((X, y), tests, trigger=trigger, rate=0.1, injection=injection, rng=rng)


@pytest.mark.parametrize(
    ("estimator", "injection"), list(zip(ESTIMATORS, ["append", "replace", "append"], strict=True))
)
@pytest.mark.usefixtures("client")
def test_curves_are_those_of_rows_in_memory(estimator, injection):
    """Scores, slopes, bounds and influences, from rows that never were in one place."""
    X, y = rows()
    here = bc.backdoor_learning_curve(estimator, poisoned(X, y, injection))
    there = poisoned(da.from_array(X, chunks=(700, 5)).persist(), da.from_array(y), injection)
    assert isinstance(there.clean_train.X, da.Array)
    curve = bc.backdoor_learning_curve(estimator, there, betas=BETAS)
    np.testing.assert_allclose(curve.path.scores(X, BETAS), here.path.scores(X, BETAS), atol=2e-6)
    np.testing.assert_allclose(curve.slope(BETAS[:2]), here.slope(BETAS[:2]), rtol=1e-7)
    assert curve.certificate(BETAS).score_bound.max() < 1e-6
    one, other = (np.asarray(each.influence(0.5).values) for each in (curve, here))
    np.testing.assert_allclose(one, other, atol=1e-7)


def test_a_worker_that_dies_in_the_middle_costs_time_alone(client):
    """Dask does again what it was at; the numbers are those of workers that live."""
    X, y = rows()
    right = bc.backdoor_learning_curve(ESTIMATORS[0], poisoned(X, y))

    def slowly(block):
        time.sleep(0.02)
        return block

    slow = da.from_array(X, chunks=(600, 5)).map_blocks(slowly, dtype=X.dtype)
    victims = [worker["pid"] for worker in client.run(lambda: {"pid": os.getpid()}).values()]
    timer = threading.Timer(0.5, os.kill, (victims[0], signal.SIGKILL))
    timer.start()
    curve = bc.backdoor_learning_curve(ESTIMATORS[0], poisoned(slow, y))
    timer.join()
    client.wait_for_workers(2, timeout=60)
    alive = [worker["pid"] for worker in client.run(lambda: {"pid": os.getpid()}).values()]
    assert victims[0] not in alive
    np.testing.assert_allclose(curve.path.scores(X, BETAS), right.path.scores(X, BETAS), atol=2e-6)


def test_workers_that_die_again_and_again_are_named(monkeypatch):
    """Dask gives up after some; the sentence says what was at work and what helps."""

    def killed(*_, **__):
        raise distributed.KilledWorker("a task", None, None)

    X, y = rows()
    data = poisoned(da.from_array(X, chunks=(300, 5)), y)
    monkeypatch.setattr(dask, "compute", killed)
    with pytest.raises(PathError, match=r"workers were lost while they summed over their rows, .* \(KilledWorker\)"):
        bc.backdoor_learning_curve(ESTIMATORS[0], data)


def test_what_dask_arrays_cannot_do_is_refused():
    """Each in a sentence that says what to do."""
    X, y = rows(300)
    lazy = da.from_array(X, chunks=(100, 5))
    data = poisoned(lazy, y)
    with pytest.raises(ValueError, match=r"one of unknown chunks came; call X.compute_chunk_sizes\(\) first"):
        bc.poison((lazy[lazy[:, 0] > 0.0], y), (X, y), trigger=bc.FeatureTrigger((0,), (3.0,)), rate=0.1)
    with pytest.raises(ValueError, match="a dask array of shape"):
        bc.Samples(lazy[:, :, np.newaxis], y)
    for estimator, name in ((SVC(), "SVC"), (make_pipeline(StandardScaler(), RidgeClassifier()), "StandardScaler")):
        with pytest.raises(TypeError, match=f"alone were expected for dask arrays, {name} came"):
            bc.backdoor_learning_curve(estimator, data)
    with pytest.raises(ValueError, match="refits need their rows in memory, a dask array came"):
        bc.backdoor_learning_curve(RidgeClassifier(), data, method="refit")
    few = slice(0, 30)
    three = bc.PoisonedData((lazy, np.arange(300) % 3), (X[few], [0] * 30), (X, y), (X[few], [0] * 30))
    with pytest.raises(ValueError, match="two were expected of a dask array, 3 came: a softmax needs its rows"):
        bc.backdoor_learning_curve(LogisticRegression(), three)


def test_a_dask_array_with_a_gap_is_refused():
    """What is checked of arrays at once is checked of these in the first pass."""
    X, y = rows(300)
    X[250, 2] = np.nan
    with dask.config.set(scheduler="synchronous"):
        for estimator in ESTIMATORS:
            with pytest.raises(ValueError, match="finite features were expected"):
                bc.backdoor_learning_curve(estimator, poisoned(da.from_array(X, chunks=(100, 5)), y))
