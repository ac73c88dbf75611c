"""Rows of dask arrays: sums over them are made where they are, by whichever scheduler dask uses, and come here.

The engine is dask. A pass is one graph: a task for each chunk of rows, which gives back what has the size of the
parameters. Rows that workers lose are read again by dask, as the graph says where they come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dask as _dask
import dask.array as _dask_array
import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.linalg.row_parts import RowParts, Work
from backdoor_curves.rows import Rows

dask: Any = _dask
da: Any = _dask_array
"""Without types: those of dask are few."""


class OnWorkers(RowParts):
    """The rows of dask arrays, a part for each of their chunks; other rows go along as a part of their own.

    Parameters
    ----------
    parts : tuple of arrays or dask arrays
        Each of shape (k, d), with a column of chunks.
    """

    def __init__(self, parts: tuple[Rows, ...]) -> None:
        whole = [part if isinstance(part, da.Array) else da.from_array(np.asarray(part), chunks=-1) for part in parts]
        self.chunks = [block for array in whole for block in array.to_delayed().ravel()]
        self.sizes = [size for array in whole for size in array.chunks[0]]
        self.shape = sum(self.sizes), int(whole[0].shape[1])

    def each(self, work: Work, *known: Float[np.ndarray, "n ..."]) -> Iterator[Any]:
        """Yield what comes of each chunk."""
        stops = np.cumsum(self.sizes)
        shared = dask.delayed(work, traverse=False)
        tasks = [
            shared(chunk, *(values[stop - size : stop] for values in known))
            for chunk, size, stop in zip(self.chunks, self.sizes, stops, strict=True)
            if size
        ]
        yield from _computed(tasks)


def _computed(tasks: list[Any]) -> tuple[Any, ...]:
    """Return what tasks give back.

    Raises
    ------
    PathError
        If workers died at a task again and again, or all of them went away.
    """
    try:
        return tuple(dask.compute(*tasks))
    except Exception as error:
        # Names of distributed, which need not be there: dask has schedulers of its own.
        if type(error).__name__ in ("KilledWorker", "CancelledError", "FutureCancelledError", "CommClosedError"):
            raise PathError(
                f"dask: workers were lost while they summed over their rows, and others were lost at the same "
                f"({type(error).__name__}); give them more memory or smaller chunks, and begin again"
            ) from error
        raise


def on_workers(parts: tuple[Rows, ...]) -> OnWorkers:
    """Return rows of which some are dask arrays, a chunk having all features of its rows."""
    wide = tuple(
        part.rechunk({1: -1}) if isinstance(part, da.Array) and len(part.chunks[1]) > 1 else part for part in parts
    )
    return OnWorkers(wide)
