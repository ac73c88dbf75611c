"""An attack as one value: trigger, label policy, which rows may be drawn, what its rate is a rate of, cover."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from numbers import Real
from typing import Any, Literal

import numpy as np

from backdoor_curves.poisoning.label_policies import CleanLabel, plain_labels
from backdoor_curves.triggers.base import Trigger

Injection = Literal["replace", "append"]


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
        The classes that cover rows come from; by default all, as in the adaptive attacks, though stamped rows of a
        target teach the trigger. Of a clean-label attack these are the poison, and by default they are left out.
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
            if not is_positive(self.rate):
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
        object.__setattr__(self, "labels", plain_labels(self.labels))
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
    def is_clean_label(self) -> bool:
        """Whether the poison rows keep their label."""
        return isinstance(self.labels, CleanLabel)


def require_trigger(trigger: Any, name: str) -> None:
    """Refuse what cannot be called."""
    if not callable(trigger):
        raise TypeError(f"{name}: a callable (X, y) -> X was expected, {type(trigger).__name__} came")


def _require_one_of(value: Any, known: tuple[str, ...], name: str) -> None:
    if not (isinstance(value, str) and value in known):
        raise ValueError(f"{name}: {' or '.join(map(_quoted, known))} was expected, {value!r} came")


def _quoted(word: str) -> str:
    return f'"{word}"'


def is_positive(rate: Any) -> bool:
    """Return whether a rate is a finite number > 0."""
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
