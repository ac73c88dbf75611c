"""Worker processes on this machine: one cell each at a time, rows by memory map, one BLAS thread.

The coordinator hands out cell by cell, so that it knows what a worker had when it died: that cell is tried once more,
and set aside as failed when it takes a second worker with it. A worker never outlives the coordinator: the end of the
pipe between them ends it, and on Linux the kernel does.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from backdoor_curves.data.samples import Samples
from backdoor_curves.records.one_line import error_line
from backdoor_curves.study.compute.cell import Bench, Outcome, compute, prepare
from backdoor_curves.study.compute.features import FeatureTable, table_of
from backdoor_curves.study.compute.told_warnings import SaidOnce, ToldWarning, tell_warnings
from backdoor_curves.study.plan.cells import Group, Planned
from backdoor_curves.study.plan.sources import read_rows

STRIKES = 2
"""Workers that a cell may take with it: the first may have died of what another program took."""
STARTS = 10
"""Workers in a row that may die before they are ready: an installation is broken then, and no cell is to blame."""
TICK = 0.2
"""Seconds after which the coordinator looks up even if nothing came."""
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
READY = "ready"
Rows = tuple[Samples, Samples, FeatureTable | None]
"""Training and test rows of a group, and what a network makes of them."""


@dataclass(frozen=True)
class Limits:
    """What the processes of this machine may take.

    Parameters
    ----------
    n_jobs : int
        Processes.
    memory : float
        Bytes that the groups at work may need together.
    need : callable
        The bytes that a group needs.
    cell_limit : float
        Seconds after which a cell is stopped.
    """

    n_jobs: int
    memory: float
    need: Callable[[Group], float]
    cell_limit: float


@dataclass(eq=False)
class _Worker:
    """A process and what it is at."""

    process: Any
    pipe: Connection
    lifeline: Connection
    ready: bool = False
    group: int | None = None
    """The group whose bench it holds."""
    cell: Planned | None = None
    since: float = 0.0


@dataclass(eq=False)
class _Queue:
    """Cells to be done by group, in the order of the plan."""

    cells: dict[int, deque[Planned]] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Sequence[Planned]) -> _Queue:
        queue = cls()
        for planned in cells:
            queue.cells.setdefault(planned.group, deque()).append(planned)
        return queue

    def take(self, own: int | None, taken: Counter[int], fits: Callable[[int], bool]) -> Planned | None:
        """Return the next cell: of the worker's own group, of one that nobody has, or of the one with the most left."""
        if own not in self.cells:
            fresh = [number for number in self.cells if not taken[number]]
            rest = sorted(self.cells, key=lambda number: -len(self.cells[number]))
            own = next((number for number in (*fresh, *rest) if fits(number)), None)
        if own is None:
            return None
        planned = self.cells[own].popleft()
        if not self.cells[own]:
            del self.cells[own]
        return planned

    def put_back(self, planned: Planned) -> None:
        """Have a cell tried again, after the others of its group: what killed its worker may be over by then."""
        self.cells.setdefault(planned.group, deque()).append(planned)


def compute_here(
    cells: Sequence[Planned],
    groups: Sequence[Group],
    rows_folder: Path,
    limits: Limits,
    stopping: Callable[[], bool],
) -> Iterator[Outcome | None]:
    """Yield what comes of cells as it comes, from processes of this machine; None now and then where nothing did.

    Parameters
    ----------
    cells, groups
        Cells to be done, and the groups of their plan.
    rows_folder : path
        Where `write_rows` put the rows.
    limits : Limits
    stopping : callable
        Whether no further cell is to be begun; those at work are then waited for.

    Warns
    -----
    Warning
        What workers warn of, once each.

    Raises
    ------
    RuntimeError
        If workers die before they compute anything.
    """
    queue = _Queue.of(cells)
    strikes: Counter[str] = Counter()
    workers: list[_Worker] = []
    failed_starts, warned = 0, SaidOnce()
    try:
        while True:
            busy = [worker for worker in workers if worker.cell is not None]
            if not busy and (not queue.cells or stopping()):
                return
            wanted = min(limits.n_jobs, len(busy) + sum(map(len, queue.cells.values())))
            while len(workers) < wanted and not stopping():
                workers.append(_start(rows_folder))
            for worker in workers:
                if worker.ready and worker.cell is None and not stopping():
                    _hand_out(worker, workers, queue, groups, limits)
            came = wait([worker.pipe for worker in workers], timeout=TICK)
            for worker in [worker for worker in workers if worker.pipe in came]:
                try:
                    outcome = worker.pipe.recv()
                except (EOFError, OSError):
                    workers.remove(worker)
                    failed_starts = 0 if worker.ready else failed_starts + 1
                    yield _buried(worker, queue, strikes)
                    continue
                if outcome == READY:
                    worker.ready, failed_starts = True, 0
                    continue
                if isinstance(outcome, ToldWarning):
                    warned.say(outcome)
                    continue
                worker.cell = None
                yield outcome
            if failed_starts >= STARTS:
                raise RuntimeError(f"{failed_starts} workers in a row died before they could compute; see above why")
            yield from _stopped(workers, limits.cell_limit)
            yield None
    finally:
        for worker in workers:
            _kill(worker)


def _hand_out(
    worker: _Worker,
    workers: list[_Worker],
    queue: _Queue,
    groups: Sequence[Group],
    limits: Limits,
) -> None:
    """Give a worker its next cell, if there is one and memory for its group."""
    others = [other.group for other in workers if other is not worker and other.group is not None]
    room = limits.memory - sum(limits.need(groups[number]) for number in others)
    planned = queue.take(worker.group, Counter(others), lambda number: limits.need(groups[number]) <= room)
    with contextlib.suppress(OSError):  # a worker that has just died is found by its pipe
        if planned is None:
            if worker.group is not None:
                worker.pipe.send(None)  # its memory is needed elsewhere
            worker.group = None
            return
        worker.cell, worker.group, worker.since = planned, planned.group, time.monotonic()
        worker.pipe.send((groups[planned.group], planned))


def _buried(worker: _Worker, queue: _Queue, strikes: Counter[str]) -> Outcome | None:
    """Return the outcome of the cell that a dead worker had, if that has had its chances; else put it back."""
    worker.process.join(5.0)
    code = worker.process.exitcode
    _kill(worker)
    if worker.cell is None:
        return None
    key = worker.cell.key
    strikes[key] += 1
    if strikes[key] < STRIKES:
        queue.put_back(worker.cell)
        return None
    how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    return Outcome(key, time.monotonic() - worker.since, reason=f"killed its worker {STRIKES} times, lastly by {how}")


def _stopped(workers: list[_Worker], limit: float) -> Iterator[Outcome]:
    """End the workers that are at one cell for too long, and yield that it has failed."""
    now = time.monotonic()
    for worker in list(workers):
        if worker.cell is not None and now - worker.since > limit:
            workers.remove(worker)
            _kill(worker)
            yield Outcome(worker.cell.key, limit, reason=f"stopped after {limit:g} s, the limit of a cell")


def _kill(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()
    worker.lifeline.close()


def _start(rows_folder: Path) -> _Worker:
    """Return a new worker, born with one BLAS thread, and deaf to the Ctrl-C that is meant for the coordinator."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    death, lifeline = context.Pipe(duplex=False)
    before = {name: os.environ.get(name) for name in THREADS}
    deaf = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if deaf else None
    os.environ.update(dict.fromkeys(THREADS, "1"))  # BLAS reads it when it is loaded
    try:
        process = context.Process(target=_serve, args=(theirs, death, rows_folder, os.getpid()), daemon=True)
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        if deaf:
            signal.signal(signal.SIGINT, handler)
    theirs.close()
    death.close()
    return _Worker(process, ours, lifeline)


# --- in the worker ---------------------------------------------------------------------------------------------------


def _serve(pipe: Connection, death: Connection, rows_folder: Path, parent: int) -> None:
    """Compute the cells that come through the pipe until it ends: the coordinator has gone, and wants nothing more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _die_with(parent, death)
    tell_warnings(pipe.send)
    with contextlib.suppress(EOFError, OSError):
        _compute_what_comes(pipe, rows_folder)


def _compute_what_comes(pipe: Connection, rows_folder: Path) -> None:
    bench: Bench | str | None = None
    held: int | None = None
    pipe.send(READY)
    while True:
        task: tuple[Group, Planned] | None = pipe.recv()
        if task is None:
            bench = held = None
            continue
        group, planned = task
        if held != group.number:
            bench = None  # the old one first: both may not fit
            bench, held = bench_or_reason(group, lambda of: rows_of(of, rows_folder)), group.number
        pipe.send(outcome_on(planned, bench))


def rows_of(group: Group, rows_folder: Path) -> Rows:
    """Return the rows of a group, and the table of their features if they have one, mapped into memory."""
    return (*read_rows(rows_folder / group.source.hash), table_of(group, rows_folder))


def bench_or_reason(group: Group, rows: Callable[[Group], Rows]) -> Bench | str:
    """Return the bench of a group, or the reason why it cannot be had, which is that of all its cells."""
    try:
        return prepare(group, *rows(group))
    except (ValueError, TypeError, MemoryError, OSError) as error:
        return error_line(error)


def outcome_on(planned: Planned, bench: Bench | str | None) -> Outcome:
    """Return what comes of a cell on its bench."""
    if isinstance(bench, Bench):
        return compute(planned.key, planned.cell, bench)
    return Outcome(planned.key, 0.0, reason=str(bench))


def _die_with(parent: int, death: Connection) -> None:
    """End this process when the coordinator ends, however that ends and whatever is being computed here."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: also in the middle of a long BLAS call
        if os.getppid() != parent:
            os._exit(1)

    def watch() -> None:
        with contextlib.suppress(EOFError, OSError):
            death.recv()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
