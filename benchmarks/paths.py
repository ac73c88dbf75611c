"""What a whole beta-path costs: against 20 fits by scikit-learn as users make them, as well as they can be made, and
as accurate.

    python benchmarks/paths.py [--data-dir DIR] [--pairs N] [--scale]

One thread, processor time, medians of pairs taken in turn. On both sides: from arrays to the scores of both test sets
at the paper's 20 betas, kernel matrices included. A path then answers at every other beta too. Without the MNIST files
rows of the same shape are drawn at random. With --scale the cost over n is measured instead.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from resource import RUSAGE_SELF, getrusage

from measure import machine, product_rate, seconds  # first: it sets the number of threads

# isort: split
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.data.samples import join
from backdoor_curves.kernels import functions as kernels
from backdoor_curves.paths.intercept import FREE, penalised
from backdoor_curves.paths.logistic import logistic_path
from backdoor_curves.paths.ridge import ridge_path
from backdoor_curves.paths.squared_hinge.path import squared_hinge_path
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.poisoning import paper_protocol as protocol

BETAS = protocol.BETAS
LIBLINEAR = penalised(1.0)
"""The intercept of LinearSVC, and of logistic regression by liblinear."""
Scores = np.ndarray
"""Scores of both test sets, a row for each of the 20 betas."""


@dataclass(frozen=True)
class Rows:
    """Training rows, and the test rows of both sets."""

    X: np.ndarray
    y: np.ndarray
    is_poison: np.ndarray
    tests: np.ndarray

    def bounds(self, C: float) -> tuple[np.ndarray, np.ndarray]:
        """Return C times the weights, of clean and of poison rows."""
        return np.where(self.is_poison, 0.0, C), np.where(self.is_poison, C, 0.0)


@dataclass(frozen=True)
class Case:
    """A path, and what it is compared with."""

    name: str
    path: Callable[[], Scores]
    cold: Callable[[], Scores]
    best: Callable[[], Scores] | None
    tight: Callable[[], Scores]
    tight_as: str


def digits(data_dir: str | None) -> Rows:
    """Return the paper's 1500 rows of 7 and 1, a tenth poisoned with a trigger of 3 x 3, and 2 x 500 test rows."""
    data = protocol.badnet(*protocol.mnist_pair((7, 1), data_dir), rate=0.1, size=3)
    return as_rows(data)


def as_rows(data: bc.PoisonedData) -> Rows:
    """Return poisoned data as arrays."""
    joined = join(data.clean_train, data.poison_train, data.is_poison)
    flat = [
        np.asarray(X, dtype=float).reshape(len(X), -1) for X in (joined.X, data.triggered_test.X, data.clean_test.X)
    ]
    return Rows(flat[0], np.where(joined.y == 1, 1.0, -1.0), data.is_poison, np.vstack(flat[1:]))


def many_digits(data_dir: str | None, n: int) -> Rows:
    """Return n rows of 7 and 1, a tenth poisoned."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.mnist((7, 1), n_train=n, n_test=500, rng=rng, data_dir=data_dir, offline=True)
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
    return as_rows(bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng))


def random_rows(d: int, n: int = 1500) -> Rows:
    """Return rows of two overlapping classes, a tenth poisoned, and 1000 test rows."""
    rng = np.random.default_rng(0)
    X = np.maximum(rng.normal(size=(n + 1000, d)) * rng.random(d), 0.0)
    w = rng.normal(size=d) / np.sqrt(d)
    y = np.where(X @ w + 0.15 * rng.normal(size=len(X)) > np.median(X @ w), 1.0, -1.0)
    is_poison = np.zeros(n, dtype=bool)
    is_poison[rng.choice(n, n // 10, replace=False)] = True
    X[:n][is_poison, :16] += 2.0
    X[n : n + 500, :16] += 2.0
    y[:n][is_poison] *= -1
    return Rows(X[:n], y[:n], is_poison, X[n:])


def refits(rows: Rows, estimator: object, gram: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None) -> Scores:
    """Return the scores of 20 fits; with `gram` on a kernel matrix that is computed once."""
    X, tests = rows.X, rows.tests
    if gram is not None:
        X, tests = gram(rows.X, rows.X), gram(rows.tests, rows.X)
    scores = []
    for beta in BETAS:
        kept = ~rows.is_poison if beta == 0.0 else np.ones(len(rows.y), dtype=bool)
        weights = np.where(rows.is_poison, beta, 1.0)[kept]
        part = X[np.ix_(kept, kept)] if gram is not None else X[kept]
        fit = estimator.fit(part, rows.y[kept], sample_weight=weights)
        scores.append(fit.decision_function(tests[:, kept] if gram is not None else tests))
    return np.array(scores)


def rbf_case(rows: Rows, gamma: float, C: float) -> Case:
    """Return an RBF SVM."""

    def kernel(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        return kernels.rbf(A, B, gamma)

    return Case(
        f"RBF SVM, gamma {gamma:g}, C {C:g}",
        lambda: svm_path(rows.X, rows.y, *rows.bounds(C), kernel).scores(rows.tests, BETAS),
        lambda: refits(rows, SVC(C=C, gamma=gamma)),
        lambda: refits(rows, SVC(C=C, kernel="precomputed"), kernel),
        lambda: refits(rows, SVC(C=C, kernel="precomputed", tol=1e-6), kernel),
        "precomputed, tol 1e-6",
    )


def linear_svm_case(rows: Rows, name: str, C: float) -> Case:
    """Return LinearSVC with the hinge loss."""
    return Case(
        f"{name}, C {C:g}",
        lambda: svm_path(rows.X, rows.y, *rows.bounds(C), kernels.linear, LIBLINEAR).scores(rows.tests, BETAS),
        lambda: refits(rows, LinearSVC(C=C, loss="hinge", random_state=0)),
        None,
        lambda: refits(rows, LinearSVC(C=C, loss="hinge", random_state=0, tol=1e-7, max_iter=20_000)),
        "tol 1e-7, 20,000 iterations at most",
    )


def squared_hinge_case(rows: Rows, C: float) -> Case:
    """Return LinearSVC with its default loss."""
    return Case(
        f"LinearSVC, squared hinge, C {C:g}",
        lambda: squared_hinge_path(rows.X, rows.y, *rows.bounds(C), LIBLINEAR).scores(rows.tests, BETAS),
        lambda: refits(rows, LinearSVC(C=C, random_state=0)),
        None,
        lambda: refits(rows, LinearSVC(C=C, dual=False, tol=1e-9, max_iter=10_000)),
        "primal, tol 1e-9",
    )


def logistic_case(rows: Rows, name: str, C: float) -> Case:
    """Return logistic regression by liblinear."""
    return Case(
        f"{name}, C {C:g}",
        lambda: logistic_path(rows.X, rows.y, *rows.bounds(C), LIBLINEAR).scores(rows.tests, BETAS),
        lambda: refits(rows, LogisticRegression(C=C, solver="liblinear")),
        None,
        lambda: refits(rows, LogisticRegression(C=C, solver="liblinear", tol=1e-10, max_iter=100_000)),
        "liblinear, tol 1e-10",
    )


def ridge_case(rows: Rows, name: str, alpha: float) -> Case:
    """Return ridge, whose fits are accurate as they are."""

    def path() -> Scores:
        parts = [
            (rows.X[part], rows.y[part, np.newaxis], np.ones(part.sum())) for part in (~rows.is_poison, rows.is_poison)
        ]
        return ridge_path(*parts, alpha=alpha, intercept=FREE).scores(rows.tests, BETAS)

    fits = lambda: refits(rows, RidgeClassifier(alpha=alpha))  # noqa: E731
    return Case(f"{name}, alpha {alpha:g}", path, fits, None, fits, "the same fits")


def off(scores: Scores, of_path: Scores) -> float:
    """Return the largest difference of a score."""
    return float(np.abs(scores - of_path).max())


def table_row(case: Case, pairs: int) -> str:
    """Return a case as a row of the table."""
    exact = case.path()
    alternatives = [case.cold, case.best, case.tight]
    ratios, differences = [], []
    whole = []
    for alternative in alternatives:
        if alternative is None:
            ratios.append("")
            differences.append("")
            continue
        differences.append(f"{off(alternative(), exact):.0e}")
        times = np.array([(seconds(case.path), seconds(alternative)) for _ in range(pairs)])
        whole += list(times[:, 0])
        ratios.append(f"**{np.median(times[:, 1] / times[:, 0]):.1f}**")
        last = float(np.median(times[:, 1]))
    one = last / len(BETAS)
    cells = [case.name, f"{1e3 * np.median(whole):.0f}"]
    cells += [f"{ratio} ({difference})" if ratio else "" for ratio, difference in zip(ratios, differences, strict=True)]
    return "| " + " | ".join([*cells, case.tight_as, f"{np.median(whole) / one:.1f}"]) + " |"


def speed(data_dir: str | None, pairs: int) -> None:
    """Print the table of speeds."""
    try:
        rows, name = digits(data_dir), "MNIST 7-1"
    except FileNotFoundError:
        rows, name = random_rows(784), "random rows, d = 784"
    wide = random_rows(4096)
    cases = [rbf_case(rows, gamma, C) for gamma in (5e-3, 5e-4) for C in (1.0, 100.0)]
    cases += [linear_svm_case(rows, "LinearSVC, hinge", C) for C in (0.01, 10.0)]
    cases += [squared_hinge_case(rows, C) for C in (0.01, 1.0)]
    cases += [logistic_case(rows, "logistic", C) for C in (0.1, 100.0)]
    cases += [linear_svm_case(wide, "d = 4096: LinearSVC, hinge", C) for C in (1e-3, 0.1)]
    cases += [ridge_case(wide, "d = 4096: ridge", 0.5), logistic_case(wide, "d = 4096: logistic", 1.0)]
    print(f"{name}, n = 1500, m = 150, 2 x 500 test rows; d = 4096: random rows, the same numbers.\n")
    head = ["case", "path, ms", "20 cold fits / path (off by)", "best 20 fits / path (off by)"]
    head += ["20 accurate fits / path (off by)", "accurate: ", "path / one accurate fit"]
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for case in cases:
        print(table_row(case, pairs), flush=True)


def scale_row(n: int, data_dir: str | None) -> tuple[float, str]:
    """Return the seconds of an RBF SVM's path on n rows, and them as a row of the table."""
    rows, paths = many_digits(data_dir, n), []

    def kernel(A: np.ndarray, B: np.ndarray) -> np.ndarray:
        return kernels.rbf(A, B, 5e-3)

    path = seconds(lambda: paths.append(svm_path(rows.X, rows.y, *rows.bounds(1.0), kernel)))
    memory = getrusage(RUSAGE_SELF).ru_maxrss / 1e6
    fit = seconds(lambda: SVC(C=1.0, gamma=5e-3).fit(rows.X, rows.y))
    cells = [f"{n}", f"{len(paths[0].knots)}", f"{path:.1f}", f"{fit:.1f}", f"**{path / fit:.2f}**", f"{memory:.2f}"]
    return path, "| " + " | ".join(cells) + " |"


def scale(data_dir: str | None) -> None:
    """Print what the path of an RBF SVM costs over the number of rows, in one process from small to large."""
    print("| n | knots | path, s | one SVC fit, s | path / fit | most memory so far, GB |")
    print("|" + " --- |" * 6)
    sizes, costs = (1000, 2000, 4000, 8000, 13_000), []
    for n in sizes:
        cost, line = scale_row(n, data_dir)
        costs.append(cost)
        print(line, flush=True)
    print(f"\nThe cost grows as n^{np.polyfit(np.log(sizes), np.log(costs), 1)[0]:.2f}.")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with the MNIST files; otherwise where datasets.mnist looks")
    parser.add_argument("--pairs", type=int, default=5, help="paired timings of each case (default 5)")
    parser.add_argument("--scale", action="store_true", help="the cost over n instead, up to all rows of the pair")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(machine())
    print(f"A large matrix product runs at {product_rate():.0f} Gflop/s here.\n")
    if arguments.scale:
        scale(arguments.data_dir)
    else:
        speed(arguments.data_dir, arguments.pairs)


if __name__ == "__main__":
    main()
