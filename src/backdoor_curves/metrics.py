"""Accuracies: of the clean task, of the attack, and of what survives it.

All are shares of rows in [0, 1], or of their weight where rows have one. Predictions may carry leading axes, one for
each beta say.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

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
    kinds = ["text" if labels.dtype.kind in "US" else "numbers" for labels in (expected, predicted)]
    if kinds[0] != kinds[1]:
        raise TypeError(f"{name}: labels as in the predictions, {kinds[1]}, were expected, {kinds[0]} came")
    return np.asarray(predicted == expected)


def _plain(labels: Labels) -> Labels:
    """Return text from a DataFrame as an array of text."""
    return np.array(labels.tolist()) if labels.dtype == object else labels


def _share(hits: Bool[np.ndarray, "*batch n"], weight: Any) -> Any:
    """Return the share of hits, or of their weight."""
    share = np.average(hits, axis=-1, weights=as_weights(weight, hits.shape[-1]))
    return float(share) if share.ndim == 0 else share
