"""A file or folder becomes a table, by the ending of its name or by what lies in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from backdoor_curves.datasets.files import images, texts
from backdoor_curves.datasets.files.arrays import read_arrays
from backdoor_curves.datasets.files.content import printable, require_file
from backdoor_curves.datasets.files.delimited import read_delimited
from backdoor_curves.datasets.files.parquet import read_parquet
from backdoor_curves.datasets.files.table import Table

FORMATS: Mapping[str, Callable[[Path, str], Table]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".csv.gz": read_delimited,
    ".tsv.gz": read_delimited,
    ".parquet": read_parquet,
    ".npz": read_arrays,
}
"""By the endings of names."""


def read_table(path: str | os.PathLike[str]) -> Table:
    """Return the table in a file, or in a folder of images or texts with a folder for each class.

    Parameters
    ----------
    path : path
        A .csv or .tsv file (also .gz; names of columns in the first line; commas, semicolons or tabs; UTF-8, or UTF-16
        with a mark), .parquet (extra `parquet`), .npz with named arrays, or a folder of images, of .txt or of .eml
        files.

    Returns
    -------
    Table
        Names and columns, in the order of the file. A column of a table is read when it is first asked for: what is
        left out is neither refused nor warned of.

    Raises
    ------
    FileNotFoundError, ValueError
        In one sentence, if it is not there or cannot be read rightly; here, or where a column is asked for.
    ImportError
        If a format needs an extra.

    Warns
    -----
    ReadingWarning
        If something is read in a way that may not be meant: dates as words, say, where their column is asked for.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from backdoor_curves.datasets import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "loans.csv"
    ...     _ = path.write_text("age,job,paid\\n20,cook,yes\\n31,,no\\n")
    ...     table = read_table(path)
    >>> table.names, table.column("age").tolist(), table.column("job").tolist()
    (['age', 'job', 'paid'], [20, 31], ['cook', None])
    """
    path = Path(path)
    source = printable(path.name or str(path))
    if os.path.isdir(path):  # which takes any name, as the method of a path does not
        return _read_folder(path, source)
    require_file(path)
    endings = [ending for ending in FORMATS if path.name.lower().endswith(ending)]
    if not endings:
        raise ValueError(
            f"{source}: a file that ends in {', '.join(FORMATS)}, or a folder, was expected; save it as one of these"
        )
    return FORMATS[max(endings, key=len)](path, source)


def _read_folder(folder: Path, source: str) -> Table:
    """Return the table of a folder by the endings of the first files in it."""
    first = {path.suffix.lower() for path in _some_files(folder)}
    kinds = {"images": first & images.ENDINGS, "texts": first & texts.ENDINGS}
    found = [kind for kind, endings in kinds.items() if endings]
    if len(found) != 1:
        came = " and ".join(found) or "none"
        raise ValueError(
            f"{source}: a folder for each class with images, or with .txt or .eml files, was expected, {came} came"
        )
    return images.read_images(folder, source) if found == ["images"] else texts.read_texts(folder, source)


def _some_files(folder: Path, most: int = 1000) -> list[Path]:
    """Return the first files in the folders of a folder, enough to know of what kind they are."""
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place) / name for name in sorted(names) if not name.startswith(".")]
        if len(found) >= most:
            break
    return found
