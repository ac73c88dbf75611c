"""Slopes of the published MNIST settings against finite differences of independent fits, at 0 and inside.

    python benchmarks/slope_accuracy.py [--data-dir DIR] > benchmarks/slope_accuracy.log

The ten settings of the published curves (6 x 6 trigger, seed 999) and all C and gamma of the published slopes (3 x 3,
seed 1), three pairs, a tenth poisoned. Prints, for each, the slope and how far the differences are from it, and whether
the influences of the poison rows add up to it. What the fits are, and where a step is too short for them, is said in
`tests/reference/slope_differences.py`. One thread; 25 minutes. Ends with an error if something is missed.
"""

from __future__ import annotations

import measure  # first: it asks for one thread

# isort: split
import argparse
import datetime
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from backdoor_curves.poisoning import paper_protocol as protocol
from reference.slope_differences import CURVES, GRIDS, Fits
from reference.svm_mnist import PAIRS, SHARED


def off(difference: float | None, slope: float) -> float:
    """Return the relative distance; NaN where there was no step."""
    return float("nan") if difference is None else abs(difference / slope - 1.0)


def main() -> None:
    """Compare all, one line each, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", default=SHARED, help="folder with the MNIST files")
    asked = parser.parse_args()
    print(f"{datetime.date.today()}, {measure.machine()}")
    print(f"{'setting':44s} pair size |       slope at 0   off by |   beta         slope   off by | sum of influences")
    start, done = time.perf_counter(), []
    for pair in PAIRS:
        images = protocol.mnist_pair(pair, asked.data_dir)
        for cases, size, seed in ((CURVES, 6, protocol.SEED), (GRIDS, 3, 1)):
            data = protocol.badnet(*images, rate=0.1, size=size, seed=seed)
            for case in cases:
                fits = Fits(case, data)
                slope, at_0, (beta, inside) = fits.curve.slope(0.0), fits.at_0(), fits.inside()
                there = fits.curve.slope(beta)
                far = off(at_0, slope), off(inside, there)
                added = abs(fits.curve.influence(0.0).slope / slope - 1.0)
                print(
                    f"{case!s:44s} {pair[0]}-{pair[1]} {size:4d} | {slope:16.6f}  {far[0]:7.0e} | {beta:.4f} "
                    f"{there:13.6f}  {far[1]:7.0e} | {added:.0e}",
                    flush=True,
                )
                done.append((case, *far, added))
    missed = 0
    for hinge, asked_of in ((False, 1e-6), (True, 1e-5)):
        rows = np.array([row[1:] for row in done if row[0].is_hinge == hinge])
        missed += int((rows[:, :2] > asked_of).sum() + (rows[:, 2] > 1e-10).sum())
        print(
            f"\n{'SVMs' if hinge else 'ridge and logistic regression'}: {len(rows)} settings; without a step at 0 "
            f"{np.isnan(rows[:, 0]).sum()}, inside {np.isnan(rows[:, 1]).sum()}; largest distance at 0 "
            f"{np.nanmax(rows[:, 0]):.0e}, inside {np.nanmax(rows[:, 1]):.0e} (asked: {asked_of:g}); influences add up "
            f"to {rows[:, 2].max():.0e} (asked: 1e-10)"
        )
    print(f"{time.perf_counter() - start:.0f} s")
    if missed:
        raise SystemExit(f"{missed} are missed")


if __name__ == "__main__":
    main()
