"""Small support vector machines that are hard to follow, and what must hold of the path of any of them."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.metrics.pairwise import polynomial_kernel

from backdoor_curves.curve.deviation import norms
from backdoor_curves.paths.intercept import FREE, NONE, Intercept, penalised
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.paths.svm.path import NotOptimalError
from reference.interior_point import solve

OBJECTIVE = 1e-9
"""Largest excess over the optimum's objective, relative."""
SCORES = 1e-6
"""Largest error of a score, relative to 1 (the margin) and the largest score."""
ROUNDING = 1e-13
"""Of a score, relative to the sum of its terms: a path and its oracle add them up in other orders."""

NEAR = 1e-11
"""A knot is at its beta to within rounding, which counts where the intercept jumps or nearly so."""
LARGEST = 1e7
"""Largest bound times the largest squared length of a row: C = 1 on images that nobody divided by 255."""


@dataclass(frozen=True, eq=False)
class Case:
    """A problem for `svm_path`; `kernel` is (name, parameter)."""

    X: np.ndarray
    y: np.ndarray
    u0: np.ndarray
    du: np.ndarray
    kernel: tuple[str, float]
    intercept: Intercept

    def __repr__(self):
        n, d = self.X.shape
        return (
            f"{n} rows ({int((self.du > 0).sum())} poison) x {d}, kernel {self.kernel}, intercept {self.intercept}, "
            f"bounds {self.u0[self.u0 > 0].min():.3g}..{self.u0.max():.3g} and {self.du.max():.3g}"
        )

    @property
    def is_posed(self):
        """Both classes among the clean rows, and some poison."""
        return len(np.unique(self.y[self.u0 > 0])) == 2 and (self.du > 0).any()

    def with_intercept(self, intercept):
        return replace(self, intercept=intercept)

    def cross(self, A, B):
        name, parameter = self.kernel
        if name == "linear":
            return A @ B.T
        if name == "poly":
            return polynomial_kernel(A, B, degree=int(parameter), gamma=1.0, coef0=1.0)
        # Written out, so that equal rows have equal kernels to the last bit.
        return np.exp(-parameter * ((A[:, np.newaxis] - B) ** 2).sum(-1))

    def path(self):
        return svm_path(self.X, self.y, self.u0, self.du, self.cross, self.intercept)

    def take(self, rows):
        return replace(self, X=self.X[rows], y=self.y[rows], u0=self.u0[rows], du=self.du[rows])


def random_case(seed):
    """Return one of many kinds of small problem: ties, repeats, constant features, extreme and unequal bounds."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(4, 33)), int(rng.integers(1, 6))
    m = int(rng.integers(1, max(2, n // 3)))
    y = np.where(rng.random(n) < rng.choice([0.1, 0.5, 0.5]), 1.0, -1.0)
    X = rng.standard_normal((n, d)) + rng.choice([0.0, 0.5, 2.0, 8.0]) * y[:, np.newaxis] * (np.arange(d) == 0)
    poison = np.arange(n) >= n - m
    X[poison, -1] += rng.choice([0.0, 1.5, 6.0])
    y[poison] *= -1 if rng.random() < 0.8 else 1
    if rng.random() < 0.4:
        X = np.round(X * rng.choice([1.0, 2.0]))
    if rng.random() < 0.2:
        X[:, rng.integers(d)] = rng.choice([0.0, 1.0])
    if rng.random() < 0.15:
        X[rng.random(n) < 0.3] = 0.0
    if rng.random() < 0.4:
        again = rng.choice(n, int(rng.integers(1, n)))
        X, poison = np.vstack([X, X[again]]), np.append(poison, rng.random(len(again)) < 0.3)
        y = np.append(y, np.where(rng.random(len(again)) < 0.7, y[again], -y[again]))
    if rng.random() < 0.3:  # balanced clean rows
        clean = np.flatnonzero(~poison)
        y[clean] = np.where(np.arange(len(clean)) % 2, 1.0, -1.0)
    for label in set(np.array([-1.0, 1.0])) - set(y[~poison]):
        y[np.flatnonzero(~poison)[0 if len(set(y[~poison])) == 1 else int(label > 0)]] = label
    X *= rng.choice([1.0, 1.0, 1.0, 1e-3, 255.0])
    weights = np.ones(len(y))
    if rng.random() < 0.3:
        weights = np.where(y > 0, rng.choice([0.1, 3.0, 1e3]), 1.0)
    elif rng.random() < 0.3:
        weights = 10.0 ** rng.uniform(-3, 3, len(y))
    u = weights * rng.choice([1e-6, 1e-4, 1e-2, 0.1, 1.0, 1.0, 10.0, 100.0, 1e3])
    name = str(rng.choice(["linear", "linear", "rbf", "rbf", "poly"]))
    parameter = float(rng.choice([1e-4, 1e-2, 0.3, 0.3, 3.0, 1e3])) if name == "rbf" else float(rng.integers(2, 4))
    intercept = (FREE, FREE, FREE, penalised(1.0), NONE, penalised(30.0))[rng.integers(6)]
    if name == "poly":  # degree 3 of 255 is beyond what double precision can hold
        X = X / max(1.0, np.abs(X).max() / 3)
    found = Case(X, y, np.where(poison, 0.0, u), np.where(poison, u, 0.0), (name, parameter), intercept)
    # A score is a sum of terms u K, so that beyond this double precision has no digits left for the margin.
    room = LARGEST / (u.max() * (np.diag(found.cross(X, X)).max() + intercept.shift) + 1e-300)
    return found if room >= 1 else replace(found, u0=room * found.u0, du=room * found.du)


def failures(case, betas=(0.0, 1e-5, 0.03, 0.3, 1.0)):
    """Return a line for each claim about the path of `case` that does not hold; none if all hold."""
    try:
        path = case.path()
    except NotOptimalError as error:
        return [f"refused: {error}"]
    nodes = path.interpolant.nodes
    # Between two nodes as well: a path that leaves the optimum there has missed an event.
    middle = (nodes[:-1] + nodes[1:]) / 2
    some = np.random.default_rng(0).permutation(len(middle))[:4]
    asked = np.unique([*betas, *middle[some], *nodes[some]])
    checks = (
        _wrong_rows(case, path),
        _wrong_shape(case, path),
        _wrong_jumps(case, path),
        not_optimal(case, path, asked),
    )
    return [line for found in checks for line in found]


def not_optimal(case, path, asked):
    """The gap is closed, and objective and scores are the oracle's, to within the certificate's bound."""
    problem, shift = path.problem, case.intercept.shift
    rows = np.vstack([path.X, path.X + 0.1, path.X[::-1] / 2])
    K, cross = case.cross(path.X, path.X), case.cross(path.X, rows) + shift
    # K + s^2 in double precision would be another problem's kernel, with a large s and nearly dependent rows.
    K = K + np.longdouble(shift) if shift else K
    reach = np.sqrt(np.diag(K).max()) + np.sqrt(np.diag(case.cross(rows, rows)).max() + shift)
    everywhere = np.union1d(path.interpolant.nodes, asked)
    gaps = path.certificate(everywhere, [path.X[:1]]).objective_gap
    if gaps.max() > 2 * OBJECTIVE:
        yield f"objective gap {gaps.max():.1e} at {everywhere[gaps.argmax()]:.6g}"
    bounds, scores, duals = path.certificate(asked, [rows]).score_bound, path.scores(rows, asked), path.duals(asked)
    lengths = norms(path.interpolant, path.nodal_gram(), asked)
    for beta, bound, f, a, length in zip(asked, bounds, scores, duals, lengths, strict=True):
        best = solve(K, problem.y, problem.u0 + beta * problem.du, case.intercept.is_free)
        if best.gap > OBJECTIVE:
            best = solve(K, problem.y, problem.u0 + beta * problem.du, case.intercept.is_free, near=a)
        if best.gap > OBJECTIVE:
            yield f"undecided at {beta:.6g}: the oracle's own gap is {best.gap:.1e}"
            continue
        objective, least = (_objective(problem, duals, shift) for duals in (a, best.a))
        if objective - least > (OBJECTIVE + best.gap) * abs(least):
            yield f"objective {objective / least - 1:.1e} off the optimum at {beta:.6g}"
        W = np.outer(best.a * problem.y, best.a * problem.y) * (K - shift)
        if (
            not abs(length**2 - W.sum())
            <= SCORES * (1 + W.sum()) + 3 * (1 + length) * best.error + ROUNDING * np.abs(W).sum()
        ):
            yield f"the norm is {length} at {beta:.6g}, not {np.sqrt(max(0.0, float(W.sum())))}"
        offset = f - best.offsets(cross)
        allowed = best.error * reach + ROUNDING * (1 + float(best.a.sum()) * np.abs(cross).max())
        limit = min(bound, SCORES * (1 + np.abs(f).max())) + allowed
        error = np.abs(offset - np.clip(np.median(offset), best.low, best.high)).max()
        if error > limit and case.intercept.is_free:
            error = np.abs(offset - np.clip(np.median(offset), *_intercepts(problem, K, beta))).max()
        if error > limit:
            yield f"scores off by {error:.1e} at {beta:.6g}: the bound {bound:.1e}, oracle and rounding {allowed:.0e}"


def _objective(problem, a, shift):
    """Return 1/2 c'(K + s^2)c - sum(a) in extended precision: with a large s its terms are 1e9 times as large."""
    a = a.astype(np.longdouble)
    c = a * problem.y
    return float((c @ problem.gram.astype(np.longdouble) @ c + shift * c.sum() ** 2) / 2 - a.sum())


def _intercepts(problem, K, beta):
    """Return the least and the largest intercept that is optimal within NEAR of beta: beside a jump both sides are."""
    betas = np.clip([beta - NEAR, beta, beta + NEAR], 0.0, None)
    optima = [solve(K, problem.y, problem.u0 + near * problem.du, free=True) for near in betas]
    return min(best.low for best in optima), max(best.high for best in optima)


def _wrong_rows(case, path):
    """The merged rows carry the sums of the bounds of the rows that they stand for."""
    y, u0, du = path.problem.y, path.problem.u0, path.problem.du
    same = (case.X[:, np.newaxis] == path.X).all(-1) & (case.y[:, np.newaxis] == y)
    if not (same.sum(axis=1) == 1).all():
        yield "a row is represented by none or by several"
    elif not (np.allclose(case.u0 @ same, u0, rtol=1e-14) and np.allclose(case.du @ same, du, rtol=1e-14)):
        yield "the bounds of merged rows are not the sums"


def _wrong_shape(case, path):
    """Nodes from 0 to 1, and duals that are feasible."""
    problem, nodes, A = path.problem, path.interpolant.nodes, path.nodal_duals
    bounds = problem.u0 + nodes[:, np.newaxis] * problem.du
    if nodes[0] != 0.0 or nodes[-1] != 1.0 or (np.diff(nodes) < 0).any():
        yield f"nodes {nodes} do not ascend from 0 to 1"
    outside = np.maximum(-A, A - bounds).max() / bounds.max()
    if outside > 1e-9:
        yield f"duals outside their bounds by {outside:.1e}"
    unbalanced = np.abs(A @ problem.y).max() / bounds.max()
    if case.intercept.is_free and unbalanced > 1e-9:
        yield f"duals unbalanced by {unbalanced:.1e}"


def _wrong_jumps(case, path):
    """Two nodes at one beta are a jump of b alone, with no row between its limits, to an end of its interval."""
    problem, nodes, A = path.problem, path.interpolant.nodes, path.nodal_duals
    bounds = problem.u0 + nodes[:, np.newaxis] * problem.du
    between = np.minimum(A, bounds - A).max(axis=1) / bounds.max()
    scores = path.nodal_scores(path.X)[..., 0]
    jumps = np.flatnonzero(np.diff(nodes) == 0)
    if jumps.size and not case.intercept.is_free:
        yield f"a jump at beta = {nodes[jumps[0]]} without a free intercept"
        return
    for j in jumps:
        where = f"at the jump {nodes[j]}"
        if j + 1 in jumps:
            yield f"three nodes {where}"
        if between[j] > 1e-9:
            yield f"rows are between their limits {where}"
        if np.ptp(scores[j + 1] - scores[j]) > 1e-7 * (1 + np.abs(scores).max()):
            yield f"more than the intercept changes {where}"
        best = solve(problem.K, problem.y, bounds[j], True, tied=1e-12)
        left, right = np.median(scores[j : j + 2] - best.offsets(problem.K), axis=1)
        room = 1e-7 * (1 + abs(best.low) + abs(best.high))
        if not best.low - room <= left <= best.high + room:
            yield f"left intercept {left} outside [{best.low}, {best.high}] {where}"
        if min(abs(right - best.low), abs(right - best.high)) > room:
            yield f"right intercept {right} is no end of [{best.low}, {best.high}] {where}"
