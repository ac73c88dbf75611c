"""Slopes of the published MNIST settings by finite differences of independent fits.

Ridge by its normal equations, logistic regression by Newton's method in extended precision, SVMs by an interior-point
method with a polished solution: none of it is the package's own. At beta = 0 differences are one-sided and Richardson's
extrapolation takes out the powers of the step, inside they are central. For an SVM the loss is a straight line between
kinks, so that the step need only stay short of the next one; where the loss changes by less than `LEAST` up to there,
the fits' own accuracy would be seen and no slope.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.paths.intercept import FREE, penalised
from reference.interior_point import solve as solve_svm
from reference.logistic_newton import optimum as solve_logistic

LINEAR_GRID = np.geomspace(1e-4, 1e3, 10)
RBF_GRID = np.geomspace(0.1, 100, 10)
GAMMAS = np.geomspace(5e-4, 5e-2, 5)
INSIDE = 0.3
"""The beta of the central differences of smooth learners."""
LEAST = 1e-6
"""Change of an SVM's mean loss, in its units, that fits to 1e-11 show to 1e-5."""
ROMBERG = 4
"""One-sided differences at h, h/2, h/4 and h/8: what is left is of order h^4."""


@dataclass(frozen=True)
class Case:
    """A learner of the published settings; gamma is None for a linear one."""

    kind: str
    C: float
    gamma: float | None = None

    def __str__(self):
        return f"{self.kind} C={self.C:.4g}" + ("" if self.gamma is None else f" gamma={self.gamma:.4g}")

    @property
    def estimator(self) -> Any:
        C = self.C
        made = {
            "ridge": lambda: RidgeClassifier(alpha=1 / (2 * C)),
            "logistic": lambda: LogisticRegression(C=C, solver="liblinear"),
            "logistic, free intercept": lambda: LogisticRegression(C=C),
            "LinearSVC": lambda: LinearSVC(C=C, loss="hinge"),
            "SVC": lambda: SVC(C=C, kernel="linear"),
            "RBF": lambda: SVC(C=C, gamma=self.gamma),
        }
        return made[self.kind]()

    @property
    def is_hinge(self) -> bool:
        return self.kind in ("LinearSVC", "SVC", "RBF")

    @property
    def tolerance(self) -> float:
        """What is asked of the slope, relative."""
        return 1e-5 if self.is_hinge else 1e-6


CURVES = (
    *(Case("LinearSVC", C) for C in (0.01, 10.0)),
    *(Case("logistic", C) for C in (0.1, 100.0)),
    *(Case("ridge", C) for C in (1e-3, 1.0)),
    *(Case("RBF", C, gamma) for gamma in (5e-4, 5e-3) for C in (1.0, 100.0)),
)
"""The ten settings of the published curves."""
GRIDS = (
    *(Case(kind, C) for kind in ("ridge", "logistic, free intercept", "SVC") for C in LINEAR_GRID),
    *(Case("RBF", C, gamma) for gamma in GAMMAS for C in RBF_GRID),
)
"""Those of the published slopes."""


@dataclass(frozen=True, eq=False)
class Fits:
    """A case on poisoned data: its mean triggered loss at any beta, by a fit of its own."""

    case: Case
    data: bc.PoisonedData

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Training rows and labels, and which are poison."""
        parts = self.data.clean_train, self.data.poison_train
        X = np.vstack([part.X.reshape(len(part), -1) for part in parts])
        y = np.concatenate([part.y for part in parts]) * 2.0 - 1.0
        return X, y, np.arange(len(X)) >= len(parts[0])

    @cached_property
    def tests(self) -> tuple[np.ndarray, np.ndarray]:
        test = self.data.triggered_test
        return test.X.reshape(len(test), -1), test.y * 2.0 - 1.0

    @cached_property
    def kernels(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the training rows with themselves and with the test rows, a penalised intercept's 1 included."""
        X, rows = self.rows[0], self.tests[0]
        if self.case.gamma is not None:
            return rbf_kernel(X, gamma=self.case.gamma), rbf_kernel(X, rows, gamma=self.case.gamma)
        shift = 1.0 if self.case.kind == "LinearSVC" else 0.0
        return linear_kernel(X) + shift, linear_kernel(X, rows) + shift

    def loss(self, beta: float) -> float:
        """The mean triggered loss at beta."""
        X, y, is_poison = self.rows
        T, targets = self.tests
        weights = np.where(is_poison, beta, 1.0)
        if self.case.kind == "ridge":
            margin = targets * self._ridge(weights)
            return float(((1 - margin) ** 2).mean())
        u = self.case.C * weights
        if self.case.is_hinge:
            K, cross = self.kernels
            best = solve_svm(K, y, u, self.case.kind != "LinearSVC")
            return float(np.maximum(0, 1 - targets * (best.offsets(cross) + best.intercept)).mean())
        intercept = penalised(1.0) if self.case.kind == "logistic" else FREE
        best = solve_logistic(X, y, u, intercept, self._start(beta))
        return float(np.logaddexp(0, -targets * best.scores(T)).mean())

    def _start(self, beta: float) -> np.ndarray | None:
        """Where Newton's method begins: what it ends at does not depend on it."""
        at = self.curve.path.parameters(np.array([beta]))
        return np.append(at.coef, at.intercept)

    def _ridge(self, weights: np.ndarray) -> np.ndarray:
        X, y, _ = self.rows
        Z, T = (np.column_stack([part, np.ones(len(part))]) for part in (X, self.tests[0]))
        root = np.sqrt(weights)
        R = np.diag([*np.full(X.shape[1], np.sqrt(1 / (2 * self.case.C))), 0.0])
        # By a QR decomposition of the weighted rows: the normal equations would lose half of the digits.
        A = np.vstack([root[:, np.newaxis] * Z, R])
        Q, U = np.linalg.qr(A)
        return T @ np.linalg.solve(U, Q.T @ np.append(root * y, np.zeros(len(R))))

    @cached_property
    def curve(self) -> bc.BackdoorLearningCurve:
        return bc.backdoor_learning_curve(self.case.estimator, self.data)

    def at_0(self) -> float | None:
        """The slope at 0; None where the loss changes too little up to the first kink."""
        curve = self.curve
        if self.case.is_hinge:
            # Two steps: were there a kink before the first, they would differ.
            h = 0.9 * curve.slope_range
            if abs(curve.slope(0.0)) * h < LEAST:
                return None
            losses = [self.loss(k * h) for k in (0.0, 0.5, 1.0)]
            return 2 * (2 * (losses[1] - losses[0]) / h) - (losses[2] - losses[0]) / h
        steps = 0.03 * curve.slope_range / 2.0 ** np.arange(ROMBERG)
        start = self.loss(0.0)
        return romberg(np.array([(self.loss(h) - start) / h for h in steps]), ratio=2.0)

    def inside(self) -> tuple[float, float | None]:
        """A beta and the slope there, or None; for hinges in the middle of the line on which the loss changes most."""
        curve = self.curve
        if not self.case.is_hinge:
            steps = 0.05 * (INSIDE + curve.slope_range) / 2.0 ** np.arange(3)
            chords = [(self.loss(INSIDE + h) - self.loss(INSIDE - h)) / (2 * h) for h in steps]
            return INSIDE, romberg(np.array(chords), ratio=4.0)
        ends = np.concatenate([[0.0], curve.kinks(), [1.0]])
        place = 1 + int(np.argmax(np.abs(np.diff(curve.loss("triggered", ends))[1:])))
        middle, h = (ends[place] + ends[place + 1]) / 2, 0.45 * (ends[place + 1] - ends[place])
        if abs(curve.slope(middle)) * h < LEAST:
            return middle, None
        return middle, (self.loss(middle + h) - self.loss(middle - h)) / (2 * h)


def romberg(differences: np.ndarray, ratio: float) -> float:
    """Richardson's extrapolation of differences at halved steps; `ratio` 2 takes out h, h^2, ..., 4 takes h^2, h^4."""
    factor, grow = ratio, ratio
    while len(differences) > 1:
        differences = (factor * differences[1:] - differences[:-1]) / (factor - 1.0)
        factor *= grow
    return float(differences[0])
