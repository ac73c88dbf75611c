"""Label policies: which label the attacker gives a row of each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def label_policy(labels: Any, classes: np.ndarray) -> dict[Any, Any]:
    """Return {true class: the attacker's label} for the classes whose label changes; `labels` as in `poison`."""
    known = classes.tolist()
    if len(known) < 2:
        raise ValueError(f"train: two classes or more were expected, {known} came")
    if isinstance(labels, str) and labels == "next":
        mapping = dict(zip(known, known[1:] + known[:1], strict=True))
    elif isinstance(labels, Mapping):
        mapping = {_plain(true): _plain(label) for true, label in labels.items()}
    else:
        mapping = dict.fromkeys(known, _plain(labels))
    for label in (*mapping, *mapping.values()):
        if label not in known:
            raise ValueError(
                f'labels: "next", a class of {known} or a mapping between them was expected, {label!r} came'
            )
    changed = {true: label for true, label in mapping.items() if true != label}
    if not changed:
        raise ValueError("labels: a policy that changes at least one class was expected, this one changes none")
    return changed


def _plain(label: Any) -> Any:
    """Return a numpy scalar or array as the Python value that `tolist` gives."""
    return label.tolist() if isinstance(label, np.generic | np.ndarray) else label
