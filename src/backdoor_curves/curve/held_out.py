"""How far a curve that is estimated between its nodes may be off there: each node is held out in turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.paths.interpolation.hermite import HermiteNodes


def held_out_errors(rows: ScoredRows, nodes: HermiteNodes) -> Float[np.ndarray, " k"]:
    """Return how far the mean loss at each node is from what the others say of it; NaN at both ends.

    The stretch over a node that is held out is twice as long as those of the curve, whose estimate between nodes is
    better than that: of a smooth one by about sixteen times.
    """
    k, losses = len(nodes.nodes), rows.mean_loss(nodes.nodes)
    found = np.full(k, np.nan)
    for j in range(1, k - 1):
        others = replace(rows, interpolant=nodes.without(j), nodal=np.delete(rows.nodal, [j, k + j], axis=0))
        found[j] = abs(others.mean_loss(nodes.nodes[j : j + 1])[0] - losses[j])
    return found


def error_between_nodes(rows: ScoredRows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, " b"]:
    """Return an estimate of the error of the mean loss: at a node 0, between two the larger of those held out."""
    nodes = rows.interpolant
    if not isinstance(nodes, HermiteNodes):
        raise ValueError("interpolation_error is for curves of networks; others are exact or known at their betas")
    if len(nodes.nodes) < 3:
        raise ValueError(f"interpolation_error: three betas of training or more were expected, {len(nodes.nodes)} came")
    errors = held_out_errors(rows, nodes)
    left = np.clip(np.searchsorted(nodes.nodes, betas, side="right") - 1, 0, len(nodes.nodes) - 2)
    return np.where(np.isin(betas, nodes.nodes), 0.0, np.fmax(errors[left], errors[left + 1]))
