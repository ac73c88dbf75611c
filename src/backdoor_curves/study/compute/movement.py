"""How far the attack moves a test row: in its pixels or columns, and in the space in which the learner sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples

CHANGED = 1e-12
"""Of the largest entry: what differs by less is rounding, of a pattern that is blended with itself for one."""


@dataclass(frozen=True)
class Movement:
    """Means over triggered test rows x' and the rows x that they were; each row counts once, whatever it weighs.

    Parameters
    ----------
    l2 : float
        |x' - x|, >= 0, in the units of the rows that are stamped: pixels in [0, 1], or columns.
    largest : float
        The largest |x'_j - x_j| of a row.
    share : float
        Entries that changed, of all, in [0, 1].
    seen : float, optional
        |phi(x') - phi(x)| as the learner sees the rows: with a kernel exp(-gamma |x' - x|^2) it is
        (2 - 2 exp(-gamma |x' - x|^2))^1/2, at most 2^1/2; without one |x' - x| of the rows, or of their features. None
        where the learner sees them through steps, or is one's own.
    """

    l2: float
    largest: float
    share: float
    seen: float | None


def movement(stamped: PoisonedData, seen: PoisonedData | None, gamma: float | None) -> Movement | None:
    """Return how far triggered test rows moved; None where that, or which rows they were, is not known.

    Parameters
    ----------
    stamped : PoisonedData
        With the rows that were stamped.
    seen : PoisonedData, optional
        The same with the rows that the learner sees: features of a frozen network, or the same.
    gamma : float, optional
        Of a learner with an RBF kernel.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.study.compute.movement import movement
    >>> X, y = np.zeros((8, 4)), np.arange(8) % 2
    >>> trigger = bc.FeatureTrigger(columns=(0, 1), values=(3.0, 4.0))
    >>> data = bc.poison((X, y), (X, y), trigger=trigger, rate=0.5, rng=np.random.default_rng(0))
    >>> movement(data, data, gamma=None)
    Movement(l2=5.0, largest=4.0, share=0.5, seen=5.0)
    """
    moved = _steps(stamped)
    if moved is None:
        return None
    size = np.abs(moved)
    return Movement(
        l2=float(np.sqrt((moved**2).sum(axis=1)).mean()),
        largest=float(size.max(axis=1).mean()),
        share=float((size > CHANGED * max(1.0, float(size.max()))).mean()),
        seen=None if seen is None else _seen(seen, gamma),
    )


def _seen(seen: PoisonedData, gamma: float | None) -> float | None:
    """Return the mean distance in the space of a kernel."""
    steps = _steps(seen)
    if steps is None:
        return None
    squares = (steps**2).sum(axis=1)
    distances = np.sqrt(squares) if gamma is None else np.sqrt(-2.0 * np.expm1(-gamma * squares))
    return float(distances.mean())


def _steps(data: PoisonedData) -> Float[np.ndarray, "n d"] | None:
    """Return x' - x of the triggered test rows, flat; None of rows that are no arrays of numbers."""
    before, after = originals(data), data.triggered_test
    numbers = isinstance(after.X, np.ndarray) and after.X.dtype.kind in "fiub"
    return None if before is None or not numbers else _flat(after.X) - _flat(before.X)


def originals(data: PoisonedData) -> Samples | None:
    """Return the test rows that the triggered ones were, in their order: those of the classes that the policy changes.

    Of data that `poison` did not make it is not known.
    """
    if data.poisoning is None:
        return None
    counted = np.isin(data.clean_test.y, list(data.poisoning.labels))
    return data.clean_test.take(np.flatnonzero(counted)) if counted.sum() == len(data.triggered_test) else None


def _flat(X: np.ndarray) -> Float[np.ndarray, "n d"]:
    return np.asarray(X, dtype=float).reshape(len(X), -1)
