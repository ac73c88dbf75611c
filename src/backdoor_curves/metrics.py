"""Accuracies: of the clean task, of the attack, and of what survives it; where triggered rows go, and who becomes whom.

All are shares of rows in [0, 1], or of their weight where rows have one. Predictions may carry leading axes, one for
each beta say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.rows import as_labels, as_weights

Labels = np.ndarray


def clean_accuracy(y_true: Labels, y_pred: Labels, weight: Any = None) -> Float[np.ndarray, ...] | float:
    """Return the share of clean rows predicted as their true class.

    Parameters
    ----------
    y_true : array of shape (n,)
        True labels.
    y_pred : array of shape (..., n)
        Predicted labels.
    weight : array of shape (n,), optional
        What each row counts for, > 0; 1 by default.

    Examples
    --------
    >>> from backdoor_curves.metrics import clean_accuracy
    >>> clean_accuracy([0, 1, 1, 1], [0, 1, 1, 0])
    0.75
    >>> clean_accuracy([0, 1, 1, 1], [0, 1, 1, 0], weight=[1, 1, 1, 7])
    0.3
    """
    return _share(_hits(y_true, y_pred, "y_true"), weight)


def attack_success_rate(y_attacker: Labels, y_pred: Labels, y_true: Labels | None = None, weight: Any = None) -> Any:
    """Return the share of triggered rows predicted as the attacker wants.

    Parameters
    ----------
    y_attacker : array of shape (n,)
        The label that the attacker wants for each triggered row.
    y_pred : array of shape (..., n)
        Predicted labels of the triggered rows.
    y_true : array of shape (n,), optional
        True labels. Where given, rows that already are of the attacker's class are left out, as they must be: a
        model without a backdoor gets them "right".
    weight : array of shape (n,), optional
        What each row counts for, > 0; 1 by default.

    Examples
    --------
    >>> from backdoor_curves.metrics import attack_success_rate
    >>> attack_success_rate([1, 1, 1, 1], [1, 0, 1, 1], y_true=[0, 0, 0, 1])
    0.6666666666666666
    """
    hits = _hits(y_attacker, y_pred, "y_attacker")
    if y_true is None:
        return _share(hits, weight)
    counted = ~_hits(y_true, y_attacker, "y_true")
    if not counted.any():
        raise ValueError("y_true: a row whose true class is not the attacker's was expected, none came")
    return _share(hits[..., counted], as_weights(weight, len(counted))[counted])


def robust_accuracy(y_true: Labels, y_pred: Labels, weight: Any = None) -> Any:
    """Return the share of triggered rows predicted as their true class.

    Parameters
    ----------
    y_true : array of shape (n,)
        True labels of the triggered rows.
    y_pred : array of shape (..., n)
        Predicted labels.
    weight : array of shape (n,), optional
        What each row counts for, > 0; 1 by default.

    Examples
    --------
    >>> from backdoor_curves.metrics import robust_accuracy
    >>> robust_accuracy([0, 0], [1, 0])
    0.5
    """
    return _share(_hits(y_true, y_pred, "y_true"), weight)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Where triggered rows go: shares of them, or of their weight, by what they are predicted as.

    With two classes a row that the attacker does not get goes to its true class. With more there is a third share,
    and attack success rate and robust accuracy do not add up to 1.

    Parameters
    ----------
    attacker, true, elsewhere : arrays of shape (...), or floats
        Shares in [0, 1] of all rows predicted as the attacker wants (the attack success rate), as their true class (the
        robust accuracy), and as any other. They add up to 1.
    n : int
        Rows, whatever they weigh.
    classes : array of shape (k,)
        The true classes of these rows, ascending.
    by_class : array of shape (..., k, 3)
        The same three shares of the rows of each class.
    n_by_class : int array of shape (k,)
        Rows of each class.

    Examples
    --------
    >>> from backdoor_curves.metrics import outcomes
    >>> print(outcomes([2, 2, 2, 2], [2, 1, 1, 2], y_true=[0, 0, 1, 1]))
    true class      n  attacker   true  elsewhere
    all             4     0.500  0.250      0.250
    0               2     0.500  0.000      0.500
    1               2     0.500  0.500      0.000
    """

    attacker: Any
    true: Any
    elsewhere: Any
    n: int
    classes: np.ndarray
    by_class: Float[np.ndarray, "*batch k 3"]
    n_by_class: Int[np.ndarray, " k"]

    def __repr__(self) -> str:
        shape = np.shape(self.attacker)
        said = ", ".join(
            f"{name}={value:.3f}" if not shape else f"{name}={np.min(value):.3f}..{np.max(value):.3f}"
            for name, value in (("attacker", self.attacker), ("true", self.true), ("elsewhere", self.elsewhere))
        )
        return f"Outcomes({said}, n={self.n}, {len(self.classes)} classes{f', of shape {shape}' if shape else ''})"

    def __str__(self) -> str:
        """Return a table, a line for all rows and for each class; of several predictions each has a table."""
        places = list(np.ndindex(np.shape(self.attacker)))
        tables = [self._table(place) for place in places]
        if places == [()]:
            return tables[0]
        return "\n\n".join(f"{list(place)}\n{one}" for place, one in zip(places, tables, strict=True))

    def _table(self, place: tuple[int, ...]) -> str:
        micro = [float(np.asarray(part)[place]) for part in (self.attacker, self.true, self.elsewhere)]
        lines = [("all", self.n, micro)]
        lines += zip(map(str, self.classes.tolist()), self.n_by_class.tolist(), self.by_class[place], strict=True)
        width = max(len("true class"), *(len(name) for name, _, _ in lines))
        body = (
            f"{name:<{width}}  {n:>5}  {attacker:>8.3f}  {true:>5.3f}  {elsewhere:>9.3f}"
            for name, n, (attacker, true, elsewhere) in lines
        )
        return "\n".join([f"{'true class':<{width}}  {'n':>5}  attacker   true  elsewhere", *body])


def outcomes(y_attacker: Labels, y_pred: Labels, y_true: Labels, weight: Any = None) -> Outcomes:
    """Return which shares of triggered rows are predicted as the attacker wants, as their true class, and otherwise.

    Parameters
    ----------
    y_attacker : array of shape (n,)
        The label that the attacker wants for each triggered row.
    y_pred : array of shape (..., n)
        Predicted labels.
    y_true : array of shape (n,)
        True labels. Rows that are of the attacker's class already are left out, as in `attack_success_rate`.
    weight : array of shape (n,), optional
        What each row counts for, > 0; 1 by default.

    Returns
    -------
    Outcomes
        Its shares have the leading axes of `y_pred`.

    Raises
    ------
    ValueError
        If lengths differ, or all rows are of the attacker's class.
    TypeError
        If labels of text are compared with numbers.

    Examples
    --------
    >>> from backdoor_curves.metrics import outcomes
    >>> found = outcomes(["spam", "spam"], [["ham", "ham"], ["spam", "news"]], y_true=["ham", "ham"])
    >>> found.attacker, found.true, found.elsewhere
    (array([0. , 0.5]), array([1., 0.]), array([0. , 0.5]))
    """
    wins, robust = _hits(y_attacker, y_pred, "y_attacker"), _hits(y_true, y_pred, "y_true")
    counted = ~_hits(y_true, as_labels(y_attacker), "y_true")
    if not counted.any():
        raise ValueError("y_true: a row whose true class is not the attacker's was expected, none came")
    true = as_labels(y_true)[counted]
    weights = as_weights(weight, len(counted))[counted]
    went = np.stack([wins, robust, ~(wins | robust)], axis=-1)[..., counted, :]
    classes = np.unique(true)

    def shares(rows: Bool[np.ndarray, " n"]) -> Float[np.ndarray, "*batch 3"]:
        return np.average(went[..., rows, :], axis=-2, weights=weights[rows])

    micro = np.moveaxis(shares(np.ones(len(true), dtype=bool)), -1, 0)
    attacker, robust_share, elsewhere = (float(part) if part.ndim == 0 else part for part in micro)
    return Outcomes(
        attacker=attacker,
        true=robust_share,
        elsewhere=elsewhere,
        n=len(true),
        classes=classes,
        by_class=np.stack([shares(true == label) for label in classes], axis=-2),
        n_by_class=np.array([int((true == label).sum()) for label in classes]),
    )


def confusion_matrix(
    y_true: Labels, y_pred: Labels, classes: Labels, weight: Any = None
) -> Float[np.ndarray, "*batch K K"]:
    """Return how many rows of each true class are predicted as each class: who becomes whom.

    As scikit-learn's `confusion_matrix`, of many predictions at once.

    Parameters
    ----------
    y_true : array of shape (n,)
        True labels.
    y_pred : array of shape (..., n)
        Predicted labels.
    classes : array of shape (K,)
        All labels, in the order of the matrix.
    weight : array of shape (n,), optional
        What each row counts for, > 0; 1 by default.

    Returns
    -------
    array of shape (..., K, K)
        [..., i, j]: the rows of class i that are predicted as class j, or their weight. A row of it adds up to the rows
        of its class, the diagonal to those predicted right.

    Raises
    ------
    ValueError
        If lengths differ, or a label is none of the classes.
    TypeError
        If labels of text are compared with numbers.

    Examples
    --------
    >>> from backdoor_curves.metrics import confusion_matrix
    >>> confusion_matrix(["a", "a", "b"], [["a", "c", "b"], ["b", "b", "b"]], classes=["a", "b", "c"])
    array([[[1., 0., 1.],
            [0., 1., 0.],
            [0., 0., 0.]],
    <BLANKLINE>
           [[0., 2., 0.],
            [0., 1., 0.],
            [0., 0., 0.]]])
    """
    _hits(y_true, y_pred, "y_true")
    known = as_labels(classes, "classes")
    if known.ndim != 1 or not known.size or len(np.unique(known)) < known.size:
        raise ValueError(f"classes: all labels, each once, were expected, {known.tolist()} came")
    true = places_of(as_labels(y_true, "y_true"), known, "y_true")
    predicted = places_of(_plain(np.asarray(y_pred)), known, "y_pred")
    weights, k = as_weights(weight, len(true)), len(known)
    flat = predicted.reshape(-1, len(true))
    counts = [np.bincount(k * true + to, weights=weights, minlength=k * k) for to in flat]
    return np.reshape(counts, (*predicted.shape[:-1], k, k))


def theta(slope: Any) -> Any:
    """Return -(2 / pi) arctan(slope), in [-1, 1]: positive where the loss falls. Eq. 4 of the paper.

    Examples
    --------
    >>> from backdoor_curves.metrics import theta
    >>> theta(-1.0)
    0.5
    """
    angle = -2.0 / np.pi * np.arctan(slope) + 0.0  # never -0.0
    return float(angle) if np.ndim(angle) == 0 else angle


def clean_accuracy_drop(clean_before: Any, clean_after: Any) -> Any:
    """Return how much clean accuracy the poison cost: before minus after, in [-1, 1]; negative if it rose.

    Examples
    --------
    >>> from backdoor_curves.metrics import clean_accuracy_drop
    >>> clean_accuracy_drop(0.75, 0.5)
    0.25
    """
    return clean_before - clean_after


def _hits(expected: Labels, predicted: Labels, name: str) -> Bool[np.ndarray, "*batch n"]:
    """Return which predictions are as expected; text is no number, whatever it spells."""
    expected = as_labels(expected, name)
    predicted = _plain(np.asarray(predicted))
    if expected.ndim != 1 or not expected.size or predicted.shape[-1:] != expected.shape:
        raise ValueError(
            f"{name}: one label a row was expected for predictions of {predicted.shape}; shape {expected.shape} came"
        )
    _require_same_kind(expected, predicted, name, "the predictions")
    return np.asarray(predicted == expected)


def _require_same_kind(labels: Labels, others: Labels, name: str, of: str) -> None:
    """Refuse text beside numbers."""
    came, wanted = ("text" if each.dtype.kind in "US" else "numbers" for each in (labels, others))
    if came != wanted:
        raise TypeError(f"{name}: labels as in {of}, {wanted}, were expected, {came} came")


def places_of(labels: Labels, classes: Labels, name: str) -> Int[np.ndarray, "*batch n"]:
    """Return the place of each label among the classes."""
    _require_same_kind(labels, classes, name, "the classes")
    order = np.argsort(classes, kind="stable")
    places = order[np.searchsorted(classes, labels, sorter=order).clip(max=len(classes) - 1)]
    if (unknown := classes[places] != labels).any():
        raise ValueError(f"{name}: labels among {classes.tolist()} were expected, {labels[unknown][0].item()!r} came")
    return places


def _plain(labels: Labels) -> Labels:
    """Return text from a DataFrame as an array of text."""
    return np.array(labels.tolist()) if labels.dtype == object else labels


def _share(hits: Bool[np.ndarray, "*batch n"], weight: Any) -> Any:
    """Return the share of hits, or of their weight."""
    share = np.average(hits, axis=-1, weights=as_weights(weight, hits.shape[-1]))
    return float(share) if share.ndim == 0 else share
