"""Others' beta is ours times a number: their objectives have the same optimum, the penalty scaled with them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

import backdoor_curves as bc

N, M, LAMBDA = 60, 20, 3.0


def fit(weights, alpha: float) -> np.ndarray:
    """Return the coefficients of ridge with a weight on each row, clean ones first."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(N + M, 4)), rng.integers(0, 2, size=N + M)
    return RidgeClassifier(alpha, solver="cholesky").fit(X, y, sample_weight=weights).coef_


@pytest.mark.parametrize("b", [0.0, 0.05, 0.3])
def test_means_of_the_parts_are_our_objective_over_the_clean_rows(b):
    """mean_clean + b mean_poison: n times that is ours at the beta that b is, n times the penalty."""
    beta = bc.betas_from("parts", b, N, M)
    theirs = fit(np.repeat([1.0 / N, b / M], [N, M]), LAMBDA)
    ours = fit(np.repeat([1.0, beta.item()], [N, M]), N * LAMBDA)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)  # one problem in two scales: rounding of its solution


@pytest.mark.parametrize("q", [0.0, 0.1, 0.25])
def test_a_mixture_of_means_is_ours_too(q):
    """(1 - q) mean_clean + q mean_poison, times n / (1 - q)."""
    beta = bc.betas_from("mixture", q, N, M)
    theirs = fit(np.repeat([(1.0 - q) / N, q / M], [N, M]), LAMBDA)
    ours = fit(np.repeat([1.0, beta.item()], [N, M]), N / (1.0 - q) * LAMBDA)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_with_all_rows_stamped_and_appended_it_is_the_mixture_beta():
    """As many poison rows as clean ones."""
    assert bc.betas_from("mixture", 0.2, N, N).item() == pytest.approx(bc.mixture_beta(0.2), rel=1e-15)


@pytest.mark.parametrize("convention", ["parts", "mixture"])
def test_there_and_back_is_where_one_was(convention):
    """At any shape."""
    betas = np.linspace(0.0, 1.0, 6).reshape(2, 3)
    back = bc.betas_from(convention, bc.betas_in(convention, betas, N, M), N, M)
    np.testing.assert_allclose(back, betas, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bc.betas_in("sums", 0.1, N, M), 'convention: "parts" or "mixture" was expected'),
        (lambda: bc.betas_in("parts", [-0.1], N, M), "betas: finite numbers >= 0 were expected"),
        (lambda: bc.betas_in("parts", np.nan, N, M), "betas: finite numbers >= 0 were expected"),
        (lambda: bc.betas_from("mixture", 1.0, N, M), "values: shares in"),
        (lambda: bc.betas_from("parts", 0.1, N, 0), "n_poison: a number of rows, 1 or more, was expected, 0 came"),
        (lambda: bc.betas_from("parts", 0.1, 2.5, M), "n_clean: a number of rows, 1 or more, was expected, 2.5 came"),
    ],
)
def test_what_has_no_meaning_is_refused(call, said):
    """In a sentence."""
    with pytest.raises(ValueError, match=said):
        call()
