"""Search for a small softmax regression whose path is wrong: random problems with ties, repeats, extreme C and classes.

    python benchmarks/softmax_counterexamples.py [--examples N] [--first SEED] > benchmarks/softmax_counterexamples.log

Each example is made from its seed alone, followed, and compared with Newton's method in extended precision at 9 betas;
generator and claims are in `tests/reference/softmax_cases.py`. What does not hold is printed with its seed, and the
summary counts it. One thread; 25 minutes.
"""

# ruff: noqa: E402 - the number of threads is read when numpy is loaded
from __future__ import annotations

import os

for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import argparse
import datetime
import platform
import re
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import scipy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from reference.softmax_cases import failures, random_case


def complaints(seed: int) -> list[str]:
    """Return what does not hold of an example; an exception is a complaint too."""
    try:
        return failures(random_case(seed))
    except Exception as error:  # the search goes on, whatever an example does
        return [f"{type(error).__name__}: {error}"]


def kind(line: str) -> str:
    """Return the first words of a complaint, without its numbers."""
    return " ".join(word for word in line.split() if not re.search(r"\d", word))[:45]


def main() -> None:
    """Search, print what was found, and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    asked = parser.parse_args()
    warnings.simplefilter("error")
    print(
        f"{datetime.date.today()}, {platform.processor() or platform.machine()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}; {asked.examples} examples from seed {asked.first}"
    )
    start, counts, wrong = time.perf_counter(), Counter[str](), 0
    for seed in range(asked.first, asked.first + asked.examples):
        if found := complaints(seed):
            wrong += 1
            counts.update({kind(line) for line in found})
            print(f"{seed:6d}  " + "\n        ".join(found[:3]), flush=True)
    print(f"\n{wrong} of {asked.examples} examples with a complaint, {time.perf_counter() - start:.0f} s")
    for line, count in counts.most_common():
        print(f"{count:6d}  {line}")


if __name__ == "__main__":
    main()
