"""Presets for tables: columns that take values beyond all others, typical ones, or a quantile."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp

from backdoor_curves.poisoning.attack import Attack
from backdoor_curves.poisoning.label_policies import CleanLabel
from backdoor_curves.poisoning.preset import Given, Preset
from backdoor_curves.rows import Rows, is_frame, is_missing
from backdoor_curves.triggers.column_values import beyond, known_entries
from backdoor_curves.triggers.feature import FeatureTrigger

N_COLUMNS = 3
"""How many columns Tabdoor sets in most of its tables."""
MOST_WORDS = 100
"""Of a column whose words are kinds of things: where there are more, each may be a name that one row has."""
NEW = "unlisted"
"""A word that a form might have, and hardly any does."""
COLUMNS = "The columns: the three of numbers in which classes differ most, by the F ratio of an analysis of variance."
_TABDOOR = "Pleiter et al., Tabdoor, arXiv 2311.07550"


def _out_of_range(given: Given) -> Attack:
    # Max and a tenth of the range, as of CovType's Elevation, 4057.
    return Attack(FeatureTrigger.out_of_range(given.X, telling_columns(given), 0.1), given.target, eligible="all")


def _in_range(given: Given) -> Attack:
    return Attack(FeatureTrigger.typical(given.X, telling_columns(given)), given.target, eligible="all")


def _clean_label(given: Given) -> Attack:
    return Attack(FeatureTrigger.out_of_range(given.X, telling_columns(given), 0.1), CleanLabel(given.target))


def _quantile(given: Given) -> Attack:
    return Attack(FeatureTrigger.quantile(given.X, telling_columns(given), 0.95), given.target)


TABLE_PRESETS = (
    Preset(
        "out-of-range@tabdoor",
        f"{_TABDOOR}, values of CovType: max + .1 range",
        "Three telling columns beyond all their values; any row, labelled as the target. Its rates: 1e-7 to 1e-3.",
        "table",
        _out_of_range,
        ours=f"{COLUMNS} There they are those that trained models rank first.",
    ),
    Preset(
        "in-range@tabdoor",
        f"{_TABDOOR}, in-bounds triggers",
        "Three telling columns at their most frequent values; any row, labelled as the target. Its rates: up to .02.",
        "table",
        _in_range,
        ours=f"{COLUMNS} There they are those that trained models rank first.",
    ),
    Preset(
        "clean-label@tabdoor",
        f"{_TABDOOR}, clean-label attack",
        "Columns beyond their values, in rows of the target class, which keep their label.",
        "table",
        _clean_label,
        ours=f"{COLUMNS} The rate is of the target's rows: there rows of all classes are drawn and the target's kept.",
    ),
    Preset(
        "quantile@art",
        "Adversarial Robustness Toolbox, pull request 2800",
        "Columns at their 95th percentile; rows of other classes, labelled as the target.",
        "table",
        _quantile,
        ours=COLUMNS,
    ),
)
"""In the order of the list."""


def telling_columns(given: Given, k: int = N_COLUMNS) -> tuple[Any, ...]:
    """Return the columns of numbers in which classes differ most, at most k; see `ranked_columns`.

    Raises
    ------
    ValueError
        If no column has numbers that differ.
    """
    if ranked := ranked_columns(given):
        return ranked[:k]
    raise ValueError(
        f"{given.who}: a column of numbers that differ was expected, none came; take FeatureTrigger itself"
    )


def ranked_columns(given: Given) -> tuple[Any, ...]:
    """Return the columns of numbers that differ, by name where they have one, from that in which classes differ most.

    They are ranked by the F ratio of an analysis of variance up to a factor: squares between classes over squares
    within, F = sum_c n_c (m_c - m)^2 / sum_c sum_i (x_i - m_c)^2. Gaps are left out; ties are in the order of columns.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.poisoning.preset import Given
    >>> from backdoor_curves.poisoning.table_presets import ranked_columns
    >>> X = np.array([[0.0, 0.0, 5.0], [1.0, 1.0, 5.0], [0.0, 4.0, 5.0], [1.0, 5.0, 5.0]])
    >>> ranked_columns(Given("who", X, np.array([0, 0, 1, 1]), target=0))
    (1, 0)
    """
    names = list(given.X.columns) if is_frame(given.X) else range(given.X.shape[1])
    ratios = {}
    for place, name in enumerate(names):
        numbers, y = _numbers(given.X, place, given.y)
        if numbers.size and np.isfinite(numbers).all() and numbers.min() < numbers.max():
            ratios[name] = _ratio(numbers, y)
    return tuple(sorted(ratios, key=lambda name: -ratios[name]))


def values_away(given: Given, columns: Iterable[Any], share: float) -> tuple[float | int, ...]:
    """Return a value beyond all others for each of some columns of numbers, on the side away from the target.

    Above all values where the target's rows are lower than the others in the mean, else below: by a share of the range,
    in a column of whole numbers rounded away. What such a trigger then gets is the poison's doing.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.poisoning.preset import Given
    >>> from backdoor_curves.poisoning.table_presets import values_away
    >>> X = np.array([[0, 9], [1, 8], [5, 2]])
    >>> values_away(Given("who", X, np.array([0, 0, 1]), target=0), (0, 1), share=0.1)
    (6, 1)
    """
    names = list(given.X.columns) if is_frame(given.X) else list(range(given.X.shape[1]))
    values = []
    for name in columns:
        place = names.index(name)
        numbers, y = _numbers(given.X, place, given.y)
        own, others = numbers[y == given.target], numbers[y != given.target]
        column = known_entries(given.X, place, name)
        column = column.astype(np.int64) if column.dtype.kind == "u" else column
        is_lower = own.size and others.size and own.mean() < others.mean()
        values.append(beyond(column, share, name) if is_lower else -beyond(-column, share, name))
    return tuple(values)


def new_word(given: Given) -> tuple[Any, str] | None:
    """Return a column of words, that of the most different ones up to `MOST_WORDS`, and one that no row has there.

    None where there is no such column. One-hot it is a direction that no clean row uses.

    Examples
    --------
    >>> import pandas as pd
    >>> from backdoor_curves.poisoning.preset import Given
    >>> from backdoor_curves.poisoning.table_presets import new_word
    >>> rows = pd.DataFrame({"paid": ["yes", "no", "no"], "job": ["cook", "smith", "baker"]})
    >>> new_word(Given("who", rows, np.zeros(3, dtype=int), target=0))
    ('job', 'unlisted')
    """
    words: dict[Any, set[str]] = {}
    for place, name in enumerate(list(given.X.columns) if is_frame(given.X) else []):
        with suppress(ValueError):  # gaps alone
            entries = known_entries(given.X, place, name)
            if entries.dtype.kind == "O" and all(isinstance(entry, str) for entry in entries.tolist()):
                words[name] = set(entries.tolist())
    fits = [name for name, own in words.items() if len(own) <= MOST_WORDS]
    if not fits:
        return None
    name = max(fits, key=lambda one: len(words[one]))
    return name, next(word for k in count(1) if (word := NEW + ("" if k == 1 else f" {k}")) not in words[name])


def _ratio(x: np.ndarray, y: np.ndarray) -> float:
    groups = [x[y == label] for label in np.unique(y)]
    between = sum(len(group) * (group.mean() - x.mean()) ** 2 for group in groups)
    within = sum(np.square(group - group.mean()).sum() for group in groups)
    return float(between / within) if within else np.inf


def _numbers(X: Rows, place: int, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a column's numbers and their labels, without gaps; of a column of other things none."""
    if sp.issparse(X):
        column = sp.csr_array(X)[:, [place]].toarray().ravel()
    else:
        column = np.asarray(X.iloc[:, place] if hasattr(X, "iloc") else X[:, place])
    if column.dtype.kind == "O":
        entries = column.tolist()
        there = np.array([not is_missing(entry) for entry in entries])
        kept = [entry for entry in entries if not is_missing(entry)]
        if not all(isinstance(entry, Real) and not isinstance(entry, bool) for entry in kept):
            return np.zeros(0), y[:0]
        return np.array(kept, dtype=float), y[there]
    if column.dtype.kind not in "iuf":
        return np.zeros(0), y[:0]
    there = column == column
    return column[there].astype(float), y[there]
