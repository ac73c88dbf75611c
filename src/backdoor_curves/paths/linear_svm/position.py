"""Where a walk of many rows is: the optimum of known sets, how it moves, and where the rows are that may come next.

With S the margin's matrix, bordered for a free intercept, and N its inverse,

    S = [ 0  1'   ]        S [ b; c_M ] = [ 0; h_M ] - [ 1'; Phi_M ] c_E,        w = Phi'c:
        [ 1  K_MM ]

for the optimum with the signed duals c_E of the rows at their bounds, and for its rates with theirs and h = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int8

from backdoor_curves.paths.linear_svm.problem import Problem

SOLVES = 3
"""With N: the second gives back the digits that N has lost, the third those that the second still left."""
SIDE = np.array([1.0, 0.0, -1.0])
"""The sign that y f - 1 has in each set."""


class Node(NamedTuple):
    """Where an event is: t, w (and b after it) there, and the row that goes to another set."""

    t: float
    w: Float[np.ndarray, " q"]
    row: int
    to: int


@dataclass(frozen=True, eq=False)
class Watched:
    """The rows that a stride looks at, the margin's among them.

    Parameters
    ----------
    rows : int array of shape (s,)
        Their numbers.
    Z : array of shape (s, q)
        Their features, and a 1 if there is a free intercept.
    y, h, u0, du : arrays of shape (s,)
        Classes, scores on the margin, and bounds u0 + t du.
    reach : array of shape (s,)
        The length of each row of Z: how far its score moves at most, for a step of w, b of length 1.
    border : int
        1 for a free intercept, else 0: what vectors have beside w and the duals.
    """

    rows: Int[np.ndarray, " s"]
    Z: Float[np.ndarray, "s q"]
    y: Float[np.ndarray, " s"]
    h: Float[np.ndarray, " s"]
    u0: Float[np.ndarray, " s"]
    du: Float[np.ndarray, " s"]
    reach: Float[np.ndarray, " s"]
    border: int

    @classmethod
    def of(cls, problem: Problem, targets: Float[np.ndarray, " n"], rows: Int[np.ndarray, " s"]) -> Watched:
        """Return some rows of a problem."""
        Z = problem.Phi[rows]
        if problem.free:
            Z = np.column_stack([Z, np.ones(len(rows))])
        reach = np.sqrt(np.einsum("ij,ij->i", Z, Z))
        y, u0, du = problem.y[rows], problem.u0[rows], problem.du[rows]
        return cls(rows, Z, y, targets[rows], u0, du, reach, int(problem.free))

    def unknowns(self, M: Int[np.ndarray, " m"]) -> Float[np.ndarray, "k q"]:
        """Return what the unknowns of a margin make of w, b: a free intercept is the first of them."""
        A = self.Z[M]
        if not self.border:
            return A
        A[:, -1] = 0.0
        return np.vstack([np.eye(1, A.shape[1], A.shape[1] - 1), A])


class Unknowns(NamedTuple):
    """The margin's matrix and what it is solved for.

    Parameters
    ----------
    N : array of shape (k, k)
        Its inverse; the first row is a free intercept's.
    A : array of shape (k, q)
        What the unknowns make of w, b.
    x : array of shape (k,)
        The unknowns: b if it is free, and the signed duals of the margin.
    w : array of shape (q,)
        w, and b after it if it is free.
    drift : array of shape (q,)
        How fast rows at their bounds pull w; after it, of a free intercept, how fast their signed duals' sum grows.
    """

    N: Float[np.ndarray, "k k"]
    A: Float[np.ndarray, "k q"]
    x: Float[np.ndarray, " k"]
    w: Float[np.ndarray, " q"]
    drift: Float[np.ndarray, " q"]


@dataclass(frozen=True, eq=False)
class Position:
    """The optimum at some t, and how all moves from there.

    Parameters
    ----------
    t : float
    status : array of shape (s,)
        The set of each row that is watched.
    M : int array of shape (m,)
        The margin, by the places of its rows among those.
    at : Unknowns
    dx, speed : arrays of shape (k,) and (q,)
        The rates of the unknowns, and of w, b.
    scores, rates : arrays of shape (s,)
        The scores of the rows that are watched, and theirs.
    """

    t: float
    status: Int8[np.ndarray, " s"]
    M: Int[np.ndarray, " m"]
    at: Unknowns
    dx: Float[np.ndarray, " k"]
    speed: Float[np.ndarray, " q"]
    scores: Float[np.ndarray, " s"]
    rates: Float[np.ndarray, " s"]

    @classmethod
    def of(
        cls, watched: Watched, t: float, status: Int8[np.ndarray, " s"], M: Int[np.ndarray, " m"], at: Unknowns
    ) -> Position:
        """Return the position of known sets."""
        dx, speed = solved(at.N, at.A, at.drift, np.zeros(len(M)))
        scores, rates = (watched.Z @ np.column_stack([at.w, speed])).T
        return cls(t, status, M, at, dx, speed, scores, rates)


def solved(
    N: Float[np.ndarray, "k k"], A: Float[np.ndarray, "k q"], pull: Float[np.ndarray, " q"], h: Float[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " q"]]:
    """Return the unknowns, and w and b, that give the margin its scores h, for a pull and the sum of its signed duals.

    Each solution takes out what the one before has left.
    """
    x, border = np.zeros(len(A)), len(A) - len(h)
    w = pull.copy()
    w[len(w) - border :] = 0.0
    for _ in range(SOLVES):
        off = A @ w
        if border:
            off[1:] += w[-1]
            off[0] = pull[-1] + x[1:].sum()
        off[border:] -= h
        step = N @ off
        x -= step
        w -= step @ A
    return x, w


def inverse(A: Float[np.ndarray, "k q"], border: int) -> Float[np.ndarray, "k k"]:
    """Return the inverse of the margin's matrix; raises LinAlgError if it is singular to all digits."""
    S = A @ A.T
    if border:
        S[0], S[:, 0] = 1.0, 1.0
        S[0, 0] = 0.0
    return np.linalg.inv(S)
