"""Poison a data set: choose rows, stamp them with the trigger, give them the attacker's labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from backdoor_curves.data.poisoned import PoisonedData, Poisoning
from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples, as_samples, join
from backdoor_curves.poisoning.attack import Attack, Injection
from backdoor_curves.poisoning.draw import check_cover, cover_candidates, draw_cover, eligible_rows, given_rows
from backdoor_curves.poisoning.label_policies import label_policy
from backdoor_curves.poisoning.rates import base_of, n_cover, n_poison
from backdoor_curves.poisoning.stamp import require_triggers_fit, stamped, stamped_cover, stamped_test
from backdoor_curves.rows import Rows, changed_rows
from backdoor_curves.triggers.base import Trigger


def poison(
    train: Samples | tuple[Rows, Any],
    test: Samples | tuple[Rows, Any],
    attack: Attack | None = None,
    *,
    trigger: Trigger | None = None,
    rate: float | None = None,
    rows: Sequence[int] | Int[np.ndarray, " m"] | None = None,
    cover_rows: Sequence[int] | Int[np.ndarray, " c"] | None = None,
    labels: Any = ...,
    injection: Injection | None = None,
    rng: np.random.Generator | None = None,
) -> PoisonedData:
    """Stamp some training rows with the trigger and relabel them; stamp every test row that counts for the attack.

    Parameters
    ----------
    train, test : Samples or pairs (X, y)
        n training rows and the test rows, with true labels. They are not changed. A stamped row has the weight of the
        row that it was made of.
    attack : Attack, optional
        What is stamped on which rows, under which labels. In its place trigger, labels and injection may be given, and
        the others of its fields are then at their defaults.
    trigger : Trigger
        A callable (X, y) -> X with the trigger, `y` being the true labels; the same in training and test.
    rate : float in (0, 1]
        Share of the rows that could be poisoned, those whose label `labels` changes: of rows, not of their weight.
        floor(rate * n_eligible) rows are drawn. An attack may say otherwise (`rate_of`, `rounding`). For one state of
        `rng` the rows of a smaller rate are among those of a larger one, and so are its cover rows, as long as poison
        and cover of the larger one leave rows that could be either. With cover or without, the poison is the same.
    rows : int array of shape (m,)
        The training rows to poison, in place of `rate`.
    cover_rows : int array of shape (c,), optional
        The training rows to stamp as cover, in place of the rate of the attack's cover.
    labels : "next", a class, a mapping, or CleanLabel
        As in `Attack`; "next" by default. Test rows that already have the label that they would get are neither
        stamped nor counted in the attack success rate.
    injection : {"replace", "append"}
        Whether the stamped copy takes the place of its row or joins it; "replace" by default.
    rng : numpy Generator
        Source of the random rows; needed where some are drawn. A rate that comes to all eligible rows needs none.

    Returns
    -------
    PoisonedData
        Clean and poisoned training rows, clean and triggered test rows, the original rows and what was done.

    Raises
    ------
    ValueError
        If an attack comes with parts of one, if not exactly one of `rate` and `rows` is given, if the rate is outside
        (0, 1], too small to poison one row or too large for the rows that could be poisoned, if rows do not exist or
        could not be poisoned, if cover rows are poison, too few, of classes that are none or none at all, if a class
        would lose all its rows, or if a label is not a class of the training set.
    TypeError
        If the trigger is not callable, or gives back another number or shape of rows.

    Warns
    -----
    UserWarning
        If the trigger leaves rows as they are: their share among the poison, the triggered test rows and the cover.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits("even-odd", rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> len(data.clean_train), len(data.poison_train), len(data.triggered_test)
    (1079, 119, 599)
    >>> attack = bc.Attack(trigger, labels=0, cover=bc.Cover(0.5), test_trigger=trigger.at_strength(0.8))
    >>> print(bc.poison(train, test, attack, rate=0.1, rng=rng).rates)
    61 poison rows: 5.09 % of 1198 rows, 9.87 % of 618 eligible, 10.5 % of 580 of the target class; 30 cover rows
    """
    train, test = as_samples(train, "train"), as_samples(test, "test").here()
    attack = _attack_of(attack, trigger, labels, injection)
    mapping = label_policy(attack.labels, np.unique(train.y))
    eligible = eligible_rows(attack, train.y, mapping)
    counted = np.flatnonzero([label in mapping for label in test.y.tolist()])
    if not counted.size:
        raise ValueError(f"test: rows of a class to attack ({', '.join(map(repr, mapping))}) were expected, none came")
    rate = float(str(rate)) if isinstance(rate, np.floating) else rate  # 0.29 in single precision is 0.28999999
    share = _share_of(eligible, rate, rows, attack, len(train))
    chosen, left = _choose(share, rows, eligible, len(train), rng)
    cover = _cover(attack, train.y, mapping, (eligible, chosen, left), cover_rows, rng)
    _require_classes_left(train.y, attack, chosen, cover)
    require_triggers_fit(attack, train.take(cover[:1]).here(), test.take(counted[:1]))

    poison_train = stamped(train.take(chosen).here(), attack.trigger, mapping, "trigger")
    triggered_test = stamped_test(test.take(counted), attack, mapping)
    covered = stamped_cover(train.take(cover).here(), attack) if cover.size else None
    # Taken again: a trigger may write into the rows that it is given.
    pairs = {
        "poison": (train.take(chosen).here(), poison_train),
        "triggered test": (test.take(counted), triggered_test),
    }
    _warn_of_rows_as_they_were(pairs | ({} if covered is None else {"cover": (train.take(cover).here(), covered)}))
    return PoisonedData(
        **_training_set(train, attack, (chosen, poison_train), (cover, covered)),
        clean_test=test,
        triggered_test=triggered_test,
        triggered_true=test.y[counted],
        original_train=train,
        poisoning=_record_of(attack, mapping, rate, len(chosen), len(eligible), len(train)),
    )


def _attack_of(attack: Any, trigger: Any, labels: Any, injection: Any) -> Attack:
    """Return the attack that is meant: the one given, or the one that its parts make."""
    if attack is None:
        labels, injection = "next" if labels is ... else labels, "replace" if injection is None else injection
        return Attack(trigger, labels, injection=injection)
    if not isinstance(attack, Attack):
        raise TypeError(f"attack: an Attack was expected, {type(attack).__name__} came; Attack(trigger) makes one")
    parts = {"trigger": trigger is not None, "labels": labels is not ..., "injection": injection is not None}
    if given := [name for name, came in parts.items() if came]:
        raise ValueError(
            f"attack: an attack or its parts were expected, it came with {' and '.join(given)}; say all of it in the "
            "attack: dataclasses.replace(attack, ...) makes another one of it"
        )
    return attack


def _share_of(eligible: Int[np.ndarray, " e"], rate: float | None, rows: Any, attack: Attack, n: int) -> float | None:
    """Return the share of the eligible rows that a rate comes to, so large that it is whole rows."""
    if (rate is None) == (rows is None):
        raise ValueError("exactly one of rate and rows was expected, " + ("none came" if rate is None else "both came"))
    return None if rate is None else n_poison(attack, rate, len(eligible), n) / len(eligible)


def _choose(
    share: float | None,
    rows: Sequence[int] | Int[np.ndarray, " m"] | None,
    eligible: Int[np.ndarray, " e"],
    n: int,
    rng: np.random.Generator | None,
) -> tuple[Int[np.ndarray, " m"], Int[np.ndarray, " l"]]:
    """Return the rows to poison, ascending, and those left by the draw, the last first; none where rows are given."""
    if share is None:
        chosen = given_rows(rows, n, "rows")
        if (spared := np.setdiff1d(chosen, eligible)).size:
            raise ValueError(
                f"rows: row {spared[0]} already has the label that the attacker would give it, or is of a class that "
                "he does not stamp; leave it out"
            )
        return chosen, eligible[:0]
    m = round(share * len(eligible))  # it is whole rows
    if m == len(eligible) and rng is None:  # there is nothing to draw
        return eligible, eligible[:0]
    check_rng(rng)
    assert rng is not None  # check_rng refused it
    # A prefix of one permutation: smaller rates are nested in larger ones, which Generator.choice does not give.
    order = rng.permutation(eligible)
    return np.sort(order[:m]), order[: m - 1 : -1]


def _cover(
    attack: Attack,
    y: np.ndarray,
    mapping: dict[Any, Any],
    drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
    cover_rows: Any,
    rng: np.random.Generator | None,
) -> Int[np.ndarray, " c"]:
    """Return the cover rows, ascending; `drawn` are the eligible rows, those chosen, and those left."""
    eligible, chosen, left = drawn
    if attack.cover is None:
        if cover_rows is not None:
            raise ValueError("cover_rows: an attack with a cover was expected; Attack(trigger, cover=Cover()) has one")
        return chosen[:0]
    candidates = cover_candidates(attack, y, mapping, chosen)
    if cover_rows is not None:
        return check_cover(given_rows(cover_rows, len(y), "cover_rows"), candidates, chosen)
    return draw_cover(candidates, left, len(eligible), n_cover(attack, len(chosen), len(eligible), len(y)), rng)


def _require_classes_left(
    y: np.ndarray, attack: Attack, chosen: Int[np.ndarray, " m"], cover: Int[np.ndarray, " c"]
) -> None:
    """Refuse to replace all rows of a class: some of each must be left for beta = 0."""
    if attack.injection == "append":
        return
    replaced = _with_beta(attack, chosen, cover)
    if (gone := np.setdiff1d(y, np.delete(y, replaced))).size:
        raise ValueError(
            f"train: all rows of class {gone.tolist()[0]!r} would be replaced, none is left for beta = 0; "
            'poison fewer, or injection="append"'
        )


def _warn_of_rows_as_they_were(pairs: dict[str, tuple[Samples, Samples]]) -> None:
    """Warn where the trigger has changed nothing in some rows: what becomes of them is no backdoor."""
    unchanged = {kind: ~changed_rows(before.X, after.X) for kind, (before, after) in pairs.items()}
    if any(rows.any() for rows in unchanged.values()):
        said = " and ".join(
            f"{rows.sum()} of {len(rows)} {kind} rows ({100 * rows.mean():.3g} %)" for kind, rows in unchanged.items()
        )
        warnings.warn(
            f"trigger: {said} are as they were before it; look at the units of the rows, and at what it changes",
            stacklevel=3,
        )


def _with_beta(attack: Attack, chosen: Int[np.ndarray, " m"], cover: Int[np.ndarray, " c"]) -> Int[np.ndarray, " b"]:
    """Return the rows that are weighted with beta, ascending."""
    return chosen if attack.cover is None or attack.cover.weight == "one" else np.union1d(chosen, cover)


def _training_set(
    train: Samples,
    attack: Attack,
    poison: tuple[Int[np.ndarray, " m"], Samples],
    cover: tuple[Int[np.ndarray, " c"], Samples | None],
) -> dict[str, Any]:
    """Return the training parts of `PoisonedData`: poison and cover are row numbers, ascending, and stamped rows."""
    (chosen, poison_train), (rows, covered), n = poison, cover, len(train)
    replaces, with_beta = attack.injection == "replace", _with_beta(attack, chosen, rows)
    stay = np.setdiff1d(np.arange(n), np.union1d(chosen, rows)) if replaces else np.arange(n)
    clean_train = train.take(stay) if replaces else train
    if covered is None:
        return {"clean_train": clean_train, "poison_train": poison_train, "poison_rows": chosen}
    # Where cover rows stand among those of weight beta, or else among the clean rows.
    in_poison, in_clean = np.isin(with_beta, rows), np.zeros(len(stay), dtype=bool)
    if in_poison.any():
        poison_train = join(poison_train, covered, in_poison)
    else:
        in_clean = np.isin(np.union1d(stay, rows), rows) if replaces else np.repeat([False, True], [n, len(rows)])
        clean_train = join(clean_train, covered, in_clean)
    return {
        "clean_train": clean_train,
        "poison_train": poison_train,
        "poison_rows": with_beta,
        "is_cover": np.isin(np.arange(n), rows) if replaces else np.append(in_clean, in_poison),
        "cover_rows": rows,
    }


def _record_of(
    attack: Attack, mapping: dict[Any, Any], rate: float | None, m: int, n_eligible: int, n: int
) -> Poisoning:
    return Poisoning(
        rate=m / base_of(attack, n_eligible, n) if rate is None else float(rate),
        n_eligible=n_eligible,
        labels=mapping,
        injection=attack.injection,
        trigger=repr(attack.trigger),
        test_trigger="" if attack.test_trigger is None else repr(attack.test_trigger),
        eligible="target" if attack.is_clean_label else attack.eligible,
        rate_of=attack.rate_of,
        rounding=attack.rounding,
        cover="" if attack.cover is None else repr(attack.cover),
        name=attack.name,
        source=attack.source,
    )
