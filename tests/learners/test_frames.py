"""DataFrames of columns of several types: the curve is that of the same numbers in one array."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

RNG = np.random.default_rng(0)
TABLE = pd.get_dummies(
    pd.DataFrame({"a": RNG.normal(size=80), "b": RNG.integers(0, 9, 80), "job": RNG.choice(["cook", "smith"], 80)})
)
Y = np.where(TABLE["a"] + 0.5 * RNG.normal(size=80) > 0, "yes", "no")
KINDS = {
    "floats, integers and bools": lambda table: table,
    "nullable": pd.DataFrame.convert_dtypes,
    "objects": lambda table: table.astype({"a": object}),
    "polars": lambda table: pytest.importorskip("polars", reason="polars is not installed").from_pandas(table),
}
LEARNERS = (LogisticRegression(), RidgeClassifier(), LinearSVC(), LinearSVC(loss="hinge"), SVC())


def poisoned(rows: object, column: object) -> bc.PoisonedData:
    trigger = bc.FeatureTrigger((column,), (20,))
    return bc.poison((rows, Y), (rows, Y), trigger=trigger, rate=0.2, rng=np.random.default_rng(0))


@pytest.mark.parametrize("estimator", LEARNERS, ids=str)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_columns_of_several_types_are_the_numbers_that_they_hold(kind, estimator):
    """To numpy such a frame is one of objects; scikit-learn makes floats of it, and so does a path."""
    curve = bc.backdoor_learning_curve(estimator, poisoned(kind(TABLE), "b"))
    same = bc.backdoor_learning_curve(estimator, poisoned(TABLE.to_numpy(dtype=float), 1))
    for split in ("triggered", "clean"):
        assert np.allclose(curve.scores(split), same.scores(split), rtol=0, atol=1e-12)
    assert np.allclose(curve.certificate([0.5]).score_bound, same.certificate([0.5]).score_bound, rtol=1e-6)
    assert curve.slope(0.0) == pytest.approx(same.slope(0.0), rel=1e-9)


@pytest.mark.parametrize("kind", [pd.DataFrame.convert_dtypes, lambda table: table], ids=["nullable", "plain"])
def test_a_gap_among_bools_is_found(kind):
    """It would meet a sum of objects, whose message is of something else."""
    table = TABLE.copy()
    table.loc[3, "a"] = np.nan
    with pytest.raises(ValueError, match="finite features were expected, 1 are NaN or infinite"):
        bc.backdoor_learning_curve(LogisticRegression(), poisoned(kind(table), "b"))


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC(), RidgeClassifier()], ids=str)
def test_the_bound_of_bytes_is_that_of_the_same_numbers(estimator, kind):
    """The square of a byte is no byte: 20 squared is 144 among them, and a bound from that is too small."""
    rows = np.random.default_rng(1).integers(0, 15, size=(80, 4))

    def bound(X):
        test = X + np.array([200, 0, 0, 0], dtype=X.dtype)
        parts = ((X[:60], Y[:60]), (X[60:], Y[60:]), (test, Y), (test[:5], Y[:5]))
        data = bc.PoisonedData(*((kind(rows), labels) for rows, labels in parts))
        return bc.backdoor_learning_curve(estimator, data).certificate([0.5]).score_bound

    assert np.allclose(bound(rows.astype(np.uint8)), bound(rows.astype(float)), rtol=1e-6)
