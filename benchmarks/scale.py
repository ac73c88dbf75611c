"""What a whole beta-path costs where rows are many, over n: against one fit by scikit-learn; and the memory it takes.

    python benchmarks/scale.py [CASE ...] [--data-dir DIR] [--most N]

One thread, processor time. A path is counted from arrays to the scores of 1000 test rows at 21 betas, with the proof of
five of them. Each size is a process of its own, to which rows come by a file: its memory is the most that it held.
"""

from __future__ import annotations

import argparse
import multiprocessing
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory

from measure import machine, seconds  # first: it sets the number of threads

# isort: split
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

import backdoor_curves as bc
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.linear_svm.follow import linear_svm_path
from paths import LIBLINEAR, Rows, as_rows, random_rows

BETAS, PROVEN = np.linspace(0.0, 1.0, 21), np.linspace(0.0, 1.0, 5)


@dataclass(frozen=True)
class Case:
    """A path over n, and the fit that it is compared with."""

    sizes: tuple[int, ...]
    rows: Callable[[int, str | None], Rows]
    path: Callable[[Rows], BetaPath]
    fit: Callable[[Rows], object]
    fit_as: str


def few_features(n: int, _: str | None) -> Rows:
    """Return n rows of 20 features."""
    return random_rows(20, n)


def even_odd(n: int, data_dir: str | None) -> Rows:
    """Return n rows of MNIST, even or odd, a tenth poisoned; pixels that are used."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.mnist("even-odd", n_train=n, n_test=500, rng=rng, data_dir=data_dir, offline=True)
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
    rows = as_rows(bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng))
    used = np.flatnonzero(rows.X.any(axis=0))
    return Rows(np.ascontiguousarray(rows.X[:, used]), rows.y, rows.is_poison, rows.tests[:, used])


def hinge(C: float) -> Callable[[Rows], BetaPath]:
    """Return what follows LinearSVC with the hinge."""
    return lambda rows: linear_svm_path(rows.X, rows.y, *rows.bounds(C), LIBLINEAR)


def fitted(rows: Rows, C: float, **settings: object) -> object:
    """Return a fit of LinearSVC with the hinge."""
    return LinearSVC(C=C, loss="hinge", random_state=0, **settings).fit(rows.X, rows.y)


SMALL, LARGE = (2000, 6000, 20_000, 60_000), (5000, 15_000, 60_000)
CASES = {
    "hinge, d = 20, C 1": Case(
        SMALL, few_features, hinge(1.0), lambda rows: fitted(rows, 1.0, tol=1e-7, max_iter=20_000), "tol 1e-7"
    ),
    "hinge, MNIST even-odd, C 0.01": Case(LARGE, even_odd, hinge(0.01), lambda rows: fitted(rows, 0.01), "default"),
    "hinge, MNIST even-odd, C 1": Case(LARGE, even_odd, hinge(1.0), lambda rows: fitted(rows, 1.0), "default"),
}


def made(name: str, n: int, data_dir: str | None, folder: str) -> None:
    """Write the rows of a case to a folder."""
    for part, array in asdict(CASES[name].rows(n, data_dir)).items():
        np.save(Path(folder, part), array)


def measured(name: str, n: int, folder: str, answers: multiprocessing.SimpleQueue) -> None:
    """Put the seconds of a path, and a row of the table, to the answers."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    case, found = CASES[name], []
    rows = Rows(*(np.load(Path(folder, f"{part.name}.npy")) for part in fields(Rows)))
    before = getrusage(RUSAGE_SELF).ru_maxrss / 1e6

    def whole() -> None:
        path = case.path(rows)
        path.scores(rows.tests, BETAS)
        found.extend([path, path.certificate(PROVEN, [rows.tests])])

    path = seconds(whole)
    memory = getrusage(RUSAGE_SELF).ru_maxrss / 1e6
    fit = seconds(lambda: case.fit(rows))
    proof = found[1]
    cells = [f"{n}", f"{len(found[0].knots)}", f"{path:.1f}", f"{fit:.2f} ({case.fit_as})", f"**{path / fit:.1f}**"]
    cells += [f"{rows.X.nbytes / 1e9:.2f}", f"{before:.2f}", f"{memory:.2f}"]
    cells += [f"{proof.score_bound.max():.0e}", f"{proof.objective_gap.max():.0e}"]
    answers.put((path, "| " + " | ".join([name, *cells]) + " |"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="beginnings of their names (default: all)")
    parser.add_argument("--data-dir", help="folder with the MNIST files; otherwise where datasets.mnist looks")
    parser.add_argument("--most", type=int, default=60_000, help="rows at most (default 60000)")
    arguments = parser.parse_args()
    print(machine() + "\n")
    head = ["case", "n", "knots", "path, s", "one fit, s", "path / fit", "rows, GB", "before, GB", "most memory, GB"]
    print("| " + " | ".join([*head, "score bound", "gap"]) + " |\n|" + " --- |" * 11)
    processes = multiprocessing.get_context("spawn")
    for name, case in CASES.items():
        if arguments.cases and not name.startswith(tuple(arguments.cases)):
            continue
        sizes, costs = [n for n in case.sizes if n <= arguments.most], []
        for n in sizes:
            answers = processes.SimpleQueue()
            with TemporaryDirectory() as folder:
                for work, given in ((made, (arguments.data_dir, folder)), (measured, (folder, answers))):
                    one = processes.Process(target=work, args=(name, n, *given))
                    one.start()
                    one.join()
            cost, line = answers.get()
            costs.append(cost)
            print(line, flush=True)
        if len(sizes) > 1:
            growth = np.polyfit(np.log(sizes), np.log(costs), 1)[0]
            print(f"\n{name}: the cost grows as n^{growth:.2f} from {sizes[0]} to {sizes[-1]} rows.\n")


if __name__ == "__main__":
    main()
