"""A table: named columns of as many rows, as a file or a folder has them, and which line of the file a row is."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int

Column = Any
"""An array whose first axis is the rows (floats, integers, or objects that are str or None), or a CSR matrix."""
LONGEST = 200
"""Characters of a name: it stands in titles and tables."""
MOST_NAMES = 8
"""Of columns that are listed where one is not there: a line on a terminal has room for no more."""


class LazyColumns(Mapping[str, Column]):
    """Columns that are read when they are first asked for: what nobody asks for is neither refused nor warned of.

    Parameters
    ----------
    n_rows : int
    readers : mapping of str to callable
        By name, what reads a column.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.files.table import LazyColumns
    >>> columns = LazyColumns(2, {"age": lambda: np.array([20, 31]), "odd": lambda: 1 / 0})
    >>> list(columns), columns["age"].tolist()
    (['age', 'odd'], [20, 31])
    """

    def __init__(self, n_rows: int, readers: Mapping[str, Callable[[], Column]]) -> None:
        self.n_rows = n_rows
        self._names = tuple(readers)
        self._unread = dict(readers)
        self._read: dict[str, Column] = {}

    def __getitem__(self, name: str) -> Column:
        if name in self._unread:
            self._read[name] = self._unread[name]()
            del self._unread[name]  # and with it the cells
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._unread or name in self._read

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name.

    Parameters
    ----------
    source : str
        What the file is called in errors.
    columns : mapping of str to column
        Numbers are float64 with NaN for gaps, or int64; words are objects, str or None for gaps; of folders the rows
        of "image" are arrays of shape (height, width, channels) with values in [0, 1].

    Raises
    ------
    ValueError
        If there are no columns or no rows, columns have different lengths, or a name cannot be printed.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.files.table import Table
    >>> table = Table("loans.csv", {"age": np.array([20.0, 31.0]), "paid": np.array(["yes", "no"], dtype=object)})
    >>> table.names, len(table), table.column("paid").tolist()
    (['age', 'paid'], 2, ['yes', 'no'])
    """

    source: str
    columns: Mapping[str, Column]
    lines: Int[np.ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        if bad := [name for name in self.columns if not name.isprintable() or len(name) > LONGEST]:
            raise ValueError(
                f"{self.source}: names of columns of at most {LONGEST} printable characters were expected, "
                f"{bad[0]!r:.60} came; rename it"
            )
        lengths = _lengths(self.columns)
        if not lengths or not max(lengths.values()):
            raise ValueError(f"{self.source}: rows were expected, none came")
        first, n = next(iter(lengths.items()))
        if other := [name for name, length in lengths.items() if length != n]:
            raise ValueError(
                f"{self.source}: as many rows in each column were expected, {first!r} has {n} and {other[0]!r} "
                f"{lengths[other[0]]}; leave the others out"
            )

    def __len__(self) -> int:
        return next(iter(_lengths(self.columns).values()))

    @property
    def names(self) -> list[str]:
        """Names of the columns, in the order of the file."""
        return list(self.columns)

    def column(self, name: str, role: str = "column") -> Column:
        """Return a column; an unknown name is a ValueError, see `require`, and `role` says what it is for."""
        self.require(name, role)
        return self.columns[name]

    def require(self, name: str, role: str = "column") -> None:
        """Refuse an unknown name, with the nearest right one; the column is not read."""
        if name in self.columns:
            return
        near = difflib.get_close_matches(name, self.names, n=1, cutoff=0.5)
        more = f" and {len(self.names) - MOST_NAMES} more" if len(self.names) > MOST_NAMES else ""
        known = f"there are {', '.join(map(repr, self.names[:MOST_NAMES]))}{more}"
        hint = f"did you mean {near[0]!r}?" if near else known
        raise ValueError(f"{self.source}: {role}: a column of it was expected, {name!r} came; {hint}")

    def place(self, row: int) -> str:
        """Return where people find a row, see `place_of`."""
        return place_of(row, self.lines)

    def select(self, names: Iterable[str]) -> Table:
        """Return the table with these columns alone, in their order."""
        return Table(self.source, {name: self.column(name) for name in names}, self.lines)

    def take(self, rows: Int[np.ndarray, " k"]) -> Table:
        """Return the given rows, in the order asked."""
        lines = None if self.lines is None else self.lines[rows]
        return Table(self.source, {name: column[rows] for name, column in self.columns.items()}, lines)


def place_of(row: int, lines: Int[np.ndarray, " n"] | None = None) -> str:
    """Return where people find a row, counted from 0 here: in which line of the file, else which row counted from 1.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets.files.table import place_of
    >>> place_of(1, np.array([2, 4])), place_of(1)
    ('line 4', 'row 2 (counted from 1)')
    """
    return f"row {row + 1} (counted from 1)" if lines is None else f"line {lines[row]}"


def _lengths(columns: Mapping[str, Column]) -> dict[str, int]:
    """Return the rows of each column; none is read for it."""
    if isinstance(columns, LazyColumns):
        return dict.fromkeys(columns, columns.n_rows)
    return {name: int(column.shape[0]) for name, column in columns.items()}


def is_words(column: Column) -> bool:
    """Return whether a column is of words."""
    return not sp.issparse(column) and column.dtype.kind == "O"


def is_wide(column: Column) -> bool:
    """Return whether a column has more than one entry a row: images, embeddings, counts of words."""
    return sp.issparse(column) or column.ndim > 1
