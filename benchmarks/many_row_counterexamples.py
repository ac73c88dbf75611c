"""Search for a problem of many rows whose screened path is wrong: random tables with ties, repeats and extreme bounds.

    python benchmarks/many_row_counterexamples.py [--examples N] [--first SEED]

Each table is made from its seed alone, of 60 to 600 rows and up to 8 columns: numbers, whole numbers, zeros and ones,
half zeros, columns of other sizes. With the hinge it is followed among few rows, whatever its size, and by the careful
walk, with the squared hinge with few rows watched and with all of them: where both lead on they must agree within their
bounds, and the bound must be 1e-6 at most.
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter

from measure import machine, seconds  # first: it sets the number of threads

# isort: split
import numpy as np

from backdoor_curves.paths.base import BetaPath, PathError
from backdoor_curves.paths.intercept import FREE, NONE, Intercept, penalised
from backdoor_curves.paths.linalg.rows_in_place import RowsInPlace
from backdoor_curves.paths.linear_svm import follow, many
from backdoor_curves.paths.linear_svm.path import LinearSVMPath
from backdoor_curves.paths.squared_hinge import squared_hinge_path, walk
from backdoor_curves.paths.svm.path import NotOptimalError

KINDS = ("numbers", "whole numbers", "zeros and ones", "half zeros", "sizes")
BETAS = np.array([0.0, 1e-4, 0.03, 0.3, 0.77, 1.0])
Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Intercept]


def table(seed: int) -> tuple[str, Problem]:
    """Return a kind of table, and its rows, labels, bounds and intercept."""
    rng = np.random.default_rng(seed)
    kind, n, d = KINDS[seed % len(KINDS)], int(rng.integers(60, 600)), int(rng.integers(1, 9))
    X = rng.normal(size=(n, d))
    y = np.where(X.sum(axis=1) + rng.normal(0, rng.uniform(0.1, 2.0), n) > rng.normal(), 1.0, -1.0)
    if kind == "whole numbers":
        X = np.round(X * rng.integers(1, 30))
    elif kind == "zeros and ones":
        X = (rng.normal(size=d) < X).astype(float)
    elif kind == "half zeros":
        X = np.maximum(X, 0.0)
    elif kind == "sizes":
        X *= 10.0 ** rng.uniform(-2, 2, d)
    poison = rng.random(n) < rng.uniform(0.02, 0.3)
    poison[:2], y[2:4] = True, (-1.0, 1.0)
    poison[2:4] = False
    X[poison, 0] = np.abs(X[:, 0]).max() + rng.integers(0, 2)
    y[poison] *= -1.0
    C = 10.0 ** rng.uniform(-4, 3)
    intercept = (FREE, NONE, penalised(1.0))[int(rng.integers(3))]
    return kind, (X, y, np.where(poison, 0.0, C), np.where(poison, C, 0.0), intercept)


def followed(problem: Problem, least: int) -> LinearSVMPath | None:
    """Return the path, screened from `least` rows on; None where it does not lead on."""
    many.MANY = least
    try:
        return follow.linear_svm_path(*problem)
    except NotOptimalError:
        return None


def watching(problem: Problem, least: int, watched: int) -> BetaPath | None:
    """Return the path of the squared hinge, so many rows watched of more than `least`; None where it does not lead on.

    A free intercept is made a penalised one.
    """
    walk.FEW, walk.WATCHED = least, watched
    X, y, u0, du, intercept = problem
    try:
        return squared_hinge_path(X, y, u0, du, penalised(1.0) if intercept.is_free else intercept)
    except PathError:
        return None


def excess(problem: Problem, *paths: LinearSVMPath) -> np.ndarray:
    """Return by what share the objective of the first path is above that of the second."""
    X, y, u0, du, _ = problem

    def objective(path: LinearSVMPath) -> np.ndarray:
        w, slack = path.parameters(BETAS).coef[..., 0], np.maximum(0.0, 1.0 - y * path.scores(X, BETAS))
        return 0.5 * (w * w).sum(axis=1) + ((u0 + np.outer(BETAS, du)) * slack).sum(axis=1)

    first, second = map(objective, paths)
    return (first - second) / second


def hinge_verdict(problem: Problem) -> str:
    """Return what became of a problem with the hinge: a counterexample is "wrong" or "loose"."""
    screened, careful = followed(problem, 0), followed(problem, 10**9)
    if screened is None or careful is None:
        return "careful alone" if careful else "screened alone" if screened else "neither"
    if not isinstance(screened.problem.Phi, RowsInPlace):
        return "left to the careful walk"
    found = compared(problem, screened, careful)
    off = np.ptp(screened.scores(problem[0], BETAS) - careful.scores(problem[0], BETAS), axis=1).max()
    if (
        found == "wrong"
        and problem[4].is_free
        and off < 1e-9
        and np.abs(excess(problem, screened, careful)).max() < 1e-13
    ):
        return "agree, but for a free intercept that is not unique"
    return found


def squared_hinge_verdict(problem: Problem, watched: int) -> str:
    """Return what became of a problem with the squared hinge, so many rows watched."""
    few, all_rows = watching(problem, 0, watched), watching(problem, 10**9, 0)
    if few is None or all_rows is None:
        return "all rows alone" if all_rows else "few rows alone" if few else "neither"
    return compared(problem, few, all_rows)


def compared(problem: Problem, path: BetaPath, other: BetaPath) -> str:
    """Return whether two paths agree within their bounds, and the bound of the first is no loose one."""
    proofs = [each.certificate(BETAS, [problem[0]]).score_bound for each in (path, other)]
    off = np.abs(path.scores(problem[0], BETAS) - other.scores(problem[0], BETAS)).max(axis=1)
    if (off > sum(proofs) + 1e-12).any():
        return "wrong"
    return "loose" if proofs[0].max() > max(1e-6, 10.0 * proofs[1].max()) else "agree"


def main() -> None:
    """Go through the tables and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first example")
    asked = parser.parse_args()
    warnings.simplefilter("error")
    print(f"{machine()}; seeds {asked.first} to {asked.first + asked.examples - 1}")
    found: Counter[tuple[str, str, str]] = Counter()

    def search() -> None:
        for seed in range(asked.first, asked.first + asked.examples):
            kind, problem = table(seed)
            verdicts = {"hinge": hinge_verdict(problem)}
            verdicts["squared hinge"] = squared_hinge_verdict(problem, (3, 15, 40)[seed % 3])
            for loss, what in verdicts.items():
                found[loss, kind, what] += 1
                if what in ("wrong", "loose", "careful alone", "all rows alone"):
                    print(f"seed {seed}: {loss}, {kind}, {problem[0].shape}, {problem[4]}: {what}", flush=True)

    spent = seconds(search)
    for (loss, kind, what), times in sorted(found.items()):
        print(f"{times:6d}  {loss}, {kind}: {what}")
    print(f"{spent:.0f} s")


if __name__ == "__main__":
    main()
