"""Hermite's polynomials: exact for cubics, with the derivatives that are known where they are known."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves.paths.interpolation.hermite import HermiteNodes, hermite_nodes

NODES = np.array([0.0, 0.02, 0.1, 0.3, 0.7, 1.0])
SCALE = 0.05
BETAS = np.linspace(0.0, 1.0, 41)


def cubic(betas: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cubic in tau, and its first two derivatives in beta."""
    tau, speed = np.log1p(betas / SCALE), 1.0 / (SCALE + betas)
    first, second = 3.0 * tau**2 - 2.0 * tau + 0.5, 6.0 * tau - 2.0
    return tau**3 - tau**2 + 0.5 * tau, first * speed, second * speed**2 - first * speed**2


def all_used() -> HermiteNodes:
    return HermiteNodes(NODES, SCALE, np.ones(len(NODES), dtype=bool))


def test_a_cubic_in_tau_is_its_own_interpolant():
    """Values, first and second derivatives everywhere."""
    entries = np.concatenate(cubic(NODES)[:2])
    path, (q, first, second) = all_used(), cubic(BETAS)
    np.testing.assert_allclose(path.weights(BETAS) @ entries, q, atol=1e-12)
    np.testing.assert_allclose(path.derivative(BETAS) @ entries, first, atol=1e-10)
    np.testing.assert_allclose(path.derivative(BETAS, 2) @ entries, second, atol=1e-8)


def test_at_a_node_values_and_derivatives_are_what_was_put_in():
    """To the last bit, used or not: estimates are between nodes alone."""
    entries = np.random.default_rng(0).normal(size=2 * len(NODES))
    for used in (np.ones(6, dtype=bool), np.arange(6) % 2 == 0, np.zeros(6, dtype=bool)):
        path = HermiteNodes(NODES, SCALE, used)
        assert np.array_equal(path.weights(NODES) @ entries, entries[:6])
        assert np.array_equal(path.derivative(NODES) @ entries, entries[6:])


def test_a_derivative_that_is_not_used_has_no_say_between_nodes():
    """A wild one would swing the curve; the parabola through three nodes takes its place, exact for parabolas."""
    tau = np.log1p(NODES / SCALE)
    entries = np.append(tau**2, np.full(6, 1e9))
    path = HermiteNodes(NODES, SCALE, np.zeros(6, dtype=bool))
    between = np.setdiff1d(BETAS, NODES)
    np.testing.assert_allclose(path.weights(between) @ entries, np.log1p(between / SCALE) ** 2, atol=1e-11)


def test_derivatives_far_steeper_than_their_secants_are_not_used():
    """Exact they may be: between the nodes they say nothing."""
    q, dq, _ = cubic(NODES)
    dq[2] *= 1000.0
    used = hermite_nodes(NODES, SCALE, q[:, np.newaxis], dq[:, np.newaxis]).used
    assert used.tolist() == [True, True, False, True, True, True]


def test_quadrature_is_the_integral_of_a_smooth_curve():
    """Of 1 / (1 + 20 beta), by its antiderivative."""
    betas, weights = all_used().quadrature()
    assert weights @ (1.0 / (1.0 + 20.0 * betas)) == pytest.approx(np.log(21.0) / 20.0, rel=1e-12)
    with pytest.raises(ValueError, match=r"trained from 0.02 to 1"):
        all_used().without(0).quadrature()


def test_betas_outside_the_nodes_are_refused():
    """Nothing is extrapolated."""
    with pytest.raises(ValueError, match=r"from 0 to 0\.7 the nets were trained, 0.9 came"):
        all_used().without(5).weights(np.array([0.5, 0.9]))


def test_the_scan_has_all_nodes_and_ascends():
    """What brackets a half of a loss must end where the path does."""
    scan = all_used().scan
    assert np.isin(NODES, scan).all()
    assert (np.diff(scan) > 0.0).all()
