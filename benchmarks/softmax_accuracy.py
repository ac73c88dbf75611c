"""Softmax regression of ten classes against Newton's method: digits and MNIST, three C, random betas.

    python benchmarks/softmax_accuracy.py [--betas N] [--n 1500 6000] > benchmarks/softmax_accuracy.log

Prints, for each path, the largest error of a score over both test sets and N random betas, that over the training rows,
what the oracle itself may be off by, the smallest and the median ratio of the certificate's bound to the error, and the
largest error of a slope (a difference of fits, relative). The oracle knows nothing of the package: conjugate gradients
with a diagonal, gradients in extended precision, and a proof of its own (`tests/reference/softmax_newton.py`). One
thread; half an hour.
"""

from __future__ import annotations

from measure import machine  # isort: skip - it asks for one thread

import argparse
import datetime
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from backdoor_curves.paths.softmax import SoftmaxPath, softmax_path
from classes import K, Task, flat, tasks
from reference.softmax_newton import Optimum, polished

STRENGTHS = (0.01, 1.0, 100.0)
STEP = 1e-3
"""Of a difference of fits in beta: five points leave its fourth power, and the oracle 1e-10 over it."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Training rows with their classes and which are poison, and the rows of both test sets."""

    name: str
    X: np.ndarray
    y: np.ndarray
    is_poison: np.ndarray
    tests: np.ndarray

    @classmethod
    def of(cls, name: str, task: Task) -> Problem:
        """Return the problem of a task."""
        data = task.data
        tests = np.concatenate([flat(data.triggered_test.X), flat(data.clean_test.X)])
        return cls(name, flat(task.joined.X), np.searchsorted(data.classes, task.joined.y), data.is_poison, tests)

    def weights(self, C: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows' weights at beta = 0, and how they grow with beta."""
        return np.where(self.is_poison, 0.0, C), np.where(self.is_poison, C, 0.0)


def oracle(task: Problem, C: float, beta: float, path: SoftmaxPath) -> Optimum:
    """Return the optimum, from the path's parameters."""
    u0, du = task.weights(C)
    at = path.parameters(np.array([beta]))
    return polished(task.X, task.y, u0 + beta * du, np.column_stack([at.coef[0].T, at.intercept[0]]))


def slope_error(task: Problem, C: float, path: SoftmaxPath, beta: float = 0.3) -> float:
    """Return how far the rates of the path's scores are from differences of fits, relative to the largest."""
    f = [oracle(task, C, beta + k * STEP, path).scores(task.tests) for k in (-2, -1, 1, 2)]
    right = np.asarray((f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * STEP), dtype=float)
    rates = path.tangent(task.tests, np.array([beta])).rates[0]
    return float(np.abs(rates - right).max() / np.abs(right).max())


def compare(task: Problem, C: float, betas: np.ndarray) -> tuple[str, np.ndarray, float]:
    """Return a line, the ratios of bounds to errors, and the largest error."""
    path = softmax_path(task.X, task.y, K, *task.weights(C), tolerance=0.3e-6)
    bound = path.certificate(betas, [task.tests]).score_bound
    error, training, own = np.empty((3, len(betas)))
    for i, beta in enumerate(betas):
        best, at = oracle(task, C, beta, path), betas[i : i + 1]
        error[i] = np.abs(path.scores(task.tests, at)[0] - best.scores(task.tests)).max()
        training[i] = np.abs(path.scores(task.X, at)[0] - best.scores(task.X)).max()
        own[i] = best.error
    ratio = bound / np.maximum(error - own, 1e-300)
    line = (
        f"{task.name:16s} {C:5g} {len(path.interpolant.nodes):5d} | {error.max():.1e}  {training.max():.1e} "
        f"{own.max():.1e} {bound.max():.1e} {ratio.min():8.3g} {np.median(bound / error):6.3g} | "
        f"{slope_error(task, C, path):.1e}"
    )
    return line, ratio, float(error.max())


def main() -> None:
    """Compare all, one line each, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--betas", type=int, default=20, help="random betas a path")
    parser.add_argument("--n", nargs="*", type=int, default=[1500, 6000], help="rows of MNIST")
    parser.add_argument("--data-dir", help="folder with the MNIST files; downloaded by default")
    asked = parser.parse_args()
    print(f"{datetime.date.today()}, {machine()}, scipy {scipy.__version__}")
    print("followed to 3e-7, the default for a tolerance of 1e-6")
    print("data                 C nodes | error  training  oracle   bound  bound/error least median | slope")
    start, ratios, errors = time.perf_counter(), [], []
    for task in (Problem.of(name, task) for name, task in tasks(asked.n, asked.data_dir)):
        for C in STRENGTHS:
            betas = np.random.default_rng([len(task.y), int(100 * C)]).random(asked.betas) ** 3
            line, ratio, error = compare(task, C, np.append(betas[:-1], 1.0))
            print(line, flush=True)
            ratios.append(ratio)
            errors.append(error)
    print(
        f"\n{len(errors)} paths, {asked.betas} betas each: error of a score up to {max(errors):.1e}; bound over error, "
        f"less what the oracle may be off by, at least {np.concatenate(ratios).min():.3g}; "
        f"{time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
