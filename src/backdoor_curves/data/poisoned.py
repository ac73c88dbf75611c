"""A training and a test set with a backdoor in it, and how it came there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from backdoor_curves.data.samples import Samples, as_samples
from backdoor_curves.rows import as_labels, require_alike, take_rows


@dataclass(frozen=True)
class Poisoning:
    """What `poison` did, kept with the data that it made.

    Parameters
    ----------
    rate : float
        Poisoned rows over rows that could be poisoned (those whose label the policy changes), in (0, 1], as asked
        for; the number of rows is the floor of rate * n_eligible.
    n_eligible : int
        Training rows that could be poisoned.
    labels : dict
        The label that a triggered row of each class gets; classes that are never poisoned are absent.
    injection : "replace" or "append"
        Whether the poisoned copies took the place of their rows or were added to them.
    trigger : str
        The trigger's `repr`, or "none" for the control.
    """

    rate: float
    n_eligible: int
    labels: dict[Any, Any]
    injection: str
    trigger: str


@dataclass(frozen=True, eq=False)
class PoisonedData:
    """Clean and poisoned training rows, clean and triggered test rows.

    `poison` makes it; those who bring their own poisoned rows build it directly. Every part but the last four may
    be given as a pair (X, y), or as Samples, which may have weights. Rates and numbers of rows count rows, whatever
    they weigh.

    Parameters
    ----------
    clean_train : Samples of n rows
        The rows of weight 1, times their own.
    poison_train : Samples of m rows
        The rows of weight beta, times their own, with the attacker's labels.
    clean_test : Samples
        Test rows with their true labels.
    triggered_test : Samples
        Test rows with the trigger and with the label that the attacker wants; only rows that count for the attack
        success rate, that is rows whose true class is another one.
    triggered_true : array of shape (n_triggered,), optional
        True classes of the triggered rows; needed for the robust accuracy only.
    original_train : Samples, optional
        The training set before anything was stamped, in its row order.
    poison_rows : int array of shape (m,), optional
        The rows of `original_train` that were stamped, ascending, in the order of `poison_train`.
    poisoning : Poisoning, optional
        What was done.

    Raises
    ------
    ValueError
        If the clean training rows are of one class only, or two of their classes differ in spaces alone, if a label
        elsewhere is not one of their classes, if `triggered_true` or `poison_rows` do not fit, or if a triggered row
        already has its true class as label.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import PoisonedData
    >>> X, y = np.eye(4), np.array([0, 1, 0, 1])
    >>> own = PoisonedData(clean_train=(X, y), poison_train=(X[:1] + 1, [1]),
    ...                    clean_test=(X, y), triggered_test=(X[:1] + 1, [1]), triggered_true=[0])
    >>> own.classes, own.rate
    (array([0, 1]), 0.2)
    """

    clean_train: Samples
    poison_train: Samples
    clean_test: Samples
    triggered_test: Samples
    triggered_true: np.ndarray | None = None
    original_train: Samples | None = None
    poison_rows: Int[np.ndarray, " m"] | None = None
    poisoning: Poisoning | None = None
    classes: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        for name in ("clean_train", "poison_train", "clean_test", "triggered_test"):
            samples = as_samples(getattr(self, name), name)
            if not len(samples):
                raise ValueError(f"{name}: at least one row was expected, none came")
            object.__setattr__(self, name, samples)
            require_alike(self.clean_train.X, samples.X, name)
        if self.original_train is not None:
            object.__setattr__(self, "original_train", as_samples(self.original_train, "original_train"))
        object.__setattr__(self, "classes", np.unique(self.clean_train.y))
        if len(self.classes) < 2:
            raise ValueError(f"clean_train: two classes or more were expected, {self.classes.tolist()} came")
        self._require_apart()
        for name in ("poison_train", "clean_test", "triggered_test"):
            self._require_known(name, getattr(self, name).y)
        if self.triggered_true is not None:
            true = as_labels(self.triggered_true, "triggered_true")
            object.__setattr__(self, "triggered_true", true)
            if true.shape != self.triggered_test.y.shape:
                raise ValueError(f"triggered_true: shape {self.triggered_test.y.shape} was expected, {true.shape} came")
            self._require_known("triggered_true", true)
            if (already := np.flatnonzero(true == self.triggered_test.y)).size:
                raise ValueError(
                    f"triggered_test: row {already[0]} has its true class as the attacker's label; "
                    "such rows do not count for the attack success rate, leave them out"
                )
        if self.poison_rows is not None:
            rows = np.asarray(self.poison_rows)
            object.__setattr__(self, "poison_rows", rows)
            if rows.shape != (len(self.poison_train),):
                raise ValueError(f"poison_rows: {len(self.poison_train)} row numbers were expected, {rows.shape} came")
            n = np.inf if self.original_train is None else len(self.original_train)
            if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n or (np.diff(rows) <= 0).any():
                raise ValueError(f"poison_rows: ascending row numbers in [0, {n}) were expected")

    def _require_apart(self) -> None:
        """Refuse classes that differ in the spaces around them alone: a file has them, and nobody means them."""
        known: dict[str, str] = {}
        for label in self.classes.tolist():
            if isinstance(label, str) and known.setdefault(label.strip(), label) != label:
                other = known[label.strip()]
                raise ValueError(
                    f"clean_train: the classes {other!r} and {label!r} differ in spaces alone; strip the labels"
                )

    def _require_known(self, name: str, labels: np.ndarray) -> None:
        unknown = labels[~np.isin(labels, self.classes)]
        if unknown.size:
            raise ValueError(
                f"{name}: labels out of the training classes {self.classes.tolist()} were expected, "
                f"{unknown.tolist()[0]!r} came"
            )

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{name}={len(getattr(self, name))}"
            for name in ("clean_train", "poison_train", "clean_test", "triggered_test")
        )
        return f"PoisonedData({sizes}, classes={self.classes.tolist()}, poisoning={self.poisoning})"

    @property
    def rate(self) -> float:
        """Poisoned over poisonable rows as `poison` counted them; for own rows m / (n + m), poisoned over all."""
        if self.poisoning is not None:
            return self.poisoning.rate
        return len(self.poison_train) / (len(self.clean_train) + len(self.poison_train))

    @property
    def is_poison(self) -> Bool[np.ndarray, " n_plus_m"]:
        """Which rows of the victim's training set are poison.

        Replaced rows stand where their originals stood; otherwise the poison follows the clean rows. Some solvers
        (liblinear, SGD) visit rows in order, so the order is part of a published number.
        """
        n, m = len(self.clean_train), len(self.poison_train)
        replaced = self.poisoning is not None and self.poisoning.injection == "replace"
        is_poison = np.zeros(n + m, dtype=bool)
        is_poison[self.poison_rows if replaced and self.poison_rows is not None else slice(n, None)] = True
        return is_poison

    def control(self) -> PoisonedData:
        """Return the control: the same rows with the same wrong labels, but without the trigger.

        The test rows stay triggered. What the curve of the control loses is label noise; only the rest is backdoor.
        """
        if self.original_train is None or self.poison_rows is None:
            raise ValueError("a control needs original_train and poison_rows: the rows before they were stamped")
        unstamped = replace(self.poison_train, X=take_rows(self.original_train.X, self.poison_rows))
        poisoning = None if self.poisoning is None else replace(self.poisoning, trigger="none")
        return PoisonedData(
            self.clean_train,
            unstamped,
            self.clean_test,
            self.triggered_test,
            self.triggered_true,
            self.original_train,
            self.poison_rows,
            poisoning,
        )
