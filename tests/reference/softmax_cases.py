"""Small softmax problems, each from its seed alone, and what must hold of the path of each.

Ties, repeated rows with other labels, whole numbers, classes far apart or not at all, weights of 0, classes of one row
or without clean rows, more columns than rows, and C from 1e-6 to 1e4.
"""

from dataclasses import dataclass

import numpy as np

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.intercept import FREE, NONE, Intercept
from backdoor_curves.paths.softmax import softmax_path
from reference.softmax_newton import objective, optimum, with_column

TOLERANCE = 1e-6
FOLLOWED = 0.3
"""Share of it that paths are followed to, as the learner has it."""
BETAS = np.array([0.0, 1e-6, 1e-3, 0.04, 0.3, 0.77, 1.0])


@dataclass(frozen=True, eq=False)
class Case:
    """Rows, classes and weights."""

    X: np.ndarray
    y: np.ndarray
    K: int
    u0: np.ndarray
    du: np.ndarray
    intercept: Intercept
    betas: np.ndarray


def random_case(seed):
    """A case."""
    rng = np.random.default_rng(seed)
    K, d, n = int(rng.integers(2, 6)), int(rng.integers(1, 31)), int(rng.integers(8, 41))
    C = float(rng.choice([1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3, 1e4]))
    apart, unit = float(rng.choice([0.0, 1.0, 8.0])), float(rng.choice([1e-3, 1.0, 1.0, 30.0]))
    intercept = FREE if rng.random() < 0.7 else NONE
    y = rng.integers(0, K, n)
    if rng.random() < 0.2:
        y[y == K - 1] = 0
    X = rng.standard_normal((n, d)) + apart * np.eye(K, d)[y]
    X = np.round(X) if rng.random() < 0.3 else X
    y = np.where(rng.random(n) < 0.1 * (apart < 5.0), rng.integers(0, K, n), y)
    poison = rng.random(n) < rng.choice([0.1, 0.3, 0.8])
    X[poison, -1] += 1.5
    y[poison] = (y[poison] + 1) % K
    if intercept.is_free:  # one clean row of each class at least
        y[:K], poison[:K] = np.arange(K), False
    if repeated := int(rng.integers(0, 11)):
        again = rng.choice(n, repeated)
        y = np.append(y, np.where(rng.random(repeated) < 0.8, y[again], (y[again] + 1) % K))
        near = 1e-7 * rng.standard_normal((repeated, d)) * (rng.random() < 0.2)
        X, poison = np.vstack([X, X[again] + near]), np.append(poison, poison[again])
    v = rng.choice([0.0, 0.25, 1.0, 2.0], len(y)) if rng.random() < 0.4 else np.ones(len(y))
    v[:K] = np.maximum(v[:K], 0.25)
    u = v * C / max(unit, 1.0) ** 2
    return Case(
        unit * X,
        y,
        K,
        np.where(poison, 0.0, u),
        np.where(poison, u, 0.0),
        intercept,
        np.append(BETAS, rng.random(2)),
    )


def failures(case):
    """What does not hold: scores near the optimum's, no bound below what it bounds, and no refusal."""
    free = case.intercept.is_free
    try:
        path = softmax_path(case.X, case.y, case.K, case.u0, case.du, case.intercept, FOLLOWED * TOLERANCE)
    except PathError as error:
        return [f"refused: {error}"]
    certificate, found = path.certificate(case.betas, [case.X]), path.scores(case.X, case.betas)
    at, Z, complaints = path.parameters(case.betas), with_column(case.X, free).astype(np.longdouble), []
    for i, beta in enumerate(case.betas):
        u = case.u0 + beta * case.du
        W = np.column_stack([at.coef[i].T, at.intercept[i]]) if free else at.coef[i].T
        best = optimum(case.X, case.y, case.K, u, free, start=W)
        error, bound = float(np.abs(found[i] - best.scores(case.X)).max()), certificate.score_bound[i]
        if not error <= bound + best.error:
            complaints.append(f"bound {bound:.2e} below the error {error:.2e} at beta = {beta:g}")
        if not error <= TOLERANCE:
            complaints.append(f"error {error:.1e} over the tolerance, bound {bound:.1e}, at beta = {beta:g}")
        elif not bound <= TOLERANCE:
            complaints.append(f"bound {bound:.1e} over the tolerance, error {error:.1e}, at beta = {beta:g}")
        value = objective(Z, case.y, u, W.astype(np.longdouble), free)
        if not value - best.objective <= certificate.objective_gap[i] * value:
            complaints.append(f"gap {certificate.objective_gap[i]:.1e} below the objective's at beta = {beta:g}")
    return complaints
