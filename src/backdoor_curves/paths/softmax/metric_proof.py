"""How far softmax regression is from its optimum at one beta, in the metric of the Hessian of all classes.

As for two classes (`paths.logistic.local_proof`): with H the Hessian at W1, intercepts minimised out, |W1 - W*|_H <=
e^(2 d) |g| if no training score moves by more than d on the way, since curvatures change by the factor e^(2 d) at most
there; and d <= max |z| |W1 - W*|_H. A row's score is off by x'H^-1 g, and by (e^(2 d) - 1) |x| |g| at most because H is
not the Hessian all the way. Lengths are free of the units of the columns, and rows are as long as training rows leave
them uncertain. It takes the factor of a matrix of all unknowns: for tables, not for images.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.linalg.coordinates import Space
from backdoor_curves.paths.linalg.metric import ROUNDING, Metric
from backdoor_curves.paths.softmax.problem import Problem, largest_curvatures, probabilities

SHARPENINGS = 3
"""Newton steps with a factor of the very Hessian: one more than two digits each need."""
NEAR_BY = 0.1
"""How far scores may move for curvatures that change by ROOM at most."""
ROOM = 1.3
"""exp(2 x 0.13), with 0.1 x exp(2 x 0.13) < 0.13."""
SMALLEST = 1e-100
"""A smaller curvature is none."""


@dataclass(frozen=True, eq=False)
class Sharper:
    """Parameters near the optimum at one beta: their distance in the metric of the Hessian, and what scores are off.

    Parameters
    ----------
    W : array of shape (K, p)
    length : float
        Infinite where nothing is proven.
    scores : array of shape (x,)
        Bounds over the classes.
    """

    W: Float[np.ndarray, "K p"]
    length: float
    scores: Float[np.ndarray, " x"]


def in_the_metric(
    problem: Problem, space: Space, W: Float[np.ndarray, "K p"], beta: float, rows: Float[np.ndarray, "x q"]
) -> Sharper:
    """Return parameters still nearer at one beta, and what the scores of rows may be off there.

    Parameters
    ----------
    problem, space : Problem, Space
        Along the columns of the rows, and what these coordinates are off.
    W : array of shape (K, p)
        The intercepts first.
    rows : array of shape (x, q)
        Without the intercept's column.
    """
    here = _Local(problem, space, W, beta)
    best = here
    for _ in range(SHARPENINGS):
        here = replace(here, W=here.W - here.newton_step)
        if not here.seen < best.seen:
            break
        best = here
    change = ROOM * best.length * float(best.lengths(best.rows).max(initial=0.0))
    if not change < NEAR_BY:  # it is proven if what it allows leads to no more than itself
        return Sharper(best.W, np.inf, np.full(len(rows), np.inf))
    return Sharper(best.W, ROOM * best.length, best.off(rows, float(np.expm1(2.0 * change))))


@dataclass(frozen=True, eq=False)
class _Local:
    """The problem about W at one beta: the gradient, and the Hessian's metric.

    Free intercepts are minimised out: with A_i = L_i L_i' the curvature of a row, B = sum_i u_i A_i and
    M = B^-1 sum_i u_i A_i (x) z_i' what intercepts do where W moves, the Hessian is

        R + sum_i u_i (I (x) z_i - M')' A_i (I (x) z_i - M').
    """

    problem: Problem
    space: Space
    W: Float[np.ndarray, "K p"]
    beta: float

    @cached_property
    def first(self) -> int:
        """The number of the intercept's columns."""
        return int((self.problem.R[:1] == 0.0).sum())

    @property
    def rows(self) -> Float[np.ndarray, "n q"]:
        return self.problem.Z[:, self.first :]

    @cached_property
    def betas(self) -> Float[np.ndarray, " 1"]:
        return np.array([self.beta])

    @cached_property
    def shares(self) -> Float[np.ndarray, "K n"]:
        return probabilities(self.problem.scores(self.W[:, np.newaxis]))[:, 0]

    @cached_property
    def residuals(self) -> Float[np.ndarray, "K n"]:
        return self.problem.residuals(self.shares[:, np.newaxis], self.betas)[:, 0]

    @cached_property
    def u(self) -> Float[np.ndarray, " n"]:
        return self.problem.u(self.betas)[0]

    @cached_property
    def roots(self) -> Float[np.ndarray, "n K K"]:
        """L_i times the root of the weight: (diag P^1/2 - P (P^1/2)') u^1/2."""
        root = np.sqrt(self.shares.T)
        L = root[:, np.newaxis] * np.eye(len(self.shares)) - self.shares.T[:, :, np.newaxis] * root[:, np.newaxis]
        return L * np.sqrt(self.u)[:, np.newaxis, np.newaxis]

    @cached_property
    def intercepts_inverse(self) -> Float[np.ndarray, "K K"]:
        """The inverse of B on shifts that add up to 0."""
        B = np.einsum("nkm,nlm->kl", self.roots, self.roots)
        values, vectors = np.linalg.eigh(B - np.trace(B) / len(B))  # equal shifts, of no curvature, come first
        directions = vectors[:, 1:]
        return (directions / np.maximum(values[1:], SMALLEST)) @ directions.T

    @cached_property
    def following(self) -> Float[np.ndarray, "K Kq"]:
        K, q = len(self.shares), self.rows.shape[1]
        if not self.first:
            return np.zeros((K, K * q))
        A = np.einsum("nkm,nlm->nkl", self.roots, self.roots)
        return self.intercepts_inverse @ np.einsum("nkl,nq->klq", A, self.rows, optimize=True).reshape(K, K * q)

    @cached_property
    def metric(self) -> Metric:
        n, K, q = len(self.u), len(self.shares), self.rows.shape[1]
        A = self.roots.swapaxes(1, 2)[..., np.newaxis] * self.rows[:, np.newaxis, np.newaxis]
        A = A.reshape(n * K, K * q)
        if self.first:
            A -= self.roots.swapaxes(1, 2).reshape(n * K, K) @ self.following
        # Equal parameters of all classes have the penalty alone; what adds up to 0, as all here does, sees no change.
        equal = np.sqrt(np.square(A).sum(axis=0).reshape(K, q).mean(axis=0) / K)
        rows = np.tile(np.diag(equal), K)
        return Metric(np.vstack([A, rows]), np.tile(self.problem.R[self.first :], K))

    @cached_property
    def shift(self) -> Float[np.ndarray, " K"]:
        """The gradient of the intercepts, nothing without."""
        g = self.residuals.sum(axis=1)
        return (g - g.mean()) * self.first

    @cached_property
    def gradient(self) -> Float[np.ndarray, " Kq"]:
        """Of the parameters with a penalty, the intercepts minimised out."""
        R = self.problem.R[self.first :]
        G = R * self.W[:, self.first :] + self.residuals @ self.rows
        return G.ravel() - self.shift @ self.following

    @property
    def newton_step(self) -> Float[np.ndarray, "K p"]:
        step = self.metric.solve(self.gradient[:, np.newaxis])[:, 0]
        own = (self.intercepts_inverse @ self.shift - self.following @ step)[:, np.newaxis][:, : self.first]
        return np.column_stack([own, step.reshape(len(self.shares), self.rows.shape[1])])

    @cached_property
    def lost(self) -> Float[np.ndarray, " Kq"]:
        """Bounds on what the entries of the gradient lose in rounding, as sums."""
        R, sizes = self.problem.R[self.first :], np.abs(self.residuals)
        own = sizes @ np.abs(self.rows) + np.abs(R * self.W[:, self.first :])
        return ROUNDING * (own.ravel() + sizes.sum(axis=1) @ np.abs(self.following))

    @cached_property
    def seen(self) -> float:
        """A bound on the length of the gradient as it is computed."""
        return float(self.metric.lengths(self.gradient[np.newaxis])[0])

    @cached_property
    def unseen(self) -> float:
        """A bound on the length of what it loses."""
        return float(self.metric.unit_lengths @ self.lost)

    @cached_property
    def of_scores(self) -> float:
        """A bound on what is unknown of the gradient as the scores are: what moves them by d moves it by Z'u A d."""
        total = float(np.linalg.norm(self.residuals, axis=0).sum())
        unknown = ROUNDING * (np.abs(self.problem.Z) @ np.abs(self.W).T) + self.space.error * total
        unknown += self.space.moved * np.sqrt(np.square(self.W) @ self.problem.R)
        curvatures = largest_curvatures(self.shares[:, np.newaxis], self.u[np.newaxis])[0]
        return float(np.sqrt(curvatures @ np.square(unknown).sum(axis=1)))

    @cached_property
    def of_rows(self) -> float:
        """A bound on what is unknown of the gradient as the rows are: the metric is no longer than the norm of R^-1."""
        return self.space.moved * float(np.linalg.norm(self.residuals, axis=0).sum())

    @cached_property
    def of_shift(self) -> float:
        """A bound on the length of the intercepts' gradient, with what its sums lose in rounding."""
        sizes = ROUNDING * np.abs(self.residuals).sum(axis=1) + np.abs(self.shift)
        return float(np.sqrt(sizes @ np.abs(self.intercepts_inverse) @ sizes)) * self.first

    @cached_property
    def length(self) -> float:
        """A bound on the gradient's length."""
        return self.seen + self.unseen + self.of_scores + self.of_rows + self.of_shift

    @cached_property
    def of_intercepts(self) -> Float[np.ndarray, " K"]:
        """The lengths of the intercepts' own directions."""
        return np.sqrt(np.maximum(np.diag(self.intercepts_inverse), 0.0)) * self.first

    def vectors(self, rows: Float[np.ndarray, "x q"]) -> Float[np.ndarray, "xK Kq"]:
        """Return what makes the scores of rows of parameters: I (x) z - M', a vector for each row and class."""
        K = len(self.shares)
        x, q = rows.shape
        own = np.eye(K)[:, :, np.newaxis] * rows[:, np.newaxis, np.newaxis] - self.following.reshape(K, K, q)
        return own.reshape(x * K, K * q)

    def lengths(self, rows: Float[np.ndarray, "x q"]) -> Float[np.ndarray, " xK"]:
        """Return bounds on the lengths of rows, a class each, with their intercepts."""
        return np.hypot(self.metric.lengths(self.vectors(rows)), np.tile(self.of_intercepts, len(rows)))

    def off(self, rows: Float[np.ndarray, "x q"], change: float) -> Float[np.ndarray, " x"]:
        """Return what the scores of rows may be off, where the Hessian changes by this share."""
        reach, own = self.metric.reach(self.vectors(rows)), np.tile(self.of_intercepts, len(rows))
        answers = reach.to(self.gradient, self.seen) + reach.to_unknown(self.lost, self.unseen)
        lengths = np.hypot(reach.lengths, own)
        bounds = answers + own * self.of_shift + lengths * (self.of_scores + self.of_rows + change * self.length)
        return bounds.reshape(len(rows), len(self.shares)).max(axis=1)
