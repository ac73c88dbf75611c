"""Polynomials through the nearest nodes: exact where they can be, and near smooth functions elsewhere."""

import numpy as np
import pytest

from backdoor_curves.paths.interpolation.lagrange import STENCIL, NearestNodes, first_nodes, lagrange

SCALE = 0.05
END = float(np.log1p(1.0 / SCALE))
BETAS = np.array([0.0, 1e-9, 1e-3, 0.02, 0.3, 0.77, 1.0])


def uneven(k):
    """Nodes that lie closer in some places than in others."""
    t = np.linspace(0.0, 1.0, k)
    return END * (t + 0.2 * np.sin(np.pi * t) ** 2 * t) / 1.0


def tau(betas):
    return np.log1p(betas / SCALE)


@pytest.mark.parametrize("k", [2, 3, STENCIL, 40])
def test_polynomials_in_tau_are_met_with_their_derivatives(k):
    """Of a degree below the nodes of a stencil, wherever these are."""
    interpolant = NearestNodes(uneven(k), SCALE)
    degree = min(k, STENCIL) - 1
    p = np.polynomial.Polynomial(np.random.default_rng(0).normal(size=degree + 1) / 3.0 ** np.arange(degree + 1))
    values, speed = p(interpolant.tau), 1.0 / (SCALE + BETAS)
    np.testing.assert_allclose(interpolant.weights(BETAS) @ values, p(tau(BETAS)), rtol=1e-9)
    first, second = p.deriv()(tau(BETAS)), p.deriv(2)(tau(BETAS))
    np.testing.assert_allclose(interpolant.derivative(BETAS) @ values, speed * first, rtol=1e-7, atol=1e-7)
    bent = interpolant.derivative(BETAS, order=2) @ values
    np.testing.assert_allclose(bent, speed**2 * (second - first), rtol=1e-5, atol=1e-3)


def test_nodes_have_their_own_values():
    """To the last bit: each has all the weight at itself, on whichever side of it tau rounds."""
    interpolant = NearestNodes(uneven(30), SCALE)
    np.testing.assert_array_equal(interpolant.weights(interpolant.nodes).toarray(), np.eye(30))
    assert interpolant.nodes[0] == 0.0
    assert interpolant.nodes[-1] == 1.0


def test_weights_add_up_to_one_and_are_few():
    """A constant stays one; a beta asks the nodes of one stencil."""
    interpolant = NearestNodes(uneven(50), SCALE)
    p = interpolant.weights(np.random.default_rng(1).random(200))
    np.testing.assert_allclose(np.asarray(p.sum(axis=1)).ravel(), 1.0, atol=1e-13)
    assert p.nnz == 200 * STENCIL


def test_a_smooth_function_is_met_between_and_integrated():
    """Whose scale shrinks towards 0, as that of a path does."""
    interpolant = NearestNodes(np.linspace(0.0, END, 60), SCALE)
    f = lambda beta: 1.0 / (SCALE + beta) ** 2  # noqa: E731
    values = f(interpolant.nodes) / f(0.0)
    betas = np.append(np.random.default_rng(2).random(50) ** 3, interpolant.middles)
    np.testing.assert_allclose(interpolant.weights(betas) @ values, f(betas) / f(0.0), atol=1e-10)
    points, weights = interpolant.quadrature()
    assert weights.sum() == pytest.approx(1.0, rel=1e-13)
    assert weights @ f(points) == pytest.approx(1.0 / SCALE - 1.0 / (1.0 + SCALE), rel=1e-12)


def test_the_scan_and_the_middles_go_from_0_to_1_through_the_nodes():
    """Ascending; a middle lies in each stretch."""
    interpolant = NearestNodes(uneven(20), SCALE)
    assert (np.diff(interpolant.scan) > 0.0).all()
    assert np.isin(interpolant.nodes[1:-1].round(12), interpolant.scan.round(12)).all()
    assert (interpolant.scan[0], interpolant.scan[-1]) == (0.0, 1.0)
    inner = interpolant.middles[1:-1]
    assert ((inner > interpolant.nodes[:-1]) & (inner < interpolant.nodes[1:])).all()
    assert interpolant.knots.size == 0


def test_stencils_are_in_the_middle_but_near_the_ends():
    """Given the node on the right."""
    assert first_nodes(np.array([1, 6, 10, 29]), 30, 12).tolist() == [0, 0, 4, 18]


def test_one_node_is_a_constant():
    """As a path is begun with."""
    np.testing.assert_array_equal(lagrange(np.array([[0.3]]), np.array([0.7])), [[1.0]])
