"""A file or folder of one's own becomes a training and a test set: features, labels, classes, and a split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.files.folders import LABEL
from backdoor_curves.datasets.own_classes import Label
from backdoor_curves.datasets.own_parts import Parts, own_rows

TEST = 0.25
"""The share that is tested where nothing is said, as in scikit-learn's `train_test_split`."""


def from_file(
    path: str | os.PathLike[str],
    *,
    label: str = LABEL,
    text: str | None = None,
    columns: Sequence[str] = (),
    drop: Sequence[str] = (),
    test: float = TEST,
    test_file: str | os.PathLike[str] | None = None,
    group: str | None = None,
    classes: Sequence[Label | Sequence[Label]] = (),
    positive: Label | None = None,
    n_train: int | None = None,
    n_test: int | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[Samples, Samples]:
    """Return training and test rows of a file, or of a folder of images or texts with a folder for each class.

    Parameters
    ----------
    path : path
        As in `read_table`.
    label : str
        The column of the labels, words or whole numbers; of a folder it is "label".
    text : str, optional
        The column of texts that are the rows; of a folder of texts it is "text".
    columns, drop : sequence of str
        The columns that are features, in this order, or those that are none; by default all beside label and group.
    test : float in (0, 1)
        The share of the rows that is tested, of each class.
    test_file : path, optional
        Where the test rows are instead, with the same columns.
    group : str, optional
        A column: rows that are equal in it stay on one side, mails of one sender, say.
    classes : sequence of labels, or of sequences of labels that are merged into one class
        Which are classes, and in which order; rows of others are left out, which is said. By default all, numbers
        ascending before words by alphabet.
    positive : label, optional
        The second of two classes; the first are all others.
    n_train, n_test : int, optional
        Rows to draw, each class in its share. None takes all, in the order of the file.
    rng : numpy Generator
        Source of the split and of the rows drawn; for one state of it smaller sets are the first rows of larger ones.

    Returns
    -------
    train, test : Samples
        Labels are int64 places in `classes`. Rows are texts, images in [0, 1], or float64 of shape (n, d) with NaN for
        gaps where all columns are numbers; else a DataFrame of pandas, or polars, or an array of objects, by what is
        installed.

    Raises
    ------
    FileNotFoundError, ValueError
        In one sentence, if it cannot be read rightly, a column is not there, labels are missing, or classes are too few
        or too small.
    TypeError
        If rows are to be drawn and `rng` is no numpy Generator.

    Warns
    -----
    ReadingWarning
        If something is read in a way that may not be meant, or rows are left out.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "loans.csv"
    ...     _ = path.write_text("age,income,paid\\n" + "20,1.5,yes\\n31,2.5,no\\n" * 10)
    ...     train, test = bc.datasets.from_file(path, label="paid", rng=np.random.default_rng(0))
    >>> train.X.shape, test.X.shape, np.bincount(test.y).tolist()
    ((16, 2), (4, 2), [2, 2])
    """
    parts = Parts(label, text, tuple(columns), tuple(drop), group, tuple(classes), positive)
    tested = test if test_file is None else Path(test_file)
    found = own_rows(parts, Path(path), tested, (n_train, n_test), rng)
    return found.train, found.test
