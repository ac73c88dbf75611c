"""What exact curves of ten classes cost, in fits by scikit-learn: an accurate one, and 20 as users make them.

    python benchmarks/classes.py [--data-dir DIR] [--n 1500 ...] [--pairs N] [--only PART]

One thread, processor time, medians of pairs taken in turn. On our side all of a curve: coordinates or kernel, start,
the path at all betas, the scores of 2 x 500 test rows along it, and the certificate at the paper's 20 betas. On the
other side fits alone: one at one beta, at the loosest tolerance that brings its scores within 1e-6 of the curve's, and
20 cold ones at the default tolerance, estimated from every fourth. Labels of poison rows move to the next class, so
that every column has some. Without the MNIST files digits alone are measured. A learner is a row of CASES.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from measure import machine, product_rate, seconds  # first: it sets the number of threads

# isort: split
import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.data.samples import Samples, join
from backdoor_curves.poisoning import paper_protocol as protocol

BETAS = np.asarray(protocol.BETAS)
MIDDLE = 0.16
"""Where the accurate fit is made."""
ACCURATE = 1e-6
K = 10


@dataclass(frozen=True)
class Case:
    """A learner, how scikit-learn comes near its optimum, and what is to be met.

    `tight` are parameters of a fit whose tolerance is one of `tolerances`. On each task a curve may cost so many
    accurate fits at most, and 20 default fits so many curves at least; None where nothing is said.
    """

    estimator: Any
    tight: dict[str, Any]
    tolerances: tuple[float, ...]
    on: dict[str, tuple[float | None, float | None]]

    def accurate(self, tolerance: float) -> Any:
        """Return the estimator of an accurate fit."""
        return clone(self.estimator).set_params(**self.tight, tol=tolerance)


def logistic(C: float, **on: tuple[float, float]) -> Case:
    """Softmax regression, and by Newton's method."""
    tight = {"solver": "newton-cg", "max_iter": 10_000}
    return Case(LogisticRegression(C=C), tight, (1e-6, 1e-7, 1e-8, 1e-9, 1e-10), on)


def rbf(C: float, gamma: float, **on: tuple[float | None, float | None]) -> Case:
    """SVC of 45 pairs; its kernel is in single precision whatever the tolerance."""
    return Case(SVC(C=C, gamma=gamma, cache_size=500), {}, (1e-6,), on)


def hinge(C: float, **on: tuple[float | None, float | None]) -> Case:
    """LinearSVC with the hinge."""
    return Case(LinearSVC(C=C, loss="hinge", random_state=0), {"max_iter": 100_000}, (1e-5, 1e-6, 1e-7, 1e-8), on)


def squared(C: float, **on: tuple[float | None, float | None]) -> Case:
    """LinearSVC as it comes; its primal solver is the accurate one."""
    tight = {"dual": False, "max_iter": 100_000}
    return Case(LinearSVC(C=C, random_state=0), tight, (1e-6, 1e-7, 1e-8, 1e-9), on)


CASES = (
    logistic(0.01, digits=(3, 5), mnist_1500=(2, 8), mnist_10000=(2.5, 4)),
    logistic(1.0, digits=(6, 2.5), mnist_1500=(4, 2), mnist_10000=(3.5, 1.3)),
    logistic(100.0, digits=(8, 0.9), mnist_1500=(6.5, 0.6), mnist_10000=(4, 0.3)),
    rbf(1.0, 5e-3, mnist_1500=(3, 7)),
    rbf(100.0, 5e-3, mnist_1500=(5, 3)),
    rbf(1.0, 0.05, digits=(None, None)),
    rbf(100.0, 0.05, digits=(None, None)),
    hinge(0.01, mnist_1500=(None, 1.5)),
    hinge(1.0, mnist_1500=(1, 6), digits=(None, None)),
    hinge(10.0, mnist_1500=(0.5, 10)),
    squared(0.01, mnist_1500=(None, None)),
    squared(1.0, mnist_1500=(None, 1.5), digits=(None, None)),
)


@dataclass(frozen=True, eq=False)
class Task:
    """Ten classes, a tenth of the rows poisoned."""

    data: bc.PoisonedData
    joined: Samples

    @classmethod
    def of(cls, train: Samples, test: Samples, size: int) -> Task:
        """Return a random patch on a tenth of the rows, with the next label."""
        rng = np.random.default_rng(1)
        trigger = bc.PatchTrigger.random(size=size, n_classes=K, channels=1, rng=rng)
        data = bc.poison(train, test, trigger=trigger, rate=0.1, labels="next", rng=rng)
        return cls(data, join(data.clean_train, data.poison_train, data.is_poison))

    def fitted(self, estimator: Any, beta: float) -> Any:
        """Return scikit-learn's fit; at beta = 0 poison rows are left out."""
        kept = ~self.data.is_poison if beta == 0.0 else np.ones(len(self.joined), dtype=bool)
        weight = np.where(self.data.is_poison, beta, 1.0)[kept]
        return clone(estimator).fit(flat(self.joined.X)[kept], self.joined.y[kept], sample_weight=weight)

    def off(self, model: Any, curve: bc.BackdoorLearningCurve, beta: float) -> float:
        """Return how far a fit's decision function is from the curve's, over both test sets."""
        return max(
            float(np.abs(model.decision_function(flat(samples.X)) - curve.class_scores(split, beta)[0]).max())
            for split, samples in (("triggered", self.data.triggered_test), ("clean", self.data.clean_test))
        )


def flat(X: Any) -> np.ndarray:
    """Return images as rows."""
    return np.asarray(X, dtype=float).reshape(len(X), -1)


def tasks(rows: list[int], data_dir: str | None) -> Iterator[tuple[str, Task]]:
    """Yield digits, and MNIST of so many rows where its files are, by the names of CASES."""
    train, test = bc.datasets.digits(
        tuple((k,) for k in range(K)), n_train=1347, n_test=450, rng=np.random.default_rng(0)
    )
    yield "digits", Task.of(train, test, size=2)
    for n in rows:
        ten = tuple((k,) for k in range(K))
        try:
            train, test = bc.datasets.mnist(ten, n_train=n, n_test=500, rng=np.random.default_rng(0), data_dir=data_dir)
        except FileNotFoundError as missing:
            print(f"| MNIST | {missing} |")
            return
        yield f"mnist_{n}", Task.of(train, test, size=3)


def accurate_fit(case: Case, task: Task, curve: bc.BackdoorLearningCurve) -> tuple[Any, float]:
    """Return the fit of the loosest tolerance within ACCURATE of the curve, or the tightest; and how far it is off."""
    for tolerance in case.tolerances:
        estimator = case.accurate(tolerance)
        off = task.off(task.fitted(estimator, MIDDLE), curve, MIDDLE)
        if off <= ACCURATE:
            break
    return estimator, off


def compare(case: Case, name: str, task: Task, pairs: int) -> str:
    """Return a row of the table."""

    def own() -> bc.BackdoorLearningCurve:
        curve = bc.backdoor_learning_curve(case.estimator, task.data, betas=BETAS)
        curve.certificate(BETAS)
        return curve

    curve = own()
    estimator, off = accurate_fit(case, task, curve)
    times = [(seconds(own), seconds(lambda: task.fitted(estimator, MIDDLE))) for _ in range(pairs)]
    some, models = BETAS[::4], []
    cold = seconds(lambda: models.extend(task.fitted(case.estimator, beta) for beta in some)) / len(some)
    wrong = max(task.off(model, curve, beta) for model, beta in zip(models, some, strict=True))
    path, fit = np.median(times, axis=0)
    ratio, twenty = float(np.median([a / b for a, b in times])), len(BETAS) * cold
    most, least = ("" if bar is None else bar for bar in case.on[name])
    bound = curve.certificate(BETAS).score_bound.max()
    return (
        f"| {name.replace('_', ', n = ')}, {case.estimator} | {path:.2f} | {bound:.0e} | "
        f"{fit:.2f} ({off:.0e}) | **{ratio:.1f}** | {most} | {twenty:.1f} ({wrong:.0e}) | "
        f"**{twenty / path:.1f}** | {least} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with the MNIST files; downloaded by default")
    parser.add_argument("--n", nargs="*", type=int, default=[1500], help="rows of MNIST")
    parser.add_argument("--pairs", type=int, default=3, help="of which the medians are")
    parser.add_argument("--only", default="", help="a part of the names of learners")
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # fits that stop early are what is measured
    print(f"{machine()}; {product_rate():.0f}e9 operations a second\n")
    head = ("case", "curve, s", "bound", "accurate fit, s (off by)", "**curve / fit**", "at most")
    print(
        "| " + " | ".join([*head, "20 default fits, s (off by)", "**20 / curve**", "at least"]) + " |\n|" + " --- |" * 9
    )
    for name, task in tasks(given.n, given.data_dir):
        for case in CASES:
            if name in case.on and given.only in str(case.estimator):
                print(compare(case, name, task, given.pairs), flush=True)


if __name__ == "__main__":
    main()
