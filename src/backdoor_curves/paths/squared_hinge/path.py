"""Support vector machines with the squared hinge loss, linear: the exact beta-path.

Between events, the betas at which the margin of a row crosses 1, the optimum is a rational function of beta;
`squared_hinge_pieces` has the equations and follows it from event to event. Here it starts, and becomes a record:
polynomials of low degree between the events, in tau = log(1 + beta / scale).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from backdoor_curves.paths.base import (
    BetaPath,
    Certificate,
    Parameters,
    PathError,
    Response,
    Tangent,
    influence_through,
)
from backdoor_curves.paths.intercept import Intercept
from backdoor_curves.paths.interpolation.chebyshev import Panels, neighbours, panels_at_points
from backdoor_curves.paths.linalg import conjugate_gradients as conjugate
from backdoor_curves.paths.linalg.coordinates import Features, GramFactor, coordinates, coupling_through
from backdoor_curves.paths.squared_hinge.stretch import (
    DEGREE,
    SLACK,
    UPDATES,
    InverseHessian,
    Piece,
    Point,
    Problem,
    Stretch,
    gradient,
    inverse_hessian,
)
from backdoor_curves.rows import Rows

LIBLINEAR_STEPS = 30
"""Steps after which liblinear stops: at large C it would take seconds for what a few Newton steps then do."""
NEWTON_STEPS = 500
"""Steps of Newton's method after which an optimum counts as out of reach."""
STRETCHES = 20
"""Factorisations per row after which a path counts as out of reach."""
DRIFT = 1e-10
"""Error of a score at the end of a stretch, beyond which it is followed again with half the updates."""
REFINEMENTS = 5
"""Newton steps by which a certificate comes to the optimum."""
TIED = 1e-9
"""A margin this close to 1 is on it; then the side that it moves to decides whether the row is active."""
ROUNDING = 64 * np.finfo(float).eps
"""Relative rounding that a score is allowed: of its inner product and of the change of coordinates."""
CANCELLATION = np.finfo(float).eps
"""Relative rounding of the sum that w is: terms of rows with other labels in the same place cancel."""


def squared_hinge_path(
    X: Rows,
    y: Float[np.ndarray, " n"],
    u0: Float[np.ndarray, " n"],
    du: Float[np.ndarray, " n"],
    intercept: Intercept,
    space: Features | GramFactor | None = None,
) -> SquaredHingePath:
    """Return the path of a linear SVM with squared hinge loss and row weights u0 + beta du.

    Parameters
    ----------
    X : rows
        Clean and poison rows, shape (n, d), dense or CSR.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        C times the row weights: u0 for clean rows (du = 0), du for poison rows (u0 = 0).
    intercept : Intercept
        Penalised, or none.
    space : Features or GramFactor, optional
        The coordinates of X, where they are at hand (see `paths.coordinates`).

    Returns
    -------
    SquaredHingePath

    Raises
    ------
    ValueError
        If the intercept is free.
    PathError
        If the optimum cannot be found in double precision.

    Notes
    -----
    O((k + p) m + m^3) an event, with k rows near their margin, m poison rows inside it, and p = min(n, d).

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.intercept import NONE
    >>> from backdoor_curves.paths.squared_hinge.path import squared_hinge_path
    >>> X, y = np.array([[-1.0], [1.0], [2.0]]), np.array([-1.0, 1.0, -1.0])
    >>> path = squared_hinge_path(X, y, np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0]), NONE)
    >>> path.scores(X[:2], np.array([0.0])).round(6)
    array([[-0.8,  0.8]])
    """
    if intercept.is_free:
        raise ValueError("intercept: a penalised one or none was expected, as LinearSVC has it, a free one came")
    space = coordinates(X) if space is None else space
    Z = intercept.with_column(space.rows)
    kept = (u0 > 0.0) | (du > 0.0)
    problem = Problem(np.ascontiguousarray(Z[kept]), y[kept], u0[kept], du[kept])
    edges, W, is_knot, scale = _follow(problem)
    interpolant = panels_at_points(edges, DEGREE, scale)
    knots = interpolant.nodes[::DEGREE][is_knot]
    return SquaredHingePath(panels_at_points(edges, DEGREE, scale, knots), problem, kept, space, W, intercept)


def _follow(
    problem: Problem,
) -> tuple[Float[np.ndarray, " j_plus_1"], Float[np.ndarray, "k r"], Bool[np.ndarray, " j_plus_1"], float]:
    """Return the edges of the panels in tau, w at their points, which edges are events, and the scale of tau."""
    point, scale = _start(problem)
    pieces: list[Piece] = []
    updates = UPDATES
    for _ in range(STRETCHES * (5 + len(problem.y))):
        stretch = Stretch(problem, point, scale, updates)
        more, end = stretch.follow()
        if stretch.updates > 1 and _drift(problem, end) > DRIFT:
            updates = stretch.updates // 2
            continue  # the same stretch again, with more factorisations on the way
        pieces += more
        point, updates = end, min(2 * updates, UPDATES)
        if point.beta == 1.0:
            break
    else:
        raise PathError(f"the path stands still at beta = {point.beta:g}; raise lambda or rescale the features")
    edges = np.array([0.0, *(piece.end for piece in pieces)])
    is_knot = np.array([False, *(piece.event for piece in pieces[:-1]), False])
    return edges, np.vstack([*(piece.W for piece in pieces), point.w]), is_knot, scale


def _drift(problem: Problem, at: Point) -> float:
    """Return how far the scores are from those of the optimum for the active rows."""
    Z, y, u = problem.Z[at.active], problem.y[at.active], problem.u(at.beta)[at.active]
    return float(np.abs(problem.Z @ inverse_hessian(Z, u)(gradient(Z, y, u, at.w))).max(initial=0.0))


def _start(problem: Problem) -> tuple[Point, float]:
    """Return the optimum of the clean rows, and the scale: 1 over a bound on the poles of the path there."""
    clean = problem.du == 0.0
    w, active_clean = optimum(problem.Z[clean], problem.y[clean], problem.u0[clean])
    active = problem.y * (problem.Z @ w) < 1.0
    active[clean] = active_clean
    P, A = active & ~clean, active & clean
    Z = problem.Z[P]
    columns = inverse_hessian(problem.Z[A], problem.u0[A])(Z.T)
    trace = float((2.0 * problem.du[P]) @ np.einsum("mr,rm->m", Z, columns))
    return Point(0.0, w, w, active), 1.0 / trace if trace > 0.0 else 1.0


def optimum(
    Z: Float[np.ndarray, "n r"], y: Float[np.ndarray, " n"], u: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " r"], Bool[np.ndarray, " n"]]:
    """Return the optimum at fixed weights > 0 and its active rows: Newton's method with an exact line search.

    Each step solves the quadratic of the rows that are active; where they stay the same it is done.
    """
    w = _liblinear(Z, y, u)
    f = Z @ w
    active = y * f < 1.0
    for _ in range(NEWTON_STEPS):
        on, step = Z[active], np.zeros(len(w))
        inverse, weights = inverse_hessian(on, u[active]), u[active]
        for _ in range(2):
            step -= inverse(gradient(on, y[active], weights, w + step))
        along = Z @ step
        share = _line_search(w, step, 1.0 - y * f, y * along, u)
        w = w + share * step
        f = Z @ w
        before, active = active, y * f < 1.0
        if share == 1.0 and (np.abs(1.0 - y * f)[active != before] <= SLACK).all():
            return w, before
    raise PathError(f"Newton's method did not find the optimum of {len(y)} rows; raise lambda or rescale the features")


def _liblinear(
    Z: Float[np.ndarray, "n r"], y: Float[np.ndarray, " n"], u: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " r"]:
    """Return w near the optimum; what tolerance is asked for does not matter."""
    if Z.shape[1] == 0 or len(np.unique(y)) < 2:
        return np.zeros(Z.shape[1])
    fit = LinearSVC(C=float(u.max()), dual=False, fit_intercept=False, max_iter=LIBLINEAR_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(fit.fit(Z, y, sample_weight=u / u.max()).coef_[0])


def _line_search(
    w: Float[np.ndarray, " r"],
    step: Float[np.ndarray, " r"],
    slack: Float[np.ndarray, " n"],
    along: Float[np.ndarray, " n"],
    u: Float[np.ndarray, " n"],
) -> float:
    """Return the share t of a step that minimises P(w + t step); 1 if no row changes its side before 1.

    The slope over t is a + b t where a row stays on its side, and its pieces are joined at t = slack / along.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = slack / along
    rows = np.flatnonzero((crossing > 0.0) & np.isfinite(crossing))
    rows = rows[np.argsort(crossing[rows])]
    on = slack > 0.0
    a = float(w @ step) - 2.0 * float(u[on] @ (slack[on] * along[on]))
    b = float(step @ step) + 2.0 * float(u[on] @ along[on] ** 2)
    sign = np.where(on[rows], -1.0, 1.0)
    a_after = a - np.append(0.0, np.cumsum(2.0 * sign * u[rows] * slack[rows] * along[rows]))
    b_after = b + np.append(0.0, np.cumsum(2.0 * sign * u[rows] * along[rows] ** 2))
    root = -a_after / np.maximum(b_after, np.finfo(float).tiny)
    first = int(np.argmax(root <= np.append(crossing[rows], np.inf)))
    # Before the first crossing the step is Newton's own and its share is 1, but for rounding.
    return 1.0 if first == 0 else max(float(root[first]), float(crossing[rows[first - 1]]))


@dataclass(frozen=True, eq=False)
class SquaredHingePath(BetaPath):
    """The path of a linear SVM with squared hinge loss by its nodes.

    Parameters
    ----------
    interpolant : Panels
    problem : Problem
    kept : bool array of shape (rows given,)
        Which rows are in the problem: those of any weight.
    space : Features or GramFactor
        The coordinates of the problem.
    nodal : array of shape (k, r)
        Parameters at the nodes in these coordinates, that of the intercept's column last.
    intercept : Intercept
        Penalised, or none.
    """

    method: ClassVar[str] = "squared hinge"
    exact: ClassVar[bool] = True

    interpolant: Panels
    problem: Problem
    kept: Bool[np.ndarray, " rows"]
    space: Features | GramFactor
    nodal: Float[np.ndarray, "k r"]
    intercept: Intercept

    def parameters(self, betas: Float[np.ndarray, " b"]) -> Parameters:
        """Return coefficients and intercepts."""
        coef, intercept = self._split(self.interpolant.weights(betas) @ self.nodal)
        return Parameters(coef[..., np.newaxis], intercept[:, np.newaxis])

    def scores(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b n"]:
        """Return the scores of the rows X, through the parameters: betas are fewer than nodes."""
        return self._scores(self.interpolant.weights(betas) @ self.nodal, X)

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives from the right, at beta = 1 from the left.

        With the active rows known, the conditions of the optimum are linear: H w = 2 Z'(u y), H w' = 2 Z'(du (y - f)).
        """
        W, rates = (np.empty((len(betas), self.nodal.shape[1])) for _ in range(2))
        for group in neighbours(np.log1p(betas / self.interpolant.scale)):
            there = self._local(betas[group])
            W[group], rates[group] = there.W.T, there.rates.T
        return Tangent(self._scores(W, X)[..., np.newaxis], self._scores(rates, X)[..., np.newaxis])

    def response(self, beta: float) -> Response:
        """Return how the optimum at beta answers to the weights of its training rows."""
        problem, there = self.problem, self._local(np.array([beta]))
        left, on = problem.y - problem.Z @ there.W[:, 0], there.active[:, 0]
        pulls = -2.0 * (problem.u0 + problem.du)[on] * left[on]
        coupling = coupling_through(there.inverse, problem.Z[on], self.space, self.intercept.column)
        ties = int((np.abs(left) <= TIED).sum())

        def tangent(X: Rows) -> Tangent:
            return Tangent(self._scores(there.W.T, X).T, self._scores(there.rates.T, X).T)

        influence = influence_through(coupling, pulls[:, np.newaxis])
        return Response(beta, tangent, np.flatnonzero(self.kept)[on], influence, ties)

    def _local(self, betas: Float[np.ndarray, " b"]) -> _Local:
        """Return the optima at betas near each other, from the nodes and the conditions of the optimum."""
        problem, Z, y = self.problem, self.problem.Z, self.problem.y[:, np.newaxis]
        W, rates = (
            np.asarray((p @ self.nodal).T)
            for p in (self.interpolant.weights(betas), self.interpolant.derivative(betas))
        )
        margin, falling = y * (Z @ W), y * (Z @ rates) * np.where(betas < 1.0, 1.0, -1.0) < 0.0
        active = np.where(np.abs(margin - 1.0) <= TIED, falling, margin < 1.0)
        u = problem.u0[:, np.newaxis] + np.outer(problem.du, betas)
        D, du = 2.0 * u * active, 2.0 * problem.du[:, np.newaxis] * active
        # The rows of one of them make the preconditioner of all; alone it is the inverse itself, but for rounding.
        middle = D[:, len(betas) // 2]
        alone, on = len(betas) == 1, middle > 0.0
        near = inverse_hessian(Z[on], 0.5 * middle[on], refined=alone)

        def each(B: Float[np.ndarray, "r b"]) -> Float[np.ndarray, "r b"]:
            return conjugate.solve(lambda P: P + Z.T @ (D * (Z @ P)), near, B)

        inverse = near if alone else each
        for _ in range(2):
            W = W - inverse(W - Z.T @ (D * (y - Z @ W)))
        return _Local(W, inverse(Z.T @ (du * (y - Z @ W))), active, inverse)

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "k n 1"]:
        """Return the scores of the rows X at the nodes."""
        return self._scores(self.nodal, X)[:, :, np.newaxis]

    def nodal_gram(self) -> sp.csr_array:
        """Return <w(beta_i), w(beta_j)> where it is needed: for nodes of one panel, and with the first node."""
        p, k = self.space.rows.shape[1], len(self.nodal)
        W = self.nodal[:, :p]
        first = DEGREE * np.arange(k // DEGREE)
        nodes = first[:, np.newaxis] + np.arange(DEGREE + 1)
        blocks = W[nodes] @ W[nodes].transpose(0, 2, 1)
        rows = [np.repeat(nodes, DEGREE + 1, axis=1).ravel(), np.zeros(k, dtype=int), np.arange(k)]
        columns = [np.tile(nodes, DEGREE + 1).ravel(), np.arange(k), np.zeros(k, dtype=int)]
        at_start = W @ W[0]
        # Neighbouring panels share a node, and its entry must count once.
        place, one = np.unique(np.concatenate(rows) * k + np.concatenate(columns), return_index=True)
        values = np.concatenate([blocks.ravel(), at_start, at_start])[one]
        return sp.csr_array((values, (place // k, place % k)), shape=(k, k))

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> Certificate:
        """Return how far the path is from the optimum, from a better solution at each beta.

        P is 1-strongly convex, so that w1 after some Newton steps is within |g| of the optimum w*, g its gradient. If
        no row can change its side on so short a way, P is a quadratic there and w* = w1 - H^-1 g; if one can, w* is
        that of one of two quadratics. Otherwise let H be without such rows; then |w1 - w*|^2 <= g'H^-1 g.
        """
        W = np.asarray(self.interpolant.weights(betas) @ self.nodal)
        found = [_near_optimum(self.problem, w, float(beta)) for w, beta in zip(W, betas, strict=True)]
        better, rest, distance, terms = (np.array(part) for part in zip(*found, strict=True))
        reach = self._reach(rows)
        bound = np.zeros(len(betas))
        for X in rows:
            off = np.abs(self._scores(W - better, X)) + 2.0 * np.abs(self._scores(rest, X))
            bound = np.maximum(bound, off.max(axis=1, initial=0.0))
        bound += reach * (distance + ROUNDING * np.linalg.norm(W, axis=1) + CANCELLATION * terms)
        away = np.linalg.norm(rest, axis=1) + distance
        gap = [self._gap(*each) for each in zip(W, better, away, betas, strict=True)]
        return Certificate(betas, np.array(gap), bound)

    def _gap(self, w: Float[np.ndarray, " r"], w1: Float[np.ndarray, " r"], away: float, beta: float) -> float:
        """Return a bound on (P(w) - P*) / P* with w* within `away` of w1: P(w) - P* <= g(w)'(w - w*), P convex."""
        problem, u = self.problem, self.problem.u(beta)
        on = problem.y * (problem.Z @ w) < 1.0
        g = gradient(problem.Z[on], problem.y[on], u[on], w)
        slack = np.maximum(0.0, 1.0 - problem.y * (problem.Z @ w1))
        value = float(w1 @ w1) / 2.0 + float(u @ slack**2)
        return (abs(float(g @ (w - w1))) + float(np.linalg.norm(g)) * away) / max(value, np.finfo(float).tiny)

    def _reach(self, rows: Sequence[Rows]) -> float:
        """Return the largest length of a row (x, s)."""
        squares = [np.asarray((X.multiply(X) if sp.issparse(X) else np.square(X)).sum(axis=1)) for X in rows]
        longest = max((float(each.max(initial=0.0)) for each in squares), default=0.0)
        return float(np.sqrt(longest + self.intercept.shift))

    def _split(self, W: Float[np.ndarray, "k r"]) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, " k"]]:
        p = self.space.rows.shape[1]
        intercept = self.intercept.scaling * W[:, p] if self.intercept.is_unknown else np.zeros(len(W))
        return self.space.coef(np.ascontiguousarray(W[:, :p].T)).T, intercept

    def _scores(self, W: Float[np.ndarray, "k r"], X: Rows) -> Float[np.ndarray, "k n"]:
        coef, intercept = self._split(W)
        return np.asarray(X @ coef.T).T + intercept[:, np.newaxis]


@dataclass(frozen=True, eq=False)
class _Local:
    """Optima at betas near each other: w and dw/dbeta, a column each, the rows that are active on the side looked at,
    and the product with the inverse Hessian, column by column."""

    W: Float[np.ndarray, "r b"]
    rates: Float[np.ndarray, "r b"]
    active: Bool[np.ndarray, "n b"]
    inverse: InverseHessian


def _near_optimum(
    problem: Problem, w: Float[np.ndarray, " r"], beta: float
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"], float, float]:
    """Return w1 near the optimum w*, what is left, and the size of the terms that add up to w*.

    What is left is a vector, w* = w1 - rest, where rows keep their sides on the way; else |w* - w1| <= distance.
    """
    kept = problem.u(beta) > 0.0
    Z, y, u = problem.Z[kept], problem.y[kept], problem.u(beta)[kept]
    inverse, before, best, least = None, None, w, np.inf
    for _ in range(REFINEMENTS):
        active = y * (Z @ w) < 1.0
        g = gradient(Z[active], y[active], u[active], w)
        # A row on its margin may go to and fro; then the steps do not end, and one is the best.
        if (length := float(np.linalg.norm(g))) < least:
            best, least = w, length
        if inverse is None or (active != before).any():
            inverse, before = inverse_hessian(Z[active], u[active]), active
        w = w - inverse(g)
    w = best
    slack = 1.0 - y * (Z @ w)
    active = slack > 0.0
    lengths = np.sqrt(np.einsum("nr,nr->n", Z, Z))
    terms = float((2.0 * u * lengths) @ np.maximum(slack, 0.0))
    g = gradient(Z[active], y[active], u[active], w)
    unsure = np.abs(slack) <= lengths * np.linalg.norm(g)
    sure, nothing = active & ~unsure, np.zeros_like(w)

    def step(on: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " r"]:
        return inverse_hessian(Z[on], u[on])(gradient(Z[on], y[on], u[on], w))

    if not unsure.any():
        return w, step(sure), 0.0, terms
    if unsure.sum() == 1:  # the optimum is that of one of two quadratics
        return w, nothing, max(float(np.linalg.norm(step(on))) for on in (sure, sure | unsure)), terms
    return w, nothing, float(np.sqrt(max(float(g @ inverse_hessian(Z[sure], u[sure])(g)), 0.0))), terms
