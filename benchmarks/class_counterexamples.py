"""Search for a small SVM of K classes whose curve is wrong: ties, repeats, extreme C, classes of one row.

    python benchmarks/class_counterexamples.py [--examples N] [--first SEED] > benchmarks/class_counterexamples.log

Each example is made from its seed alone, followed, and each of its columns compared with a proved optimum; generator
and claims are in `tests/reference/class_cases.py`. A counterexample is printed with its seed, and the summary counts
what failed. One thread; about a quarter of an hour.
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
import signal
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import piqp
import scipy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from reference.class_cases import Case, failures, random_case

LONGEST = 20
"""Seconds of processor time that a small example may take, whatever else the machine does."""


def complaints(case: Case) -> list[str]:
    """Return what does not hold; an exception is a complaint too, and so is an example that takes too long."""
    signal.setitimer(signal.ITIMER_PROF, LONGEST)
    try:
        return failures(case)
    except Exception as error:  # the search goes on, whatever an example does
        return [f"{type(error).__name__}: {error}"]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def give_up(signum: int, frame: object) -> None:  # noqa: ARG001
    """Stop an example."""
    raise TimeoutError("no path within the time limit")


def kind(line: str) -> str:
    """Return the first words of a complaint, without its numbers."""
    return " ".join(word for word in line.split() if not re.search(r"\d", word))[:45]


def main() -> None:
    """Go through the examples and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first example")
    asked = parser.parse_args()
    print(
        f"{datetime.date.today()}, {platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}, piqp {piqp.__version__}; seeds {asked.first} to {asked.first + asked.examples - 1}"
    )
    warnings.simplefilter("error")
    signal.signal(signal.SIGPROF, give_up)
    start, kinds, wrong = time.perf_counter(), Counter[str](), 0
    for seed in range(asked.first, asked.first + asked.examples):
        case = random_case(seed)
        if lines := complaints(case):
            print(f"\nseed {seed}: {case}", *lines[:4], sep="\n    ", flush=True)
            wrong += 1
            kinds.update({kind(line) for line in lines})
    print(f"\n{asked.examples} examples, {wrong} counterexamples; {time.perf_counter() - start:.0f} s")
    for what, count in kinds.most_common():
        print(f"{count:6d}  {what}")


if __name__ == "__main__":
    main()
