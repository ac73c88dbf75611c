"""What the whole beta-path of ridge costs, in units of one scikit-learn fit.

    python benchmarks/ridge.py [--data-dir DIR] [--pairs N]

One thread. A curve and a fit are timed in turn and the median of their ratios is printed: machines drift, ratios less.
Without the MNIST files rows of the same shape are drawn at random, and the largest case is left out.
"""

from __future__ import annotations

import argparse

from measure import machine, peak_bytes, product_rate, seconds  # first: it sets the number of threads

# isort: split
import numpy as np
from sklearn.linear_model import RidgeClassifier

import backdoor_curves as bc
from backdoor_curves.data.samples import join

RIDGE = RidgeClassifier(alpha=0.5)


def curve(data: bc.PoisonedData, betas: np.ndarray) -> bc.BackdoorLearningCurve:
    """Return the curve after all that is asked of it: loss and accuracy of both test sets at all betas."""
    answer = bc.backdoor_learning_curve(RIDGE, data)
    for split in ("triggered", "clean"):
        answer.loss(split, betas)
        answer.accuracy(split, betas)
    return answer


def pairs_of_digits(data_dir: str | None) -> tuple[bc.PoisonedData, str]:
    """Return 1500 images of 7 and 1, 500 to test, and where they are from."""
    rng = np.random.default_rng(0)
    try:
        train, test = bc.datasets.mnist((7, 1), n_train=1500, n_test=500, rng=rng, data_dir=data_dir, offline=True)
    except FileNotFoundError:
        return random_rows(784), "random rows"
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng), "MNIST 7-1"


def random_rows(d: int) -> bc.PoisonedData:
    """Return 1500 and 500 rows of two classes that a plane divides."""
    rng = np.random.default_rng(0)
    X, w = rng.random((2000, d)) * rng.random(d), rng.normal(size=d)
    y = (X @ w > np.median(X @ w)).astype(int)
    trigger = bc.FeatureTrigger((d - 1, d - 2), (1.0, 1.0))
    return bc.poison((X[:1500], y[:1500]), (X[1500:], y[1500:]), trigger=trigger, rate=0.1, rng=rng)


def all_digits(data_dir: str | None, n_test: int) -> bc.PoisonedData:
    """Return all of MNIST's training rows, a tenth of them poisoned, and `n_test` rows to test, clean and triggered."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.mnist("all", n_test=n_test, rng=rng, data_dir=data_dir, offline=True)
    trigger = bc.PatchTrigger.random(3, 10, 1, rng)
    return bc.poison(train, test, trigger=trigger, rate=0.1, labels="next", rng=rng)


def operations(data: bc.PoisonedData, k: int, b: int, nodes: int) -> tuple[float, float]:
    """Return the multiplications and additions, in units of 1e9, that a fit and that a curve cannot do without.

    A symmetric product of (n, d) rows is n d min(n, d), a Cholesky factor s^3 / 3, an eigendecomposition 9 s^3 with its
    vectors (14 s^3 for the generalised problem), a product 2 n d k.
    """
    n, m = len(data.clean_train), len(data.poison_train)
    d, tests = data.clean_train.X[0].size, len(data.clean_test) + len(data.triggered_test)

    def normal(rows: int) -> float:
        return float(rows * d * min(rows, d) + min(rows, d) ** 3 / 3)

    if m < d:  # H = A0^-1 Z_P' through the smaller of the two systems, G = Z_P H, its eigenvectors, V = H U
        through = 2 * d * d if d <= n else 2 * n * n + 4 * n * d
        path = normal(n) + through * m + 4 * d * m * m + 9 * m**3
    else:
        path = normal(n) + m * d * d + 14 * d**3
    scores = 2 * nodes * k * (d * min(m, d) + tests * d) + 2 * b * nodes * k * tests * 2  # twice: loss and accuracy
    return (normal(n + m) + 2 * (n + m) * d * k) / 1e9, (path + scores) / 1e9


def table_row(name: str, data: bc.PoisonedData, betas: np.ndarray, pairs: int, refits: bool, memory: bool) -> str:
    """Return one case as a row of the table."""
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    X, y = rows.X.reshape(len(rows), -1), rows.y

    def fit() -> None:
        RIDGE.fit(X, y)

    def twenty() -> None:
        for beta in np.linspace(0.05, 1.0, 20):
            RIDGE.fit(X, y, sample_weight=np.where(data.is_poison, beta, 1.0))

    answer = curve(data, betas)
    fit()
    times = np.array([(seconds(fit), seconds(lambda: curve(data, betas))) for _ in range(pairs)])
    one, whole = np.median(times, axis=0)
    many = f"{np.median([seconds(twenty) / one for _ in range(3)]):.1f}" if refits else "-"
    k = answer.clean.nodal.shape[2]
    peaks = ["-"] * 2
    if memory:
        stored = (answer.clean.nodal.nbytes + answer.triggered.nodal.nbytes) / X.nbytes
        whole_peak, fit_peak = (peak_bytes(work) / X.nbytes for work in (lambda: curve(data, betas), fit))
        peaks = [f"{whole_peak - stored:.2f} + {stored:.2f} stored test scores", f"{fit_peak:.2f}"]
    least_fit, least_curve = operations(data, k, len(betas), len(answer.interpolant.nodes))
    cells = [
        name,
        f"{len(betas)}",
        f"{1e3 * one:.0f}",
        f"{1e3 * whole:.0f}",
        f"**{np.median(times[:, 1] / times[:, 0]):.2f}**",
        many,
        f"{least_fit:.2f} ({least_fit / one:.0f})",
        f"{least_curve:.2f} ({least_curve / whole:.0f})",
        *peaks,
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with the MNIST files; otherwise where datasets.mnist looks")
    parser.add_argument("--pairs", type=int, default=15, help="paired timings of each case (default 15)")
    arguments = parser.parse_args()

    print(machine())
    print(f"A large matrix product runs at {product_rate():.0f} Gflop/s here.\n")
    head = [
        "case",
        "betas",
        "one fit, ms",
        "whole curve, ms",
        "**curve / fit**",
        "20 refits / fit",
        "fit, Gflop (a second)",
        "curve, Gflop (a second)",
        "curve's peak / X",
        "fit's peak / X",
    ]
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    digits, source = pairs_of_digits(arguments.data_dir)
    many, few = np.linspace(0, 1, 1001), np.linspace(0, 1, 101)
    name = f"{source}, n = 1500, d = 784, m = 150"
    print(table_row(name, digits, many, arguments.pairs, refits=True, memory=False), flush=True)
    name = "random rows, n = 1500, d = 4096, m = 150"
    print(table_row(name, random_rows(4096), many, arguments.pairs, refits=True, memory=False), flush=True)
    for n_test in (5000, 10_000):
        try:
            data = all_digits(arguments.data_dir, n_test)
        except FileNotFoundError as error:
            print(f"\nTen classes and 60,000 rows were left out, since MNIST was not found: {error}")
            return
        name = f"MNIST, ten classes, n = 60,000, d = 784, m = 6000, 2 x {n_test} test rows"
        print(table_row(name, data, few, arguments.pairs, refits=False, memory=True), flush=True)


if __name__ == "__main__":
    main()
