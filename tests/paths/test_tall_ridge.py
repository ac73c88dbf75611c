"""Ridge of many rows by sums over them is the ridge of the same rows as one array, in any container."""

import numpy as np
import pytest
import scipy.sparse as sp

from backdoor_curves.paths.intercept import FREE, NONE
from backdoor_curves.paths.linalg import row_parts
from backdoor_curves.paths.ridge import follow, ridge_path
from backdoor_curves.paths.ridge.normal_equations import WeightedRows
from backdoor_curves.paths.ridge.tall_rows import TallRows

BETAS = np.array([0.0, 1e-3, 0.2, 1.0])


def parts(rng, m, columns, dtype=float):
    """300 clean rows of five features far from 0, m poison rows, weights of their own."""
    X = (rng.standard_normal((300, 5)) + 3.0).astype(dtype)
    Y, w = np.sign(rng.standard_normal((300, columns))), rng.random(300) + 0.5
    return (X, Y, w), ((X[:m] + 1).astype(dtype), -Y[:m], w[:m])


@pytest.fixture
def tall(monkeypatch):
    """All rows are many."""
    monkeypatch.setattr(row_parts, "LARGE", 1)


@pytest.mark.parametrize("intercept", [FREE, NONE], ids=str)
@pytest.mark.parametrize("m", [3, 60])
@pytest.mark.parametrize("columns", [1, 3])
def test_sums_over_rows_are_what_arrays_say(m, columns, intercept, monkeypatch):
    """Scores, slopes, bounds, influences: with fewer poison rows than features and with more."""
    rng = np.random.default_rng(0)
    clean, poison = parts(rng, m, columns)
    right = ridge_path(clean, poison, 0.5, intercept)
    monkeypatch.setattr(row_parts, "LARGE", 1)
    found = ridge_path(clean, poison, 0.5, intercept)
    assert isinstance(right.system.clean, WeightedRows)
    assert isinstance(found.system.clean, TallRows)
    assert isinstance(found.system.poison, TallRows) == (m >= 50)
    rows, g = rng.standard_normal((20, 5)), rng.standard_normal((20, columns))
    np.testing.assert_allclose(found.scores(rows, BETAS), right.scores(rows, BETAS), atol=1e-12)
    np.testing.assert_allclose(found.score_derivatives(rows, BETAS), right.score_derivatives(rows, BETAS), atol=1e-10)
    one, other = (path.certificate(BETAS, [rows]) for path in (found, right))
    np.testing.assert_allclose(one.score_bound, other.score_bound, rtol=0.2)
    one, other = (path.response(0.3).influence(rows, g) for path in (found, right))
    np.testing.assert_allclose(one, other, atol=1e-13)


@pytest.mark.usefixtures("tall")
def test_rows_in_any_container_have_one_path(tmp_path):
    """Single precision and files: the bits are those of rows made double beforehand."""
    rng = np.random.default_rng(1)
    clean, poison = parts(rng, 60, 2, np.float32)
    np.save(tmp_path / "rows.npy", clean[0])
    right = ridge_path((clean[0].astype(float), *clean[1:]), (poison[0].astype(float), *poison[1:]), 1.0)
    for X in (clean[0], np.load(tmp_path / "rows.npy", mmap_mode="r")):
        found = ridge_path((X, *clean[1:]), poison, 1.0)
        np.testing.assert_array_equal(found.scores(clean[0], BETAS), right.scores(clean[0], BETAS))
    sparse = ridge_path((sp.csr_array(clean[0].astype(float)), *clean[1:]), poison, 1.0)
    np.testing.assert_allclose(sparse.scores(clean[0], BETAS), right.scores(clean[0], BETAS), atol=1e-12)


@pytest.mark.usefixtures("tall")
def test_blocks_of_any_size_say_the_same(monkeypatch):
    """A sum has no blocks, but for rounding."""
    clean, poison = parts(np.random.default_rng(2), 60, 2)
    whole = ridge_path(clean, poison, 1.0)
    monkeypatch.setattr(row_parts, "CACHED", 1)
    monkeypatch.setattr(row_parts, "FEWEST", 7)
    found = ridge_path(clean, poison, 1.0)
    np.testing.assert_allclose(found.scores(clean[0], BETAS), whole.scores(clean[0], BETAS), atol=1e-12)


@pytest.mark.usefixtures("tall")
def test_what_is_no_number_is_refused():
    """Before it has made a number of something else."""
    clean, poison = parts(np.random.default_rng(3), 60, 1)
    clean[0][4, 2] = np.inf
    with pytest.raises(ValueError, match="finite features were expected, some are NaN, infinite or too large"):
        ridge_path(clean, poison, 1.0)


@pytest.mark.usefixtures("tall")
def test_rows_that_are_not_centred_are_noticed(monkeypatch):
    """The comparison has teeth."""
    clean, poison = parts(np.random.default_rng(4), 60, 1)
    right = ridge_path(clean, poison, 1.0)
    of = follow.mean_of
    monkeypatch.setattr(follow, "mean_of", lambda X, weights: 1.001 * of(X, weights))
    wrong = ridge_path(clean, poison, 1.0)
    assert np.abs(wrong.scores(clean[0], BETAS) - right.scores(clean[0], BETAS)).max() > 1e-9
