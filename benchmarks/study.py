"""The paper's whole MNIST study against scikit-learn cell by cell, on the same cores; and the store and the plan.

    python benchmarks/study.py --data-dir DIR [--share 0.1] [--jobs 2]

The study is `studies/paper-mnist.toml`: 1690 cells, each with its whole path. Two protocols are measured beside it, on
a tenth of the cells drawn at random (`--share`), and scaled to all, as is said with each number:

    curves    20 fits at the paper's betas, with losses and accuracies on both test sets: a path as the paper has it
    slopes    the published slope of a cell: three fits and the influence formula (`paper.published`)

All are counted in processor time of one BLAS thread each, which other users of the machine change least, and over the
number of processes; the wall time of the study is printed too. A ratio is of numbers of one run.
"""

from __future__ import annotations

import measure  # first: it asks for one thread

# isort: split
import argparse
import datetime
import os
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import numpy as np

from backdoor_curves.data import join
from backdoor_curves.paper import protocol, published
from backdoor_curves.study.config import DataConfig, read_study
from backdoor_curves.study.plan import Cell, make_plan
from backdoor_curves.study.run import load_run
from backdoor_curves.study.running import Wishes, run_study
from backdoor_curves.study.sources import draw
from backdoor_curves.study.store import Store
from backdoor_curves.study.work import Outcome, estimator

STUDY = Path(__file__).parents[1] / "studies" / "paper-mnist.toml"
BIG = """
name = "big"
seeds = {range = [0, 100]}
rates = {geomspace = [0.01, 0.5, 10]}
data = {n_train = 200, n_test = 100}
learners = [
    {kind = "ridge", lambda = {geomspace = [1e-3, 1e3, 50]}},
    {kind = "rbf-svm", lambda = {geomspace = [1e-3, 1e3, 10]}, gamma = {geomspace = [1e-3, 1, 5]}},
]
"""
_rows: dict[DataConfig, Any] = {}


def by_scikit_learn(cell: Cell, data_dir: Path) -> tuple[float, float]:
    """Return the seconds of processor time of a cell's curve and of its published slope; nothing is shared."""
    if cell.data not in _rows:
        _rows[cell.data] = draw(cell.data, cell.seed, data_dir, True)
    data = protocol.badnet(*_rows[cell.data], rate=cell.rate, size=cell.trigger.size, seed=cell.seed)
    return measure.seconds(lambda: refits(cell, data)), measure.seconds(lambda: published_slope(cell, data))


def refits(cell: Cell, data: Any) -> list[tuple[float, ...]]:
    """Return losses and accuracies of 20 fits."""
    joined = join(data.clean_train, data.poison_train, data.is_poison)
    X = joined.X.reshape(len(joined), -1)
    tests = [(split.X.reshape(len(split), -1), split.y) for split in (data.triggered_test, data.clean_test)]
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # liblinear does not converge at large C, as the paper's did not
        for beta in protocol.BETAS:
            kept = ~data.is_poison if beta == 0.0 else np.ones(len(X), dtype=bool)
            weights = np.where(data.is_poison, beta, 1.0)[kept]
            fitted = estimator(cell).fit(X[kept], joined.y[kept], sample_weight=weights)
            for rows, y in tests:
                score = fitted.decision_function(rows)
                margin = np.where(y == 1, score, -score)
                found.append((float(np.maximum(0.0, 1.0 - margin).mean()), float((margin > 0).mean())))
    return found


def published_slope(cell: Cell, data: Any) -> None:
    """Compute the row of the published file."""
    names = {"logistic": "logistic", "ridge": "ridge", "linear-svm": "svm", "rbf-svm": "svm-rbf"}
    learner: Any = names[cell.learner]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        published.published_row(learner, data, C=1.0 / cell.lam, gamma=cell.gamma)


def measure_study(data_dir: Path, jobs: int, folder: Path) -> float:
    """Run the study, print what it took, and return its processor time."""
    before, start = getrusage(RUSAGE_CHILDREN), time.perf_counter()
    own = time.process_time()
    *_, last = run_study(read_study(STUDY), folder, Wishes(jobs, 2.0**33), data_dir=data_dir, offline=True)
    wall, own = time.perf_counter() - start, time.process_time() - own
    after = getrusage(RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = sum(path.stat().st_size for path in folder.glob("*.sqlite"))
    print(
        f"study: {last}; {wall:.0f} s on {jobs} processes, {spent:.0f} s of processor time in them "
        f"({spent / jobs:.0f} s each), {own:.1f} s in the coordinator; {size / 1e6:.0f} MB; "
        f"{len(load_run(folder).failed)} failed",
        flush=True,
    )
    return spent + own


def measure_protocols(data_dir: Path, jobs: int, share: float, ours: float) -> None:
    """Measure a share of the cells with scikit-learn, and print what all would take."""
    cells = [planned.cell for planned in make_plan(read_study(STUDY), data_dir, True).cells]
    chosen = np.random.default_rng(0).choice(len(cells), round(share * len(cells)), replace=False)
    some = [cells[place] for place in sorted(chosen)]  # a fixed step would meet one lambda again and again
    with ProcessPoolExecutor(jobs) as pool:
        times = np.array(list(pool.map(by_scikit_learn, some, [data_dir] * len(some))))
    for name, spent in zip(
        ("curves, 20 fits a cell", "slopes, 3 fits and the formula"), times.sum(axis=0), strict=True
    ):
        whole = spent * len(cells) / len(some)
        print(
            f"{name}: {spent:.0f} s of processor time for {len(some)} cells, scaled to {len(cells)}: {whole:.0f} s, "
            f"{whole / ours:.1f} times the study",
            flush=True,
        )


def measure_store(folder: Path) -> None:
    """Print what the store adds to a cell of 50 kB, committed as often as in a run."""
    plan = make_plan(read_study(STUDY.parent.parent / "src/backdoor_curves/study/digits.toml"))
    planned, n = plan.cells[0], 5000
    record = np.random.default_rng(0).bytes(50_000)
    numbers = dict.fromkeys(map(str, range(17)), 0.1234567890123456)
    with Store(folder / "run.sqlite") as store:
        start, own = time.perf_counter(), time.process_time()
        for k in range(n):
            store.add(Outcome(f"{k:032x}", 0.1, numbers, {"curve": record}), planned.cell, "hash")
            store.commit_if_due()
        store.commit()
        wall, own = time.perf_counter() - start, time.process_time() - own
    print(f"store: {1e3 * wall / n:.2f} ms a cell of 50 kB, {1e3 * own / n:.2f} of them processor time", flush=True)


def measure_plan(folder: Path) -> None:
    """Print how long a plan of 100,000 cells takes to check, and to resume with all but one of them done."""
    (folder / "big.toml").write_text(BIG)
    start = time.perf_counter()
    study = read_study(folder / "big.toml")
    plan = make_plan(study)
    checked = time.perf_counter() - start
    run = folder / "big"
    first = next(run_study(study, run, Wishes(1, 2.0**33)))
    with Store(run / "run.sqlite") as store:
        for planned in plan.cells[1:]:
            store.add(Outcome(planned.key, 0.1, {"area": 1.0}), planned.cell, "hash")
    start = time.perf_counter()
    progress = next(run_study(study, run, Wishes(1, 2.0**33)))
    resumed = time.perf_counter() - start
    start = time.perf_counter()
    kept = load_run(run)
    listed = time.perf_counter() - start
    print(
        f"plan of {first.total} cells: checked in {checked:.1f} s, resumed ({progress}) in {resumed:.1f} s, "
        f"listed ({kept.n_done} of {kept.n_cells}) in {listed:.1f} s",
        flush=True,
    )


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with the MNIST files")
    parser.add_argument("--share", type=float, default=0.1, help="of the cells, for scikit-learn; 0 for none")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-study", action="store_true", help="the store and the plan only")
    asked = parser.parse_args()
    print(f"{datetime.date.today()}, {measure.machine()}; load before {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        measure_store(Path(name) / "store")
        measure_plan(Path(name))
        if asked.no_study:
            return
        ours = measure_study(asked.data_dir, asked.jobs, Path(name) / "study")
        if asked.share:
            measure_protocols(asked.data_dir, asked.jobs, asked.share, ours)
    print(f"load after {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
