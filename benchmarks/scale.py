"""What a whole path costs where rows are many: over one accurate fit of scikit-learn's, with its growth and its memory.

    python benchmarks/scale.py [--data-dir DIR] [--pairs K] [--only WORDS] >> benchmarks/RESULTS.md

A path is followed, certified at 5 betas and asked for the scores of 1000 test rows at 20. Medians of pairs taken in
turn, processor time of one thread. Each case has a process of its own: memory is the most that it held beyond what it
had held when its rows were made.
"""

from __future__ import annotations

from measure import machine, seconds  # first: it sets the number of threads

# isort: split
import argparse
import multiprocessing
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.squared_hinge import squared_hinge_path
from paths import BETAS, LIBLINEAR, Rows, digits

CERTIFIED = np.linspace(0.0, 1.0, 5)


@dataclass(frozen=True)
class Case:
    """A path of some rows, and the accurate fit that it is compared with."""

    name: str
    rows: Callable[[str | None], Rows]
    path: Callable[[Rows], BetaPath]
    fit: Callable[[Rows], Any]


def table(n: int, rate: float, d: int = 20) -> Callable[[str | None], Rows]:
    """Return what makes n rows of d features, some of them poison, and 1000 test rows."""

    def made(data_dir: str | None) -> Rows:  # noqa: ARG001
        X, y = make_classification(n + 1000, d, random_state=0)
        y = 2.0 * y - 1.0
        is_poison = np.zeros(n, dtype=bool)
        is_poison[np.random.default_rng(0).choice(n, int(rate * n), replace=False)] = True
        X[:n][is_poison, -1] += 3.0
        y[:n][is_poison] *= -1.0
        return Rows(X[:n], y[:n], is_poison, X[n:])

    return made


def squared_hinge(name: str, rows: Callable[[str | None], Rows], C: float) -> Case:
    """Return LinearSVC as it comes."""
    return Case(
        f"LinearSVC, {name}, C {C:g}",
        rows,
        lambda rows: squared_hinge_path(rows.X, rows.y, *rows.bounds(C), LIBLINEAR),
        lambda rows: LinearSVC(C=C, dual=False, tol=1e-9, max_iter=10_000).fit(rows.X, rows.y),
    )


CASES = [
    *(squared_hinge(f"n {n}, d 20, {rate:.0%} poison", table(n, rate), 1.0)
      for rate in (0.01, 0.1) for n in (2000, 5000, 20_000, 60_000)),
    *(squared_hinge("MNIST 7-1, n 1500", digits, C) for C in (0.01, 1.0)),
]  # fmt: skip


def resident() -> float:
    """Return the most memory that this process has held, in bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024.0 * float(status.split("VmHWM:")[1].split()[0])


def table_row(index: int, data_dir: str | None, pairs: int) -> str:
    """Return a case as a row of the table."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    case = CASES[index]
    rows = case.rows(data_dir)
    before, paths = resident(), []

    def asked() -> None:
        path = case.path(rows)
        certificate = path.certificate(CERTIFIED, [rows.tests])
        path.scores(rows.tests, BETAS)
        paths[:] = [(path, float(certificate.score_bound.max()))]

    first = seconds(asked)
    held = resident() - before
    times = np.array([(seconds(asked), seconds(lambda: case.fit(rows))) for _ in range(pairs)])
    (path, bound), (whole, fit) = paths[0], np.median(times, axis=0)
    ratio = float(np.median(times[:, 0] / times[:, 1]))
    cells = [case.name, f"{len(path.knots)}", f"{len(path.interpolant.nodes)}", f"{min(first, whole):.2f}"]
    cells += [f"{1e3 * fit:.0f}", f"**{ratio:.1f}**", f"{bound:.0e}", f"{held / 2**20:.0f}"]
    cells += [f"{held / rows.X.nbytes:.1f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with the MNIST files; otherwise where datasets.mnist looks")
    parser.add_argument("--pairs", type=int, default=5, help="paired timings of each case (default 5)")
    parser.add_argument("--only", default="", help="words that the names of the cases begin with")
    asked = parser.parse_args()
    print(machine(), "\n")
    head = ["case", "events", "nodes", "path with certificate, s", "accurate fit, ms", "path / fit", "bound"]
    head += ["memory, MiB", "over the rows"]
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    spawn = multiprocessing.get_context("spawn")
    for index, case in enumerate(CASES):
        if case.name.startswith(asked.only):
            with spawn.Pool(1) as alone:
                print(alone.apply(table_row, (index, asked.data_dir, asked.pairs)), flush=True)


if __name__ == "__main__":
    main()
