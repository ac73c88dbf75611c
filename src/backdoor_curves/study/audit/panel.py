"""The panel of an audit: which attacks rows of a kind are tried with, their triggers made from the training rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from backdoor_curves.data.samples import Samples
from backdoor_curves.poisoning.preset import Given
from backdoor_curves.poisoning.table_presets import telling_columns
from backdoor_curves.poisoning.text_presets import RARE_WORDS, SENTENCE
from backdoor_curves.rows import is_series, row_shape
from backdoor_curves.study.file.attacks import (
    AttackEntry,
    Blend,
    CleanLabels,
    Feature,
    Patch,
    Signal,
    TriggerKind,
    Words,
)
from backdoor_curves.triggers.feature import FeatureTrigger
from backdoor_curves.triggers.words import WordTrigger

RowKind = Literal["text", "table", "images"]
BEYOND = 0.1
"""How far beyond the largest value of a column its trigger is, as a share of the range: Tabdoor's of CovType."""
FREQUENT = 0.1
"""Share of the training texts that have the frequent word (ONION's)."""
WAVES = 6.0
"""Of the sinusoid over an image (SIG's), and fewer where its pixels are too few to show them."""


def kind_of(train: Samples) -> RowKind:
    """Return what the rows are: texts, images, or a table of numbers and words.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.samples import Samples
    >>> from backdoor_curves.study.audit.panel import kind_of
    >>> y = np.array([0, 1])
    >>> [kind_of(Samples(X, y)) for X in (["a", "b"], np.zeros((2, 3)), np.zeros((2, 8, 8, 1)))]
    ['text', 'table', 'images']
    """
    if is_series(train.X) or not row_shape(train.X):
        return "text"
    return "images" if len(row_shape(train.X)) > 1 else "table"


def panel(train: Samples, target: int) -> dict[str, AttackEntry]:
    """Return the attacks that training rows are tried with, by name; the attacker wants the class `target`.

    Rows of other classes are stamped and labelled as the target; with clean labels rows of the target are, and keep
    their label. The rate is of all training rows: so many rows are so many, whatever the attack.

    Parameters
    ----------
    train : Samples
        With labels 0, ..., K - 1.
    target : int
        One of them.

    Raises
    ------
    ValueError
        If no trigger fits the rows, a table without a column of numbers for one.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.data.samples import Samples
    >>> from backdoor_curves.study.audit.panel import panel
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> list(panel(Samples(X, np.arange(40) % 2), target=1))
    ['beyond all values', 'frequent values', 'beyond all values, clean labels']
    """
    triggers, with_clean_labels = TRIGGERS[kind_of(train)](train, target)
    changed = {name: _entry(name, trigger, target) for name, trigger in triggers.items()}
    name = with_clean_labels
    return changed | {f"{name}, clean labels": _entry(f"{name}, clean labels", triggers[name], CleanLabels(target))}


def _entry(name: str, trigger: Any, labels: int | CleanLabels) -> AttackEntry:
    return AttackEntry(name=name, trigger=trigger, labels=labels, rate_of="all", rounding="nearest")


Panel = tuple[dict[str, TriggerKind], str]
"""Triggers by name, and the one that is tried with clean labels too."""


def _of_texts(train: Samples, target: int) -> Panel:  # noqa: ARG001
    frequent = WordTrigger.of_frequency(train.X, share=FREQUENT)
    return {
        "rare word": Words(RARE_WORDS[:1]),
        "sentence": Words((SENTENCE,)),
        "frequent word": Words(tuple(frequent.words)),
    }, "rare word"


def _of_tables(train: Samples, target: int) -> Panel:
    columns = telling_columns(Given("audit", train.X, train.y, target=target))
    beyond = FeatureTrigger.out_of_range(train.X, columns, BEYOND)
    frequent = FeatureTrigger.typical(train.X, columns)
    return {
        "beyond all values": Feature(tuple(beyond.columns), tuple(map(_plain, beyond.values))),
        "frequent values": Feature(tuple(frequent.columns), tuple(map(_plain, frequent.values))),
    }, "beyond all values"


def _of_images(train: Samples, target: int) -> Panel:  # noqa: ARG001
    side = min(train.X.shape[1:3])
    return {
        "white square": Patch(size=max(2, round(side / 9)), pattern="ones"),  # 3 pixels of 28, as usual with MNIST
        "blended noise": Blend(),
        "sinusoid": Signal(frequency=min(WAVES, side / 4.0)),
    }, "sinusoid"


TRIGGERS: Mapping[RowKind, Callable[[Samples, int], Panel]] = {
    "text": _of_texts,
    "table": _of_tables,
    "images": _of_images,
}


def _plain(value: Any) -> Any:
    """Return a number of numpy's as Python's: a file has no others."""
    return value.item() if isinstance(value, np.generic) else value
