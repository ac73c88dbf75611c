"""What columns that are linear between nodes of their own predict: by the largest score, or by votes of pairs.

Votes change where the score of a pair crosses 0, which is known for each pair alone. Where classes tie in votes and the
ties are broken, the largest sum of their scores counts, between one vote and the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.curve.common_nodes import common_lines
from backdoor_curves.curve.flips import flips_on_lines
from backdoor_curves.curve.predictions import Events, Predictions
from backdoor_curves.curve.upper_envelope import upper_envelope
from backdoor_curves.losses.score_encodings import ScoreEncoding, encode_pairs
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear

BLOCK = 2**20
"""Values at the nodes of all columns that are held at once, 8 MiB: those of all rows would be gigabytes."""
Nodal = Sequence[Float[np.ndarray, "_ n"]]


def predictions_on_lines(
    parts: Sequence[PiecewiseLinear], nodal: Nodal, n_classes: int, encoding: ScoreEncoding
) -> Predictions:
    """Return the predictions of rows at all betas.

    Parameters
    ----------
    parts : sequence of PiecewiseLinear
        The lines of each score column.
    nodal : sequence of arrays of shape (k_c, n)
        The scores of each column at its nodes.
    n_classes : int
    encoding : ScoreEncoding
        What the columns stand for: classes against the rest, or pairs.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.curve.columns_on_lines import predictions_on_lines
    >>> lines = [PiecewiseLinear(np.array(nodes)) for nodes in ([0.0, 1.0], [0.0, 0.5, 1.0], [0.0, 1.0])]
    >>> scores = [np.array([[1.0], [0.0]]), np.array([[0.0], [0.0], [1.0]]), np.array([[-1.0], [-1.0]])]
    >>> found = predictions_on_lines(lines, scores, 3, "one-vs-rest")
    >>> found.start, found.betas.round(6), found.to
    (array([0]), array([0.666667]), array([1]))
    """
    if encoding == "one-vs-rest":
        return _by_largest(parts, nodal)
    above, below = encode_pairs(n_classes, encoding)
    starts, found = [], []
    for rows, counted in _count(parts, nodal, above, below):
        if encoding == "one-vs-one":
            start, events = (
                counted.start.argmax(axis=1),
                Events(counted.betas, counted.rows, counted.votes.argmax(axis=1)),
            )
        else:
            start, events = _with_ties_broken(parts, [scores[:, rows] for scores in nodal], above - below, counted)
        starts.append(start)
        found.append(Events(events.betas, events.rows + rows.start, events.to))
    return Predictions.of_events(np.concatenate(starts), Events.joined(found))


def _by_largest(parts: Sequence[PiecewiseLinear], nodal: Nodal) -> Predictions:
    lines, weights = common_lines(parts)
    starts, found = [], []
    for rows in _blocks(len(lines.nodes) * len(parts), nodal[0].shape[1]):
        values = np.stack([p @ scores[:, rows] for p, scores in zip(weights, nodal, strict=True)], axis=-1)
        start, events = upper_envelope(lines.nodes, values)
        starts.append(start)
        found.append(Events(events.betas, rows[events.rows], events.to))
    return Predictions.of_events(np.concatenate(starts), Events.joined(found))


def _blocks(size: int, n: int) -> Iterator[Int[np.ndarray, " r"]]:
    """Yield a few rows at a time, of which each needs so many values."""
    return iter(np.array_split(np.arange(n), min(max(n, 1), n * size // BLOCK + 1)))


@dataclass(frozen=True, eq=False)
class _Votes:
    """How many votes each class has: from the start, and after each change, row by row and then by beta."""

    start: Float[np.ndarray, "n classes"]
    betas: Float[np.ndarray, " e"]
    rows: Int[np.ndarray, " e"]
    votes: Float[np.ndarray, "e classes"]


def _count(
    parts: Sequence[PiecewiseLinear],
    nodal: Nodal,
    above: Float[np.ndarray, "pairs classes"],
    below: Float[np.ndarray, "pairs classes"],
) -> Iterator[tuple[slice, _Votes]]:
    """Count the votes of pairs, of which a score above 0 speaks for one class and any other for the other.

    A few rows at a time, with their numbers among these: votes of a hundred classes, after each change, are gigabytes.
    """
    n, K = nodal[0].shape[1], above.shape[1]
    everywhere = np.ones(n, dtype=bool)
    flips = [flips_on_lines(line.nodes, scores, everywhere) for line, scores in zip(parts, nodal, strict=True)]
    won = np.stack([flip.start for flip in flips], axis=1)
    betas, rows, gained = (
        np.concatenate([getattr(flip, name) for flip in flips]) for name in ("betas", "rows", "gained")
    )
    pair = np.repeat(np.arange(len(flips)), [len(flip.betas) for flip in flips])
    order = np.lexsort((betas, rows))
    betas, rows, gained, pair = betas[order], rows[order], gained[order], pair[order]
    begins = np.searchsorted(rows, np.arange(n + 1), side="left")
    for some in _blocks(K * (len(rows) // max(n, 1) + 1), n):
        block = slice(int(some[0]), int(some[-1]) + 1) if len(some) else slice(0, 0)
        first, last = begins[block.start], begins[block.stop]
        own, signs = slice(first, last), np.where(gained[first:last], 1.0, -1.0)
        # Sums of all moves, less those of the rows before: whole numbers, and so exact.
        total = np.vstack([np.zeros(K), np.cumsum(signs[:, np.newaxis] * (above - below)[pair[own]], axis=0)])
        start, places = won[block] @ above + ~won[block] @ below, rows[own] - block.start
        before = total[begins[block] - first]
        yield block, _Votes(start, betas[own], places, start[places] + total[1:] - before[places])


def _with_ties_broken(
    parts: Sequence[PiecewiseLinear], nodal: Nodal, signs: Float[np.ndarray, "pairs classes"], counted: _Votes
) -> tuple[Int[np.ndarray, " n"], Events]:
    """Return the predictions by votes, with the largest sum of scores, each with its sign, among classes that tie."""
    n = len(counted.start)
    # All stretches between one vote and the next, the first ones of all rows among them.
    rows, begins = np.append(np.arange(n), counted.rows), np.append(np.zeros(n), counted.betas)
    won = np.vstack([counted.start, counted.votes])
    order = np.argsort(rows, kind="stable")
    rows, begins, won = rows[order], begins[order], won[order]
    ends = np.where(np.append(rows[1:] == rows[:-1], False), np.append(begins[1:], 1.0), 1.0)
    leads = won == won.max(axis=1, keepdims=True)
    tied = (leads.sum(axis=1) > 1) & ((ends > begins) | (begins == 1.0))
    events = [Events(begins[~tied], rows[~tied], leads[~tied].argmax(axis=1))]
    among = np.unique(rows[tied])
    lines, weights = common_lines(parts)
    for block in _blocks(len(lines.nodes) * len(parts), len(among)):
        some = among[block]
        scores = np.stack([p @ column[:, some] for p, column in zip(weights, nodal, strict=True)], axis=-1)
        totals = scores @ signs
        for k in np.flatnonzero(tied & np.isin(rows, some)):
            own = totals[:, int(np.searchsorted(some, rows[k]))]
            events.append(_among_leaders(lines.nodes, own, leads[k], (begins[k], ends[k]), int(rows[k])))
    found = Events.joined(events)
    at_start = found.betas == 0.0
    start = np.empty(n, dtype=np.intp)
    start[found.rows[at_start]] = found.to[at_start]
    return start, found


def _among_leaders(
    nodes: Float[np.ndarray, " k"],
    totals: Float[np.ndarray, "k classes"],
    leads: Bool[np.ndarray, " classes"],
    stretch: tuple[float, float],
    row: int,
) -> Events:
    """Return which of some classes of one row has the largest sum of scores in a stretch of betas."""
    classes, (begin, end) = np.flatnonzero(leads), stretch
    after, before = int(np.searchsorted(nodes, begin, side="right")), int(np.searchsorted(nodes, end, side="left"))
    inner = slice(after, before)

    def at(node: int, beta: float) -> Float[np.ndarray, "1 leaders"]:
        left, right = nodes[node - 1], nodes[node]
        share = (beta - left) / (right - left) if right > left else 1.0
        return ((1.0 - share) * totals[node - 1, classes] + share * totals[node, classes])[np.newaxis]

    first, last = min(after, len(nodes) - 1), min(max(before, 1), len(nodes) - 1)
    values = np.vstack([at(first, begin), totals[inner][:, classes], at(last, end)])
    start, events = upper_envelope(np.concatenate([[begin], nodes[inner], [end]]), values[:, np.newaxis])
    inside = (events.betas < end) | (end == 1.0)  # at its end the next stretch begins
    betas, to = np.append(begin, events.betas[inside]), np.append(start, events.to[inside])
    return Events(betas, np.full(len(betas), row), classes[to])
