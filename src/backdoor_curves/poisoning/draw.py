"""Which training rows an attack may stamp, and which of them become cover rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int

from backdoor_curves.data.poisoned import require_disjoint
from backdoor_curves.data.rng import check_rng
from backdoor_curves.poisoning.attack import Attack


def eligible_rows(attack: Attack, y: np.ndarray, mapping: dict[Any, Any]) -> Int[np.ndarray, " e"]:
    """Return the rows that may be poisoned, ascending; `mapping` is that of `label_policy`.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.poisoning.draw import eligible_rows
    >>> attacks = [bc.Attack(lambda X, y: X, labels, eligible=eligible) for labels, eligible in
    ...            ((1, "changed"), (1, "all"), (bc.CleanLabel(1), "changed"))]
    >>> [eligible_rows(attack, np.array([0, 1, 2]), {0: 1, 2: 1}).tolist() for attack in attacks]
    [[0, 2], [0, 1, 2], [1]]
    """
    if attack.eligible == "all":
        return np.arange(len(y))
    classes = set(mapping.values()) if attack.is_clean_label else set(mapping)
    return np.flatnonzero([label in classes for label in y.tolist()])


def given_rows(rows: Any, n: int, name: str) -> Int[np.ndarray, " m"]:
    """Return row numbers as an ascending array; they must be distinct and in [0, n). `name` is what they are called."""
    numbers = np.asarray(rows)
    if numbers.ndim != 1 or not numbers.size or numbers.dtype.kind not in "iu":
        raise ValueError(f"{name}: a list of row numbers was expected, {numbers.dtype} of shape {numbers.shape} came")
    if numbers.min() < 0 or numbers.max() >= n or len(np.unique(numbers)) < len(numbers):
        raise ValueError(f"{name}: distinct row numbers in [0, {n}) were expected")
    return np.sort(numbers).astype(np.intp)


def cover_candidates(
    attack: Attack, y: np.ndarray, mapping: dict[Any, Any], poison: Int[np.ndarray, " m"]
) -> Int[np.ndarray, " k"]:
    """Return the rows that may become cover, ascending: those of its classes that are not poison.

    Raises
    ------
    ValueError
        If its classes are none of the training set's, or have the target of a clean-label attack among them.
    """
    known, target = np.unique(y).tolist(), set(mapping.values()) if attack.is_clean_label else set()
    assert attack.cover is not None  # who asks has one
    classes = attack.cover.classes
    if classes is None:
        classes = tuple(label for label in known if label not in target)
    if unknown := [label for label in classes if label not in known]:
        raise ValueError(f"cover.classes: classes of {known} were expected, {unknown[0]!r} came")
    if both := [label for label in classes if label in target]:
        raise ValueError(
            f"cover.classes: classes other than the target were expected, {both[0]!r} came: stamped rows of the target "
            "are the poison of a clean-label attack"
        )
    return np.setdiff1d(np.flatnonzero([label in classes for label in y.tolist()]), poison)


def draw_cover(
    candidates: Int[np.ndarray, " k"],
    left: Int[np.ndarray, " l"],
    n_eligible: int,
    c: int,
    rng: np.random.Generator | None,
) -> Int[np.ndarray, " c"]:
    """Return c of the candidates, ascending.

    Cover comes from the other end of the order in which poison is drawn, so that poison and cover of a smaller rate are
    both among those of a larger one until the two meet. Candidates that could not be poison are spread evenly over that
    order: all are equally likely.

    Parameters
    ----------
    candidates : int array of shape (k,)
        Rows that may become cover.
    left : int array of shape (l,)
        Rows that could have been poisoned and were not, those drawn last first; none where the poison was named.
    n_eligible : int
        Of the rows that could have been poisoned.
    c : int
        At most k.
    rng : numpy Generator
    """
    if c > len(candidates):
        raise ValueError(
            f"cover: {c} rows were asked for, {len(candidates)} of its classes are no poison; lower its rate or that "
            "of the poison"
        )
    if c == len(candidates):  # there is nothing to draw
        return candidates
    check_rng(rng)
    assert rng is not None  # check_rng refused it
    others = np.setdiff1d(candidates, left)
    places = np.append(np.arange(len(left)) + 0.5, rng.uniform(0.0, n_eligible, len(others)))
    order = np.append(left, others)[np.argsort(places)]
    return np.sort(order[np.isin(order, candidates)][:c])


def check_cover(
    cover: Int[np.ndarray, " c"], candidates: Int[np.ndarray, " k"], poison: Int[np.ndarray, " m"]
) -> Int[np.ndarray, " c"]:
    """Return cover rows that were named, if they may be cover."""
    require_disjoint(cover, poison)
    if (spared := np.setdiff1d(cover, candidates)).size:
        raise ValueError(f"cover_rows: row {spared[0]} is of a class that the cover does not come from; leave it out")
    return cover
