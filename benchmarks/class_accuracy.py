"""SVMs of ten classes against an interior-point solution of each column: digits and MNIST, one-vs-rest and in pairs.

    python benchmarks/class_accuracy.py [--betas N] [--columns N] [--n 1500 6000] > benchmarks/class_accuracy.log

Prints, for each curve, the largest error of a score over both test sets, at N random betas and in N random columns;
what the oracle itself may be off by; and the least and the median ratio of the certificate's bound to the error. The
bound is that of all columns. The oracle (`tests/reference/interior_point.py`) knows nothing of the package; of the
squared hinge it is a Newton step in extended precision. One thread; an hour.
"""

from __future__ import annotations

from measure import machine  # isort: skip - it asks for one thread

import argparse
import datetime
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import piqp
import scipy
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.svm import SVC, LinearSVC

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import backdoor_curves as bc
from backdoor_curves.losses.score_encodings import encode
from classes import K, Task, flat, tasks
from reference.interior_point import solve

ESTIMATORS = (
    *(LinearSVC(C=C, loss="hinge") for C in (0.01, 1.0, 100.0)),
    *(LinearSVC(C=C) for C in (0.01, 1.0, 100.0)),
    *(SVC(C=C, gamma=5e-3) for C in (0.01, 1.0, 100.0)),
    SVC(C=1.0, kernel="linear"),
)


@dataclass(frozen=True, eq=False)
class Column:
    """A problem of two classes: its rows, their signs and weights, and all rows that are scored."""

    estimator: Any
    X: np.ndarray
    sign: np.ndarray
    u: np.ndarray
    scored: np.ndarray

    def off(self, scores: np.ndarray, coef: np.ndarray | None) -> tuple[float, float]:
        """Return how far scores are from the optimum's, and what the oracle may be off by."""
        return self._off_newton(coef) if coef is not None else self._off_interior_point(scores)

    def _off_interior_point(self, scores: np.ndarray) -> tuple[float, float]:
        free = isinstance(self.estimator, SVC)
        best = solve(self._kernel(self.X, self.X), self.sign, self.u, free)
        lengths = max(float(self._kernel(row, row)[0, 0]) for row in self.scored[:, np.newaxis])
        rest = scores - best.offsets(self._kernel(self.X, self.scored))
        low, high = (best.low, best.high) if free else (0.0, 0.0)
        error = max(float((low - rest).max()), float((rest - high).max()), 0.0)
        return error, best.error * float(np.sqrt(lengths))

    def _kernel(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        if isinstance(self.estimator, LinearSVC):
            return np.asarray(linear_kernel(A, B)) + 1.0
        if self.estimator.kernel == "linear":
            return np.asarray(linear_kernel(A, B))
        return np.asarray(rbf_kernel(A, B, gamma=self.estimator.gamma))

    def _off_newton(self, w: np.ndarray) -> tuple[float, float]:
        """Return how far a Newton step leads, of a gradient in extended precision."""
        Z = np.column_stack([self.X, np.ones(len(self.X))])
        slack = np.maximum(0.0, 1.0 - self.sign * (Z.astype(np.longdouble) @ w))
        gradient = w - 2.0 * (self.u * self.sign * slack) @ Z.astype(np.longdouble)
        on = Z[slack > 0.0]
        H = np.eye(Z.shape[1]) + 2.0 * (on.T * self.u[slack > 0.0]) @ on
        step = np.linalg.solve(H, gradient.astype(float))
        scored = np.column_stack([self.scored, np.ones(len(self.scored))])
        return float(np.abs(scored @ step).max()), 0.0


def compare(name: str, task: Task, estimator: Any, n_betas: int, n_columns: int) -> tuple[str, np.ndarray, float]:
    """Return a line, the ratios of bounds to errors, and the largest error."""
    data, rng = task.data, np.random.default_rng(len(task.joined))
    betas = np.append(rng.random(n_betas - 1) ** 3, 1.0)
    curve = bc.backdoor_learning_curve(estimator, data, betas=np.unique(betas))
    X, y = flat(task.joined.X), task.joined.y
    scored = np.concatenate([flat(data.triggered_test.X), flat(data.clean_test.X)])
    targets = encode(np.searchsorted(data.classes, y), K, curve.info.encoding)
    columns = rng.permutation(targets.shape[1])[:n_columns]
    error, oracle, bound = np.zeros((3, n_betas))
    for i, beta in enumerate(betas):
        at = np.array([beta])
        u = np.where(data.is_poison, beta, 1.0) * estimator.C
        scores = curve.path.scores(scored, at)[0]
        bound[i] = curve.certificate(at).score_bound[0]
        found = curve.path.parameters(at) if curve.info.loss == "squared hinge" else None
        for c in columns:
            rows = targets[:, c] != 0.0
            coef = None if found is None else np.append(found.coef[0, :, c], found.intercept[0, c])
            column = Column(estimator, X[rows], targets[rows, c], u[rows], scored)
            off, room = column.off(scores[:, c], coef)
            error[i], oracle[i] = max(error[i], off), max(oracle[i], room)
    ratio = bound / np.maximum(error - oracle, 1e-300)
    line = (
        f"{name:12s} {estimator!s:40s} | {error.max():.1e} {oracle.max():.0e} {bound.max():.1e} {ratio.min():10.3g} "
        f"{np.median(bound / np.maximum(error, 1e-300)):8.3g}"
    )
    return line, ratio, float(error.max())


def main() -> None:
    """Compare all, one line each, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--betas", type=int, default=5, help="random betas a curve")
    parser.add_argument("--columns", type=int, default=3, help="random columns a curve")
    parser.add_argument("--n", nargs="*", type=int, default=[1500, 6000], help="rows of MNIST")
    parser.add_argument("--data-dir", help="folder with the MNIST files; downloaded by default")
    asked = parser.parse_args()
    print(f"{datetime.date.today()}, {machine()}, scipy {scipy.__version__}, piqp {piqp.__version__}")
    print("data         learner                                  | error oracle bound  bound/error least median")
    start, ratios, errors = time.perf_counter(), [], []
    for name, task in tasks(asked.n, asked.data_dir):
        for estimator in ESTIMATORS:
            line, ratio, error = compare(name, task, estimator, asked.betas, asked.columns)
            print(line, flush=True)
            ratios.append(ratio)
            errors.append(error)
    print(
        f"\n{len(errors)} curves, {asked.betas} betas in {asked.columns} columns each: error of a score up to "
        f"{max(errors):.1e}; bound over error, less what the oracle may be off by, at least "
        f"{np.concatenate(ratios).min():.3g}; {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
