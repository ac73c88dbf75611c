"""Small random problems of K classes for SVMs, and what must hold of their curves.

Ties (whole numbers), rows repeated with the same and with other labels, classes of one row or without clean rows, tiny
and huge C, weights of rows. Columns are compared with proved optima of their own problems, predictions with scores
decoded at many betas, influences with slopes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.losses.score_encodings import encode, is_in_pairs
from reference.interior_point import solve

TOLERANCE = 1e-6
"""Of a score: what curves promise."""
APART = 1e-7
"""Betas this near to a change of a prediction are not looked at."""
UNDECIDED = 1e-9
"""Class scores that differ by less: beyond the rounding of a path at large C, and within what it promises."""


@dataclass(frozen=True)
class Case:
    """A learner and its data."""

    estimator: Any
    data: bc.PoisonedData
    betas: np.ndarray

    def __repr__(self) -> str:
        sizes = f"{len(self.data.clean_train)} + {len(self.data.poison_train)} rows, {len(self.data.classes)} classes"
        return f"{self.estimator}, {sizes}, betas {self.betas.round(4).tolist()}"


def learner(rng: np.random.Generator) -> Any:
    """Return one of the learners with columns of their own nodes, at any C."""
    C = float(10.0 ** rng.uniform(-6, 3)) if rng.random() < 0.8 else float(10.0 ** rng.uniform(3, 6))
    kind = rng.choice(["rbf", "rbf", "linear", "poly", "hinge", "squared hinge"])
    if kind in ("hinge", "squared hinge"):
        scaling = float(rng.choice([0.3, 1.0, 10.0]))
        loss = "hinge" if kind == "hinge" else "squared_hinge"
        return LinearSVC(C=min(C, 1e3), loss=loss, intercept_scaling=scaling, fit_intercept=bool(rng.random() < 0.8))
    if kind == "rbf":
        return SVC(C=C, gamma=float(10.0 ** rng.uniform(-3, 1)), break_ties=bool(rng.random() < 0.5))
    if kind == "poly":
        return SVC(C=min(C, 100.0), kernel="poly", gamma=0.3, coef0=1.0, degree=2)
    return SVC(C=min(C, 1e3), kernel="linear", break_ties=bool(rng.random() < 0.5))


def random_case(seed: int) -> Case:
    """Return the case of a seed."""
    rng = np.random.default_rng(seed)
    K, d = int(rng.integers(3, 6)), int(rng.integers(1, 5))
    n, m = int(rng.integers(2 * K, 30)), int(rng.integers(1, 8))
    X, y = rng.normal(size=(n, d)), np.append(np.arange(K), rng.integers(0, K, n - K))
    X[:, 0] += 0.7 * y
    poison, target = X[rng.integers(0, n, m)] + 1.5 * np.eye(d)[-1], rng.integers(0, K, m)
    if rng.random() < 0.4:
        target[:] = rng.integers(0, K)
    if rng.random() < 0.5:
        X, poison = np.round(X), np.round(poison)
    if rng.random() < 0.5:
        again = rng.integers(0, n, n // 2)
        labels = np.where(rng.random(n // 2) < 0.5, y[again], rng.integers(0, K, n // 2))
        X, y = np.vstack([X, X[again]]), np.append(y, labels)
    if rng.random() < 0.3:
        poison[: m // 2] = X[: m // 2]
    weights = [rng.choice([1.0, 2.0, 0.5], size) if rng.random() < 0.3 else None for size in (len(y), m)]
    test = np.vstack([X[:4], rng.normal(size=(5, d)), poison[:2]])
    wanted = rng.integers(0, K, len(test))
    parts = bc.Samples(X, y, weights[0]), bc.Samples(poison, target, weights[1]), (test, wanted), (test, wanted)
    return Case(learner(rng), bc.PoisonedData(*parts), np.append(rng.random(2) ** 2, rng.choice([0.0, 1.0])))


def failures(case: Case) -> list[str]:
    """Return what does not hold of the curve of a case."""
    curve = bc.backdoor_learning_curve(case.estimator, case.data, betas=np.unique(case.betas))
    found = of_columns(case, curve) + of_predictions(curve)
    for beta in case.betas:
        try:
            slope, total = curve.slope(beta), curve.influence(beta).slope
        except ValueError as refused:
            if "free within an interval" in str(refused) or "jumps at beta" in str(refused):
                continue
            raise
        size = np.abs(curve.influence(beta).values).sum(axis=1).max()
        if abs(slope - total) > 1e-9 * max(size, 1.0):
            found.append(f"influences add up to {total}, the slope is {slope} at {beta}")
    kept = curve.condensed()
    live, own = (one.loss("triggered", case.betas) for one in (curve, kept))
    if not np.allclose(live, own, rtol=1e-9, atol=1e-11):
        found.append(f"loss condensed: {own} for {live}")
    if not np.isclose(curve.area(), kept.area(), rtol=1e-10):
        found.append(f"area condensed: {kept.area()} for {curve.area()}")
    return found


def of_columns(case: Case, curve: bc.BackdoorLearningCurve) -> list[str]:
    """Return where a column is not the optimum of its own problem, at some betas."""
    X, y, unit = training(case)
    targets = encode(y, len(case.data.classes), curve.info.encoding)
    found = []
    for beta in case.betas:
        u = np.where(np.arange(len(y)) < len(case.data.clean_train), 1.0, beta) * unit
        scores = curve.path.scores(X, np.array([beta]))[0]
        bound = float(curve.certificate([beta]).score_bound[0])
        if not bound <= TOLERANCE:
            found.append(f"bound {bound} at {beta}")
        for c, target in enumerate(targets.T):
            rows = np.flatnonzero((target != 0.0) & (u > 0.0))
            if len(np.unique(target[rows])) < 2 and isinstance(case.estimator, SVC):
                continue
            compare = squared if curve.info.loss == "squared hinge" else hinge
            off = compare(case, curve, (X, target, u, rows), (scores[:, c], c, float(beta)))
            if off > TOLERANCE:
                found.append(f"column {c} is off by {off} at {beta}, the bound is {bound}")
    return found


def training(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, class indices, and C times their weights at weight 1."""
    parts = case.data.clean_train, case.data.poison_train
    X, y, weight = (np.concatenate([getattr(part, name) for part in parts]) for name in ("X", "y", "weight"))
    return X, y, case.estimator.C * weight


def hinge(case: Case, curve: Any, problem: tuple, at: tuple) -> float:  # noqa: ARG001
    """Return how far scores are from those of the interior point's optimum, less what that may be off."""
    (X, target, u, rows), (scores, _, _) = problem, at
    estimator = case.estimator
    free = isinstance(estimator, SVC)
    K = kernel_of(estimator)(X, X)
    best = solve(K[np.ix_(rows, rows)], target[rows], u[rows], free)
    offsets = best.offsets(K[rows])
    room = best.error * float(np.sqrt(np.diag(K).max())) if np.isfinite(best.error) else np.inf
    rest = scores - offsets
    low, high = (best.low, best.high) if free else (0.0, 0.0)
    beyond = max(float((low - rest).max()), float((rest - high).max()))
    return min(beyond, float(np.abs(rest).max())) - 4.0 * room if not free else beyond - 4.0 * room


def kernel_of(estimator: Any) -> Any:
    """Return the kernel, with what a penalised intercept adds to it."""
    if isinstance(estimator, LinearSVC):
        shift = estimator.intercept_scaling**2 if estimator.fit_intercept else 0.0
        return lambda A, B: A @ B.T + shift
    gamma = estimator.gamma
    return {
        "linear": lambda A, B: A @ B.T,
        "poly": lambda A, B: (gamma * (A @ B.T) + 1.0) ** 2,
        "rbf": lambda A, B: np.exp(-gamma * ((A[:, np.newaxis] - B) ** 2).sum(-1)),
    }[estimator.kernel]


def squared(case: Case, curve: Any, problem: tuple, at: tuple) -> float:
    """Return by how much a Newton step moves scores: by little, whatever the norm of the gradient at large C."""
    (X, target, u, rows), (_, c, beta) = problem, at
    estimator = case.estimator
    s = estimator.intercept_scaling
    found = curve.path.parameters(np.array([beta]))
    Z = np.column_stack([X, np.full(len(X), s)]) if estimator.fit_intercept else X
    w = found.coef[0, :, c]
    w = np.append(w, found.intercept[0, c] / s) if estimator.fit_intercept else w
    slack = np.maximum(0.0, 1.0 - target * (Z @ w))[rows]
    gradient = w - 2.0 * Z[rows].T @ (u[rows] * target[rows] * slack)
    on = slack > 0.0
    H = np.eye(Z.shape[1]) + 2.0 * (Z[rows][on].T * u[rows][on]) @ Z[rows][on]
    return float(np.abs(Z @ np.linalg.solve(H, gradient)).max())


def of_predictions(curve: bc.BackdoorLearningCurve) -> list[str]:
    """Return where the predictions at all betas are not the decoded scores, away from where they change."""
    rows = curve.triggered
    betas = np.linspace(0.0, 1.0, 301)
    if curve.info.loss == "squared hinge":
        return []
    changes = rows.predictions.betas
    betas = betas[np.abs(betas[:, np.newaxis] - changes).min(axis=1, initial=1.0) > APART]
    off = rows.predictions.at(betas) != rows.predicted(betas)
    top = np.sort(curve.class_scores("triggered", betas), axis=-1)
    off &= top[..., -1] - top[..., -2] > UNDECIDED
    if is_in_pairs(curve.info.encoding):  # a pair at 0 votes for either
        off &= (np.abs(rows.scores(betas)) > UNDECIDED).all(axis=-1)
    if not off.any():
        return []
    beta, row = (int(place[0]) for place in np.nonzero(off))
    return [f"prediction of row {row} at {betas[beta]}: scores {rows.scores(betas[[beta]])[0, row].tolist()}"]
