"""The nodes of an SVM's path made optimal where they are not, and proven: the end of each attempt to follow one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.interpolation.interpolants import SHORTEST
from backdoor_curves.paths.svm.correction import correction
from backdoor_curves.paths.svm.dual import MARGIN, Point, StalledError
from backdoor_curves.paths.svm.path import OPTIMAL, Nodes, NotOptimalError, SVMPath

BETWEEN = 4.0
"""By how much the gap in the middle of two nodes counts, as far as it is above theirs: an event missed between them
leaves a tent, in the middle at least half as high as at its top, and the gap is its square."""


def kkt_violation(path: SVMPath, tolerance: float) -> Float[np.ndarray, " k"]:
    """Return by how much the nodes miss the conditions of the optimum, in the units of `OPTIMAL`.

    Gaps are looked for until they are within the tolerance, but not in extended precision.
    """
    return np.maximum(path.nodal_gap.proven(tolerance), _infeasibility(path))


def score_error_bound(path: SVMPath) -> float:
    """Return how far the scores of the training rows may be off, at the nodes and between them: infinite if unknown."""
    return float(path.score_bound(_with_middles(path.at.betas), path.X).max())


def refined(path: SVMPath, everywhere: bool) -> SVMPath:
    """Return the path with nodes that extended precision has made optimal: all, or those that are not.

    Where it would cost too much, without the residual of the margin alone.
    """
    at, duals = path.at, path.nodal_duals
    b, status, margin_duals = at.b.copy(), at.status.copy(), list(at.margin_duals)
    violation = kkt_violation(path, OPTIMAL / 10)
    off = np.flatnonzero((violation > OPTIMAL / 10) | everywhere)
    if not path.extended.affordable(off).size:
        return replace(path, at=corrected_nodes(path)) if (violation > OPTIMAL).any() else path
    for k in off:
        try:
            best = path.extended.optimum(at.betas[k], Point(duals[k], b[k], status[k])).point
        except StalledError:
            if violation[k] > OPTIMAL:
                raise
            continue
        b[k], status[k] = best.b, best.status
        margin_duals[k] = best.a[best.status == MARGIN].astype(float)
    return replace(path, at=replace(at, b=b, status=status, margin_duals=margin_duals))


def corrected_nodes(path: SVMPath) -> Nodes:
    """Return the nodes without the residual of the margin, summed up in extended precision, where limits allow it."""
    at, problem = path.at, path.problem
    # A node keeps its sets: what a row outside its margin were corrected by would be lost.
    found = correction(path.nodal_solutions, at.status, events=0)
    A = path.nodal_duals + problem.y * found.c
    inside = ((A >= 0.0) & (path.nodal_solutions.bounds() >= A)).all(axis=1)
    duals = [a[s == MARGIN] if i else d for a, s, i, d in zip(A, at.status, inside, at.margin_duals, strict=True)]
    return replace(at, b=at.b + np.where(inside, found.b, 0.0), margin_duals=duals)


def require_optimal(path: SVMPath) -> None:
    """Raise unless every node meets the conditions of the optimum, and the middle between two nodes."""
    nodes = path.at.betas
    betas = _with_middles(nodes)
    worst = path.gap(betas, OPTIMAL / BETWEEN)
    at, middle = worst[: len(nodes)], worst[len(nodes) :]
    # What the nodes have too is rounding, and between two nodes at one beta is nothing else.
    beside = (BETWEEN - 1.0) * (np.diff(nodes) > SHORTEST)
    middle += beside * np.maximum(middle - np.maximum(at[:-1], at[1:]), 0.0)
    np.maximum(at, _infeasibility(path), out=at)
    if worst.max() > OPTIMAL:
        raise NotOptimalError(f"the path is off by {worst.max():.0e} at beta = {betas[worst.argmax()]:g}")


def _infeasibility(path: SVMPath) -> Float[np.ndarray, " k"]:
    """Return by how much the duals at the nodes are beyond their limits or out of balance, over the largest bound."""
    return path.nodal_gap.infeasibility() / path.problem.bounds(1.0).max()


def _with_middles(nodes: Float[np.ndarray, " k"]) -> Float[np.ndarray, " b"]:
    """Return the betas of the nodes, and after them those in the middle between two."""
    return np.append(nodes, (nodes[:-1] + nodes[1:]) / 2)
