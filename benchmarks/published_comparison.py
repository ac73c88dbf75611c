"""Every published number beside the paper's recipe repeated and the exact one, and what the paper concludes, tested.

    python benchmarks/published_comparison.py --run runs/paper-mnist --keep DIR > benchmarks/published_comparison.log

The recipe is repeated with two processes, three minutes for the files of a pair; what is done is kept in DIR and found
there the next time. `--csv FILE` writes all rows. Ends with an error if a number is unexplained.
"""

from __future__ import annotations

import measure  # first: it asks for one thread

# isort: split
import argparse
import datetime
import time
from collections import Counter
from pathlib import Path

import backdoor_curves as bc
from backdoor_curves.paper.claims.conclusions import claims_of
from backdoor_curves.paper.numbers.comparison import as_csv, as_text, compare, summary
from backdoor_curves.paper.numbers.published_files import read_published
from backdoor_curves.paper.numbers.repeated import repeat

SHARED = Path(__file__).parents[2] / "shared"


def main() -> None:
    """Compare all, and end with an error if a number is unexplained."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=SHARED / "data", help="folder with the MNIST files")
    parser.add_argument("--reference-dir", type=Path, default=SHARED / "reference", help="folder with the files")
    parser.add_argument("--run", type=Path, action="append", required=True, help="a run of paper-mnist; several may be")
    parser.add_argument("--keep", type=Path, required=True, help="folder for what the recipe gives")
    parser.add_argument("--csv", type=Path, help="file for all rows")
    asked = parser.parse_args()
    print(f"{datetime.date.today()}, {measure.machine()}")
    published = read_published(asked.reference_dir)
    start = time.perf_counter()
    repeated = repeat(published, asked.keep, data_dir=asked.data_dir, offline=True, n_jobs=2)
    between = time.perf_counter()
    runs = [bc.load_run(path) for path in asked.run]
    rows = compare(published, repeated, *runs)
    done = ", ".join(f"{run.n_done} of {run.n_cells} cells" for run in runs)
    print(
        f"repeated in {between - start:.0f} s, or found; compared in {time.perf_counter() - between:.1f} s with {done}"
    )
    print("\n" + as_text(summary(rows)) + "\n")
    print(
        f"{len(rows)} numbers: {', '.join(f'{n} {verdict}' for verdict, n in Counter(r.verdict for r in rows).items())}"
    )
    if asked.csv:
        asked.csv.write_text(as_csv(rows))
    print("\nWhat the paper concludes:")
    for claim in claims_of(runs, published.slopes):
        print(f"{claim.verdict}: {claim.name} ({claim.about}): {'; '.join(map(str, claim.measured))}")
    if unexplained := [row for row in rows if not row.explained]:
        raise SystemExit(f"{len(unexplained)} unexplained, the first: {unexplained[0]}")


if __name__ == "__main__":
    main()
