"""What the whole path of a learner of ten classes costs, in fits by scikit-learn: an accurate one, and 20 by default.

    python benchmarks/classes.py [--data-dir DIR] [--data digits mnist ...] [--n 1500 ...] [--pairs N]

One thread, processor time, medians of pairs taken in turn. The path is from arrays to certified scores of the test rows
at the paper's 20 betas, coordinates and start included; it then answers at every other beta. Beside it an accurate fit
at one beta (scores within 1e-6 of the path's, at the loosest tolerance that gives them) and 20 cold fits at the default
tolerance, estimated from every fourth. A learner is a row of LEARNERS: whoever adds one adds a row.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from measure import machine, seconds  # first: it sets the number of threads

# isort: split
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import backdoor_curves as bc
from backdoor_curves.datasets.mnist import mnist_arrays
from backdoor_curves.paths.softmax import softmax_path
from backdoor_curves.poisoning import paper_protocol as protocol

BETAS = np.asarray(protocol.BETAS)
AT = 10
"""The beta of the accurate fit, in their order."""
ACCURATE = 1e-6
K = 10
Scores = np.ndarray


@dataclass(frozen=True)
class Task:
    """Training rows, the poison last, and the test rows of both sets."""

    name: str
    X: np.ndarray
    y: np.ndarray
    is_poison: np.ndarray
    tests: np.ndarray

    def weights(self, C: float) -> tuple[np.ndarray, np.ndarray]:
        """Return C times the weights, of clean and of poison rows."""
        return np.where(self.is_poison, 0.0, C), np.where(self.is_poison, C, 0.0)


@dataclass(frozen=True)
class Learner:
    """A path with its certificate, and fits: each a function of the task and C, and of beta."""

    name: str
    strengths: tuple[float, ...]
    path: Callable[[Task, float], tuple[Scores, np.ndarray]]
    accurate: Callable[[Task, float, float, float], Scores]
    tolerances: tuple[float, ...]
    default: Callable[[Task, float, float], Scores]


def digits() -> Task:
    """Return scikit-learn's digits: 1347 rows, a tenth with a patch of 2 x 2 and the next label."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order].reshape(-1, 8, 8, 1) / 16.0, y[order]
    return poisoned("digits", (X[:1347], y[:1347]), (X[1347:], y[1347:]), size=2)


def mnist(n: int, data_dir: str | None) -> Task:
    """Return n rows of MNIST, a tenth with a patch of 3 x 3 and the next label."""
    X, y, T, t = mnist_arrays(data_dir, data_dir is None)
    rng = np.random.default_rng(0)
    rows, tests = rng.choice(len(y), n, replace=False), rng.choice(len(t), 500, replace=False)
    images = X[rows][..., np.newaxis] / 255.0, T[tests][..., np.newaxis] / 255.0
    return poisoned(f"MNIST, n = {n}", (images[0], y[rows].astype(int)), (images[1], t[tests].astype(int)), size=3)


def poisoned(name: str, train: tuple[Any, Any], test: tuple[Any, Any], size: int) -> Task:
    """Return poisoned rows as arrays."""
    rng = np.random.default_rng(1)
    trigger = bc.PatchTrigger.random(size=size, n_classes=K, channels=1, rng=rng)
    data = bc.poison(train, test, trigger=trigger, rate=0.1, labels="next", rng=rng)
    parts = data.clean_train, data.poison_train, data.clean_test, data.triggered_test
    rows = [np.asarray(part.X, dtype=float).reshape(len(part), -1) for part in parts]
    y = np.concatenate([data.clean_train.y, data.poison_train.y]).astype(int)
    is_poison = np.arange(len(y)) >= len(data.clean_train)
    return Task(name, np.vstack(rows[:2]), y, is_poison, np.vstack(rows[2:]))


def softmax(task: Task, C: float) -> tuple[Scores, np.ndarray]:
    """Return the scores at BETAS, and their bounds, as the learner follows them by default."""
    path = softmax_path(task.X, task.y, K, *task.weights(C), tolerance=0.3e-6)
    return path.scores(task.tests, BETAS), path.certificate(BETAS, [task.tests]).score_bound


def logistic_fit(task: Task, C: float, beta: float, **how: Any) -> Scores:
    """Return the scores of scikit-learn's fit; at beta = 0 poison rows are left out."""
    rows = ~task.is_poison if beta == 0.0 else np.ones(len(task.y), dtype=bool)
    weights = np.where(task.is_poison, beta, 1.0)[rows]
    return LogisticRegression(C=C, **how).fit(task.X[rows], task.y[rows], weights).decision_function(task.tests)


LEARNERS = (
    Learner(
        "LogisticRegression",
        (0.01, 1.0, 100.0),
        softmax,
        lambda task, C, beta, tol: logistic_fit(task, C, beta, solver="newton-cg", tol=tol, max_iter=10_000),
        (1e-6, 1e-7, 1e-8, 1e-9, 1e-10),
        lambda task, C, beta: logistic_fit(task, C, beta),
    ),
)


def tight_enough(learner: Learner, task: Task, C: float, truth: Scores) -> tuple[float, float]:
    """Return the loosest tolerance of fits within ACCURATE of the path, or the tightest, and how far its scores are."""
    for tolerance in learner.tolerances:
        off = float(np.abs(learner.accurate(task, C, BETAS[AT], tolerance) - truth[AT]).max())
        if off <= ACCURATE:
            break
    return tolerance, off


def compare(learner: Learner, task: Task, C: float, pairs: int) -> str:
    """Return a row of the table."""
    found: list[tuple[Scores, np.ndarray]] = []
    seconds(lambda: found.append(learner.path(task, C)))
    truth, bound = found[0]
    tolerance, off = tight_enough(learner, task, C, truth)
    some, times = range(0, len(BETAS), 4), []
    for _ in range(pairs):
        path = seconds(lambda: learner.path(task, C))
        fit = seconds(lambda: learner.accurate(task, C, BETAS[AT], tolerance))
        times.append((path, fit))
    fits: list[Scores] = []
    cold = seconds(lambda: fits.extend(learner.default(task, C, BETAS[j]) for j in some)) / len(some)
    wrong = max(float(np.abs(fit - truth[j]).max()) for fit, j in zip(fits, some, strict=True))
    path, fit = np.median(times, axis=0)
    ratio, twenty = np.median([a / b for a, b in times]), len(BETAS) * cold
    accurate = f"{fit:.2f} (tol {tolerance:g}" + (f", off by {off:.0e})" if off > ACCURATE else ")")
    return (
        f"| {learner.name}, {task.name}, C = {C:g} | {path:.2f} | {bound.max():.0e} | {accurate} | **{ratio:.1f}** | "
        f"{twenty:.1f} | {wrong:.0e} | **{twenty / path:.1f}** |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with the MNIST files; downloaded by default")
    parser.add_argument("--data", nargs="+", default=["digits", "mnist"], choices=["digits", "mnist"])
    parser.add_argument("--n", nargs="+", type=int, default=[1500], help="rows of MNIST")
    parser.add_argument("--pairs", type=int, default=3, help="of which the medians are")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # fits that stop early are what is measured
    print(machine())
    head = [
        "",
        "path with certificate, s",
        "bound",
        "an accurate fit, s",
        "**path / fit**",
        "20 default fits, s",
        "off by",
    ]
    print("\n| " + " | ".join([*head, "**20 / path**"]) + " |\n|" + " --- |" * 8)
    tasks = [digits()] if "digits" in given.data else []
    tasks += [mnist(n, given.data_dir) for n in given.n] if "mnist" in given.data else []
    for learner in LEARNERS:
        for task in tasks:
            for C in learner.strengths:
                print(compare(learner, task, C, given.pairs), flush=True)


if __name__ == "__main__":
    main()
