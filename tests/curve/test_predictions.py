"""Predicted classes over beta: in closed form against decoding at many betas, with ties, jumps and repeated values."""

from itertools import combinations

import numpy as np
import pytest

from backdoor_curves.curve import columns_on_lines
from backdoor_curves.curve import upper_envelope as envelope
from backdoor_curves.curve.columns_on_lines import predictions_on_lines
from backdoor_curves.curve.common_nodes import common_lines, sum_of_lines
from backdoor_curves.curve.predictions import Events, Predictions
from backdoor_curves.curve.upper_envelope import upper_envelope
from backdoor_curves.losses.score_encodings import decode
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear

K = 4
PAIRS = K * (K - 1) // 2
ENCODINGS = {
    "one-vs-rest": K,
    "one-vs-one": PAIRS,
    "one-vs-one, ties broken": PAIRS,
    "one-vs-one of classifiers": PAIRS,
}
BETAS = np.unique(np.concatenate([np.linspace(0.0, 1.0, 1777), np.random.default_rng(3).random(500)]))


def columns(seed: int, n_columns: int, n: int = 40, whole: bool = False, jumps: bool = False):
    """Columns with nodes of their own; whole numbers at multiples of 1/8 tie at nodes and in whole pieces."""
    rng = np.random.default_rng(seed)
    lines, nodal = [], []
    for _ in range(n_columns):
        inner = rng.choice(np.arange(1, 8) / 8, rng.integers(0, 4), replace=False) if whole else rng.random(4)
        nodes = np.concatenate([[0.0], np.sort(inner), [1.0]])
        if jumps and len(inner):
            nodes = np.sort(np.append(nodes, rng.choice(inner)))
        scores = rng.normal(size=(len(nodes), n))
        lines.append(PiecewiseLinear(nodes))
        nodal.append(np.round(scores) if whole else scores)
    return lines, nodal


def decoded(lines, nodal, encoding, betas):
    scores = np.stack([line.weights(betas) @ values for line, values in zip(lines, nodal, strict=True)], axis=-1)
    return decode(scores, K, encoding)


@pytest.mark.parametrize("jumps", [False, True], ids=["continuous", "jumps"])
@pytest.mark.parametrize("whole", [False, True], ids=["any numbers", "whole numbers"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_predictions_in_closed_form_are_those_of_the_scores_at_every_beta(encoding, whole, jumps):
    """But at the betas where they change: there a tie may still be the class before."""
    for seed in range(12):
        lines, nodal = columns(seed, ENCODINGS[encoding], whole=whole, jumps=jumps)
        found = predictions_on_lines(lines, nodal, K, encoding)
        # At multiples of 1/8 whole numbers tie, for a moment.
        betas = BETAS[np.abs(8 * BETAS - np.round(8 * BETAS)) > 1e-9]
        expected = decoded(lines, nodal, encoding, betas)
        near = np.zeros_like(expected, dtype=bool)
        for beta, row in zip(found.betas, found.rows, strict=True):
            near[np.abs(betas - beta) < 1e-9, row] = True
        zeros = zero_pairs(lines, nodal, betas) if encoding != "one-vs-rest" else near
        off = (found.at(betas) != expected) & ~near & ~zeros
        assert not off.any(), (seed, np.argwhere(off)[:3].tolist())
        # Every event is a change.
        for row in np.unique(found.rows):
            own = np.append(found.start[row], found.to[found.rows == row])
            assert (np.diff(own) != 0).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_predictions_a_few_rows_at_a_time_are_those_of_all_at_once(encoding, monkeypatch):
    """Of many classes all changes of all rows are too many to hold."""
    lines, nodal = columns(3, ENCODINGS[encoding])
    whole = predictions_on_lines(lines, nodal, K, encoding)
    monkeypatch.setattr(columns_on_lines, "BLOCK", 200)
    parts = predictions_on_lines(lines, nodal, K, encoding)
    for name in ("start", "rows", "to"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    np.testing.assert_allclose(parts.betas, whole.betas, rtol=1e-14)  # sums in another order


def zero_pairs(lines, nodal, betas):
    """Where the score of a pair is 0 throughout a piece: a flip goes with the line, a vote is for the second class."""
    scores = np.stack([line.weights(betas) @ values for line, values in zip(lines, nodal, strict=True)], axis=-1)
    return (np.abs(scores) < 1e-12).any(axis=-1)


def test_a_class_that_is_ahead_between_two_nodes_alone_is_found():
    """The middle one of three lines that cross in turn."""
    values = np.array([[[3.0, 1.0, -9.0]], [[-9.0, 1.0, 3.0]]])
    start, events = upper_envelope(np.array([0.0, 1.0]), values)
    assert start.tolist() == [0]
    np.testing.assert_allclose(events.betas, [1 / 6, 5 / 6])
    assert events.to.tolist() == [1, 2]


def test_rounding_overtakes_no_tied_line():
    """Classes 1 and 2 have one score but for rounding, until class 0 comes to it."""
    values = np.array([[[-2.0, -1.0, -1.0 - 1e-14]], [[-1.0, -1.0, -1.0 + 3e-14]]])
    start, events = upper_envelope(np.array([0.0, 1.0]), values)
    assert (start.tolist(), events.betas.tolist(), events.to.tolist()) == ([1], [1.0], [0])


def test_predictions_keep_the_last_of_several_events_at_one_beta_and_changes_alone():
    events = Events(np.array([0.5, 0.5, 0.2, 0.7]), np.array([0, 0, 1, 0]), np.array([1, 2, 0, 2]))
    found = Predictions.of_events(np.array([0, 0]), events)
    assert (found.betas.tolist(), found.rows.tolist(), found.to.tolist()) == ([0.5], [0], [2])
    assert found.at(np.array([1.0, 0.0, 0.5])).tolist() == [[2, 0], [0, 0], [2, 0]]


def test_flips_of_predictions_leave_out_changes_between_wrong_classes():
    events = Events(np.array([0.2, 0.4, 0.6]), np.zeros(3, dtype=int), np.array([1, 2, 3]))
    flips = Predictions.of_events(np.array([0]), events).flips(np.array([2]))
    assert (flips.betas.tolist(), flips.gained.tolist(), flips.first(), flips.returns()) == (
        [0.4, 0.6], [True, False], [0.4], [0.6],
    )  # fmt: skip


@pytest.mark.parametrize("jumps", [False, True])
def test_a_sum_of_lines_is_the_sum_at_every_beta_and_on_both_sides_of_jumps(jumps):
    lines, nodal = columns(5, 3, n=1, jumps=jumps)
    total, values = sum_of_lines(lines, [one[:, 0] for one in nodal])
    expected = sum(line.weights(BETAS) @ one[:, 0] for line, one in zip(lines, nodal, strict=True))
    np.testing.assert_allclose(total.weights(BETAS) @ values, expected, atol=1e-13)
    assert np.array_equal(total.jumps, np.unique(np.concatenate([line.jumps for line in lines])))
    for jump in total.jumps:
        left = int(np.searchsorted(total.nodes, jump))
        before = sum(line.weights(np.array([jump - 1e-9])) @ one[:, 0] for line, one in zip(lines, nodal, strict=True))
        np.testing.assert_allclose(values[left], before, atol=1e-6)


def test_common_lines_of_one_are_its_own():
    (line,), _ = columns(1, 1, jumps=True)
    common, (weights,) = common_lines([line])
    assert np.array_equal(common.nodes, line.nodes)
    np.testing.assert_array_equal(weights.toarray(), np.eye(len(line.nodes)))


def test_a_fault_in_the_envelope_is_seen(monkeypatch):
    """Crossings at twice their distance."""
    right = envelope._next_above
    monkeypatch.setattr(envelope, "_next_above", lambda *given: (right(*given)[0], 2.0 * right(*given)[1]))
    with pytest.raises(AssertionError):
        test_predictions_in_closed_form_are_those_of_the_scores_at_every_beta("one-vs-rest", False, False)


def test_votes_are_those_of_the_pairs_by_hand():
    scores = np.random.default_rng(0).normal(size=(50, 6))
    votes = np.zeros((50, K))
    for c, (i, j) in enumerate(combinations(range(K), 2)):
        votes[:, i] += scores[:, c] > 0
        votes[:, j] += scores[:, c] <= 0
    np.testing.assert_array_equal(decode(scores, K, "one-vs-one"), votes.argmax(axis=1))
