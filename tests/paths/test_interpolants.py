"""The interpolants against the functions that they claim to reproduce."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad, trapezoid

from backdoor_curves.paths.interpolants import Rational, Table

LARGEST = [0.0, 1e-3, 0.5, 7.0, 1e3, 1e6, 1e9]


def phi(betas, poles):
    """The functions of a ridge path, scaled to be 1 at beta = 1."""
    return betas * (1.0 + poles) / (1.0 + betas * poles)


@pytest.mark.parametrize("largest", LARGEST)
def test_nodes_determine_every_function_of_the_path(largest):
    """Values at the nodes give the function everywhere; 1e-12 is three digits above rounding, phi being at most 1."""
    interpolant = Rational(largest)
    rng = np.random.default_rng(0)
    uniform, logarithmic = rng.uniform(0, largest, 300), np.expm1(rng.uniform(0, np.log1p(largest), 300))
    poles = np.concatenate([[0.0, largest], uniform, logarithmic])
    betas = np.concatenate([[0.0, 1.0], rng.random(300), np.geomspace(1e-3 / (1 + largest), 1, 300)])[:, np.newaxis]
    p = interpolant.weights(betas[:, 0])
    error = p @ phi(interpolant.nodes[:, np.newaxis], poles) - phi(betas, poles)
    assert np.abs(error).max() < 1e-12
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-12)  # a constant, w(0), is reproduced too


@pytest.mark.parametrize("largest", LARGEST)
def test_betas_below_the_scan_are_right_too(largest):
    """Below the first positive beta of the grid every phi is a straight line from 0."""
    interpolant = Rational(largest)
    betas = np.geomspace(1e-12, 1e-3, 10)[:, np.newaxis] / (1.0 + largest)
    poles = np.expm1(np.linspace(0.0, np.log1p(largest), 50))
    error = interpolant.weights(betas[:, 0]) @ phi(interpolant.nodes[:, np.newaxis], poles) - phi(betas, poles)
    assert np.abs(error).max() < 1e-12


@pytest.mark.parametrize("largest", LARGEST)
def test_few_nodes_suffice(largest):
    """Scores are kept at the nodes: the promise is some tens of them, one for each digit and decade."""
    nodes = Rational(largest).nodes
    assert nodes[0] == 0.0
    assert (np.diff(nodes) > 0).all()
    assert nodes[-1] <= 1.0
    assert len(nodes) <= 100


@pytest.mark.parametrize("largest", LARGEST)
def test_scan_covers_the_interval(largest):
    """Between two betas of the scan no function of the path changes by more than its neighbours do."""
    scan = Rational(largest).scan
    assert (scan[0], scan[-1]) == (0.0, 1.0)
    assert (np.diff(scan) > 0).all()
    assert (scan[2:] / scan[1:-1]).max() < 1.07
    poles = np.expm1(np.linspace(0.0, np.log1p(largest), 50))
    assert np.abs(np.diff(phi(scan[:, np.newaxis], poles), axis=0)).max() < 0.06


@pytest.mark.parametrize("largest", LARGEST)
def test_quadrature_equals_the_closed_form(largest):
    """The integral of phi is (1 + l) (1/l - log(1 + l) / l^2), and 1/2 at l = 0; 1e-13 is rounding of a sum of it."""
    betas, weights = Rational(largest).quadrature()
    assert weights.sum() == pytest.approx(1.0, abs=1e-14)
    assert weights @ phi(betas, 0.0) == pytest.approx(0.5, abs=1e-14)
    for pole in {min(largest, 1.0), largest} - {0.0, 1e-3}:  # at 1e-3 the closed form itself cancels
        closed = (1.0 + pole) * (1.0 / pole - np.log1p(pole) / pole**2)
        assert weights @ phi(betas, pole) == pytest.approx(closed, rel=1e-13)


@pytest.mark.parametrize("largest", LARGEST)
def test_quadrature_integrates_products(largest):
    """A squared loss is a quadratic form in phi; quad is asked for the same integral in log(1 + beta l)."""
    betas, weights = Rational(largest).quadrature()
    for one, other in ((largest, largest), (largest, 0.0), (largest, np.sqrt(largest))):
        scale = 1.0 + largest

        def integrand(t, one=one, other=other, scale=scale):
            beta = np.expm1(t) / scale
            return phi(beta, one) * phi(beta, other) * np.exp(t) / scale

        expected = quad(integrand, 0.0, np.log1p(scale), epsabs=0, epsrel=1e-13, limit=500)[0]
        assert weights @ (phi(betas, one) * phi(betas, other)) == pytest.approx(expected, rel=1e-11)  # quad's own


def test_table_picks_its_rows():
    """At a node the weight is its own, within the rounding of a beta that was computed."""
    table = Table(np.array([0.0, 0.3, 1.0]))
    assert np.array_equal(table.weights(np.array([0.1 + 0.2, 0.0])), [[0, 1, 0], [1, 0, 0]])
    assert np.array_equal(table.scan, table.nodes)


@pytest.mark.parametrize("beta", [0.2, 0.3 + 1e-9, 0.999])
def test_table_refuses_other_betas(beta):
    """Between refits nothing is known, and nothing is made up."""
    with pytest.raises(ValueError, match=r"fitted at \(0, 0.3, 1\), beta = .* came; pass it in betas=") as caught:
        Table(np.array([0.0, 0.3, 1.0])).weights(np.array([0.3, beta]))
    assert "\n" not in str(caught.value)


def test_table_integrates_by_trapezoids():
    """The rule that everyone expects of a table."""
    nodes = np.array([0.0, 0.1, 0.35, 1.0])
    betas, weights = Table(nodes).quadrature()
    values = np.exp(-nodes)
    assert weights @ values == pytest.approx(trapezoid(values, nodes), abs=1e-15)
    assert np.array_equal(betas, nodes)


@pytest.mark.parametrize("nodes", [[0.1, 1.0], [0.0, 0.99], [0.5]])
def test_table_that_does_not_reach_from_0_to_1_has_no_area(nodes):
    """The integral over a part is no integral over the whole."""
    with pytest.raises(ValueError, match="an area over beta needs a curve from beta = 0 to beta = 1"):
        Table(np.array(nodes)).quadrature()


def test_close_betas_are_one_node_each():
    """A beta near two nodes is the nearer one, not both."""
    weights = Table(np.array([0.0, 1e-13, 1.0])).weights(np.array([0.0, 1e-13, 1.0]))
    np.testing.assert_array_equal(weights, np.eye(3))
