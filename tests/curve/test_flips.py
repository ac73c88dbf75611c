"""Flips by hand: scores of exactly 0, several flips of a row, jumps."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves.curve.flips import flips_by_bisection, flips_on_lines

NODES = np.array([0.0, 0.3, 0.7, 1.0])


def on_lines(*scores, wanted=True, nodes=NODES):
    """The flips of one row with these scores at the nodes."""
    return flips_on_lines(nodes, np.array(scores, dtype=float)[:, np.newaxis], np.array([wanted]))


def listed(flips):
    """Whether it starts right, and its flips."""
    return bool(flips.start[0]), flips.betas.tolist(), flips.gained.tolist()


@pytest.mark.parametrize(
    ("scores", "start", "betas", "gained"),
    [
        ((-1, 0, 1, 1), False, [0.3], [True]),  # through 0 at a node: once
        ((1, 0, 1, 1), True, [], []),  # touched from above: nothing between has another sign
        ((-1, 0, -1, -1), False, [], []),
        ((0, 1, 1, 1), True, [], []),  # from 0 up: positive from there on
        ((0, -1, -1, -1), False, [], []),
        ((0, 0, 0, 0), False, [], []),  # a score of 0 is the first class
        ((1, 0, 0, 1), True, [0.3, 0.7], [False, True]),  # and so it is as long as it rests there
        ((-1, 0, 0, 1), False, [0.7], [True]),
        ((-1, 1, -1, 1), False, [0.15, 0.5, 0.85], [True, False, True]),
    ],
)
def test_flips_are_where_the_sign_beside_them_changes(scores, start, betas, gained):
    """Each flip once, also at a node and at a score of exactly 0; for the other class the same the other way."""
    found = listed(on_lines(*scores))
    assert found == (start, pytest.approx(betas, rel=1e-15), gained)
    other = listed(on_lines(*scores, wanted=False))
    assert other == (not start, pytest.approx(betas, rel=1e-15), [not g for g in gained])


def test_a_flip_at_a_node_or_a_jump_is_at_its_very_beta():
    """So that it can be looked up there; 0.1 + (0.3 - 0.1) is not 0.3 in floating point."""
    nodes = np.array([0.0, 0.1, 0.3, 0.3, 1.0])
    assert on_lines(-1, -1, -1, 1, 1, nodes=nodes).betas.tolist() == [0.3]
    assert on_lines(-1, -1, 0, 0.0, 1, nodes=nodes).betas.tolist() == [0.3]


def test_first_and_return_are_the_first_of_several():
    """A row that goes over, back, over and back again."""
    flips = on_lines(-1, 1, -1, 1, -1, nodes=np.array([0.0, 0.2, 0.4, 0.6, 1.0]))
    assert flips.first().tolist() == pytest.approx([0.1])
    assert flips.returns().tolist() == pytest.approx([0.3])
    begun = on_lines(1, -1, 1, -1)
    assert begun.first().tolist() == [0.0]
    assert begun.returns().tolist() == pytest.approx([0.15])
    assert np.isnan(on_lines(-1, -1, -1, -1).first()).all()
    assert np.isnan(on_lines(-1, 1, 1, 1).returns()).all()


def test_steps_and_states_hold_from_their_flip_on():
    """Continuous from the right; rows that flip at one beta are one step."""
    scores = np.array([[-1.0, -1.0, 1.0], [1.0, 1.0, -3.0], [1.0, 1.0, -3.0], [1.0, -2.0, -3.0]])
    flips = flips_on_lines(NODES, scores, np.array([True, True, True]))
    betas, values = flips.steps()
    np.testing.assert_allclose(betas, [0.0, 0.075, 0.15, 0.8], rtol=1e-14)
    np.testing.assert_allclose(values, [1 / 3, 0.0, 2 / 3, 1 / 3])
    at = flips.right(betas)
    assert at.mean(axis=1).tolist() == pytest.approx(values.tolist())
    assert flips.right(np.nextafter(betas[1:], 0.0)).mean(axis=1).tolist() == pytest.approx(values[:-1].tolist())


def test_bisection_ends_where_neighbouring_numbers_differ():
    """At roots of size 1 and of size 1e-12 alike, and the answer is the first beta with the new prediction."""
    roots = np.array([0.123, 1e-12, 0.999999, 0.5])
    scan = np.append(0.0, np.geomspace(1e-9, 1.0, 50))
    right = scan[:, np.newaxis] >= roots
    flips = flips_by_bisection(scan, right, lambda rows: lambda betas: betas >= roots[rows])
    assert flips.gained.all()
    assert np.array_equal(flips.betas, np.sort(roots))
    assert np.array_equal(flips.first(), roots)


def test_no_flip_is_no_work():
    """Predictions that never change have no brackets."""
    flips = flips_by_bisection(NODES, np.ones((4, 2), bool), lambda _: lambda betas: betas > 2)
    assert flips.betas.size == 0
    assert flips.steps()[1].tolist() == [1.0]
