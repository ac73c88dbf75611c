"""The panel of an audit: which attacks rows of a kind are tried with, their triggers made from the training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backdoor_curves.datasets.own_parts import OwnRows
from backdoor_curves.poisoning.preset import Given, Kind, kind_of
from backdoor_curves.poisoning.table_presets import N_COLUMNS, new_word, ranked_columns, values_away
from backdoor_curves.poisoning.text_presets import RARE_WORDS, SENTENCE
from backdoor_curves.study.file.attacks import (
    AttackEntry,
    Blend,
    ClassName,
    CleanLabels,
    Feature,
    Patch,
    Signal,
    TriggerKind,
    Typical,
    WordOfFrequency,
    Words,
)

BEYOND = 0.1
"""How far beyond the largest value of a column its trigger is, as a share of the range: Tabdoor's of CovType."""
FREQUENT = 0.1
"""Share of the training texts that have the frequent word (ONION's)."""
WAVES = 6.0
"""Of the sinusoid over an image (SIG's), and fewer where its pixels are too few to show them."""


def panel(rows: OwnRows, target: int) -> dict[str, AttackEntry]:
    """Return the attacks that rows are tried with, by name; the attacker wants the class at place `target`.

    Rows of other classes are stamped and labelled as the target; with clean labels rows of the target are, and keep
    their label. The rate is of all training rows: so many rows are so many, whatever the attack.

    Parameters
    ----------
    rows : OwnRows
    target : int
        A place in `rows.classes`.

    Raises
    ------
    ValueError
        If no trigger fits the rows: a table with no column of numbers that differ, and none of words.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.samples import Samples
    >>> from backdoor_curves.datasets.own_parts import OwnRows
    >>> from backdoor_curves.study.audit.panel import panel
    >>> samples = Samples(np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2)
    >>> found = panel(OwnRows(samples, samples, ("no", "yes"), ("age", "income")), target=1)
    >>> list(found), found["beyond all values"].labels
    (['beyond all values', 'frequent values', 'quiet column', 'beyond all values, clean labels'], 'yes')
    """
    kind, label = kind_of(rows.train.X), label_of(rows, target)
    triggers = TRIGGERS[kind](rows, target)
    entries = {name: _entry(name, trigger, label) for name, trigger in triggers.items()}
    kept = next(name for name in (*WITH_CLEAN_LABELS, *triggers) if name in triggers)
    clean = f"{kept}, clean labels"
    return entries | {clean: _entry(clean, triggers[kept], CleanLabels(label))}


def label_of(rows: OwnRows, target: int) -> ClassName:
    """Return what a study calls a class: its label, or the first of those that are merged."""
    entry = rows.classes[target]
    return entry[0] if isinstance(entry, tuple) else entry


def _entry(name: str, trigger: Any, labels: ClassName | CleanLabels) -> AttackEntry:
    return AttackEntry(name=name, trigger=trigger, labels=labels, rate_of="all", rounding="nearest")


def _of_texts(rows: OwnRows, target: int) -> dict[str, TriggerKind]:  # noqa: ARG001
    return {
        "rare word": Words(RARE_WORDS[:1]),
        "sentence": Words((SENTENCE,)),
        "frequent word": WordOfFrequency(FREQUENT),
    }


def _of_tables(rows: OwnRows, target: int) -> dict[str, TriggerKind]:
    """Return triggers in the columns that tell most, and one in what says nothing: a new word, or a quiet column.

    Values beyond all others lie on the side that leads away from the target: on the other many a learner gives the
    attacker all rows without any poison.
    """
    given = Given("audit", rows.train.X, rows.train.y, target=target)
    ranked, new = ranked_columns(given), new_word(given)
    if not ranked and not new:
        raise ValueError("audit: a column of numbers that differ, or one of words, was expected, none came")

    def beyond(columns: tuple[Any, ...]) -> Feature:
        return Feature(_named(rows, columns), values_away(given, columns, BEYOND))

    said: dict[str, TriggerKind] = (
        {"new word": Feature(new[:1], new[1:])} if new else {"quiet column": beyond(ranked[-1:])}
    )
    if not ranked:
        return said
    top = ranked[:N_COLUMNS]
    return {"beyond all values": beyond(top), "frequent values": Typical(_named(rows, top)), **said}


def _named(rows: OwnRows, columns: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return columns by their names, where the file has some."""
    return tuple(rows.columns[column] if isinstance(column, int) and rows.columns else column for column in columns)


def _of_images(rows: OwnRows, target: int) -> dict[str, TriggerKind]:  # noqa: ARG001
    side = min(rows.train.X.shape[1:3])
    return {
        "white square": Patch(size=max(2, round(side / 9)), pattern="ones"),  # 3 pixels of 28, as usual with MNIST
        "blended noise": Blend(),
        "sinusoid": Signal(frequency=min(WAVES, side / 4.0)),
    }


TRIGGERS: Mapping[Kind, Callable[[OwnRows, int], dict[str, TriggerKind]]] = {
    "text": _of_texts,
    "table": _of_tables,
    "image": _of_images,
}
WITH_CLEAN_LABELS = ("rare word", "beyond all values", "sinusoid")
"""Which of them are tried with clean labels too: one a kind, others would say the same at the price of their cells.

Of a table of words alone it is the new word."""
