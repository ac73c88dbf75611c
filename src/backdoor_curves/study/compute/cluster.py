"""Workers on other machines, through a dask scheduler: `Client.submit` and `as_completed`.

Dask runs whatever it is sent, so a scheduler belongs on a closed network, or behind its TLS options.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from backdoor_curves.data.on_disk import as_parts, from_parts
from backdoor_curves.records.one_line import error_line, one_line
from backdoor_curves.records.version import __version__
from backdoor_curves.rows import Rows as RowsOfAnyKind
from backdoor_curves.study.compute.cell import Bench, Outcome
from backdoor_curves.study.compute.features import FeatureTable
from backdoor_curves.study.compute.pool import Rows, bench_or_reason, outcome_on, rows_of
from backdoor_curves.study.plan.cells import Group, Planned
from backdoor_curves.study.plan.keys import ALGORITHM

PATIENCE = 10.0
"""Seconds to wait for a scheduler, and for a first worker."""
AHEAD = 2
"""Cells that each thread of a worker has at hand, so that it never waits for the next."""
TICK = 0.2
ADDRESS = re.compile(r"[a-z]+://(\[[0-9A-Fa-f:.]+\]|[^\s/:\[\]]+):[0-9]{1,5}")


def compute_there(
    cells: Sequence[Planned],
    groups: Sequence[Group],
    rows_folder: Path,
    *,
    scheduler: str,
    stopping: Callable[[], bool],
) -> Iterator[Outcome | None]:
    """Yield what comes of cells as it comes from dask's workers; None now and then where nothing did.

    Parameters
    ----------
    cells, groups, rows_folder, stopping
        As in `pool.compute_here`.
    scheduler : str
        Its address, such as "tcp://127.0.0.1:8786".

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If there is no scheduler, if it has no workers, or if they have several threads, or another version of this
        package or none.
    """
    client = _client(scheduler)
    try:
        _require_usable(client, scheduler)
        yield from _computed(client, cells, groups, rows_folder, stopping)
    except OSError as error:
        raise ValueError(f"{scheduler}: the scheduler went away ({error}); start it and run again") from None
    finally:
        client.close(timeout=5)


def _computed(
    client: Any, cells: Sequence[Planned], groups: Sequence[Group], rows_folder: Path, stopping: Callable[[], bool]
) -> Iterator[Outcome | None]:
    """Keep a few cells ahead at each thread, and yield what comes."""
    from distributed import as_completed

    waiting = deque(cells)
    sent: dict[str, Any] = {}
    running: dict[str, Planned] = {}

    def submit() -> Any:
        planned = waiting.popleft()
        group = groups[planned.group]
        digest = group.table or group.source.hash
        if digest not in sent:  # the rows of one source at a time
            sent.clear()
            sent[digest] = client.scatter([_in_memory(group, rows_folder)], hash=False)[0]
        future = client.submit(run_there, group, planned, sent[digest], key=f"backdoor-{planned.key}", pure=False)
        running[future.key] = planned
        return future

    lost = 0.0
    completed = as_completed([], loop=client.loop)
    while waiting or running:
        if stopping():
            waiting.clear()
        threads = sum(client.nthreads().values())
        while waiting and len(running) < AHEAD * max(threads, 1):
            completed.add(submit())
        if not running:
            return
        lost = 0.0 if threads else lost or time.monotonic()
        if lost and time.monotonic() - lost > PATIENCE * 6:
            raise ValueError("all dask workers went away; start some and run again: what was done is kept")
        if not completed.has_ready():
            yield None
            time.sleep(TICK / 4)
            continue
        for future in completed.next_batch(block=False):
            yield _outcome(future, running.pop(future.key))


def _in_memory(group: Group, folder: Path) -> Rows:
    train, test, table = rows_of(group, folder)
    if table is not None:
        table = FeatureTable(table.digests, np.array(table.features))
    train, test = (replace(rows, X=_copied(rows.X), y=np.array(rows.y)) for rows in (train, test))
    return train, test, table


def _copied(X: RowsOfAnyKind) -> RowsOfAnyKind:
    """Return rows of any kind, sparse ones and frames too, none of them mapped from a file."""
    return from_parts({name: np.array(part) for name, part in as_parts(X).items()})


def _outcome(future: Any, planned: Planned) -> Outcome:
    """Return what came of a cell; where its workers died dask says so."""
    if future.status == "finished":
        outcome = future.result()
        assert isinstance(outcome, Outcome)
        return outcome
    said = error_line(future.exception()) if future.done() else "lost"
    return Outcome(planned.key, 0.0, reason=f"dask: {said}")


def require_address(scheduler: str) -> None:
    """Refuse what is no address, before anything is computed.

    Raises
    ------
    ValueError
        If it has not the form SCHEME://HOST:PORT.

    Examples
    --------
    >>> from backdoor_curves.study.compute.cluster import require_address
    >>> require_address("tcp://127.0.0.1:8786")
    """
    if not ADDRESS.fullmatch(scheduler):
        raise ValueError(
            f"--scheduler: an address such as tcp://HOST:8786 was expected, {scheduler!r} came; dask scheduler prints "
            "its own when it starts"
        )


def _client(scheduler: str) -> Any:
    require_address(scheduler)
    try:
        from distributed import Client, Security
        from distributed.comm import connect
    except ImportError:
        raise ImportError('--scheduler needs dask; pip install "backdoor-curves[dask]"') from None

    async def knock() -> None:
        comm = await connect(scheduler, timeout=PATIENCE, **Security().get_connection_args("client"))
        await comm.close()

    try:
        # First: a client whose making fails waits 20 s to close what it never opened, and says so in a traceback.
        asyncio.run(asyncio.wait_for(knock(), PATIENCE + 1.0))  # another kind of server may never answer
        return Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        said = one_line(error) or f"not in {PATIENCE:g} s"
        raise ValueError(
            f"{scheduler}: a dask scheduler was expected there, none answers ({said}); start one with: dask scheduler"
        ) from None


def _require_usable(client: Any, scheduler: str) -> None:
    """Refuse workers that would compute something else: of another version, or with threads that share one BLAS."""
    deadline = time.monotonic() + PATIENCE
    while not client.nthreads():
        if time.monotonic() > deadline:
            raise ValueError(f"{scheduler}: no worker is there; start one with: dask worker {scheduler} --nthreads 1")
        time.sleep(0.1)
    if wide := [address for address, threads in client.nthreads().items() if threads > 1]:
        raise ValueError(
            f"{scheduler}: workers of one thread were expected, {wide[0]} has more; start as many as there are cores "
            f"with: dask worker {scheduler} --nthreads 1"
        )
    try:
        found = client.run(version_here)
    except Exception as error:  # whatever a worker without this package says
        raise ValueError(
            f"{scheduler}: workers with backdoor-curves {__version__} were expected; install it there "
            f"({error_line(error)})"
        ) from None
    wrong = {address: version for address, version in found.items() if version != _wanted()}
    if wrong:
        address, version = next(iter(wrong.items()))
        raise ValueError(
            f"{scheduler}: workers with backdoor-curves {_wanted()} were expected, {address} has {version}; "
            "install the same version there"
        )


def _wanted() -> str:
    return version_here()


# --- in the worker ---------------------------------------------------------------------------------------------------


def version_here() -> str:
    """Return the version of this package, and of its algorithm, in this process."""
    return f"{__version__} (algorithm {ALGORITHM})"


class _Kept:
    """Rows that are known by their hash, for a cache."""

    def __init__(self, group: Group, rows: Rows) -> None:
        self.group, self.rows = group, rows
        self.name = (group.first, group.lams, group.rates, group.source.hash)

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and self.name == other.name


@lru_cache(maxsize=1)
def _bench(kept: _Kept) -> Bench | str:
    return bench_or_reason(kept.group, lambda _: kept.rows)


def run_there(group: Group, planned: Planned, rows: Rows) -> Outcome:
    """Return what comes of a cell; the bench of the last group is kept in the process."""
    return outcome_on(planned, _bench(_Kept(group, rows)))
