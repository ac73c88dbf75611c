"""A run as it is read: cells, tables and curves of one store or of the shards in a folder, whole or in part."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.records.html import table
from backdoor_curves.study.compute.cell import curve_from_bytes
from backdoor_curves.study.compute.decision_regions import DecisionRegions
from backdoor_curves.study.compute.explanation import Explanation
from backdoor_curves.study.compute.quantities import ALL_QUANTITIES
from backdoor_curves.study.compute.stamped_images import StampedImages
from backdoor_curves.study.file.config import Study
from backdoor_curves.study.plan.names import SYMBOLS
from backdoor_curves.study.store.columns import alike, column_of, own_names
from backdoor_curves.study.store.sqlite import (
    SUFFIX,
    StoreError,
    read_cells,
    read_facts,
    read_keys,
    read_plan,
    read_record,
)
from backdoor_curves.study.store.statistics import by_setting, over_seeds
from backdoor_curves.study.store.stored_cell import StoredCell

if TYPE_CHECKING:
    import pandas as pd


MOST_LINES = 20
"""Of a run that shows itself in a notebook."""


@dataclass(frozen=True, eq=False)
class Run:
    """What came of a study so far; `load_run` makes it.

    Parameters
    ----------
    study : Study
        What was run.
    n_cells : int
        The cells that it asks for.
    cells : tuple of StoredCell
        Those that are done or failed, in the order of the study.
    version : str
        The version of this package that ran it.
    files : mapping of str to path
        The store of each cell, by its key.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> run = bc.load_run("runs/digits")  # doctest: +SKIP
    >>> run.curve(run.cells[0]).area()  # doctest: +SKIP
    """

    study: Study
    n_cells: int
    cells: tuple[StoredCell, ...] = field(repr=False)
    version: str
    files: dict[str, Path] = field(repr=False)

    @property
    def n_done(self) -> int:
        """How many cells are done."""
        return sum(cell.status == "done" for cell in self.cells)

    @property
    def failed(self) -> tuple[StoredCell, ...]:
        """The cells that failed, with their reasons."""
        return tuple(cell for cell in self.cells if cell.status == "failed")

    @property
    def n_left(self) -> int:
        """How many cells are neither done nor failed."""
        return self.n_cells - len(self.cells)

    @property
    def data_hashes(self) -> dict[str, int]:
        """The content hashes of the rows that were used, with the number of cells on each."""
        return dict(Counter(cell.data for cell in self.cells))

    def curve(self, cell: StoredCell, control: bool = False) -> BackdoorLearningCurve:
        """Return the curve of a cell, or its control.

        Raises
        ------
        ValueError
            If the study did not keep it, or the cell failed.
        """
        name = "control" if control else "curve"
        content = read_record(self.files[cell.key], cell.key, name)
        if content is None:
            why = f"it failed: {cell.reason}" if cell.status == "failed" else "see `keep.curves` and `poison.control`"
            raise ValueError(f"{name}: none was kept of this cell; {why}")
        return curve_from_bytes(content)

    def keys_with(self, record: str) -> set[str]:
        """Return the keys of the cells that keep a record: "curve", "explanation", ..., see `Outcome`."""
        return {key for path in set(self.files.values()) for key in read_keys(path, record)}

    def keeps_curve(self, cell: StoredCell) -> bool:
        """Return whether the curve of a cell was kept."""
        return read_record(self.files[cell.key], cell.key, "curve") is not None

    def curve_if_kept(self, cell: StoredCell) -> BackdoorLearningCurve | None:
        """Return the curve of a cell; None where the study did not keep it, or the cell failed."""
        content = read_record(self.files[cell.key], cell.key, "curve")
        return None if content is None else curve_from_bytes(content)

    def arrays(self, cell: StoredCell) -> dict[str, np.ndarray]:
        """Return the arrays of a cell that `[keep]` asked for, by name; empty where it asked for none."""
        content = read_record(self.files[cell.key], cell.key, "arrays")
        if content is None:
            return {}
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return dict(arrays)

    def explanation(self, cell: StoredCell) -> Explanation | None:
        """Return what the models of a cell look at and what taught them; None where `[keep]` did not ask for it."""
        content = read_record(self.files[cell.key], cell.key, "explanation")
        return None if content is None else Explanation.from_bytes(content)

    def decision_regions(self, cell: StoredCell) -> DecisionRegions | None:
        """Return where the models of a cell say which class; None where its data are not in the plane, or it failed.

        Runs of before these were kept have none.
        """
        content = read_record(self.files[cell.key], cell.key, "decision regions")
        return None if content is None else DecisionRegions.from_bytes(content)

    def stamped_images(self, cell: StoredCell) -> StampedImages | None:
        """Return test images of a cell before and after its attack; None without images, or without `[[attacks]]`."""
        content = read_record(self.files[cell.key], cell.key, "stamped images")
        return None if content is None else StampedImages.from_bytes(content)

    def table(self) -> list[dict[str, Any]]:
        """Return a row a cell: coordinates, numbers (None where there are none), seconds, error."""
        rows = [
            {
                **cell.coordinates,
                **{name: cell.numbers.get(name) for name in ALL_QUANTITIES},
                "seconds": round(cell.seconds, 3),
                "error": cell.reason,
            }
            for cell in self.cells
        ]
        return alike(rows, (cell.cell for cell in self.cells))

    def _repr_html_(self) -> str:
        """Return the run as a notebook shows it: how far it has come, and its first settings, means over seeds."""
        failed = f", {len(self.failed)} failed" if self.failed else ""
        own = [column_of(name) for name in own_names(cell.cell for cell in self.cells)]
        lines = [_line(cells, own) for cells in by_setting(self.cells)]
        more = f"<p>and {len(lines) - MOST_LINES} more settings</p>" if len(lines) > MOST_LINES else ""
        head = f"{escape(self.study.name)}: {self.n_done} of {self.n_cells} cells done{failed}"
        return f"<p><b>{head}</b></p>{table(lines[:MOST_LINES])}{more}"

    def statistics(self) -> list[dict[str, Any]]:
        """Return a row for each setting and quantity: mean, standard deviation and interval over seeds, see there."""
        return over_seeds(self.cells)

    def to_frame(self) -> pd.DataFrame:
        """Return `table` as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is not installed; the extra `pandas` brings it.
        """
        try:
            import pandas as pd
        except ImportError:
            raise ImportError('to_frame needs pandas; pip install "backdoor-curves[pandas]"') from None
        return pd.DataFrame(self.table())


def _line(cells: Sequence[StoredCell], own: Sequence[str]) -> dict[str, object]:
    """Return a setting as a line of a table, in the mean over its seeds."""
    names = {
        "clean_accuracy_at_1": "clean accuracy",
        "asr_at_1": "attack success rate",
        "theta": "theta",
        "area": "area",
    }
    at = cells[0].coordinates
    line: dict[str, object] = {name: at.get(name) for name in ("data", "learner", *SYMBOLS, *own, "rate")}
    for quantity, name in names.items():
        values = [value for cell in cells if (value := cell.numbers.get(quantity)) is not None]
        line[name] = float(np.mean(values)) if values else None
    return line | {"seeds": len(cells)}


def load_run(path: str | os.PathLike[str]) -> Run:
    """Return a run as far as it has come: the table of its cells, and their curves when asked for.

    Reading is safe while the run goes on. All shards in a folder are read as one.

    Parameters
    ----------
    path : path
        The folder of a run, or one .sqlite file in it.

    Returns
    -------
    Run

    Raises
    ------
    FileNotFoundError
        If there is no run.
    StoreError
        An OSError. If a store is damaged, of a later version, or of another study than the others in the folder.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> run = bc.load_run("runs/digits")  # doctest: +SKIP
    >>> f"{run.n_done} of {run.n_cells} cells"  # doctest: +SKIP
    '216 of 216 cells'
    >>> run.to_frame().groupby(["learner", "lambda"]).theta.mean()  # doctest: +SKIP
    """
    stores = stores_of(Path(path))
    if not stores:
        raise FileNotFoundError(f"{os.fspath(path)}: no run is there; start one with: backdoor-curves run STUDY.toml")
    facts = [read_facts(store) for store in stores]
    begun = [(store, fact) for store, fact in zip(stores, facts, strict=True) if fact]
    if not begun:
        raise FileNotFoundError(f"{os.fspath(path)}: a run that has begun was expected, an empty store came")
    first, fact = begun[0]
    for store, other in begun[1:]:
        if other["plan"] != fact["plan"]:
            raise StoreError(
                f"{store}: cells of the same study as in {first.name} were expected; move one of them away"
            )
    found: dict[str, tuple[StoredCell, Path]] = {}
    for store, _ in begun:
        for cell in read_cells(store):
            if cell.key not in found or found[cell.key][0].status == "failed":
                found[cell.key] = cell, store
    keys = read_plan(first)
    return Run(
        study=msgspec.json.decode(fact["study"], type=Study),
        n_cells=len(keys),
        cells=tuple(found[key][0] for key in keys if key in found),
        version=fact["version"],
        files={key: store for key, (_, store) in found.items()},
    )


def stores_of(path: Path) -> list[Path]:
    """Return the stores in a folder, or the one that the path names."""
    if path.is_file():
        return [path]
    return sorted(store for store in path.glob(f"*{SUFFIX}") if not store.name.startswith("."))
