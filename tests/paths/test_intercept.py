"""The intercept as a value: what it is in the rows, in the penalty and in the kernel."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from backdoor_curves.paths.intercept import FREE, NONE, penalised


@pytest.mark.parametrize("intercept", [FREE, NONE, penalised(1.0), penalised(3.0)], ids=str)
def test_the_kernel_is_that_of_the_penalised_columns(intercept):
    """K + s^2: entries of the column that the penalty counts are features like others."""
    X = np.random.default_rng(0).normal(size=(5, 3))
    Z = intercept.with_column(X) * np.sqrt(np.append(np.ones(3), intercept.penalty))
    np.testing.assert_allclose(Z @ Z.T, X @ X.T + intercept.shift, atol=1e-14)


@pytest.mark.parametrize("intercept", [FREE, NONE, penalised(3.0)], ids=str)
def test_its_column_stands_last_and_is_constant(intercept):
    """Without an intercept the rows stay as they are."""
    X = np.random.default_rng(0).normal(size=(5, 3))
    Z = intercept.with_column(X)
    np.testing.assert_array_equal(Z[:, :3], X)
    np.testing.assert_array_equal(Z[:, 3:], np.tile(intercept.column, (5, 1)))


def test_equal_values_are_the_same_intercept():
    """Also after the way to another process: paths are kept by it."""
    assert penalised(2.0) == penalised(2.0) != penalised(3.0)
    assert pickle.loads(pickle.dumps(FREE)) == FREE != NONE


@pytest.mark.parametrize("scaling", [0.0, -1.0, np.nan])
def test_a_column_without_a_length_is_refused(scaling):
    """Its weight would say nothing about the intercept; liblinear refuses it too."""
    with pytest.raises(ValueError, match="a number > 0 was expected"):
        penalised(scaling)
