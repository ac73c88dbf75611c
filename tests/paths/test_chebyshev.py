"""Polynomials on panels against the functions that they stand for."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.integrate import quad

from backdoor_curves.paths.interpolation.chebyshev import (
    Panels,
    betas_of,
    chebyshev_points,
    compressed,
    panel_points,
    panels_at_points,
    tail,
)

SCALES = [1.0, 0.03, 1e-6, np.inf]


def edges(scale, count=4):
    """Panels of unequal length up to beta = 1."""
    end = 1.0 if np.isinf(scale) else np.log1p(1.0 / scale)
    return end * np.linspace(0.0, 1.0, count + 1) ** 1.5


def power(scale, k):
    """A polynomial of degree k in tau, and its derivative in beta."""

    def tau(beta):
        return beta if np.isinf(scale) else np.log1p(beta / scale)

    def q(beta):
        return tau(beta) ** k

    def dq(beta):
        slope = 1.0 if np.isinf(scale) else 1.0 / (scale + beta)
        return k * tau(beta) ** max(k - 1, 0) * slope

    return q, dq


def some_betas(interpolant):
    """Random ones, those next to 0, the nodes and the edges themselves."""
    rng = np.random.default_rng(0)
    at_edges = betas_of(interpolant.edges, interpolant.scale)
    return np.concatenate([rng.random(50), 10.0 ** rng.uniform(-12, 0, 50), interpolant.nodes, at_edges, [0.0, 1.0]])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("degree", [1, 2, 7, 20])
def test_polynomials_up_to_the_degree_are_reproduced(scale, degree):
    """Values and derivatives; differentiation multiplies rounding by 4 degree^2 and the inverse of a panel's length."""
    interpolant = panels_at_points(edges(scale), degree, scale)
    betas = some_betas(interpolant)
    for k in range(degree + 1):
        q, dq = power(scale, k)
        at_nodes = q(interpolant.nodes)
        size = np.abs(at_nodes).max()
        np.testing.assert_allclose(interpolant.weights(betas) @ at_nodes, q(betas), rtol=0, atol=1e-13 * size)
        slopes = (interpolant.derivative(betas) @ at_nodes) * (1.0 if np.isinf(scale) else scale + betas)
        right = dq(betas) * (1.0 if np.isinf(scale) else scale + betas)
        np.testing.assert_allclose(slopes, right, rtol=0, atol=1e-10 * max(size, 1.0))


def test_a_polynomial_beyond_the_degree_is_not():
    """Otherwise the last test would say nothing."""
    interpolant = panels_at_points(edges(1.0), 3, 1.0)
    q, _ = power(1.0, 4)
    betas = some_betas(interpolant)
    assert np.abs(interpolant.weights(betas) @ q(interpolant.nodes) - q(betas)).max() > 1e-5


@pytest.mark.parametrize("scale", SCALES)
def test_nodes_have_their_own_values(scale):
    """The weights at a node are a unit vector: to the last bit in tau, to rounding from beta back to tau."""
    interpolant = panels_at_points(edges(scale), 9, scale)
    p = interpolant.weights(interpolant.nodes).toarray()
    np.testing.assert_allclose(p, np.eye(len(interpolant.nodes)), atol=1e-12)
    assert len(interpolant.nodes) == 9 * 4 + 1
    assert interpolant.nodes[0] == 0.0
    assert (np.diff(interpolant.nodes) > 0.0).all()
    np.testing.assert_allclose(interpolant.nodes[-1], 1.0, rtol=1e-15)
    assert interpolant.nodes[-1] <= 1.0


@pytest.mark.parametrize("scale", SCALES)
def test_constants_stay_constant(scale):
    """Weights sum to 1, those of derivatives to 0."""
    interpolant = panels_at_points(edges(scale), 20, scale)
    betas = some_betas(interpolant)
    np.testing.assert_allclose(interpolant.weights(betas).sum(axis=1), 1.0, atol=1e-13)
    unit = 1.0 if np.isinf(scale) else scale + betas
    np.testing.assert_allclose(interpolant.derivative(betas).sum(axis=1) * unit, 0.0, atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_quadrature_integrates_the_squares_of_paths(scale):
    """In beta, though the points lie in tau; against adaptive quadrature."""
    interpolant = panels_at_points(edges(scale), 12, scale)
    betas, w = interpolant.quadrature()
    c = scale if np.isfinite(scale) else 1.0
    ends = list(pairwise(betas_of(interpolant.edges, scale)))
    for q in (np.ones_like, lambda beta: (c / (c + beta)) ** 2, lambda beta: np.log1p(beta / c) ** 2):
        right = sum(quad(q, a, b, epsabs=1e-15, epsrel=1e-13)[0] for a, b in ends)
        np.testing.assert_allclose(w @ q(betas), right, rtol=1e-11)
    assert (w > 0).all()
    assert ((betas > 0) & (betas < 1)).all()


def test_at_an_edge_the_right_panel_counts():
    """Derivatives are from the right, where two polynomials meet in a kink; at beta = 1 from the left."""
    interpolant = panels_at_points(np.array([0.0, 0.25, 1.0]), 2, np.inf, knots=np.array([0.25]))
    q = np.abs(interpolant.nodes - 0.25)
    np.testing.assert_allclose(
        interpolant.derivative(np.array([0.0, 0.1, 0.25, 0.5, 1.0])) @ q, [-1, -1, 1, 1, 1], atol=1e-13
    )
    np.testing.assert_array_equal(interpolant.knots, [0.25])
    assert 0.25 in interpolant.scan


@pytest.mark.parametrize("scale", SCALES)
def test_scan_covers_the_interval(scale):
    """Ascending, from end to end, and denser than any polynomial of the degree can turn."""
    interpolant = panels_at_points(edges(scale), 20, scale)
    assert interpolant.scan[0] == 0.0
    np.testing.assert_allclose(interpolant.scan[-1], 1.0, rtol=1e-15)
    assert (np.diff(interpolant.scan) > 0.0).all()
    for a, b in pairwise(betas_of(interpolant.edges, scale)):
        assert ((interpolant.scan >= a) & (interpolant.scan <= b)).sum() >= 21


def smooth_values(scale, at, rank):
    """Vectors at all points that lie in few dimensions, around a start that is not small."""
    rng = np.random.default_rng(1)
    betas = betas_of(at, scale)
    poles = 10.0 ** rng.uniform(-1, 3, rank)
    functions = betas[:, np.newaxis] / (1.0 + betas[:, np.newaxis] * poles)
    return 100.0 * rng.standard_normal(40) + functions @ rng.standard_normal((rank, 40))


@pytest.mark.parametrize("accuracy", [1e-4, 1e-9])
@pytest.mark.parametrize("rank", [0, 3, 12])
def test_few_nodes_give_the_values_at_all_points(rank, accuracy):
    """To the accuracy asked, with a factor for the norm of what is left; no more nodes than dimensions."""
    scale, where = 0.01, edges(0.01)
    at = panel_points(where, 20)
    values = smooth_values(scale, at, rank)
    interpolant, kept = compressed(where, 20, scale, values, accuracy)
    assert len(interpolant.nodes) == len(kept) <= rank + 1
    off = np.linalg.norm(interpolant.table @ values[kept] - values, axis=1)
    assert off.max() <= 10 * accuracy + 1e-12
    assert interpolant.nodes[0] == 0.0
    assert (np.diff(interpolant.nodes) > 0).all()
    np.testing.assert_allclose(interpolant.table.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_array_equal(interpolant.nodes, betas_of(at, scale)[kept])


def test_compression_changes_neither_values_nor_derivatives_between_points():
    """The polynomials are the same, read from fewer vectors."""
    scale, where = 0.01, edges(0.01)
    values = smooth_values(scale, panel_points(where, 20), 8)
    few, kept = compressed(where, 20, scale, values, 1e-10)
    every = Panels(where, 20, scale, betas_of(panel_points(where, 20), scale), np.eye(len(values)), np.empty(0))
    betas = some_betas(few)
    np.testing.assert_allclose(few.weights(betas) @ values[kept], every.weights(betas) @ values, atol=1e-9)
    slopes, right = few.derivative(betas) @ values[kept], every.derivative(betas) @ values
    np.testing.assert_allclose(
        slopes * (scale + betas)[:, np.newaxis], right * (scale + betas)[:, np.newaxis], atol=1e-7
    )


def test_a_coarse_accuracy_leaves_fewer_nodes():
    """That is what it is for."""
    values = smooth_values(0.01, panel_points(edges(0.01), 20), 30)
    counts = [len(compressed(edges(0.01), 20, 0.01, values, a)[1]) for a in (1e-10, 1e-6, 1e-2)]
    assert counts[0] > counts[1] > counts[2]


def test_weights_of_panels_are_sparse_where_nodes_are_points():
    """A beta needs the points of its own panel only: many panels cost no more than one."""
    interpolant = panels_at_points(np.linspace(0.0, 1.0, 101), 4, np.inf)
    p = interpolant.weights(np.linspace(0.0, 1.0, 30))
    assert sp.issparse(p)
    assert p.nnz <= 30 * 5


@pytest.mark.parametrize("degree", [1, 2, 9, 20])
def test_the_tail_is_the_last_two_chebyshev_coefficients(degree):
    """T_k at the points has one coefficient; an error a tenth of it is what `tail` must not miss."""
    x = chebyshev_points(degree)
    assert len(x) == degree + 1
    assert x[0] == -1.0
    assert x[-1] == 1.0
    for k in range(degree + 1):
        values = np.cos(k * np.arccos(x))[:, np.newaxis] * np.array([3.0, -1.0])
        np.testing.assert_allclose(tail(values), 3.0 if k >= degree - 1 else 0.0, atol=1e-13)
    np.testing.assert_allclose(tail(np.cos(degree * np.arccos(x)) - 2 * np.cos((degree - 1) * np.arccos(x))), 3.0)


def test_the_end_of_the_last_panel_is_beta_1():
    """Rounding must not take a node beyond 1, where no weight is defined."""
    for scale in 10.0 ** np.random.default_rng(2).uniform(-9, 0, 200):
        where = np.array([0.0, np.log1p(1.0 / scale)])
        assert betas_of(where, scale)[-1] <= 1.0
        interpolant = panels_at_points(where, 3, scale)
        np.testing.assert_allclose(interpolant.weights(np.ones(1)).toarray(), [[0, 0, 0, 1]], atol=1e-15)


@pytest.mark.parametrize("scale", SCALES)
def test_second_derivatives_are_those_of_polynomials_in_tau(scale):
    """By the chain rule, written out for tau^k: k (k - 1) tau^(k-2) tau'^2 + k tau^(k-1) tau''."""
    interpolant = panels_at_points(edges(scale), 6, scale)
    betas = some_betas(interpolant)
    unit = np.ones_like(betas) if np.isinf(scale) else 1 / (scale + betas)
    bend = np.zeros_like(betas) if np.isinf(scale) else -(unit**2)
    tau = betas if np.isinf(scale) else np.log1p(betas / scale)
    for k in range(7):
        at_nodes = power(scale, k)[0](interpolant.nodes)
        found = interpolant.derivative(betas, 2) @ at_nodes
        right = k * (k - 1) * tau ** max(k - 2, 0) * unit**2 + k * tau ** max(k - 1, 0) * bend
        np.testing.assert_allclose(found / unit**2, right / unit**2, rtol=0, atol=1e-8 * max(np.abs(at_nodes).max(), 1))


def test_a_knot_on_its_way_through_tau_stays_with_the_panel_to_its_right():
    """log and exp do not undo each other to the last bit; the derivative at a knot is from the right all the same."""
    scale = 0.37
    ends = np.sort(np.append(np.random.default_rng(3).random(400), [0.0, 1.0])) * np.log1p(1 / scale)
    interpolant = panels_at_points(ends, 1, scale)
    slopes = np.random.default_rng(4).choice([-1.0, 1.0], len(ends) - 1) * np.arange(1, len(ends))
    values = np.append(0.0, np.cumsum(slopes * np.diff(ends)))
    knots = interpolant.nodes[:-1]
    found = interpolant.derivative(knots) @ values * (scale + knots)
    np.testing.assert_allclose(found, slopes, rtol=1e-6)
