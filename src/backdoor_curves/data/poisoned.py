"""A training and a test set with a backdoor in it, and how it came there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Int

from backdoor_curves.data.rates import Rates
from backdoor_curves.data.samples import Samples, as_samples, join
from backdoor_curves.rows import Rows, as_labels, require_alike, stack_rows, take_rows


@dataclass(frozen=True)
class Poisoning:
    """What `poison` did, kept with the data that it made.

    Parameters
    ----------
    rate : float
        Poisoned rows over rows of the base that `rate_of` names, in (0, 1], as asked for.
    n_eligible : int
        Training rows that could be poisoned.
    labels : dict
        The label that a triggered test row of each class gets; classes that are never triggered are absent.
    injection : "replace" or "append"
        Whether the stamped copies took the place of their rows or were added to them.
    trigger : str
        The trigger's `repr`, or "none" for the control without it.
    test_trigger : str
        The `repr` of that of the test rows, where it is another; "" otherwise.
    eligible : "changed", "all" or "target"
        Which rows could be poisoned: those whose label the policy changes, all, or those of the target class, whose
        label is kept (clean-label).
    rate_of : "eligible" or "all"
        What the rate is a rate of: rows that could be poisoned, or all training rows.
    rounding : "floor" or "nearest"
        How it became a number of rows.
    cover : str
        The `repr` of the cover; "" where there is none.
    name, source : str
        Those of the attack.
    without : str
        Of a control what it lacks, "trigger" or "labels"; "" of an attack.
    """

    rate: float
    n_eligible: int
    labels: dict[Any, Any]
    injection: str
    trigger: str
    test_trigger: str = ""
    eligible: str = "changed"
    rate_of: str = "eligible"
    rounding: str = "floor"
    cover: str = ""
    name: str = ""
    source: str = ""
    without: str = ""


@dataclass(frozen=True, eq=False)
class PoisonedData:
    """Clean and poisoned training rows, clean and triggered test rows.

    `poison` makes it; those who bring their own poisoned rows build it directly. The first four parts and
    `original_train` may be given as pairs (X, y), or as Samples, which may have weights. Rates and numbers of rows
    count rows, whatever they weigh.

    Parameters
    ----------
    clean_train : Samples of n rows
        The rows of weight 1, times their own.
    poison_train : Samples of m rows
        The rows of weight beta, times their own, with the attacker's labels; of a clean-label attack these are their
        true ones. Cover rows that are weighted with beta are among them.
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
        The rows of `original_train` that `poison_train` was made of, ascending, in its order.
    poisoning : Poisoning, optional
        What was done.
    is_cover : bool array of shape (n + m,), optional
        Which rows of the victim's training set are cover rows, stamped with their true labels, in the order of
        `is_poison`: in `poison_train` those weighted with beta, in `clean_train` those of weight 1. None by default.
    cover_rows : int array, optional
        The rows of `original_train` that the cover rows were made of, ascending, in their order.

    Raises
    ------
    ValueError
        If the clean training rows are of one class only, or two of their classes differ in spaces alone, if a label
        elsewhere is not one of their classes, if `triggered_true`, `poison_rows`, `is_cover` or `cover_rows` do not
        fit, if no row is left that is poison and no cover, if a cover row has another label than its original or is
        one that was poisoned too, or if a triggered row already has its true class as label.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import PoisonedData
    >>> X, y = np.eye(4), np.array([0, 1, 0, 1])
    >>> own = PoisonedData(clean_train=(X, y), poison_train=(X[:1] + 1, [1]),
    ...                    clean_test=(X, y), triggered_test=(X[:1] + 1, [1]), triggered_true=[0])
    >>> own.classes, own.rate
    (array([0, 1]), 0.2)
    >>> with_cover = PoisonedData(clean_train=(X, y), poison_train=(X[:2] + 1, [1, 1]), clean_test=(X, y),
    ...                           triggered_test=(X[:1] + 1, [1]), is_cover=[False] * 5 + [True])
    >>> print(with_cover.rates)
    1 poison row: 16.7 % of 6 rows; 1 cover row
    """

    clean_train: Samples
    poison_train: Samples
    clean_test: Samples
    triggered_test: Samples
    triggered_true: np.ndarray | None = None
    original_train: Samples | None = None
    poison_rows: Int[np.ndarray, " m"] | None = None
    poisoning: Poisoning | None = None
    is_cover: Bool[np.ndarray, " n_plus_m"] = None  # type: ignore[assignment]  # an array from `__post_init__` on
    cover_rows: Int[np.ndarray, " c"] | None = None
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
        object.__setattr__(self, "is_cover", _as_mask(self.is_cover, len(self.clean_train) + len(self.poison_train)))
        if self.is_cover[self.is_poison].all():
            raise ValueError("is_cover: a row of poison_train that is no cover was expected, all are; leave one out")
        if self.cover_rows is not None:
            self._require_cover_rows()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was pickled; before there were cover rows it said nothing of them."""
        self.__dict__.update(state)
        object.__setattr__(self, "is_cover", _as_mask(self.is_cover, len(self.clean_train) + len(self.poison_train)))

    def _require_cover_rows(self) -> None:
        """Refuse cover rows that are not those marked, or were poisoned, or have another label than their original."""
        rows, original = np.asarray(self.cover_rows), self.original_train
        object.__setattr__(self, "cover_rows", rows)
        n, c = np.inf if original is None else len(original), int(self.is_cover.sum())
        if rows.shape != (c,) or rows.dtype.kind not in "iu" or (c and (rows.min() < 0 or rows.max() >= n)):
            raise ValueError(f"cover_rows: {c} row numbers in [0, {n}) were expected, one for each row of is_cover")
        if (np.diff(rows) <= 0).any():
            raise ValueError("cover_rows: ascending row numbers were expected")
        if self.poison_rows is not None:
            poisoned = self.poison_rows[~self.is_cover[self.is_poison]]
            require_disjoint(rows, poisoned)
        if original is not None and (other := np.flatnonzero(original.y[rows] != self._labels[self.is_cover])).size:
            raise ValueError(
                f"is_cover: cover rows with the labels of their originals were expected, that of row {rows[other[0]]} "
                "has another; a row that is relabelled is poison"
            )

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
        return f"PoisonedData({sizes}, classes={self.classes.tolist()}, {self.rates}, poisoning={self.poisoning})"

    @property
    def rate(self) -> float:
        """The rate that `poison` was asked for, of what the attack says; of own rows poison over all, see `rates`."""
        return self.rates.of_all if self.poisoning is None else self.poisoning.rate

    @property
    def rates(self) -> Rates:
        """The poison rows over all training rows, over those that could be poisoned, and over the target class."""
        done, original = self.poisoning, self.original_train
        targets = set() if done is None or original is None else set(done.labels.values())
        n_target = int((original.y == targets.pop()).sum()) if original is not None and len(targets) == 1 else None
        return Rates(
            n_poison=int((self.is_poison & ~self.is_cover).sum()),
            n_cover=int(self.is_cover.sum()),
            n_all=len(self.is_poison) if done is None or original is None else len(original),
            n_eligible=None if done is None else done.n_eligible,
            n_target=n_target,
        )

    @property
    def is_poison(self) -> Bool[np.ndarray, " n_plus_m"]:
        """Which rows of the victim's training set have weight beta: those of `poison_train`.

        They are the poison rows, and cover rows that are weighted with them; `is_poison & ~is_cover` are poison alone.
        Replaced rows stand where their originals stood; otherwise the poison follows the clean rows. Some solvers
        (liblinear, SGD) visit rows in order, so the order is part of a published number.
        """
        n, m = len(self.clean_train), len(self.poison_train)
        replaced = self.poisoning is not None and self.poisoning.injection == "replace"
        is_poison = np.zeros(n + m, dtype=bool)
        is_poison[self.poison_rows if replaced and self.poison_rows is not None else slice(n, None)] = True
        return is_poison

    @property
    def stamped_train(self) -> Rows:
        """All stamped training rows: those of `poison_train`, then cover rows of weight 1."""
        of_weight_one = np.flatnonzero(self.is_cover[~self.is_poison])
        if not of_weight_one.size:
            return self.poison_train.X
        return stack_rows(self.poison_train.X, take_rows(self.clean_train.X, of_weight_one))

    def control(self, without: Literal["trigger", "labels"] = "trigger") -> PoisonedData:
        """Return a control: the attack without its trigger, or without its labels.

        The test rows stay triggered. What the curve of the control without the trigger loses is label noise; only the
        rest is backdoor. What that without the labels loses comes of stamped rows alone, augmentation if you like.

        Parameters
        ----------
        without : {"trigger", "labels"}
            "trigger": the same rows with the same labels, cover rows too, as they were before they were stamped.
            "labels": the same stamped rows with their true labels.

        Raises
        ------
        ValueError
            If the rows before they were stamped are not known, or if the attack keeps all labels (clean-label):
            without its trigger the rows are clean, and without new labels it is itself.

        Examples
        --------
        >>> import numpy as np
        >>> import backdoor_curves as bc
        >>> X, y = np.arange(8.0)[:, np.newaxis], np.arange(8) % 2
        >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 50, labels=1, rows=[2, 4])
        >>> for one in (data, data.control(), data.control(without="labels")):
        ...     print(one.poison_train.X.ravel(), one.poison_train.y)
        [52. 54.] [1 1]
        [2. 4.] [1 1]
        [52. 54.] [0 0]
        """
        if without not in ("trigger", "labels"):
            raise ValueError(f'without: "trigger" or "labels" was expected, {without!r} came')
        if self.original_train is None or self.poison_rows is None:
            raise ValueError("a control needs original_train and poison_rows: the rows before they were stamped")
        if (self.poison_train.y == self.original_train.y[self.poison_rows]).all():
            remains = "the rows are clean ones: compare with beta = 0" if without == "trigger" else "it is the attack"
            raise ValueError(f"control: labels that the attack changes were expected, it keeps all; without {remains}")
        poisoning = None if self.poisoning is None else replace(self.poisoning, without=without)
        if without == "labels":
            kept = replace(self.poison_train, y=self.original_train.y[self.poison_rows])
            return replace(self, poison_train=kept, poisoning=poisoning)
        return replace(
            self,
            clean_train=self._without_stamps(self.original_train),
            poison_train=replace(self.poison_train, X=take_rows(self.original_train.X, self.poison_rows)),
            poisoning=None if poisoning is None else replace(poisoning, trigger="none"),
        )

    def _without_stamps(self, original: Samples) -> Samples:
        """Return the clean rows with cover rows of weight 1 as they were before they were stamped."""
        stamped = self.is_cover[~self.is_poison]
        if not stamped.any():
            return self.clean_train
        if self.cover_rows is None:
            raise ValueError("a control needs cover_rows where cover rows have weight 1: what they were made of")
        unstamped = take_rows(original.X, self.cover_rows[~self.is_poison[self.is_cover]])
        clean, cover = (self.clean_train.take(np.flatnonzero(rows)) for rows in (~stamped, stamped))
        return join(clean, replace(cover, X=unstamped), stamped)

    @property
    def _labels(self) -> np.ndarray:
        """The labels of the victim's training set."""
        y = np.empty(len(self.is_poison), dtype=np.result_type(self.clean_train.y, self.poison_train.y))
        y[~self.is_poison], y[self.is_poison] = self.clean_train.y, self.poison_train.y
        return y


def require_disjoint(cover: Int[np.ndarray, " c"], poison: Int[np.ndarray, " m"]) -> None:
    """Refuse cover rows that are poison, too."""
    if (both := np.intersect1d(cover, poison)).size:
        raise ValueError(
            f"cover_rows: rows that are no poison were expected, row {both[0]} is both; leave it out of one"
        )


def _as_mask(is_cover: Any, n: int) -> Bool[np.ndarray, " n"]:
    """Return which rows are cover rows as an array; none where None was given."""
    if is_cover is None:
        return np.zeros(n, dtype=bool)
    mask = np.asarray(is_cover)
    if mask.shape != (n,) or mask.dtype != bool:
        raise ValueError(
            f"is_cover: a bool for each of the victim's {n} training rows was expected, {mask.dtype} of shape "
            f"{mask.shape} came"
        )
    return mask
