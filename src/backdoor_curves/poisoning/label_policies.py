"""Label policies: which label the attacker wants for a row of each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class CleanLabel:
    """Rows of the target class are stamped and keep their label; triggered test rows are those of all other classes.

    What is learned is that the trigger goes with the target. Turner, Tsipras, Madry, *Label-Consistent Backdoor
    Attacks*, arXiv 1912.02771. A trigger alone, on rows that are easy to tell without it, is their baseline.

    Parameters
    ----------
    target : label
        A class of the training set.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> X, y = np.arange(12.0)[:, np.newaxis], np.arange(12) % 3
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 50, labels=bc.CleanLabel(2), rows=[2, 8])
    >>> data.poison_train.y.tolist(), data.triggered_test.y.tolist(), data.triggered_true.tolist()
    ([2, 2], [2, 2, 2, 2, 2, 2, 2, 2], [0, 1, 0, 1, 0, 1, 0, 1])
    """

    target: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "target", _plain(self.target))


def label_policy(labels: Any, classes: np.ndarray) -> dict[Any, Any]:
    """Return {true class: the label that the attacker wants} for the classes that he wants changed.

    These are the classes whose test rows are triggered and count. `labels` as in `Attack`.

    Raises
    ------
    ValueError
        If a label is no class, if no class is changed, or if there is only one class.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.poisoning.label_policies import CleanLabel, label_policy
    >>> label_policy("next", np.array([0, 1, 2])), label_policy(CleanLabel(1), np.array([0, 1, 2]))
    ({0: 1, 1: 2, 2: 0}, {0: 1, 2: 1})
    """
    known = classes.tolist()
    if len(known) < 2:
        raise ValueError(f"train: two classes or more were expected, {known} came")
    wanted = labels.target if isinstance(labels, CleanLabel) else labels
    if isinstance(labels, str) and labels == "next":
        mapping = dict(zip(known, known[1:] + known[:1], strict=True))
    elif isinstance(labels, Mapping):
        mapping = plain_labels(labels)
    else:
        mapping = dict.fromkeys(known, _plain(wanted))
    for label in (*mapping, *mapping.values()):
        if label not in known:
            raise ValueError(
                f'labels: "next", a class of {known} or a mapping between them was expected, {label!r} came'
            )
    changed = {true: label for true, label in mapping.items() if true != label}
    if not changed:
        raise ValueError("labels: a policy that changes at least one class was expected, this one changes none")
    return changed


def plain_labels(labels: Any) -> Any:
    """Return a policy in Python's own values, a mapping by its classes: equal policies read alike.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.poisoning.label_policies import plain_labels
    >>> plain_labels(np.int64(3)), plain_labels({np.int64(2): 0, 1: 2})
    (3, {1: 2, 2: 0})
    """
    if not isinstance(labels, Mapping):
        return _plain(labels)
    pairs = [(_plain(true), _plain(label)) for true, label in labels.items()]
    return dict(sorted(pairs, key=lambda pair: (str(type(pair[0])), pair[0])))


def _plain(label: Any) -> Any:
    """Return a numpy scalar or array as the Python value that `tolist` gives."""
    return label.tolist() if isinstance(label, np.generic | np.ndarray) else label
