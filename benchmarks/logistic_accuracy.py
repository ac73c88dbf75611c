"""Every logistic regression of the published MNIST curves against Newton's method: two C, three pairs, three rates.

    python benchmarks/logistic_accuracy.py [--betas N] > benchmarks/logistic_accuracy.log

Prints, for each path, the largest error of a score over both test sets and N random betas, that over the training rows,
what the oracle itself may be off by, the smallest and the median ratio of the certificate's bound to the error, and the
largest objective gap. One thread; 2 minutes.
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
import scipy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from backdoor_curves.poisoning import paper_protocol as protocol
from reference.logistic_mnist import PAIRS, RATES, SHARED, STRENGTHS, compare, random_betas


def main() -> None:
    """Compare all, one line each, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--betas", type=int, default=20, help="random betas a path")
    parser.add_argument("--tolerance", type=float, default=1e-6, help="that the paths are followed to")
    parser.add_argument("--data-dir", default=SHARED, help="folder with the MNIST files")
    asked = parser.parse_args()
    print(
        f"{datetime.date.today()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}; tolerance {asked.tolerance:g}"
    )
    print("    C pair rate nodes |  error training  oracle  bound/error least median |     gap")
    done, start = [], time.perf_counter()
    for pair in PAIRS:
        images = protocol.mnist_pair(pair, asked.data_dir)
        for rate in RATES:
            for C in STRENGTHS:
                betas = random_betas(asked.betas, [*pair, int(100 * rate), int(10 * C)])
                found = compare(C, images, rate, betas, asked.tolerance)
                ratio = found.bound / np.maximum(found.error - found.oracle, 1e-300)
                print(
                    f"{C:5g} {pair[0]}-{pair[1]} {rate:5g} {found.n_nodes:4d} | {found.error.max():.1e}  "
                    f"{found.on_training_rows.max():.1e} {found.oracle.max():.1e}  {ratio.min():16.4g} "
                    f"{np.median(ratio):6.3g} | {found.gap:.1e}",
                    flush=True,
                )
                done.append((found, ratio))
    ratios = np.concatenate([ratio for _, ratio in done])
    print(
        f"\n{len(done)} paths, {len(ratios)} betas: error of a score up to {max(f.error.max() for f, _ in done):.1e}, "
        f"of a training row's {max(f.on_training_rows.max() for f, _ in done):.1e} (asked: {asked.tolerance:g}), "
        f"oracle to {max(f.oracle.max() for f, _ in done):.0e}; bound over error at least {ratios.min():.4g}, median "
        f"{np.median(ratios):.3g}; largest gap {max(f.gap for f, _ in done):.1e} (asked: 2e-9); "
        f"{time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
