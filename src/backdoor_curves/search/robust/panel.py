"""The attacks of a search by name, and what each makes of the rows of a fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeClassifier

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.linear_head import linear_head
from backdoor_curves.poisoning.attack import Attack
from backdoor_curves.poisoning.poison import poison
from backdoor_curves.poisoning.preset import Preset
from backdoor_curves.poisoning.presets import presets

Given = Attack | Preset | str | Callable[..., Any]
"""What a user says of an attack: itself, a preset or its name, a trigger alone."""


@dataclass(frozen=True)
class Threat:
    """An attack at a rate.

    Parameters
    ----------
    name : str
    attack : Attack or Preset
    rate : float
        Of what the attack says.
    """

    name: str
    attack: Attack | Preset
    rate: float

    @property
    def label(self) -> str:
        """How it is called in columns: its name and its rate."""
        return f"{self.name}@{self.rate:g}"

    def on(
        self, train: Samples, test: Samples, image_shape: tuple[int, ...] | None, seed: Sequence[int]
    ) -> PoisonedData:
        """Return the rows of a fold under attack, flat again where they were.

        Rates of an attack are nested: the rows of a smaller one are among those of a larger one.

        Raises
        ------
        ValueError, TypeError
            As `poison` and presets, with the attack's name before it.
        """
        flat = train.X
        if image_shape is not None:
            train, test = (replace(part, X=np.asarray(part.X).reshape(-1, *image_shape)) for part in (train, test))
        rng = np.random.default_rng(seed)
        try:
            attack = self.attack if isinstance(self.attack, Attack) else _made(self.attack, train, rng)
            data = poison(train, test, attack, rate=self.rate, rng=rng)
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"attacks: {self.label}: {error}{_advice(error, flat)}") from error
        return data if image_shape is None else _flat(data)


def _made(preset: Preset, train: Samples, rng: np.random.Generator) -> Attack:
    """Return the attack of a preset; one for a linear head gets that of a ridge fit on these rows."""
    head = None
    if preset.needs_head:
        head = linear_head(RidgeClassifier().fit(np.asarray(train.X).reshape(len(train), -1), train.y))
    return preset.attack(train, head=head, rng=rng)


def _advice(error: Exception, X: Any) -> str:
    """Return what helps where an attack on images met a table."""
    is_table = getattr(X, "ndim", 0) == 2
    return (
        "; image_shape=(height, width, channels) says that rows are images"
        if is_table and "image" in str(error)
        else ""
    )


def _flat(data: PoisonedData) -> PoisonedData:
    parts = ("clean_train", "poison_train", "clean_test", "triggered_test", "original_train")
    rows = {name: getattr(data, name) for name in parts}
    return replace(data, **{name: replace(part, X=part.X.reshape(len(part), -1)) for name, part in rows.items()})


def threats_of(attacks: Any, rates: Any) -> list[Threat]:
    """Return every attack at every rate.

    Raises
    ------
    TypeError, ValueError
        If there is none, one is no attack, a rate is no share, or two attacks have one name.

    Examples
    --------
    >>> from backdoor_curves.search.robust.panel import threats_of
    >>> [threat.label for threat in threats_of(["sig@backdoorbench", "badnets@backdoorbench"], [0.05, 0.1])]
    ['sig@backdoorbench@0.05', 'sig@backdoorbench@0.1', 'badnets@backdoorbench@0.05', 'badnets@backdoorbench@0.1']
    """
    named = _named(attacks)
    shares = list(np.ravel(rates).tolist()) if rates is not None else []
    if not shares or any(isinstance(rate, bool | str) or rate is None or not 0.0 < rate <= 1.0 for rate in shares):
        raise ValueError(f"rates: shares of rows in (0, 1] were expected, {rates!r} came")
    if len(set(shares)) < len(shares):
        raise ValueError(f"rates: each once was expected, {rates!r} came")
    return [Threat(name, attack, float(rate)) for name, attack in named.items() for rate in shares]


def _named(attacks: Any) -> dict[str, Attack | Preset]:
    if isinstance(attacks, Mapping):
        found = {str(name): _attack(one) for name, one in attacks.items()}
    else:
        several = attacks if isinstance(attacks, list | tuple) else [attacks]
        listed = [_attack(one) for one in several]
        names = [one.name or f"attack {place}" for place, one in enumerate(listed)]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise ValueError(
                f"attacks: a name for each was expected, two are called {repeated[0]!r}; pass a mapping name: attack"
            )
        found = dict(zip(names, listed, strict=True))
    if not found:
        raise ValueError('attacks: one or more were expected, none came; presets has some, "badnets@backdoorbench" say')
    return found


def _attack(given: Given) -> Attack | Preset:
    if isinstance(given, str):
        return presets[given]
    if isinstance(given, Attack | Preset):
        return given
    if callable(given):
        return Attack(given)
    raise TypeError(
        f"attacks: an Attack, a preset, the name of one or a trigger was expected, {type(given).__name__} came"
    )
