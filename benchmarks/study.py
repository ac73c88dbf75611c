"""The paper's whole MNIST study against scikit-learn cell by cell, on the same cores; and the store and the plan.

    python benchmarks/study.py --data-dir DIR [--share 0.1] [--jobs 2]

The study is `studies/paper-mnist.toml`: 1690 cells, each with its whole path. Beside it, in the same run and with as
many processes, the paper's protocol is measured on a share of the cells, a tenth unless asked otherwise, and scaled to
all, as is said with each number. The share is of each learner at each lambda and gamma alike, since these differ by a
factor of 50. One half of it is measured before the study and one after it.

    curves    20 fits at the paper's betas, with losses and accuracies on both test sets: a path as the paper has it
    slopes    the published slope of a cell: three fits and the influence formula (`paper.numbers.published`)

The estimators are those of the paper, at scikit-learn's tolerances. Of the protocol only fits and scores are counted,
of the study all that its processes do. Ratios are given in processor time, with one BLAS thread a process, and in wall
time; other users of the machine change the former least.
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
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import Any

import numpy as np

from backdoor_curves.data.samples import join
from backdoor_curves.paper.numbers import published
from backdoor_curves.poisoning import paper_protocol as protocol
from backdoor_curves.study.compute.cell import Outcome, estimator
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.scenario import Cell
from backdoor_curves.study.plan.sources import draw
from backdoor_curves.study.run_study import Wishes, run_study
from backdoor_curves.study.store.run import load_run
from backdoor_curves.study.store.sqlite import Store

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


@dataclass(frozen=True)
class Spent:
    """Seconds of processor time, and of wall time on all processes together."""

    cpu: float
    wall: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.cpu + other.cpu, self.wall + other.wall)


def by_scikit_learn(cell: Cell, data_dir: Path) -> tuple[Spent, Spent]:
    """Return what a cell's curve and its published slope take; nothing is shared between cells but their rows."""
    at = cell.scenario
    if at.data not in _rows:
        _rows[at.data] = draw(at.data, cell.seed, data_dir, True)
    data = protocol.badnet(*_rows[at.data], rate=at.rate, size=at.trigger.size, seed=cell.seed)
    return spent(lambda: refits(cell, data)), spent(lambda: published_slope(cell, data))


def spent(work: Callable[[], object]) -> Spent:
    """Return what some work takes in this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


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
    learner: Any = names[cell.setting.learner.kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        published.published_row(learner, data, C=1.0 / cell.setting.lam, gamma=cell.setting.gamma)


def measure_study(data_dir: Path, jobs: int, folder: Path) -> Spent:
    """Run the study, print what it took, and return it."""
    before, start, own = getrusage(RUSAGE_CHILDREN), time.perf_counter(), time.process_time()
    *_, last = run_study(read_study(STUDY), folder, Wishes(jobs, 2.0**33), data_dir=data_dir, offline=True)
    wall, own = time.perf_counter() - start, time.process_time() - own
    after = getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = sum(path.stat().st_size for path in folder.glob("*.sqlite"))
    run = load_run(folder)
    print(
        f"study: {last}; {wall:.0f} s on {jobs} processes, {cpu:.0f} s of processor time in them, {own:.1f} s in the "
        f"coordinator; {size / 1e6:.0f} MB; {len(run.failed)} failed; {loads()}",
        flush=True,
    )
    cells = run.to_frame()
    for (learner, gamma), some in cells.groupby(["learner", "gamma"], dropna=False):
        print(f"    {learner}, gamma {gamma:g}: {len(some)} cells, {some.seconds.mean():.3f} s each", flush=True)
    return Spent(cpu + own, wall)


def share_of(cells: list[Cell], share: float) -> list[Cell]:
    """Return every k-th cell of each learner at each lambda and gamma, beginning with another one for each."""
    settings: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        settings.setdefault((cell.setting, len(cell.keep.betas or ())), []).append(cell)
    k = round(1.0 / share)
    return [cell for first, some in enumerate(settings.values()) for cell in some[first % min(k, len(some)) :: k]]


def measure_protocols(cells: list[Cell], data_dir: Path, jobs: int) -> tuple[Spent, Spent]:
    """Return what curves and slopes of some cells take with scikit-learn, in processes of their own."""
    none = Spent(0.0, 0.0)
    if not cells:
        return none, none
    with ProcessPoolExecutor(jobs) as pool:
        curves, slopes = zip(*pool.map(by_scikit_learn, cells, [data_dir] * len(cells)), strict=True)
    print(f"scikit-learn on {len(cells)} cells, {jobs} processes; {loads()}", flush=True)
    return sum(curves, none), sum(slopes, none)


def compare(protocols: tuple[Spent, Spent], study: Spent, scale: float, jobs: int) -> None:
    """Print what the protocols would take on all cells, and how many times the study that is."""
    for name, took in zip(("curves, 20 fits a cell", "slopes, 3 fits and the formula"), protocols, strict=True):
        cpu, wall = scale * took.cpu, scale * took.wall / jobs
        print(
            f"{name}: {took.cpu:.0f} s of processor time, scaled by {scale:.2f}: {cpu:.0f} s, and {wall:.0f} s of "
            f"wall time. {cpu / study.cpu:.1f} times the study in processor time, {wall / study.wall:.1f} in wall time",
            flush=True,
        )


def loads() -> str:
    """Return how busy the machine is."""
    return f"load {os.getloadavg()[0]:.1f}"


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
        cells = [planned.cell for planned in make_plan(read_study(STUDY), asked.data_dir, True).cells]
        some = share_of(cells, asked.share) if asked.share else []
        before = measure_protocols(some[::2], asked.data_dir, asked.jobs)
        study = measure_study(asked.data_dir, asked.jobs, Path(name) / "study")
        after = measure_protocols(some[1::2], asked.data_dir, asked.jobs)
        if some:
            both = before[0] + after[0], before[1] + after[1]
            compare(both, study, len(cells) / len(some), asked.jobs)
    print(f"load after {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
