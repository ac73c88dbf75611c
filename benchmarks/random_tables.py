"""Search for a table whose curve is not that of scikit-learn's own fits: random types, scales, gaps, labels, frames.

    python benchmarks/random_tables.py [--examples N] [--seed SEED] > benchmarks/random_tables.log

hypothesis draws the tables from the seed; they and the claims are in `tests/reference/table_cases.py` and
`table_claims.py`. Each table is poisoned, and its curve compared at beta = 0 and 1 with scikit-learn's own fits on the
same rows. A table that contradicts is printed as it is written in Python; the log ends with what became of all,
sentence by sentence. One thread; 15 minutes.
"""

from __future__ import annotations

from measure import machine, seconds  # isort: skip - it asks for one thread

import argparse
import datetime
import re
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
import pandas as pd
import polars as pl
import scipy
from hypothesis import HealthCheck, Phase, given, settings

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from reference.table_cases import Table, tables
from reference.table_claims import Outcome, outcome_of

LONGEST = 3
"""Seconds of processor time that a small table may take, whatever else the machine does."""
LONG = 1.0
"""Seconds after which a small table is slow."""


class TooLongError(BaseException):
    """An example takes too long; nothing that tries other ways may catch it."""


@dataclass
class Tally:
    """What became of the tables so far."""

    kinds: Counter[str] = field(default_factory=Counter)
    sentences: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], str] = field(default_factory=dict)
    worst: float = 0.0
    nearer: int = 0
    slow: int = 0

    def add(self, table: Table, outcome: Outcome, took: float) -> None:
        """Count a table; print it if it contradicts, and of each thousand what became of those so far."""
        said = outcome.kind, without_numbers(outcome.said)
        self.kinds[outcome.kind] += 1
        self.sentences[said] += 1
        self.first.setdefault(said, outcome.said)
        self.worst = max(self.worst, outcome.difference)
        self.nearer += outcome.nearer
        self.slow += took > LONG
        if sum(self.kinds.values()) % 1000 == 0:
            print(f"\n{dict(self.kinds.most_common())}", flush=True)
        if outcome.kind in ("wrong", "too long"):
            print(f"\n{outcome.kind}: {outcome.said}\n    {table}", flush=True)


def without_numbers(said: str) -> str:
    """Return the first words of a sentence, numbers and names left out, by which sentences are counted."""
    return re.sub(r"-?\d+(\.\d+)?(e[+-]?\d+)?|'[^']*'|\b(inf|nan)\b", "#", said)[:110]


def outcome_in_time(table: Table) -> Outcome:
    """Return what became of a table; an exception of the search itself is a contradiction too."""
    signal.setitimer(signal.ITIMER_PROF, LONGEST, 1.0)
    try:
        return outcome_of(table)
    except TooLongError:
        return Outcome("too long", f"no answer within {LONGEST} s")
    except Exception as error:  # the search goes on, whatever an example does
        return Outcome("wrong", f"{type(error).__name__}: {error}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


def give_up(signum: int, frame: object) -> None:  # noqa: ARG001
    """Stop an example."""
    raise TooLongError


def main() -> None:
    """Go through the tables and sum up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=15)
    asked = parser.parse_args()
    print(
        f"{datetime.date.today()}, {machine()}, scipy {scipy.__version__}, pandas {pd.__version__}, polars "
        f"{pl.__version__}, hypothesis {hypothesis.__version__}; seed {asked.seed}",
        flush=True,
    )
    signal.signal(signal.SIGPROF, give_up)
    tally = Tally()

    @hypothesis.seed(asked.seed)
    @settings(
        max_examples=asked.examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(tables())
    def search(table: Table) -> None:
        found: list[Outcome] = []
        took = seconds(lambda: found.append(outcome_in_time(table)))
        tally.add(table, found[0], took)

    took = seconds(search)
    print(
        f"\n{sum(tally.kinds.values())} tables; {took:.0f} s of processor time, {tally.slow} took more than {LONG:g} s"
    )
    print(*(f"{count:6d}  {kind}" for kind, count in tally.kinds.most_common()), sep="\n")
    print(
        f"largest difference of a score from a fit's, relative to 1 and the largest: {tally.worst:.1e}; of "
        f"{tally.nearer} tables a fit is farther off, and farther from the optimum: its objective is above the path's"
    )
    for (kind, words), count in sorted(tally.sentences.items(), key=lambda item: (item[0][0], -item[1])):
        if words:
            print(f"{count:6d}  {kind}: {tally.first[kind, words]}")


if __name__ == "__main__":
    main()
