"""Fits at fixed row weights by other algorithms than the paths': a function (X, Y, weights, rows) -> scores of rows.

Y holds -1 and +1, a column for each score column; scores come in the same shape. None of them knows a beta.
"""

import numpy as np
from scipy.optimize import minimize

from reference.interior_point import solve as solve_svm
from reference.logistic_newton import optimum as solve_logistic
from reference.softmax_newton import optimum as solve_softmax


def one_column(scores):
    """A fit for one score column as one for columns."""
    return lambda X, Y, weights, rows: scores(X, Y[:, 0], weights, rows)[:, np.newaxis]


def columns(fit):
    """A fit for one score column as one for many: each of the rows that it sees, whose Y is not 0."""

    def scores(X, Y, weights, rows):
        parts = [(y != 0.0, y) for y in Y.T]
        return np.hstack([fit(X[seen], y[seen, np.newaxis], weights[seen], rows) for seen, y in parts])

    return scores


def hinge(C, kernel, free):
    """By an interior-point method with a polished solution; a penalised intercept adds 1 to the kernel."""
    shift = 0.0 if free else 1.0

    def scores(X, y, weights, rows):
        best = solve_svm(kernel(X, X) + shift, y, C * weights, free)
        return best.offsets(kernel(X, rows) + shift) + best.intercept

    return one_column(scores)


def logistic(C, intercept):
    """By Newton's method in extended precision."""
    return one_column(
        lambda X, y, weights, rows: np.asarray(solve_logistic(X, y, C * weights, intercept).scores(rows), dtype=float)
    )


def softmax(C):
    """By Newton's method in extended precision, all classes together; the intercepts free."""

    def scores(X, Y, weights, rows):
        best = solve_softmax(X, Y.argmax(axis=1), Y.shape[1], C * weights)
        return np.asarray(best.scores(rows), dtype=float)

    return scores


def ridge(alpha):
    """By the normal equations, of all columns at once."""

    def scores(X, Y, weights, rows):
        Z, R = np.column_stack([X, np.ones(len(X))]), np.diag([*np.full(X.shape[1], alpha), 0.0])
        U = np.linalg.solve((Z.T * weights) @ Z + R, (Z.T * weights) @ Y)
        return np.column_stack([rows, np.ones(len(rows))]) @ U

    return scores


def squared_hinge(C):
    """By BFGS, ended by Newton's method, which is exact where the active rows stay the same."""

    def scores(X, y, weights, rows):
        Z = np.column_stack([X, np.ones(len(X))])

        def objective(w):
            slack = np.maximum(0, 1 - y * (Z @ w))
            return w @ w / 2 + C * weights @ slack**2, w - 2 * C * Z.T @ (weights * y * slack)

        w = minimize(objective, np.zeros(Z.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-8}).x
        for _ in range(5):
            on = y * (Z @ w) < 1
            H = np.eye(len(w)) + 2 * C * (Z[on].T * weights[on]) @ Z[on]
            w = np.linalg.solve(H, 2 * C * Z[on].T @ (weights[on] * y[on]))
        return np.column_stack([rows, np.ones(len(rows))]) @ w

    return one_column(scores)
