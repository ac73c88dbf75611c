"""What the path of logistic regression of many rows costs, against one accurate fit by scikit-learn, and in memory.

    python benchmarks/scale_logistic.py [--pairs N] [--mapped] >> benchmarks/scale_logistic.log

One thread, processor time, medians of pairs taken in turn. A path is the whole of it: from arrays to the curve at 20
betas of two test sets, its certificate included. The accurate fit is the quicker of two solvers of scikit-learn's at a
tolerance of 1e-10. With --mapped the rows are a file in single precision, which the fit must hold in double; the most
memory of either is that of a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import machine, product_rate, seconds  # first: it sets the number of threads

# isort: split
import numpy as np
from sklearn.linear_model import LogisticRegression

import backdoor_curves as bc
from backdoor_curves.poisoning import paper_protocol as protocol

SIZES = (2000, 5000, 8000, 20_000, 60_000)
"""A factor of 30; up to 6500 rows of 20 features are few."""
SOLVERS = ("newton-cholesky", "lbfgs")
MAPPED = (200_000, 256)
"""Rows and features of the file."""


def rows_of(n: int, d: int, dtype: type = float) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of two overlapping classes."""
    rng = np.random.default_rng(0)
    w, X = rng.normal(size=d) / np.sqrt(d), np.empty((n, d), dtype=dtype)
    for start in range(0, n, 10_000):
        X[start : start + 10_000] = rng.normal(size=(min(10_000, n - start), d))
    return X, (X @ w + rng.normal(size=n) > 0.0).astype(int)


def poisoned(X: np.ndarray, y: np.ndarray) -> bc.PoisonedData:
    """Return rows with a tenth stamped and appended, and 2000 test rows."""
    tests = rows_of(2000, X.shape[1])
    trigger = bc.FeatureTrigger((0, 1, 2), (3.0, 3.0, 3.0))
    return bc.poison((X, y), tests, trigger=trigger, rate=0.1, injection="append", rng=np.random.default_rng(1))


def curve_of(data: bc.PoisonedData, C: float) -> bc.BackdoorLearningCurve:
    """Return the whole curve, with its certificate."""
    return bc.backdoor_learning_curve(LogisticRegression(C=C), data, betas=protocol.BETAS)


def fit_of(data: bc.PoisonedData, C: float, solver: str) -> LogisticRegression:
    """Return an accurate fit at beta = 1."""
    X = np.vstack([data.clean_train.X, data.poison_train.X]).astype(float, copy=False)
    y = np.append(data.clean_train.y, data.poison_train.y)
    return LogisticRegression(C=C, solver=solver, tol=1e-10, max_iter=10_000).fit(X, y)


def quickest(data: bc.PoisonedData, C: float) -> str:
    """Return the solver whose accurate fit takes least."""
    return min(SOLVERS, key=lambda solver: seconds(lambda: fit_of(data, C, solver)))


def table_row(n: int, d: int, C: float, pairs: int) -> tuple[float, str]:
    """Return the seconds of a path, and a row of the table."""
    data = poisoned(*rows_of(n, d))
    curve, solver = curve_of(data, C), quickest(data, C)
    fit = fit_of(data, C, solver)
    off = np.abs(fit.decision_function(data.clean_test.X) - curve.path.scores(data.clean_test.X, np.ones(1))[0]).max()
    timed = [(seconds(lambda: curve_of(data, C)), seconds(lambda: fit_of(data, C, solver))) for _ in range(pairs)]
    path, one = np.median(timed, axis=0)
    bound = curve.certificate(protocol.BETAS).score_bound.max()
    ratio = float(np.median([a / b for a, b in timed]))
    cells = f"{n}", f"{d}", f"{C:g}", f"{path:.2f}", f"{one:.3f}", solver, f"{off:.0e}", f"{bound:.0e}"
    return path, "| " + " | ".join([*cells, f"**{ratio:.1f}**"]) + " |"


def speed(pairs: int) -> None:
    """Print the table of speeds, and how the cost grows."""
    print("| n | d | C | path, s | one accurate fit, s | by | off by | bound | path / fit |\n|" + " --- |" * 9)
    for C in (0.01, 1.0, 100.0):
        costs = []
        for n in SIZES:
            cost, line = table_row(n, 20, C, pairs)
            costs.append(cost)
            print(line, flush=True)
        print(f"| | | {C:g} | n^{np.polyfit(np.log(SIZES), np.log(costs), 1)[0]:.2f} | | | | | |", flush=True)


def mapped(folder: Path, who: str) -> None:
    """Do one thing with the rows of a file, in this process: make them, follow a path, or fit."""
    if who == "make":
        X, y = rows_of(*MAPPED, dtype=np.float32)
        np.save(folder / "X.npy", X)
        np.save(folder / "y.npy", y)
        return
    data = poisoned(np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy"))
    if who == "curve":
        print(f"{seconds(lambda: curve_of(data, 1.0)):.1f}")
    else:
        print(f"{seconds(lambda: fit_of(data, 1.0, who)):.1f}")


def in_a_file() -> None:
    """Print what a file in single precision costs, each in a process of its own."""
    n, d = MAPPED
    print(f"{n} rows of {d} features in single precision, {4 * n * d / 1e6:.0f} MB.\n")
    print("| | s | most memory, MB |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for who in ("make", *SOLVERS, "curve"):
            took, peak = watched([sys.executable, __file__, "--in", folder, "--who", who])
            if who != "make":
                print(f"| {who} | {took} | {peak / 1e6:.0f} |", flush=True)


def watched(command: list[str]) -> tuple[str, float]:
    """Return what a process printed, and the most memory that it held, pages of files included."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = 0.0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak, *(1024.0 * int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)])
        except OSError:
            pass
        time.sleep(0.05)
    assert process.stdout is not None
    return process.stdout.read().strip(), peak


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="paired timings of each case (default 5)")
    parser.add_argument("--mapped", action="store_true", help="rows in a file instead")
    parser.add_argument("--in", dest="folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--who", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.who:
        mapped(asked.folder, asked.who)
        return
    print(machine())
    print(f"A large matrix product runs at {product_rate():.0f} Gflop/s here.\n")
    if asked.mapped:
        in_a_file()
    else:
        speed(asked.pairs)


if __name__ == "__main__":
    main()
