"""The logistic regressions of the published MNIST curves, each followed and compared with Newton's method."""

from dataclasses import dataclass

import numpy as np

from backdoor_curves.paths.intercept import penalised
from backdoor_curves.paths.logistic import logistic_path
from backdoor_curves.poisoning import paper_protocol as protocol
from reference.logistic_newton import optimum
from reference.svm_mnist import PAIRS, RATES, SHARED, random_betas

__all__ = ["PAIRS", "RATES", "SHARED", "STRENGTHS", "compare", "random_betas"]

STRENGTHS = (0.1, 100.0)
"""C of the published curves; liblinear penalises their intercept, its column is 1."""
INTERCEPT = penalised(1.0)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A path at some betas: errors and bounds of the scores, in their units, and what the oracle may be off by."""

    error: np.ndarray
    on_training_rows: np.ndarray
    bound: np.ndarray
    oracle: np.ndarray
    gap: float
    n_nodes: int


def compare(C, images, rate, betas, tolerance=1e-6):
    """Follow one on the paper's poisoned rows, and return how its scores on both test sets compare."""
    data = protocol.badnet(*images, rate=rate, size=6)
    X, T = (
        np.vstack([part.X.reshape(len(part), -1) for part in parts])
        for parts in ((data.clean_train, data.poison_train), (data.clean_test, data.triggered_test))
    )
    poison = np.arange(len(X)) >= len(data.clean_train)
    y = np.concatenate([data.clean_train.y, data.poison_train.y]) * 2.0 - 1.0
    u0, du = np.where(poison, 0.0, C), np.where(poison, C, 0.0)
    path = logistic_path(X, y, u0, du, INTERCEPT, tolerance)
    at = path.parameters(betas)
    coef, b = at.coef[..., 0], at.intercept[:, 0]
    starts = np.column_stack([coef, b / INTERCEPT.scaling])
    best = [optimum(X, y, u0 + b * du, INTERCEPT, start) for b, start in zip(betas, starts, strict=True)]
    error, on_training_rows = (
        np.abs(path.scores(rows, betas) - [each.scores(rows) for each in best]).max(axis=1).astype(float)
        for rows in (T, X)
    )
    certificate = path.certificate(betas, [T])
    return Comparison(
        error,
        on_training_rows,
        certificate.score_bound,
        np.array([each.error for each in best]),
        float(certificate.objective_gap.max()),
        len(path.interpolant.nodes),
    )
