"""The published numbers computed again by the paper's recipe: the named estimators at their default tolerance.

What comes out is what the paper's authors had, up to rounding and to where an unconverged solver stops. Neither slopes
nor deviations are the right ones here. See `tasks` for the recipe.

The work is shared out in tasks. Each leaves one file when it is done, so that a run that was stopped goes on, and one
that has ended takes no time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from backdoor_curves.data.samples import Samples
from backdoor_curves.paper.numbers.published import PublishedRow
from backdoor_curves.paper.numbers.published_files import (
    CurveFile,
    Pair,
    PathFile,
    PublishedNumbers,
    PublishedPath,
    SlopeFile,
)
from backdoor_curves.paper.numbers.tasks import Arrays, CurveTask, SlopeTask, Task, tasks_of
from backdoor_curves.poisoning import paper_protocol as protocol
from backdoor_curves.records.npz import read_record, write_record

KIND = "repeated numbers of the paper 1"
"""The format of the files, and the recipe's version: whoever changes a number by more than rounding raises it."""


def repeat(
    published: PublishedNumbers,
    folder: str | os.PathLike[str],
    *,
    data_dir: str | Path | None = None,
    offline: bool = False,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PublishedNumbers:
    """Return the published record with the numbers that the paper's recipe gives here in the place of its own.

    Parameters
    ----------
    published : PublishedNumbers
        From `read_published`; its settings say what is computed, its numbers are not looked at.
    folder : path
        Where each task leaves its file when it is done, and finds it the next time; made if need be.
    data_dir : path, optional
        A folder with the MNIST files; otherwise where `datasets.mnist` looks.
    offline : bool
        Never use the network.
    n_jobs : int, optional
        Tasks at once, as joblib counts them; None for one. One thread each, so that sums have one order.
    progress : callable (done, total), optional
        Called at the start and after each task.

    Returns
    -------
    PublishedNumbers

    Notes
    -----
    The files are of this version of scikit-learn and numpy; with another the tasks are computed anew. 400 slope
    rows, 30 curves and 10 paths take two and a half minutes on two cores.

    Examples
    --------
    >>> from backdoor_curves.paper.numbers.published_files import read_published
    >>> from backdoor_curves.paper.numbers.repeated import repeat
    >>> repeated = repeat(read_published("reference"), "runs/repeated", n_jobs=2)  # doctest: +SKIP
    """
    place, tasks = Path(folder), tasks_of(published)
    place.mkdir(parents=True, exist_ok=True)
    done = {task: arrays for task in tasks if (arrays := _kept(task, place)) is not None}
    left = [task for task in tasks if task not in done]
    say = progress or (lambda _done, _total: None)
    say(len(done), len(tasks))
    if left:
        jobs = (delayed(_compute)(task, place, data_dir, offline) for task in left)
        for task, arrays in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs):
            done[task] = arrays
            say(len(done), len(tasks))
    return _filled(published, done)


# --- tasks and their files -------------------------------------------------------------------------------------------


def _compute(task: Task, folder: Path, data_dir: str | Path | None, offline: bool) -> tuple[Task, Arrays]:
    """Compute a task, in a process of its own perhaps, and keep what came of it at once."""
    with threadpool_limits(1):
        arrays = task.run(lambda pair: _images(pair, data_dir, offline))
    write_record(_file(task, folder), KIND, {"task": task.name}, arrays)
    return task, arrays


@lru_cache(maxsize=4)
def _images(pair: Pair, data_dir: str | Path | None, offline: bool) -> tuple[Samples, Samples]:
    return protocol.mnist_pair(pair, data_dir, offline)


def _kept(task: Task, folder: Path) -> Arrays | None:
    """Return what was kept of a task; None where nothing was, or it cannot be read."""
    try:
        return read_record(_file(task, folder), KIND)[1]
    except (OSError, ValueError):
        return None


def _file(task: Task, folder: Path) -> Path:
    """Return the file of a task: a function of all that it is, and of the libraries that compute it."""
    what = repr((KIND, task, sklearn.__version__, np.__version__))
    return folder / f"{task.name}_{hashlib.blake2b(what.encode(), digest_size=4).hexdigest()}.npz"


def _filled(published: PublishedNumbers, done: dict[Task, Arrays]) -> PublishedNumbers:
    """Return the record with the numbers of the tasks in the places of its own."""
    rows: dict[tuple[Any, ...], PublishedRow] = {}
    losses: dict[tuple[Any, ...], Arrays] = {}
    parameters: dict[tuple[Any, ...], Arrays] = {}
    for task, arrays in done.items():
        place = (task.learner, task.pair, task.size)
        if isinstance(task, SlopeTask):
            for setting, row in zip(task.settings, arrays["rows"].tolist(), strict=True):
                rows[*place, setting] = PublishedRow(*row)
        elif isinstance(task, CurveTask):
            losses[*place, task.C, task.gamma, task.rate] = arrays
        else:
            for i, key in enumerate(task.settings):
                parameters[*place, *key] = {
                    name.removeprefix(f"{i}/"): array for name, array in arrays.items() if name.startswith(f"{i}/")
                }

    def slopes(file: SlopeFile) -> SlopeFile:
        place = (file.learner, file.pair, file.size)
        return replace(file, rows={setting: rows[*place, setting] for setting in file.rows})

    def curves(file: CurveFile) -> CurveFile:
        keys = [(one.learner, file.pair, file.size, one.C, one.gamma, one.rate) for one in file.curves]
        found = [losses[key] for key in keys]
        pairs = zip(file.curves, found, strict=True)
        return replace(
            file, curves=tuple(replace(one, triggered=it["triggered"], clean=it["clean"]) for one, it in pairs)
        )

    def paths(file: PathFile) -> PathFile:
        keys = [(one.learner, file.pair, file.size, one.C, one.gamma) for one in file.paths]
        return replace(
            file, paths=tuple(_path(one, parameters[key]) for one, key in zip(file.paths, keys, strict=True))
        )

    return PublishedNumbers(
        tuple(map(slopes, published.slopes)),
        tuple(map(curves, published.curves)),
        tuple(map(paths, published.paths)),
    )


def _path(one: PublishedPath, arrays: Arrays) -> PublishedPath:
    return replace(
        one,
        coef=arrays["coef"],
        intercept=arrays.get("intercept"),
        cosine=arrays["cosine"],
        norm=arrays["norm"],
        asr=float(arrays["asr"]),
    )
