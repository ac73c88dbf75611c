"""A linear support vector machine as a function of beta, in the space of its features.

    min  |w|^2 / 2 + sum_i u_i max(0, k_i - y_i f_i),        f = Phi w + b,        u = u0 + beta du

is followed for margins k = 1; on the way to where it begins they are others. With signed duals c_i = y_i a_i an optimum
has w = Phi'c and 0 <= a <= u, and for a free intercept 1'c = 0. Its rows are in the sets of `svm.dual`:

    ZERO     a = 0,        y f >= k
    MARGIN   0 <= a <= u,  y f  = k
    BOUND    a = u,        y f <= k
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int8

from backdoor_curves.paths.linalg.rows_in_place import FeatureRows, lifted, parts_of, squares_of_rows
from backdoor_curves.paths.svm.dual import BOUND


@dataclass(frozen=True, eq=False)
class Problem:
    """The rows and their bounds.

    Parameters
    ----------
    Phi : array of shape (n, p), or rows in place
        FeatureRows; a penalised intercept is the weight of one more column, the last.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        Upper bounds u0 + beta du of the duals, both >= 0: the row weights times C.
    free : bool
        Whether there is a free intercept.
    """

    Phi: FeatureRows
    y: Float[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]
    free: bool

    def bounds(self, beta: float) -> Float[np.ndarray, " n"]:
        """Return u0 + beta du."""
        return self.u0 + beta * self.du

    @cached_property
    def order(self) -> Int[np.ndarray, " p"]:
        """The features by their largest entries, the largest first."""
        sizes = np.zeros(self.Phi.shape[1])
        for Phi in parts_of(self.Phi):
            np.maximum(sizes, np.abs(Phi).max(axis=0, initial=0.0), out=sizes)
        return np.argsort(-sizes, kind="stable")

    @cached_property
    def lengths(self) -> Float[np.ndarray, " n"]:
        """|phi| of each row."""
        return np.sqrt(squares_of_rows(self.Phi, np.ones(self.Phi.shape[1])))


@dataclass(frozen=True, eq=False)
class Pull:
    """What other rows than the margin's do to it, or how fast that changes.

    Parameters
    ----------
    w : array of shape (p,)
        sum_E c_i phi_i, over the rows E at their bound.
    balance : float
        -sum_E c_i: what the signed duals of the margin are to add up to, of a free intercept.
    targets : array of shape (n,)
        The scores y k that the margin's rows are to have.
    """

    w: Float[np.ndarray, " p"]
    balance: float
    targets: Float[np.ndarray, " n"]


class Optimum(NamedTuple):
    """What known sets make of a pull: w, b, and the signed duals of the margin's rows."""

    w: Float[np.ndarray, " p"]
    b: float
    c: Float[np.ndarray, " m"]


def pull_of(
    problem: Problem, status: Int8[np.ndarray, " n"], u: Float[np.ndarray, " n"], targets: Float[np.ndarray, " n"]
) -> Pull:
    """Return the pull of the rows at their bounds u."""
    E: Int[np.ndarray, " e"] = np.flatnonzero((status == BOUND) & (u != 0.0))
    c = problem.y[E] * u[E]
    if isinstance(problem.Phi, np.ndarray):
        return Pull(c @ problem.Phi[E], -float(c.sum()), targets)
    return Pull(lifted(problem.Phi, np.where(status == BOUND, problem.y * u, 0.0)), -float(c.sum()), targets)
