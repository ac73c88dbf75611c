"""How far parameters of softmax regression are from the optimum, by the gradient that they leave.

The objective, free intercepts minimised out, is 1-strongly convex in the norm of the penalty: |W - W*| <= |dP/dW|. On
the way to W* intercepts move by a mean of the rows weighted by matrices. With A_i = diag P_i - P_i P_i',
B = sum_i u_i A_i and x about any centre,

    |f(x) - f*(x)| <= (|x| + max_i |x_i| (sum_i u_i |A_i| / lambda_2(B))^1/2) |dP/dW| + |f(x) - f1(x)|

at a better solution f1. Where curvatures change by the factor e^(2 d) at most, d being what training scores move by,
the root does too; it is proven if what it allows leads to no more than itself.

Gradients are of the rows as they came, not of turned ones: what turning loses in rounding is then no part of the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.linalg.coordinates import Space
from backdoor_curves.paths.linalg.metric import ROUNDING
from backdoor_curves.paths.softmax.axes import Axes
from backdoor_curves.paths.softmax.metric_proof import SMALLEST
from backdoor_curves.paths.softmax.newton import solve
from backdoor_curves.paths.softmax.preconditioner import Preconditioner
from backdoor_curves.paths.softmax.problem import (
    Columns,
    Problem,
    Scores,
    largest_curvatures,
    probabilities,
    without_mean,
)
from backdoor_curves.rows import Rows

REFINEMENTS = 4
"""Newton steps by which a certificate comes near the optimum; it keeps the nearest, and stops where enough is seen."""
SHARE = 1e-3
"""Of a gradient that a step leaves: what is unseen is then less than what is seen, but where rounding is all."""
SEEN = 1.0
"""What is unseen may be so many times what is seen of the error."""
LITTLE = 1e-10
"""A bound so small is not worth another step."""
CENTRED = 1e-9
"""A step of Newton's method in the intercepts after which there is no other: it squares what is left."""
MOST_STEPS = 50
"""Of that method, of steps up to 1."""


@dataclass(frozen=True, eq=False)
class Nearer:
    """Parameters nearer to the optimum at some betas, and what is known of them there.

    Parameters
    ----------
    W : array of shape (K, b, p)
        In the coordinates of the proof, intercepts minimised out.
    F, P : arrays of shape (K, b, n)
        Scores and probabilities of the training rows.
    G : array of shape (K, b, p)
        The gradient.
    length : array of shape (b,)
        Bound on their distance from the optimum in the norm of the penalty; what is lost in rounding included.
    shift : array of shape (b,)
        What the intercepts may be off for these W.
    spread : array of shape (b,)
        By how much more the intercepts may move than the farthest training row has them: the root above.
    rounding : array of shape (b,)
        What rounding and the coordinates leave unknown of a score of a training row.
    total : array of shape (b,)
        Sums of the residuals' lengths.
    """

    W: Columns
    F: Scores
    P: Scores
    G: Columns
    length: Float[np.ndarray, " b"]
    shift: Float[np.ndarray, " b"]
    spread: Float[np.ndarray, " b"]
    rounding: Float[np.ndarray, " b"]
    total: Float[np.ndarray, " b"]

    def where(self, better: Bool[np.ndarray, " b"], other: Nearer) -> Nearer:
        """Return these where they are better, and others elsewhere."""
        wide = better[:, np.newaxis]
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__}
        return Nearer(**{name: np.where(better if a.ndim == 1 else wide, a, b) for name, (a, b) in pairs.items()})


@dataclass(frozen=True, eq=False)
class Optimality:
    """The conditions of the optimum of a problem.

    Parameters
    ----------
    turned : Problem
        The problem in the coordinates that it is solved in,
    axes : Axes
        which come of those of its rows by these axes.
    space : Space
        What an inner product of two rows may be off in its coordinates, and how far a row may be from what they say.
    intercept : Intercept
    """

    turned: Problem
    axes: Axes
    space: Space
    intercept: Intercept

    @cached_property
    def problem(self) -> Problem:
        """The problem along the columns of the rows."""
        of = self.turned
        rows = (self.space.rows - self.axes.centre) / self.axes.size
        return Problem(np.column_stack([of.Z[:, : self._first], rows]), of.y, of.K, of.u0, of.du, of.R)

    @property
    def _first(self) -> int:
        """Where the columns of the features begin."""
        return len(self.intercept.column)

    @cached_property
    def lengths(self) -> Float[np.ndarray, " n"]:
        """The lengths of the training rows about the centre, as they came, the intercept's column left out."""
        return np.linalg.norm(self.space.rows - self.axes.centre, axis=1)

    def place(self, X: Rows) -> Float[np.ndarray, "x q"]:
        """Return rows in the coordinates of the proof, without the intercept's column."""
        return (self.space.of(X) - self.axes.centre) / self.axes.size

    def along_columns(self, W: Columns) -> Columns:
        """Return parameters along the columns of the rows, given those along the axes."""
        if self.axes.Q is None:
            return W
        return np.concatenate([W[..., : self._first], W[..., self._first :] @ self.axes.Q.T], axis=2)

    def along_axes(self, W: Columns) -> Columns:
        """Return the inverse of `along_columns`; it turns gradients too."""
        if self.axes.Q is None:
            return W
        return np.concatenate([W[..., : self._first], W[..., self._first :] @ self.axes.Q], axis=2)

    def nearer(self, W: Columns, betas: Float[np.ndarray, " b"], M: Preconditioner) -> Nearer:
        """Return parameters nearer to the optima at betas near each other, from those along the axes.

        Nearer is first of all what adds up to 0 over the classes, as the optimum does, and as all steps do.
        """
        begun, seen = self.turned.scores(W), np.zeros(len(betas))
        best = self._looked_at(without_mean(self.along_columns(W)), betas)
        for _ in range(REFINEMENTS):
            unseen = (1.0 + best.spread) * self.lengths.max(initial=0.0) * best.length
            if (unseen <= np.maximum(SEEN * seen, LITTLE)).all():
                break
            pull = -without_mean(self.along_axes(best.G))
            step = solve(self.turned, best.P, betas, M, pull, np.full(len(betas), SHARE))
            new = self._looked_at(best.W + self.along_columns(step.X), betas)
            better = new.length < best.length
            if not better.any():
                break
            best = new.where(better, best)
            seen = np.abs(best.F - begun).max(axis=(0, 2), initial=0.0)
        return best

    def _looked_at(self, W: Columns, betas: Float[np.ndarray, " b"]) -> Nearer:
        """Return what parameters in the coordinates of the proof say of themselves."""
        problem, of = self.problem, slice(self._first, None)
        W, F, P, shift, spread = self._centred(W, betas)
        g = problem.residuals(P, betas)
        sizes = np.sqrt(np.einsum("kbn,kbn->bn", g, g))
        G = problem.R * W + problem.pull_back(g)
        total, lost = sizes.sum(axis=1), sizes @ self.lengths
        size = np.sqrt(np.einsum("kbp,p->kb", np.square(W[..., of]), problem.R[of]).max(axis=0, initial=0.0))
        rounding = ROUNDING * (self.lengths.max(initial=0.0) * size + np.abs(W[..., : self._first]).max(initial=0.0))
        rounding = rounding + self.space.error * total + self.space.moved * size
        # What moves the scores by d moves the gradient by sum u_i A_i d, in the norm of the inverse Hessian by less.
        curvature = largest_curvatures(P, problem.u(betas)).sum(axis=1)
        length = np.sqrt(np.einsum("kbp,p->b", np.square(G[..., of]), 1.0 / problem.R[of]))
        unknown = np.sqrt(curvature) * (np.sqrt(problem.K) * rounding + shift)
        length = length + unknown + ROUNDING * lost + self.space.moved * total
        return Nearer(W, F, P, G, length, shift, spread, rounding, total)

    def _centred(
        self, W: Columns, betas: Float[np.ndarray, " b"]
    ) -> tuple[Columns, Scores, Scores, Float[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return W with the free intercepts that are best for it, scores, probabilities, and `shift` and `spread`."""
        problem, W, nothing = self.problem, W.copy(), np.zeros(len(betas))
        F, u = problem.scores(W), problem.u(betas)
        if not self.intercept.is_free:
            return W, F, probabilities(F), nothing, nothing
        constant = np.full((problem.K, problem.K), 1.0 / problem.K)
        for _ in range(MOST_STEPS):
            P = probabilities(F)
            g = problem.residuals(P, betas).sum(axis=2)
            weighted = (u * P).transpose(1, 0, 2)
            B = np.eye(problem.K) * weighted.sum(axis=2)[:, np.newaxis] - weighted @ P.transpose(1, 2, 0)
            trace = np.maximum(np.trace(B, axis1=1, axis2=2), SMALLEST)[:, np.newaxis, np.newaxis]
            values, vectors = np.linalg.eigh(B + trace * constant)
            least = np.maximum(values[:, 0], SMALLEST)
            inverse = (vectors / np.maximum(values, SMALLEST)[:, np.newaxis]) @ vectors.transpose(0, 2, 1)
            shift = -np.einsum("bkl,lb->kb", inverse, g - g.mean(axis=0))
            step = shift - shift.mean(axis=0)
            step /= np.maximum(np.abs(step).max(axis=0, initial=0.0), 1.0)  # and no clipping: it still adds up to 0
            if np.abs(step).max(initial=0.0) <= CENTRED:
                break
            W[..., 0] += step
            F += step[..., np.newaxis]
        total = np.abs(problem.residuals(P, betas)).sum(axis=(0, 2))
        left = np.linalg.norm(g - g.mean(axis=0), axis=0) + ROUNDING * total
        spread = np.sqrt(largest_curvatures(P, u).sum(axis=1) / least)
        return W, F, P, left / least, spread
