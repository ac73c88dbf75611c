"""Scores kept as a product of parameters and rows: a curve says the same, and holds no more than these."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.svm import LinearSVC

import backdoor_curves as bc
from backdoor_curves.learners.exact import hinge
from backdoor_curves.paths import product_scores
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace
from backdoor_curves.paths.product_scores import ProductScores

LEARNERS = {"hinge": LinearSVC(loss="hinge"), "squared hinge": LinearSVC()}


def poisoned(n=500, tests=120, d=5):
    """Two classes that overlap, two fifths of the rows with a trigger, which learners take up halfway."""
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(n, d)), rng.normal(size=(tests, d))
    y, truth = (X[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(int), (T[:, 0] > 0).astype(int)
    return bc.poison((X, y), (T, truth), trigger=stamped, labels=1, rate=0.4, rng=np.random.default_rng(1))


def stamped(X, _):
    """The last column is 6."""
    return np.column_stack([X[:, :-1], np.full(len(X), 6.0)])


@pytest.fixture
def products(monkeypatch):
    """Keep all scores as products."""
    monkeypatch.setattr(product_scores, "KEPT", 0)
    monkeypatch.setattr(product_scores, "SAVES", 0)
    monkeypatch.setattr(hinge, "MANY", 0)


def asked(curve, split):
    """What a curve says of one set of test rows."""
    flips = curve.flips(split)
    return {
        "losses": curve.loss(split),
        "scores": curve.scores(split, [0.0, 0.3, 1.0]),
        "slopes": curve.slope(split=split),
        "accuracies": curve.accuracy(split),
        "area": curve.area(split),
        "kinks": curve.kinks(split),
        "flips": flips.betas,
        "rows": flips.rows,
        "condensed": curve.condensed().loss(split),
    }


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("learner", LEARNERS)
def test_a_curve_says_the_same_with_products_of_scores(learner, monkeypatch, tmp_path):
    """Equal but for rounding, from its file too, whatever is looked at at a time; half of the loss is reached."""
    betas = np.linspace(0.0, 1.0, 9)
    product = bc.backdoor_learning_curve(LEARNERS[learner], poisoned(), betas=betas)
    assert isinstance(product.triggered.nodal, ProductScores)
    monkeypatch.setattr(product_scores, "KEPT", 2**26)
    whole = bc.backdoor_learning_curve(LEARNERS[learner], poisoned(), betas=betas)
    assert isinstance(whole.triggered.nodal, np.ndarray)
    assert 0.0 < whole.half_loss_beta < 1.0
    product.save(tmp_path / "curve.npz")
    monkeypatch.setattr("backdoor_curves.curve.scored_rows.MANY", 2**15)
    for curve in (product, bc.BackdoorLearningCurve.load(tmp_path / "curve.npz")):
        assert curve.half_loss_beta == pytest.approx(whole.half_loss_beta, rel=1e-10)
        for split in ("triggered", "clean"):
            found, right = asked(curve, split), asked(whole, split)
            assert right["flips"].size
            for name, values in right.items():
                np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.usefixtures("products")
def test_many_test_rows_take_no_array_of_all_scores():
    """30,000 rows of both sets at some 1000 nodes are 250 MB; a curve and its flips take two fifths of that at most."""
    data = poisoned(n=1500, tests=20_000)
    bc.backdoor_learning_curve(LEARNERS["hinge"], poisoned())  # what is imported and kept for good
    tracemalloc.start()
    try:
        curve = bc.backdoor_learning_curve(LEARNERS["hinge"], data, betas=[0.0, 0.5, 1.0])
        curve.flips()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    whole = 8.0 * sum(np.prod(rows.nodal.shape) for rows in (curve.triggered, curve.clean))
    assert whole > 2e8
    assert most < 0.4 * whole


def test_a_product_is_the_array_that_it_stands_for():
    """Parts of it, combinations of nodes and one for each row, of arrays and of rows in place."""
    rng = np.random.default_rng(1)
    W, X, p = rng.normal(size=(6, 4)), rng.normal(size=(9, 3)), sp.csr_array(rng.random((9, 6)))
    full = W @ np.column_stack([X, np.ones(9)]).T
    for rows in (np.column_stack([X, np.ones(9)]), RowsInPlace(X, None, (1.0,))):
        product = ProductScores(W, rows)
        assert product.shape == (6, 9, 1)
        np.testing.assert_allclose(np.asarray(product)[..., 0], full, atol=1e-14)
        np.testing.assert_allclose(np.asarray(product[1:4, 2:5])[..., 0], full[1:4, 2:5], atol=1e-14)
        np.testing.assert_allclose(np.asarray(product[:, np.array([7, 0])])[..., 0], full[:, [7, 0]], atol=1e-14)
        np.testing.assert_allclose(np.asarray(product.at(p))[..., 0], p @ full, atol=1e-14)
        np.testing.assert_allclose(product.at_own(p)[:, 0], np.diag(p @ full), atol=1e-14)
