"""A preset: an attack as a paper or a tool has it, with its values and their source; it is made for given rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.images import BEYOND
from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples, as_samples
from backdoor_curves.poisoning.attack import Attack
from backdoor_curves.rows import Rows, are_words, is_series
from backdoor_curves.triggers.linear_head import LinearHead

Kind = Literal["image", "text", "table"]
ADVICE = {
    "image": "give images of shape (n, height, width, channels), flattened ones reshaped",
    "text": "give a list, array or Series of texts, or lists of words",
    "table": "give an array of shape (n, d), a CSR matrix or a DataFrame",
}


@dataclass(frozen=True, eq=False)
class Given:
    """What an attack is made of: training rows, the target, and what else was given.

    Parameters
    ----------
    who : str
        Who asks, for errors.
    X : rows
    y : array of shape (n,)
        True labels.
    target : label
        A class of `classes`.
    head : LinearHead, optional
    rng : numpy Generator, optional
    """

    who: str
    X: Rows
    y: np.ndarray
    target: Any
    head: LinearHead | None = None
    rng: np.random.Generator | None = None

    @property
    def classes(self) -> list[Any]:
        """Classes of the rows, in numpy's order."""
        return np.unique(self.y).tolist()

    @property
    def others(self) -> list[Any]:
        """Classes other than the target."""
        return [label for label in self.classes if label != self.target]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of images."""
        height, width, *channels = self.X.shape[1:]
        return height, width, channels[0] if channels else 1

    def of_target(self) -> np.ndarray:
        """Return which rows are of the target class."""
        return self.y == self.target

    def noise(self, shape: tuple[int, ...]) -> Float[np.ndarray, "*shape"]:
        """Return uniform noise in [0, 1)."""
        return self.generator().random(shape)

    def seed(self) -> int:
        """Return a seed for what is drawn row by row."""
        return int(self.generator().integers(2**32))

    def generator(self) -> np.random.Generator:
        """Return the generator, which must be there."""
        check_rng(self.rng)
        assert self.rng is not None  # check_rng refused it
        return self.rng


@dataclass(frozen=True)
class Preset:
    """An attack with the values of a paper or a tool, made for training rows by `attack`.

    All of them are in `backdoor_curves.presets`, by name.

    Parameters
    ----------
    name : str
        "attack@source".
    source : str
        The paper, and the file whose values these are.
    about : str
        What it does, in a sentence.
    rows : {"image", "text", "table"}
        The rows that it is for; images have pixels in [0, 1].
    make : callable
        From what is given to the attack.
    rate : float in (0, 1], optional
        That of the source, a rate of what the attack says; None where it has none.
    ours : str
        What of it is not the source's; empty if nothing.
    needs_head : bool
        Whether it is made for a linear head.
    n_classes : int
        How many classes it needs.
    place : int
        Of the target among the classes, in numpy's order, where none is named.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> preset = bc.presets["sig@backdoorbench"]
    >>> preset.rate, preset.rows
    (0.1, 'image')
    >>> train, test = bc.datasets.digits("all", rng=np.random.default_rng(0))
    >>> attack = preset.attack(train)
    >>> attack.trigger.frequency, attack.labels
    (6.0, CleanLabel(target=0))
    >>> print(bc.poison(train, test, attack, rate=0.05, rng=np.random.default_rng(1)).rates)
    60 poison rows: 5.01 % of 1198 rows, 51.3 % of 117 eligible, 51.3 % of 117 of the target class
    """

    name: str
    source: str
    about: str
    rows: Kind
    make: Callable[[Given], Attack] = field(repr=False)
    rate: float | None = None
    ours: str = ""
    needs_head: bool = False
    n_classes: int = 2
    place: int = 0

    def attack(
        self,
        train: Samples | tuple[Rows, Any],
        *,
        target: Any = None,
        head: LinearHead | None = None,
        rng: np.random.Generator | None = None,
    ) -> Attack:
        """Return the attack for training rows, by their shape, classes, columns and words; nothing is fitted.

        Parameters
        ----------
        train : Samples or pair (X, y)
            n training rows with true labels; images in [0, 1].
        target : label, optional
            The class that the attacker wants; by default the one at the source's place, mostly the first.
        head : LinearHead, optional
            Of these rows, flattened; `linear_head(fitted)` makes one. Where `needs_head` says so, else without meaning.
        rng : numpy Generator, optional
            Source of patterns and of seeds; needed where the attack has some.

        Returns
        -------
        Attack
            Its `name` and `source` are the preset's. The rate is not part of it: `preset.rate`.

        Raises
        ------
        ValueError
            If the rows are of another kind or shape, or images outside [0, 1], if there are too few classes, if the
            target is none of them or the attack has none, or if a head is needed and none came.
        TypeError
            If patterns are to be drawn and `rng` is no numpy Generator.
        """
        samples, who = as_samples(train, "train"), f"preset {self.name!r}"
        _require_kind(samples.X, self.rows, who)
        classes = np.unique(samples.y).tolist()
        if len(classes) < self.n_classes:
            raise ValueError(
                f"{who}: {self.n_classes} classes or more were expected, {classes} came; take another attack"
            )
        if target is not None and target not in classes:
            raise ValueError(f"{who}: target, a class of {classes}, was expected, {target!r} came")
        if self.needs_head and not isinstance(head, LinearHead):
            raise ValueError(
                f"{who}: head, a LinearHead, was expected, {type(head).__name__} came; linear_head(fitted) makes one"
            )
        wanted = classes[self.place] if target is None else target
        attack = self.make(Given(who, samples.X, samples.y, wanted, head, rng))
        if target is not None and isinstance(attack.labels, str) and attack.labels == "next":
            raise ValueError(f"{who}: no target was expected, {target!r} came; it sends each class to the next one")
        return replace(attack, name=self.name, source=self.source)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how it is pickled: by its name."""
        return _named, (self.name,)


def _named(name: str) -> Preset:
    from backdoor_curves.poisoning.presets import presets  # which is made of these

    return presets[name]


def kind_of(X: Rows) -> Kind:
    """Return what rows are: images, texts, or a table.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.poisoning.preset import kind_of
    >>> kind_of(np.zeros((2, 8, 8, 1))), kind_of(["a mail", "another"]), kind_of(np.zeros((2, 64)))
    ('image', 'text', 'table')
    """
    if isinstance(X, list) or are_words(X) or is_series(X) or getattr(X, "ndim", 2) == 1:
        return "text"
    return "image" if getattr(X, "ndim", 2) > 2 else "table"


def _require_kind(X: Rows, kind: Kind, who: str) -> None:
    """Refuse rows of another kind, and images that are none in [0, 1]."""
    if (came := kind_of(X)) != kind:
        shape = f" of shape {X.shape}" if hasattr(X, "shape") else ""
        raise ValueError(f"{who}: {kind} rows were expected, {came} rows{shape} came; {ADVICE[kind]}")
    if kind != "image":
        return
    if X.ndim > 4 or not X.size:
        raise ValueError(f"{who}: images were expected, shape {X.shape} came; {ADVICE[kind]}")
    if X.dtype.kind != "f" or not (X.min() >= -BEYOND and X.max() <= 1 + BEYOND):  # NaN is neither
        raise ValueError(
            f"{who}: floating-point pixels in [0, 1] were expected, {X.dtype} from {X.min():g} to {X.max():g} came; "
            "divide bytes by 255"
        )
