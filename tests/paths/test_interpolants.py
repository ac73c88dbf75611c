"""The interpolants against the functions that they claim to reproduce."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad, trapezoid

from backdoor_curves.paths.base import combined
from backdoor_curves.paths.interpolation.interpolants import SHORTEST, PiecewiseLinear, Rational, Table

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


def slopes_of_phi(betas, poles):
    return (1.0 + poles) / (1.0 + betas * poles) ** 2


@pytest.mark.parametrize("largest", LARGEST)
def test_derivatives_are_those_of_every_function_of_the_path(largest):
    """Closed form: phi' = (1 + l) / (1 + beta l)^2. Nodes lie 1e-3 / l apart, which multiplies rounding by 1e3 l."""
    interpolant = Rational(largest)
    poles = np.concatenate([[0.0, largest], np.expm1(np.linspace(0, np.log1p(largest), 100))])
    betas = np.concatenate([[0.0, 1.0], np.geomspace(1e-6 / (1 + largest), 1, 200)])[:, np.newaxis]
    found = interpolant.derivative(betas[:, 0]) @ phi(interpolant.nodes[:, np.newaxis], poles)
    error = np.abs(found - slopes_of_phi(betas, poles))
    assert (error <= 1e-12 * (1 + largest)).all()
    assert (error * betas <= 1e-11).all()
    if largest <= 1e3:
        assert (error / slopes_of_phi(0.0, poles)).max() < 1e-10
    np.testing.assert_allclose(interpolant.derivative(betas[:, 0]).sum(axis=1), 0.0, atol=1e-12 * (1 + largest))


def test_derivatives_of_the_fastest_function_keep_their_digits_at_0():
    """The slope at 0 is that of the largest pole, if it is there at all: 1e-9 of it wherever ridge is followed."""
    for largest in [*LARGEST, 1e12]:
        interpolant = Rational(largest)
        found = (interpolant.derivative(np.zeros(1)) @ phi(interpolant.nodes, largest))[0]
        assert found == pytest.approx(1.0 + largest, rel=1e-9)


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


def test_table_has_no_derivative():
    """Between refits nothing is known, not even at their betas."""
    with pytest.raises(ValueError, match="a derivative over beta needs an exact path"):
        Table(np.array([0.0, 1.0])).derivative(np.zeros(1))


NODES = np.array([0.0, 0.1, 0.4, 0.4, 0.7, 1.0])
VALUES = np.array([1.0, 3.0, 2.0, -1.0, -1.0, 5.0])[:, np.newaxis]


def line(beta):
    """The function of these nodes, written out: it jumps from 2 to -1 at .4."""
    if beta < 0.1:
        return 1.0 + 20.0 * beta
    if beta < 0.4:
        return 3.0 - (beta - 0.1) / 0.3
    return -1.0 if beta < 0.7 else -1.0 + 20.0 * (beta - 0.7)


def test_lines_are_reproduced_and_a_jump_has_its_right_value():
    """Between nodes, at them, and just before a jump."""
    betas = np.concatenate([NODES, [0.05, 0.39, 0.4 - 1e-12, 0.55, 0.99], np.random.default_rng(0).random(50)])
    found = combined(PiecewiseLinear(NODES).weights(betas), VALUES)[:, 0]
    np.testing.assert_allclose(found, [line(beta) for beta in betas], rtol=1e-13, atol=1e-13)


def test_a_jump_at_the_end_has_its_right_value_too():
    """The last node may stand twice as any other."""
    weights = PiecewiseLinear(np.array([0.0, 1.0, 1.0])).weights(np.array([1.0, 0.5]))
    assert np.array_equal(weights.toarray(), [[0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])


def test_slopes_of_lines_are_from_the_right_and_at_1_from_the_left():
    """At a node the line that begins there; the last one has ended."""
    betas = np.array([0.0, 0.05, 0.1, 0.2, 0.5, 0.7, 0.9, 1.0])
    slopes = combined(PiecewiseLinear(NODES).derivative(betas), VALUES)[:, 0]
    np.testing.assert_allclose(slopes, [20, 20, -1 / 0.3, -1 / 0.3, 0, 20, 20, 20], rtol=1e-13)


def test_a_slope_at_a_jump_is_refused_by_name():
    """It has a left and a right slope, and neither is the derivative."""
    with pytest.raises(ValueError, match=r"jumps at beta = 0\.4 and has no slope there"):
        PiecewiseLinear(NODES).derivative(np.array([0.1, 0.4]))


def test_pieces_that_rounding_leaves_have_no_slope():
    """Events at one beta come out some 1e-16 apart, and the difference of their values is rounding."""
    tiny = SHORTEST / 4
    nodes = np.array([0.0, tiny, 0.5, 0.5 + tiny, 1.0 - tiny, 1.0])
    values = np.array([0.0, 1e-13, 1.0, 1.0 + 1e-13, 3.0, 3.0 - 1e-13])[:, np.newaxis]
    interpolant = PiecewiseLinear(nodes)
    betas = np.array([0.0, tiny / 2, tiny, 0.5, 0.5 + tiny / 2, 1.0 - tiny / 2, 1.0])
    slopes = combined(interpolant.derivative(betas), values)[:, 0]
    np.testing.assert_allclose(slopes, [2.0, 2.0, 2.0, 4.0, 4.0, 4.0, 4.0], rtol=1e-11)


def test_knots_and_jumps_of_lines_are_told():
    """Inside the interval, each once."""
    interpolant = PiecewiseLinear(NODES)
    assert interpolant.knots.tolist() == [0.1, 0.4, 0.7]
    assert interpolant.jumps.tolist() == [0.4]
    assert interpolant.scan.tolist() == [0.0, 0.1, 0.4, 0.7, 1.0]


def test_lines_are_integrated_piece_by_piece():
    """Cubes of lines too; a jump has no width."""
    betas, weights = PiecewiseLinear(NODES).quadrature()
    values = combined(PiecewiseLinear(NODES).weights(betas), VALUES)[:, 0]
    expected = sum(quad(lambda b: line(b) ** 3, *ends, epsabs=1e-13)[0] for ends in pairwise([0, 0.1, 0.4, 0.7, 1.0]))
    assert weights @ values**3 == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("largest", [largest for largest in LARGEST if largest <= 1e4])
def test_second_derivatives_are_those_of_every_function_of_the_path(largest):
    """Closed form: phi'' = -2 l (1 + l) / (1 + beta l)^3, relative to the largest at 0."""
    interpolant = Rational(largest)
    poles = np.concatenate([[0.0, largest], np.expm1(np.linspace(0, np.log1p(largest), 50))])
    betas = np.linspace(0, 1, 20)[:, np.newaxis]
    found = interpolant.derivative(betas[:, 0], 2) @ phi(interpolant.nodes[:, np.newaxis], poles)
    right = -2 * poles * (1 + poles) / (1 + betas * poles) ** 3
    assert np.abs(found - right).max() <= 1e-8 * max(1.0, np.abs(right).max())


def test_lines_do_not_bend():
    """Their second derivative is 0, and refused at a jump like the first."""
    lines = PiecewiseLinear(NODES)
    assert not combined(lines.derivative(np.array([0.0, 0.1, 1.0]), 2), VALUES).any()
    with pytest.raises(ValueError, match="jumps at beta"):
        lines.derivative(lines.jumps[:1], 2)
