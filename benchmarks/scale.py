"""What a whole path costs where rows are many: over fits of scikit-learn's, with its growth over n and its memory.

    python benchmarks/scale.py [CASE ...] [--data-dir DIR] [--most N] [--pairs K]

A path is counted from arrays to the scores of 1000 test rows at 21 betas, with the proof of five of them. Processor
time of one thread, medians of pairs taken in turn; what takes longer than a minute is done once. Each size is a process
of its own, to which rows come by a file: "held" is the most memory that it held until the path was done, and "over" how
much of that is beyond what it had held with its rows, in sizes of these.
"""

from __future__ import annotations

import argparse
import multiprocessing
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import machine, seconds  # first: it sets the number of threads

# isort: split
import numpy as np
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.kernels.by_name import RBF
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.linear_svm.follow import linear_svm_path
from backdoor_curves.paths.squared_hinge import squared_hinge_path
from backdoor_curves.paths.svm.follow import svm_path
from paths import LIBLINEAR, Rows, as_rows, digits, random_rows

BETAS, PROVEN = np.linspace(0.0, 1.0, 21), np.linspace(0.0, 1.0, 5)
LONG = 60.0
"""Seconds of a path after which it is not followed again."""


@dataclass(frozen=True)
class Case:
    """A path over n, and the fit that it is compared with."""

    sizes: tuple[int, ...]
    rows: Callable[[int, str | None], Rows]
    path: Callable[[Rows], BetaPath]
    fit: Callable[[Rows], object]
    fit_as: str
    is_mapped: bool = False
    """Whether its rows stay in their file."""


def few_features(n: int, _: str | None) -> Rows:
    """Return n rows of 20 features, half of them 0, a tenth poisoned."""
    return random_rows(20, n)


def clusters(rate: float) -> Callable[[int, str | None], Rows]:
    """Return what makes n rows of 20 features in clusters, some of them poisoned."""

    def made(n: int, _: str | None) -> Rows:
        X, y = make_classification(n + 1000, 20, random_state=0)
        y = 2.0 * y - 1.0
        is_poison = np.zeros(n, dtype=bool)
        is_poison[np.random.default_rng(0).choice(n, int(rate * n), replace=False)] = True
        X[:n][is_poison, -1] += 3.0
        y[:n][is_poison] *= -1.0
        return Rows(X[:n], y[:n], is_poison, X[n:])

    return made


def even_odd(n: int, data_dir: str | None) -> Rows:
    """Return n rows of MNIST, even or odd, a tenth poisoned; pixels that are used."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.mnist("even-odd", n_train=n, n_test=500, rng=rng, data_dir=data_dir, offline=True)
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
    rows = as_rows(bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng))
    used = np.flatnonzero(rows.X.any(axis=0))
    return Rows(np.ascontiguousarray(rows.X[:, used]), rows.y, rows.is_poison, rows.tests[:, used])


def appended(d: int, dtype: type) -> Callable[[int, str | None], Rows]:
    """Return what makes n rows of d features of two overlapping classes, a tenth of them stamped and put at the end."""

    def made(n: int, _: str | None) -> Rows:
        rng, clean = np.random.default_rng(0), n - n // 10
        w, X = rng.normal(size=d) / np.sqrt(d), np.empty((n + 1000, d), dtype=dtype)
        for start in range(0, len(X), 10_000):
            X[start : start + 10_000] = rng.normal(size=(min(10_000, len(X) - start), d))
        y = np.where(X @ w + rng.normal(size=len(X)) > 0.0, 1.0, -1.0)
        X[clean:n, :3], y[clean:n] = 3.0, 1.0
        return Rows(X[:n], y[:n], np.arange(n) >= clean, X[n:])

    return made


def seven_one(_: int, data_dir: str | None) -> Rows:
    """Return the paper's 1500 rows of 7 and 1."""
    return digits(data_dir)


def hinge(sizes: tuple[int, ...], rows: Callable[[int, str | None], Rows], C: float, accurate: bool) -> Case:
    """Return LinearSVC with the hinge, against a fit that is accurate or as it comes."""
    settings = {"tol": 1e-7, "max_iter": 20_000} if accurate else {}
    return Case(
        sizes,
        rows,
        lambda rows: linear_svm_path(rows.X, rows.y, *rows.bounds(C), LIBLINEAR),
        lambda rows: LinearSVC(C=C, loss="hinge", random_state=0, **settings).fit(rows.X, rows.y),
        "tol 1e-7" if accurate else "default",
    )


def squared_hinge(sizes: tuple[int, ...], rows: Callable[[int, str | None], Rows], C: float) -> Case:
    """Return LinearSVC as it comes, against an accurate fit."""
    return Case(
        sizes,
        rows,
        lambda rows: squared_hinge_path(rows.X, rows.y, *rows.bounds(C), LIBLINEAR),
        lambda rows: LinearSVC(C=C, dual=False, tol=1e-9, max_iter=10_000).fit(rows.X, rows.y),
        "primal, tol 1e-9",
    )


def gaussian(sizes: tuple[int, ...], rows: Callable[[int, str | None], Rows], gamma: float, C: float) -> Case:
    """Return an SVC with a Gaussian kernel, against an accurate fit."""
    return Case(
        sizes,
        rows,
        lambda rows: svm_path(rows.X, rows.y, *rows.bounds(C), RBF(gamma)),
        lambda rows: SVC(C=C, gamma=gamma, tol=1e-6, cache_size=500).fit(rows.X, rows.y),
        "tol 1e-6",
    )


def logistic(sizes: tuple[int, ...], rows: Callable[[int, str | None], Rows], C: float, mapped: bool = False) -> Case:
    """Return logistic regression through its curve, which leaves rows where they are, against an accurate fit."""

    def path(rows: Rows) -> BetaPath:
        clean, tests = int((~rows.is_poison).sum()), (rows.tests, np.resize([-1.0, 1.0], len(rows.tests)))
        parts = [(rows.X[part], rows.y[part]) for part in (slice(clean), slice(clean, None))]
        return bc.backdoor_learning_curve(LogisticRegression(C=C), bc.PoisonedData(*parts, tests, tests)).path

    settings = {"tol": 1e-10, "max_iter": 10_000}
    return Case(
        sizes,
        rows,
        path,
        lambda rows: LogisticRegression(C=C, **settings).fit(np.asarray(rows.X, dtype=float), rows.y),
        "lbfgs, tol 1e-10",
        mapped,
    )


SMALL, LARGE = (2000, 5000, 20_000, 60_000), (2000, 5000, 15_000, 60_000)
CASES = {
    "hinge, d 20, C 1": hinge(SMALL, few_features, 1.0, accurate=True),
    "hinge, MNIST even-odd, C 0.01": hinge(LARGE[1:], even_odd, 0.01, accurate=False),
    "hinge, MNIST even-odd, C 1": hinge(LARGE[1:], even_odd, 1.0, accurate=False),
    "squared hinge, d 20, 1% poison, C 1": squared_hinge(SMALL, clusters(0.01), 1.0),
    "squared hinge, d 20, 10% poison, C 1": squared_hinge(SMALL, clusters(0.1), 1.0),
    "squared hinge, MNIST 7-1, C 0.01": squared_hinge((1500,), seven_one, 0.01),
    "squared hinge, MNIST 7-1, C 1": squared_hinge((1500,), seven_one, 1.0),
    "logistic, d 20, C 0.01": logistic(SMALL, appended(20, float), 0.01),
    "logistic, d 20, C 1": logistic(SMALL, appended(20, float), 1.0),
    "logistic, d 20, C 100": logistic(SMALL, appended(20, float), 100.0),
    "logistic, d 256 in a file, C 1": logistic((200_000,), appended(256, np.float32), 1.0, mapped=True),
    "RBF, MNIST even-odd, gamma 0.005, C 1": gaussian((5000, 10_000, 30_000), even_odd, 0.005, 1.0),
}
HEAD = ["case", "n", "knots", "nodes", "path, s", "one fit, s", "path / fit", "score bound", "gap"]
HEAD += ["rows, GB", "held, GB", "over"]


def made(name: str, n: int, data_dir: str | None, folder: str) -> None:
    """Write the rows of a case to a folder."""
    for part, array in asdict(CASES[name].rows(n, data_dir)).items():
        np.save(Path(folder, part), array)


def most_memory() -> float:
    """Return the most memory that this process has held, in GB."""
    return float(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024.0 / 1e9


def measured(name: str, n: int, folder: str, pairs: int, answers: multiprocessing.SimpleQueue) -> None:
    """Put the seconds of a path, and a row of the table, to the answers."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    case, found = CASES[name], []
    mode = "r" if case.is_mapped else None
    rows = Rows(*(np.load(Path(folder, f"{part.name}.npy"), mmap_mode=mode) for part in fields(Rows)))
    before = most_memory()

    def whole() -> None:
        path = case.path(rows)
        path.scores(rows.tests, BETAS)
        found[:] = [path, path.certificate(PROVEN, [rows.tests])]

    times = [(seconds(whole), held := most_memory(), seconds(lambda: case.fit(rows)))]
    if times[0][0] < LONG:
        times += [(seconds(whole), held, seconds(lambda: case.fit(rows))) for _ in range(pairs - 1)]
    seconds_of_path, _, fit = np.median(times, axis=0)
    ratio = np.median([one / other for one, _, other in times])
    path, proof = found
    cells = [name, f"{n}", f"{len(path.knots)}", f"{len(path.interpolant.nodes)}"]
    cells += [f"{seconds_of_path:.2f}", f"{fit:.3f} ({case.fit_as})", f"**{ratio:.1f}**"]
    cells += [f"{proof.score_bound.max():.0e}", f"{proof.objective_gap.max():.0e}"]
    cells += [f"{rows.X.nbytes / 1e9:.3f}", f"{held:.2f}", f"{(held - before) / (rows.X.nbytes / 1e9):.1f}"]
    answers.put((seconds_of_path, "| " + " | ".join(cells) + " |"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="beginnings of their names (default: all)")
    parser.add_argument("--data-dir", help="folder with the MNIST files; otherwise where datasets.mnist looks")
    parser.add_argument("--most", type=int, default=200_000, help="rows at most (default 200000)")
    parser.add_argument("--pairs", type=int, default=3, help="paired timings of each size (default 3)")
    asked = parser.parse_args()
    print(machine() + "\n\n| " + " | ".join(HEAD) + " |\n|" + " --- |" * len(HEAD))
    processes, growths = multiprocessing.get_context("spawn"), []
    for name, case in CASES.items():
        if asked.cases and not name.startswith(tuple(asked.cases)):
            continue
        sizes, costs = [n for n in case.sizes if n <= asked.most], []
        for n in sizes:
            answers = processes.SimpleQueue()
            with TemporaryDirectory() as folder:
                for work, given in ((made, (asked.data_dir, folder)), (measured, (folder, asked.pairs, answers))):
                    one = processes.Process(target=work, args=(name, n, *given))
                    one.start()
                    one.join()
            cost, line = answers.get()
            costs.append(cost)
            print(line, flush=True)
        if len(sizes) > 1:
            growth = np.polyfit(np.log(sizes), np.log(costs), 1)[0]
            growths.append(f"{name}: the cost grows as n^{growth:.2f} from {sizes[0]} to {sizes[-1]} rows.")
    print("\n" + "\n".join(growths))


if __name__ == "__main__":
    main()
