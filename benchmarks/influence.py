"""What influences cost once a path is there: 500 triggered test rows x 1500 training rows, over accurate fits.

    python benchmarks/influence.py [--data-dir DIR] [--pairs N]

One thread, processor time, medians of pairs taken in turn. A fit is scikit-learn's of the victim's training set
(beta = 1) at a tolerance at which it comes to 1e-6 of the path's scores or as near as it gets; SVMs compute their
kernel in the fit, as the influences compute theirs.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

from measure import machine, seconds  # first: it sets the number of threads

# isort: split
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.data.samples import join
from backdoor_curves.poisoning import paper_protocol as protocol

CASES: tuple[tuple[Any, dict[str, Any]], ...] = (
    (RidgeClassifier(alpha=0.5), {}),
    (LogisticRegression(C=0.1), {"solver": "newton-cholesky", "tol": 1e-8}),
    (LogisticRegression(C=100.0), {"solver": "newton-cholesky", "tol": 1e-8}),
    (SVC(C=1.0, gamma=5e-3), {"tol": 1e-6}),
    (SVC(C=100.0, gamma=5e-3), {"tol": 1e-6}),
    (SVC(C=100.0, gamma=5e-4), {"tol": 1e-6}),
    (SVC(C=1.0, kernel="linear"), {"tol": 1e-6}),
    (LinearSVC(C=0.01, loss="hinge"), {"tol": 1e-7, "max_iter": 20_000}),
    (LinearSVC(C=0.01), {"dual": False, "tol": 1e-9, "max_iter": 10_000}),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="folder with the MNIST files; otherwise where datasets.mnist looks")
    parser.add_argument("--pairs", type=int, default=7, help="paired timings of each case (default 7)")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = protocol.badnet(*protocol.mnist_pair((7, 1), asked.data_dir), rate=0.1, size=3)
    rows = join(data.clean_train, data.poison_train, data.is_poison)
    X, y = rows.X.reshape(len(rows), -1), rows.y
    print(machine())
    print("\n| learner | beta | influences, ms | an accurate fit, ms | **influences / fit** |\n|" + " --- |" * 5)
    for estimator, accurate in CASES:
        curve = bc.backdoor_learning_curve(estimator, data)
        fit = type(estimator)(**{**estimator.get_params(), **accurate})
        for beta in (0.0, 1.0):
            pairs = [
                (seconds(lambda b=beta, c=curve: c.influence(b)), seconds(lambda f=fit: f.fit(X, y)))
                for _ in range(asked.pairs)
            ]
            times = np.array(pairs)
            ours, theirs = 1e3 * np.median(times, axis=0)
            name = " ".join(repr(estimator).split())
            ratio = np.median(times[:, 0] / times[:, 1])
            print(f"| {name} | {beta:g} | {ours:.0f} | {theirs:.0f} | **{ratio:.2f}** |", flush=True)


if __name__ == "__main__":
    main()
