"""Kill the coordinator of a study again and again, and see that nothing is lost; then its workers, and a bad cell.

    python benchmarks/kills.py [--kills 100] [--worker-kills 20] > benchmarks/kills.log

SIGKILL at random moments, from before a run begins to its last cells; then the run goes on. After each kill: no cell is
lost that was acknowledged, and no process is left. After each whole run: it equals an uninterrupted one value for
value, every array of every record included. Then workers are killed under a run, one of whose cells always kills its
own: all other cells are done. Linux only: processes are looked for in /proc.
"""

from __future__ import annotations

import measure  # first: it asks for one thread

# isort: split
import argparse
import datetime
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.run_study import Wishes, run_study
from backdoor_curves.study.store.run import load_run
from backdoor_curves.study.store.sqlite import read_record

STUDY = """
name = "kills"
figures = false
seeds = {range = [0, 4]}
rates = [0.1, 0.2]
data = {n_train = 150, n_test = 100}
learners = [
    {kind = "logistic", lambda = {geomspace = [0.1, 10, 6]}},
    {kind = "ridge", lambda = {geomspace = [0.1, 10, 6]}},
    {kind = "linear-svm", lambda = {geomspace = [0.1, 10, 6]}},
    {kind = "rbf-svm", lambda = {geomspace = [0.1, 10, 6]}, gamma = [0.02, 0.1]},
]
"""
BAD = 10.0
"""The lambda of the cells that kill their worker, with this seed and rate."""
SITE = f"""
import os, signal
import backdoor_curves.study.compute.cell as work
real = work.estimator
def estimator(cell):
    if (cell.setting.learner.kind, cell.setting.lam, cell.seed, cell.scenario.rate) == ("ridge", {BAD}, 0, 0.1):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(cell)
work.estimator = estimator
"""


def coordinate(study: Path, folder: Path) -> None:
    """Run a study in this process, and acknowledge on standard output what is on disk."""
    for progress in run_study(read_study(study), folder, Wishes(2, 2.0**33, retry_failed=True)):
        print(progress.done, progress.left, flush=True)


def processes_with(token: str) -> list[int]:
    """Return the processes that have a token in their environment, zombies and this one left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if token.encode() in path.read_bytes() and ") Z " not in (path.parent / "stat").read_text():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def content(folder: Path) -> dict[str, Any]:
    """Return all that a run keeps but its times."""
    run = load_run(folder)
    found: dict[str, Any] = {}
    for cell in run.cells:
        found[cell.key] = cell.status, cell.cell, dict(cell.numbers), cell.data, cell.reason
        record = read_record(run.files[cell.key], cell.key, "curve")
        if record is not None:
            with np.load(io.BytesIO(record)) as arrays:
                found[cell.key + " curve"] = {name: arrays[name].tobytes() for name in arrays.files}
    return found


class Trial:
    """Runs of one study under fire."""

    def __init__(self, folder: Path) -> None:
        self.study, self.folder = folder / "kills.toml", folder / "run"
        self.study.write_text(STUDY)
        self.token = f"kills-{os.getpid()}-{time.time_ns()}"

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Start a coordinator."""
        command = [sys.executable, __file__, "--coordinate", str(self.study), str(self.folder)]
        environment = {**os.environ, "TOKEN": self.token, **environment}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)

    def life(self, seconds: float) -> tuple[int, bool]:
        """Let a coordinator live so long and kill it; return what it has acknowledged, and whether it was done."""
        output = Path(f"{self.folder}.out")
        with output.open("w") as file:
            command = [sys.executable, __file__, "--coordinate", str(self.study), str(self.folder)]
            going = subprocess.Popen(command, stdout=file, env={**os.environ, "TOKEN": self.token})
            try:
                going.wait(seconds)
            except subprocess.TimeoutExpired:
                going.send_signal(signal.SIGKILL)
                going.wait()
        lines = [line.split() for line in output.read_text().splitlines() if line.count(" ") == 1]
        done = going.returncode == 0
        return (int(lines[-1][0]) if lines else 0), done

    def orphans(self) -> int:
        """Return how many processes are left a few seconds after the end."""
        deadline = time.monotonic() + 10
        while processes_with(self.token) and time.monotonic() < deadline:
            time.sleep(0.02)
        return len(processes_with(self.token))


def kill_coordinators(trial: Trial, kills: int, longest: float, whole: dict[str, Any]) -> None:
    """Kill so many coordinators, and compare every whole run with an uninterrupted one."""
    random.seed(1)
    killed = runs = lost = left = different = 0
    at = []
    while killed < kills:
        acknowledged, done = trial.life(random.uniform(0.2, longest))
        left += trial.orphans()
        try:
            kept = load_run(trial.folder).n_done
        except OSError:
            kept = 0
        lost += max(acknowledged - kept, 0)
        if done:
            runs += 1
            different += content(trial.folder) != whole
            shutil.rmtree(trial.folder)
        else:
            killed += 1
            at.append(kept)
    while trial.folder.exists():
        if trial.life(600.0)[1]:
            runs += 1
            different += content(trial.folder) != whole
            shutil.rmtree(trial.folder)
    print(
        f"{killed} kills of the coordinator, with {min(at)} to {max(at)} of {len(whole) // 2} cells on disk; "
        f"acknowledged cells lost: {lost}; processes left: {left}; "
        f"whole runs: {runs}, not equal to the uninterrupted one: {different}",
        flush=True,
    )
    if lost or left or different:
        raise SystemExit("something was lost")


def kill_workers(trial: Trial, kills: int, whole: dict[str, Any]) -> None:
    """Kill so many workers under a run, one of whose cells kills its own."""
    site = trial.folder.parent / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SITE)
    killed = 0
    with trial.start(PYTHONPATH=str(site)) as going:
        while going.poll() is None and killed < kills:
            time.sleep(random.uniform(1.0, 4.0))
            workers = [pid for pid in processes_with(trial.token) if pid != going.pid and _is_worker(pid)]
            if workers:
                os.kill(random.choice(workers), signal.SIGKILL)
                killed += 1
        going.communicate()
    hit_twice = len(load_run(trial.folder).failed) - 1
    with trial.start(PYTHONPATH=str(site)) as going:  # what the killer hit twice is tried again, without him
        going.communicate()
    run = load_run(trial.folder)
    reasons = {cell.reason for cell in run.failed}
    kept = content(trial.folder)
    failed = {cell.key for cell in run.failed}
    same = all(kept[key] == value for key, value in whole.items() if key.partition(" ")[0] not in failed)
    bad = [(c.learner.kind, c.setting.lam, c.seed) for c in run.failed]
    print(
        f"{killed} kills of workers and a cell that kills its own: {hit_twice} others were hit twice, and set aside; "
        f"after --retry-failed {run.n_done} of {run.n_cells} cells done, "
        f"{len(run.failed)} failed {bad} {sorted(reasons)}, {run.n_left} left; those done equal the others: {same}; "
        f"processes left: {trial.orphans()}"
    )
    if run.n_left or ("ridge", BAD, 0) not in bad or not same:
        raise SystemExit("something was lost")


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def main() -> None:
    """Kill, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--worker-kills", type=int, default=20)
    parser.add_argument("--coordinate", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.coordinate:
        coordinate(*asked.coordinate)
        return
    print(f"{datetime.date.today()}, {measure.machine()}")
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(Path(name))
        start = time.monotonic()
        assert trial.life(600.0)[1]
        longest = time.monotonic() - start
        whole = content(trial.folder)
        shutil.rmtree(trial.folder)
        print(f"uninterrupted: {len(whole) // 2} cells in {longest:.0f} s by 2 processes", flush=True)
        if asked.kills:
            kill_coordinators(trial, asked.kills, longest / 2, whole)
        if asked.worker_kills:
            kill_workers(trial, asked.worker_kills, whole)


if __name__ == "__main__":
    main()
