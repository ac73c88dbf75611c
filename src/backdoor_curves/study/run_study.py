"""From a study to a whole run: what is there already, what is to be done, by whom, and what is said when it is done."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from backdoor_curves.records.version import __version__
from backdoor_curves.study.compute.cell import Outcome
from backdoor_curves.study.compute.features import write_tables
from backdoor_curves.study.compute.pool import Limits, compute_here
from backdoor_curves.study.file.config import Study
from backdoor_curves.study.plan.cells import Plan, Planned, make_plan, require_sense
from backdoor_curves.study.plan.resources import memory_of, require_memory
from backdoor_curves.study.plan.sources import frozen_network, read_rows
from backdoor_curves.study.store.run import stores_of
from backdoor_curves.study.store.sqlite import SUFFIX, Store, StoreError, lock_of, read_facts, read_statuses

Shard = tuple[int, int]
"""Which one of how many, the first being 1."""


@dataclass(frozen=True)
class Wishes:
    """How a study is to be run.

    Parameters
    ----------
    n_jobs : int
        Processes on this machine.
    memory : float
        Bytes that they may take together.
    cell_limit : float
        Seconds after which a cell is stopped.
    shard : (int, int), optional
        The part of the cells that is to be done here.
    scheduler : str, optional
        The address of a dask scheduler, whose workers do the work instead.
    retry_failed : bool
        Whether failed cells are tried again.
    accept_changes : bool
        Whether a run may go on with a study that has changed.
    by_seed : bool
        Whether all cells of a seed are begun before those of the next: what is stopped early is whole for some seeds.
    """

    n_jobs: int
    memory: float
    cell_limit: float = 3600.0
    shard: Shard | None = None
    scheduler: str | None = None
    retry_failed: bool = False
    accept_changes: bool = False
    by_seed: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a run, or a shard of it, has come: what is counted is on disk."""

    done: int
    failed: int
    total: int

    @property
    def left(self) -> int:
        """Cells neither done nor failed."""
        return self.total - self.done - self.failed

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {self.total} cells done{failed}, {self.left} left"


def store_path(folder: Path, shard: Shard | None) -> Path:
    """Return where a run, or a shard of it, is kept."""
    return folder / (f"shard-{shard[0]}-of-{shard[1]}{SUFFIX}" if shard else f"run{SUFFIX}")


def run_study(
    study: Study,
    folder: Path,
    wishes: Wishes,
    *,
    data_dir: Path | None = None,
    offline: bool = False,
    home: Path | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Do what is left of a study, and yield how far it has come: first what is there, then after each commit.

    Parameters
    ----------
    study : Study
    folder : path
        Of the run. A second call goes on where the first ended, however that ended.
    wishes : Wishes
    data_dir, offline
        As in `datasets.mnist`.
    home : path, optional
        The folder of the study's file, beside which estimators of one's own are looked up.
    stopping : callable
        Whether to begin no further cell.

    Raises
    ------
    ValueError, OSError, RuntimeError
        In one sentence, if the study cannot be run here; what was done before is kept.
    """
    _require_ours(folder)
    path = store_path(folder, wishes.shard)
    rows = path.with_name(f".{path.name}.rows")
    with _leaving_nothing(path), Store(path) as store:
        try:
            plan = make_plan(study, data_dir, offline, rows, home)
            require_memory(plan, wishes.memory)
            require_sense(plan, lambda group: read_rows(rows / group.source.hash))
            statuses = _statuses(folder, plan, wishes.accept_changes)
            _begin(store, study, plan)
            ours = plan.cells if wishes.shard is None else plan.shard(*wishes.shard)
            todo = [planned for planned in ours if _is_left(planned, statuses, wishes.retry_failed)]
            if wishes.by_seed:
                seeds = {seed: place for place, seed in enumerate(dict.fromkeys(one.cell.seed for one in plan.cells))}
                todo.sort(key=lambda planned: seeds[planned.cell.seed])
            todo = plan.by_group(todo)
            write_tables(
                [plan.groups[number] for number in sorted({planned.group for planned in todo})],
                rows,
                lambda features: frozen_network(features, data_dir, offline),
            )
            left = {planned.key for planned in todo}
            on_disk = {one.key: statuses[one.key] for one in ours if one.key in statuses and one.key not in left}
            outcomes = _outcomes(plan, todo, rows, wishes, stopping) if todo else iter(())
            yield from _kept(outcomes, plan, ours, on_disk, store)
        finally:
            shutil.rmtree(rows, ignore_errors=True)


def _kept(
    outcomes: Iterator[Outcome | None], plan: Plan, ours: Sequence[Planned], on_disk: dict[str, str], store: Store
) -> Iterator[Progress]:
    """Keep what comes of cells, and yield how far some cells of a plan have come; `on_disk` is the status of each."""
    known = {planned.key: planned for planned in ours}

    def progress() -> Progress:
        failed = sum(status == "failed" for status in on_disk.values())
        return Progress(len(on_disk) - failed, failed, len(ours))

    yield progress()
    for outcome in outcomes:
        if outcome is not None:
            planned = known[outcome.key]
            store.add(outcome, planned.cell, plan.groups[planned.group].source.hash)
        if committed := store.commit_if_due():
            on_disk |= committed
            yield progress()
    if committed := store.commit():
        on_disk |= committed
        yield progress()


def _is_left(planned: Planned, statuses: dict[str, str], retry_failed: bool) -> bool:
    status = statuses.get(planned.key)
    return status is None or (retry_failed and status == "failed")


def _outcomes(
    plan: Plan, todo: list[Planned], rows: Path, wishes: Wishes, stopping: Callable[[], bool]
) -> Iterator[Outcome | None]:
    """Yield what comes of cells, from here or from a cluster."""
    if wishes.scheduler is not None:
        from backdoor_curves.study.compute.cluster import compute_there

        return compute_there(todo, plan.groups, rows, scheduler=wishes.scheduler, stopping=stopping)
    limits = Limits(wishes.n_jobs, wishes.memory, memory_of, wishes.cell_limit)
    return compute_here(todo, plan.groups, rows, limits, stopping)


@contextmanager
def _leaving_nothing(path: Path) -> Iterator[None]:
    """Take back a store and its folders if what was asked is refused before a cell is kept."""
    made = [folder for folder in path.absolute().parents if not folder.exists()]
    new = not path.exists()
    try:
        yield
    except Exception:
        if new and path.is_file() and not read_statuses(path):
            for file in (path, lock_of(path)):
                file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # something else is in it by now
                for folder in made:
                    folder.rmdir()
        raise


def _require_ours(folder: Path) -> None:
    """Refuse a folder with files that are no run."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder}: a new folder was expected, a file came; pass another --out")
    others = [path for path in folder.glob("*") if not path.name.startswith(".")] if folder.exists() else []
    others = [path for path in others if path.suffix not in (".toml", ".py")]  # a study lies where its run is to be
    if others and not stores_of(folder):
        kind = "a run of an older version" if (folder / "study.json").is_file() else "one with other files"
        raise StoreError(f"{folder}: a new folder was expected, {kind} came; pass another --out")


def _statuses(folder: Path, plan: Plan, accept_changes: bool) -> dict[str, str]:
    """Return the status of the cells that are kept in any store of the run; refuse if the study has changed."""
    statuses: dict[str, str] = {}
    changed = False
    digest = _digest(plan)
    for path in stores_of(folder):
        facts = read_facts(path)
        changed = changed or (bool(facts) and facts["plan"] != digest)
        found = read_statuses(path)
        statuses |= {key: status for key, status in found.items() if statuses.get(key) != "done"}
    if changed and not accept_changes:
        asked = {planned.key for planned in plan.cells}
        valid = sum(key in asked for key in statuses)
        raise ValueError(
            f"{folder}: the study or its data have changed since the run began: of {len(statuses)} kept cells "
            f"{valid} stay valid, {len(statuses) - valid} are no longer asked for, and {len(asked) - valid} are to be "
            "computed; pass --accept-changes to go on (nothing is deleted), or another --out"
        )
    return statuses


def _begin(store: Store, study: Study, plan: Plan) -> None:
    store.begin(
        [planned.key for planned in plan.cells],
        study=msgspec.json.encode(study).decode(),
        version=__version__,
        plan=_digest(plan),
    )


def _digest(plan: Plan) -> str:
    """Return a hash of all keys of a plan."""
    return blake2b("".join(planned.key for planned in plan.cells).encode(), digest_size=16).hexdigest()
