"""Search for a small SVM whose path is wrong: random problems with ties, repeats, extreme bounds and kernels.

    python benchmarks/svm_counterexamples.py [--examples N] [--first SEED] [--on-demand] > FILE.log

Each example is made from its seed alone, followed, and compared with a proved optimum; generator and claims are in
`tests/reference/svm_cases.py`. A counterexample is printed with its seed, and the first three of a kind again with as
few rows as it takes. The summary counts what failed. With `--on-demand` no example has a kernel matrix: its kernel, by
name, is had row by row, three rows are kept and values are computed 64 at a time, so that rows come and go at every
step. One thread; 15 minutes.
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
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import piqp
import scipy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from backdoor_curves.kernels import on_demand
from backdoor_curves.kernels.by_name import RBF, Linear, Polynomial
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.kernels.on_demand import RowsOnDemand
from backdoor_curves.paths.svm import decomposition
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.paths.svm.path import SVMPath
from reference.svm_cases import Case, failures, random_case

LONGEST = 20
"""Seconds of processor time that a small example may take, whatever else the machine does."""


def by_name(case: Case) -> Kernel:
    """Return the kernel of an example, whose rows can be had."""
    name, parameter = case.kernel
    kernels = {"linear": Linear(), "rbf": RBF(parameter), "poly": Polynomial(1.0, 1.0, int(parameter))}
    return kernels[name]


def follow_on_demand(case: Case) -> SVMPath:
    """Return the path of an example without its kernel matrix."""
    rows_of = partial(RowsOnDemand, room=0.0)
    return svm_path(case.X, case.y, case.u0, case.du, by_name(case), case.intercept, matrix_of=rows_of)


def keep_little() -> None:
    """Let no example have a kernel matrix, and keep, compute and solve little at a time."""
    on_demand.FEWEST, on_demand.COMPUTED, on_demand.COPIED, on_demand.DIAGONAL = 3, 64, 50, 4
    decomposition.TOGETHER = 8
    Case.path = follow_on_demand
    Case.cross = lambda case, A, B: by_name(case)(A, B)  # the oracle's too: on rows almost alike a unit counts


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


def smaller(case: Case, fails: Callable[[Case], bool]) -> Case:
    """Take out rows, first many at a time, as long as it still fails and is no matter of minutes."""
    size, deadline = len(case.y) // 2, time.process_time() + LONGEST
    while size:
        start = 0
        while start < len(case.y) and time.process_time() < deadline:
            rest = case.take(np.delete(np.arange(len(case.y)), slice(start, start + size)))
            if rest.is_posed and fails(rest):
                case = rest
            else:
                start += size
        size //= 2
    return case


def show(case: Case, lines: list[str]) -> None:
    """Print what is left of a counterexample."""
    first = kind(lines[0])
    least = smaller(case, lambda rest: any(kind(line) == first for line in complaints(rest)))
    print(f"    smaller: {least}", *complaints(least)[:2], sep="\n        ")
    if least.X.size <= 60:
        for name in ("X", "y", "u0", "du"):
            print(f"        {name} = {getattr(least, name).tolist()}")
    sys.stdout.flush()


def main() -> None:
    """Go through the examples and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first example")
    parser.add_argument("--on-demand", action="store_true", help="no kernel matrix, and next to nothing kept")
    asked = parser.parse_args()
    if asked.on_demand:
        keep_little()
    print(
        f"{datetime.date.today()}, {platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, "
        f"scipy {scipy.__version__}, piqp {piqp.__version__}; seeds {asked.first} to {asked.first + asked.examples - 1}"
        + (", rows on demand" if asked.on_demand else "")
    )
    warnings.simplefilter("error")
    signal.signal(signal.SIGPROF, give_up)
    start, kinds, wrong = time.perf_counter(), Counter[str](), 0
    for seed in range(asked.first, asked.first + asked.examples):
        case = random_case(seed)
        if lines := complaints(case):
            print(f"\nseed {seed}: {case}", *lines[:4], sep="\n    ", flush=True)
            if kinds[kind(lines[0])] < 3:
                show(case, lines)
            wrong += 1
            kinds.update({kind(line) for line in lines})
    print(f"\n{asked.examples} examples, {wrong} counterexamples; {time.perf_counter() - start:.0f} s")
    for what, count in kinds.most_common():
        print(f"{count:6d}  {what}")


if __name__ == "__main__":
    main()
