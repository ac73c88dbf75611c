"""The optimum of a linear SVM with known sets, in rational numbers: no digit is lost, and the sets are shown right.

A point that meets the conditions of the optimum is the optimum, wherever its sets came from.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

Numbers = list[Fraction]


@dataclass(frozen=True)
class RationalOptimum:
    """w and b, and by how much the worst condition fails: 0 if the sets are the optimum's.

    Parameters
    ----------
    w : list of numbers
        The last that of a penalised intercept's column.
    b : number
        A free intercept; 0 without one.
    violation : number
        In scores, or in duals over the largest bound.
    """

    w: Numbers
    b: Fraction
    violation: Fraction

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Return the scores of rows, rounded once."""
        return np.array([float(_dot(_numbers(row), self.w) + self.b) for row in X])


def optimum(X, y, u, margin, bound, free: bool) -> RationalOptimum:
    """Return the optimum of rows X, an intercept's column among them, with bounds u, and rows on the margin, beyond."""
    rows, labels, bounds = [_numbers(row) for row in X], _numbers(y), _numbers(u)
    pull = [sum((labels[i] * bounds[i] * rows[i][j] for i in bound), Fraction(0)) for j in range(len(rows[0]))]
    A = [[_dot(rows[i], rows[j]) for j in margin] + [Fraction(1)] * free for i in margin]
    right = [labels[i] - _dot(rows[i], pull) for i in margin]
    if free:
        A.append([Fraction(1)] * len(margin) + [Fraction(0)])
        right.append(-sum((labels[i] * bounds[i] for i in bound), Fraction(0)))
    *c, b = _solved(A, right) if free else [*_solved(A, right), Fraction(0)]
    w = [p + sum((c[k] * rows[i][j] for k, i in enumerate(margin)), Fraction(0)) for j, p in enumerate(pull)]
    fails = [Fraction(0)]
    for k, i in enumerate(margin):
        fails += [-labels[i] * c[k] / max(bounds), (labels[i] * c[k] - bounds[i]) / max(bounds)]
    for i in set(range(len(rows))) - set(margin):
        excess = labels[i] * (_dot(rows[i], w) + b) - 1
        fails.append(excess if i in set(bound) else -excess)
    return RationalOptimum(w, b, max(fails))


def _numbers(row) -> Numbers:
    return [Fraction(float(x)) for x in row]


def _dot(a: Numbers, b: Numbers) -> Fraction:
    return sum((x * z for x, z in zip(a, b, strict=True)), Fraction(0))


def _solved(A: list[Numbers], right: Numbers) -> Numbers:
    """Solve a linear system by Gauss and Jordan."""
    n, M = len(A), [[*row, r] for row, r in zip(A, right, strict=True)]
    for k in range(n):
        pivot = next(i for i in range(k, n) if M[i][k] != 0)
        M[k], M[pivot] = M[pivot], M[k]
        M[k] = [x / M[k][k] for x in M[k]]
        for i in range(n):
            if i != k and M[i][k] != 0:
                M[i] = [x - M[i][k] * z for x, z in zip(M[i], M[k], strict=True)]
    return [row[-1] for row in M]
