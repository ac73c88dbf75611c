"""What a certificate holds on MNIST 7-1, beside an attack that knows the test row and beside partition ensembles.

    python benchmarks/certificates.py

1500 training rows, 500 test rows. The attack appends copies of a test row with the other label, on 60 of them.
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc
from partition_ensemble import PartitionEnsemble

ROWS = (0, 1, 5, 15, 30)
ATTACKED = 60


def main() -> None:
    """Print the share of test rows that are right and certified, by appended rows."""
    train, test = bc.datasets.mnist((7, 1), n_train=1500, n_test=500, rng=np.random.default_rng(0))
    (X, y), (T, asked) = ((part.X.reshape(len(part), -1), part.y) for part in (train, test))
    print("| learner | seconds |" + "".join(f" m = {m} |" for m in ROWS))
    print("|---" * (2 + len(ROWS)) + "|")
    for C in (0.01, 0.05, 0.1, 1.0):
        machine = SVC(C=C, gamma=0.05)
        start = time.process_time()
        found = bc.certify(machine, (X, y), (T, asked), limit=max(ROWS))
        row(f"SVC, C = {C:g}, gamma = .05", time.process_time() - start, [found.share(m) for m in ROWS])
        if C <= 0.05:
            few = T[:ATTACKED], asked[:ATTACKED]
            needed = bc.copies_needed(machine, (X, y), few, limit=max(ROWS))
            right = found.predicted[:ATTACKED] == few[1]
            row(f"the same, left by copies of {ATTACKED} rows", 0.0, [(right & (needed > m)).mean() for m in ROWS])
            held = found.radius[:ATTACKED]
            print(f"copies against the certificate: {int((needed <= held).sum())} violations")
    for k in (50, 150):
        start = time.process_time()
        ensemble = PartitionEnsemble(SVC(C=10.0), k).fit(X, y)
        radius, right = ensemble.radius(T), ensemble.predict(T) == asked
        row(f"{k} parts, SVC, C = 10", time.process_time() - start, [(right & (radius >= m)).mean() for m in ROWS])


def row(name: str, seconds: float, shares: list[float]) -> None:
    """Print a line of the table."""
    print(f"| {name} | {seconds:.1f} |" + "".join(f" {share:.3f} |" for share in shares))


if __name__ == "__main__":
    main()
