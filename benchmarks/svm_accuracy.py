"""Every SVM of the published MNIST curves against an interior-point solution: six settings, three pairs, three rates.

    python benchmarks/svm_accuracy.py [--betas N] > benchmarks/svm_accuracy.log

Prints, for each path, the largest error of a score over both test sets and N random betas, what the oracle itself may
be off by, the smallest and the median ratio of the certificate's bound to the error, and the largest gap at a node.
One thread; 20 minutes.
"""

# ruff: noqa: E402 - the number of threads is read when numpy is loaded
from __future__ import annotations

import os

for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import datetime
import platform
import sys
import time
from pathlib import Path

import numpy as np
import piqp
import scipy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from backdoor_curves.poisoning import paper_protocol as protocol
from reference.svm_mnist import PAIRS, RATES, SETTINGS, SHARED, compare, random_betas


def main() -> None:
    """Compare all, one line each, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--betas", type=int, default=20, help="random betas a path")
    parser.add_argument("--data-dir", default=SHARED, help="folder with the MNIST files")
    asked = parser.parse_args()
    print(
        f"{datetime.date.today()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}, piqp {piqp.__version__}"
    )
    print(
        f"{'setting':24s} pair rate nodes |  error  oracle  bound/error least median | gap at nodes perturbed  unique"
    )
    done, start = [], time.perf_counter()
    for pair in PAIRS:
        images = protocol.mnist_pair(pair, asked.data_dir)
        for rate in RATES:
            for i, setting in enumerate(SETTINGS):
                found = compare(setting, images, rate, random_betas(asked.betas, [*pair, int(100 * rate), i]))
                kept = found.unique
                ratio = found.bound[kept] / np.maximum(found.error[kept] - found.oracle[kept], 1e-300)
                print(
                    f"{setting!s:24s} {pair[0]}-{pair[1]} {rate:4g} {found.n_nodes:5d} | {found.error[kept].max():.1e} "
                    f"{found.oracle[kept].max():.0e} {ratio.min():12.3g} {np.median(ratio):9.3g}     | "
                    f"{found.nodal_gap:.1e} {found.perturbation:14.0e} {kept.sum():4d}/{len(kept)}",
                    flush=True,
                )
                done.append((found, ratio))
    error = max(found.error[found.unique].max() for found, _ in done)
    ratios = np.concatenate([ratio for _, ratio in done])
    print(
        f"\n{len(done)} paths, {sum(found.unique.sum() for found, _ in done)} betas with a unique intercept: "
        f"largest error of a score {error:.1e} (asked: 1e-7), oracle to "
        f"{max(found.oracle[found.unique].max() for found, _ in done):.0e}; bound over error at least "
        f"{ratios.min():.3g}, median {np.median(ratios):.3g}; largest gap at a node "
        f"{max(found.nodal_gap for found, _ in done):.1e} (asked: 2e-9); "
        f"{sum(found.perturbation > 0 for found, _ in done)} paths perturbed on the way; "
        f"{time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
