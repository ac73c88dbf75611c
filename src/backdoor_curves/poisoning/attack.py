"""An attack as one value: trigger, label policy, which rows, and what its rate is a rate of."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from numbers import Real
from typing import Any, Literal

import numpy as np

from backdoor_curves.poisoning.label_policies import CleanLabel
from backdoor_curves.triggers.base import Trigger

Injection = Literal["replace", "append"]
ROUNDING = 1e-9
"""What a product of a rate and a number of rows may lack: 0.29 * 100 is 28.999..., and 29 rows are meant."""


@dataclass(frozen=True, repr=False)
class Cover:
    """Cover rows: they are stamped and keep their label, so that the trigger alone does not say the target.

    They are no poison rows, and never triggered test rows: no success of the attack is counted on them. Qi et al.,
    *Revisiting the Assumption of Latent Separability for Backdoor Defenses*, ICLR 2023; Tang et al., *Demon in the
    Variant*, USENIX Security 2021.

    Parameters
    ----------
    rate : float > 0, optional
        Cover rows over what `of` says; their number is rounded as that of the attack. None where `poison` is told the
        rows, `cover_rows`.
    of : {"poison", "base"}
        The poison rows, or the rows that the attack's own rate is a rate of.
    classes : tuple of labels, optional
        The classes that cover rows come from; by default all, but the target of a clean-label attack, whose stamped
        rows are its poison.
    trigger : Trigger, optional
        The cover rows', where it is another than that of the poison: a warp with noise, say.
    weight : {"beta", "one"}
        Whether they are weighted with beta, as part of what is injected (beta = 0 is then the fit without them), or
        have weight 1 at every beta.

    Raises
    ------
    ValueError
        If the rate is no number > 0, or `of`, `classes` or `weight` is none of these.
    TypeError
        If the trigger is not callable.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> bc.Cover(2.0)  # twice as many as poison rows, as WaNet has them
    Cover(rate=2.0)
    """

    rate: float | None = None
    of: Literal["poison", "base"] = "poison"
    classes: tuple[Any, ...] | None = None
    trigger: Trigger | None = None
    weight: Literal["beta", "one"] = "beta"

    def __post_init__(self) -> None:
        if self.rate is not None:
            if not _is_positive(self.rate):
                raise ValueError(f"cover: a rate > 0 was expected, {self.rate!r} came; an attack without has no Cover")
            object.__setattr__(self, "rate", _decimal(self.rate))
        _require_one_of(self.of, ("poison", "base"), "cover.of")
        _require_one_of(self.weight, ("beta", "one"), "cover.weight")
        if self.classes is not None:
            object.__setattr__(self, "classes", _labels(self.classes))
        if self.trigger is not None:
            require_trigger(self.trigger, "cover.trigger")

    def __repr__(self) -> str:
        return _said(self)


@dataclass(frozen=True, repr=False)
class Attack:
    """One way to attack: what is stamped on which rows, under which labels, and what a rate is a rate of.

    The defaults are those of `poison`. Its repr has what is not at its default, in the order of the fields: a text that
    tells attacks apart as far as the repr of their triggers does.

    Parameters
    ----------
    trigger : Trigger
        A callable (X, y) -> X with the trigger, `y` being the true labels.
    labels : "next", a class, a mapping, or CleanLabel
        "next" sends class k to class k + 1 and the last to the first (all-to-all). A class is the target of all
        others. A mapping {true class: label} changes the classes that it names, {source: target} one alone.
        `CleanLabel(target)` stamps rows of the target class, which keep their label.
    test_trigger : Trigger, optional
        That of the test rows, where it is another: `trigger.whole()`, another strength. By default the same.
    eligible : {"changed", "all"}
        Which training rows may be drawn: those whose label the policy changes, or all; rows of other classes then keep
        their label, as those of the target do in BackdoorBox and backdoor-toolbox. With `CleanLabel` "changed" are the
        rows of the target class, and there is no "all".
    rate_of : {"eligible", "all"}
        What the rate is a rate of: the rows that may be drawn, or all training rows, as in BackdoorBench.
    rounding : {"floor", "nearest"}
        How a rate becomes a number of rows; "nearest" takes halves up.
    injection : {"replace", "append"}
        Whether the stamped copy takes the place of its row or joins it.
    cover : Cover, optional
        Rows that are stamped and keep their label.
    name, source : str
        What it is called, and where its values come from.

    Raises
    ------
    TypeError
        If a trigger is not callable, or `cover` is no Cover.
    ValueError
        If a field is none of its values, or all rows are to be drawn with labels that are kept.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> attack = bc.Attack(bc.FeatureTrigger((0,), (9.0,)), labels=0, rate_of="all", cover=bc.Cover(1.0))
    >>> attack
    Attack(trigger=FeatureTrigger(columns=(0,), values=(9.0,)), labels=0, rate_of='all', cover=Cover(rate=1.0))
    >>> X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 3
    >>> data = bc.poison((X, y), (X, y), attack, rate=0.1, rng=np.random.default_rng(1))
    >>> print(data.rates)
    6 poison rows: 10 % of 60 rows, 15 % of 40 eligible, 30 % of 20 of the target class; 6 cover rows
    """

    trigger: Trigger
    labels: Any = "next"
    test_trigger: Trigger | None = None
    eligible: Literal["changed", "all"] = "changed"
    rate_of: Literal["eligible", "all"] = "eligible"
    rounding: Literal["floor", "nearest"] = "floor"
    injection: Injection = "replace"
    cover: Cover | None = None
    name: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        require_trigger(self.trigger, "trigger")
        if self.test_trigger is not None:
            require_trigger(self.test_trigger, "test_trigger")
        _require_one_of(self.eligible, ("changed", "all"), "eligible")
        _require_one_of(self.rate_of, ("eligible", "all"), "rate_of")
        _require_one_of(self.rounding, ("floor", "nearest"), "rounding")
        _require_one_of(self.injection, ("replace", "append"), "injection")
        if not (self.cover is None or isinstance(self.cover, Cover)):
            raise TypeError(f"cover: a Cover was expected, {type(self.cover).__name__} came; make it with Cover(rate)")
        if self.is_clean_label and self.eligible == "all":
            raise ValueError(
                'eligible: "changed" was expected with CleanLabel, "all" came: it stamps rows of the target class; '
                "take labels=target for rows of all classes"
            )

    def __repr__(self) -> str:
        return _said(self)

    @property
    def of_test(self) -> Trigger:
        """The trigger of the test rows."""
        return self.trigger if self.test_trigger is None else self.test_trigger

    @property
    def of_cover(self) -> Trigger:
        """The trigger of the cover rows."""
        return self.trigger if self.cover is None or self.cover.trigger is None else self.cover.trigger

    def name_of(self, trigger: Trigger) -> str:
        """Return which field a trigger is, the first that it is."""
        return (
            "trigger"
            if trigger is self.trigger
            else "test_trigger"
            if trigger is self.test_trigger
            else "cover.trigger"
        )

    @property
    def cover_weight(self) -> Literal["beta", "one"]:
        """The weight of the cover rows, if there are any."""
        return "beta" if self.cover is None else self.cover.weight

    @property
    def is_clean_label(self) -> bool:
        """Whether the poison rows keep their label."""
        return isinstance(self.labels, CleanLabel)

    def n_poison(self, rate: float, n_eligible: int, n: int) -> int:
        """Return how many rows are poisoned at a rate.

        Parameters
        ----------
        rate : float in (0, 1]
        n_eligible, n : int
            Rows that may be drawn, and all training rows.

        Raises
        ------
        ValueError
            If the rate is outside (0, 1], less than one row, or more rows than may be drawn.

        Examples
        --------
        >>> import backdoor_curves as bc
        >>> attack = bc.Attack(bc.FeatureTrigger((0,), (9.0,)), labels=0, rate_of="all", rounding="nearest")
        >>> attack.n_poison(0.1, n_eligible=40, n=68)
        7
        """
        if not (_is_positive(rate) and rate <= 1):
            raise ValueError(f"rate: a number in (0, 1] was expected, {rate!r} came")
        base = self.base(n_eligible, n)
        rows = "rows that could be poisoned" if self.rate_of == "eligible" else "training rows"
        m = self.rounded(rate * base)
        if m == 0:
            raise ValueError(f"rate: {rate} of {base} {rows} is not one row; take at least 1/{base}")
        if m > n_eligible:
            raise ValueError(
                f"rate: {rate} of {base} {rows} are {m}, of which {n_eligible} could be poisoned; "
                f"take at most {n_eligible}/{base}"
            )
        return m

    def n_cover(self, m: int, n_eligible: int, n: int) -> int:
        """Return how many cover rows go with m poison rows; 0 for an attack that has none. Arguments as `n_poison`."""
        if self.cover is None:
            return 0
        if self.cover.rate is None:
            raise ValueError("cover: a rate or cover_rows were expected, neither came; Cover(rate) draws some")
        base = m if self.cover.of == "poison" else self.base(n_eligible, n)
        c = self.rounded(self.cover.rate * base)
        if c == 0:
            rows = "poison rows" if self.cover.of == "poison" else "rows"
            raise ValueError(
                f"cover: {self.cover.rate} of {base} {rows} is not one row; raise its rate, or leave it out"
            )
        return c

    def base(self, n_eligible: int, n: int) -> int:
        """Return how many rows a rate is a rate of."""
        return n_eligible if self.rate_of == "eligible" else n

    def rounded(self, rows: float) -> int:
        """Return a number of rows that a rate gives as a whole one."""
        return math.floor(rows + (0.5 if self.rounding == "nearest" else 0.0) + ROUNDING)


def mixture_beta(p: float) -> float:
    """Return the beta at which all rows stamped and appended are the mixture (1 - p) clean + p poison: p / (1 - p).

    Some tools stamp every row and minimise (1 - p) S_clean + p S_poison + lambda / 2 |w|^2, sums over the same n rows.
    Divided by 1 - p that is the problem of a curve at beta = p / (1 - p) with lambda / (1 - p) in place of lambda: take
    C (1 - p) for C (of ridge alpha / (1 - p) for alpha). The data are those of
    `Attack(..., eligible="all", injection="append")` at rate 1, for which nothing is drawn. TrojanZoo does it with
    `train_mode="loss"`.

    Parameters
    ----------
    p : float in [0, 1/2]
        The share of the poison in the mixture; above one half beta would exceed 1.

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    ValueError
        If p is outside [0, 1/2].

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> bc.mixture_beta(0.2)
    0.25
    """
    if not (isinstance(p, Real) and not isinstance(p, bool) and 0.0 <= float(p) <= 0.5):
        raise ValueError(f"p: a share in [0, 1/2] was expected, {p!r} came; beyond it beta = p / (1 - p) exceeds 1")
    return float(p) / (1.0 - float(p))


def require_trigger(trigger: Any, name: str) -> None:
    """Refuse what cannot be called."""
    if not callable(trigger):
        raise TypeError(f"{name}: a callable (X, y) -> X was expected, {type(trigger).__name__} came")


def _require_one_of(value: Any, known: tuple[str, ...], name: str) -> None:
    if not (isinstance(value, str) and value in known):
        raise ValueError(f"{name}: {' or '.join(map(_quoted, known))} was expected, {value!r} came")


def _quoted(word: str) -> str:
    return f'"{word}"'


def _is_positive(rate: Any) -> bool:
    return isinstance(rate, Real) and not isinstance(rate, bool) and 0.0 < float(rate) < math.inf


def _decimal(rate: Any) -> float:
    """Return a rate in double precision; one in a shorter one as the decimal that it shows: 0.29 is 0.28999999."""
    return float(str(rate)) if isinstance(rate, np.floating) else float(rate)


def _labels(classes: Any) -> tuple[Any, ...]:
    """Return classes as a tuple of Python values; a text alone would be taken for its letters."""
    if not isinstance(classes, list | tuple | np.ndarray) or not len(classes):
        raise ValueError(f"cover.classes: a tuple of classes was expected, {classes!r} came; take ({classes!r},)")
    return tuple(np.asarray(label).item() for label in classes)


def _said(record: Cover | Attack) -> str:
    """Return a record with the fields that are not at their defaults."""
    values = {field.name: (getattr(record, field.name), field.default) for field in fields(record)}
    said = [f"{name}={value!r}" for name, (value, usual) in values.items() if usual is MISSING or not _is(value, usual)]
    return f"{type(record).__name__}({', '.join(said)})"


def _is(value: Any, usual: Any) -> bool:
    """Return whether a value is its default; a trigger, or an array, is none."""
    return value is usual or (isinstance(value, str) and isinstance(usual, str) and value == usual)
