"""The folds of a search under attack: what becomes of settings on each of them, in one process or in several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import column_or_1d

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.estimators import steps_of
from backdoor_curves.learners.freezing import demands_flat_rows
from backdoor_curves.search.robust.panel import Threat
from backdoor_curves.search.robust.victims import CurveNumbers, Victim, followed, victims

Split = tuple[np.ndarray, np.ndarray]
"""Training and test rows of a fold, by number."""


@dataclass(frozen=True, eq=False)
class Folds:
    """The folds of a search, and what they are attacked with.

    Parameters
    ----------
    estimator : scikit-learn classifier
    rows : Samples
        All of them.
    splits : sequence of Split
    threats : sequence of Threat
    image_shape : tuple, optional
        That of the rows, where attacks stamp images.
    seed : int
        Of poisoned rows and of patterns, which also hang on the fold and the attack.

    Raises
    ------
    ValueError
        If a training fold lacks a class.
    """

    estimator: Any
    rows: Samples
    splits: Sequence[Split]
    threats: Sequence[Threat]
    image_shape: tuple[int, ...] | None
    seed: int

    def __post_init__(self) -> None:
        y = self.rows.y
        for fold, (train, _) in enumerate(self.splits):
            if (absent := np.setdiff1d(y, y[train])).size:
                raise ValueError(
                    f"cv: every class in each training fold was expected, {absent.tolist()[0]!r} is absent from fold "
                    f"{fold}; pass fewer folds, StratifiedKFold, or more rows of it"
                )

        if self.image_shape is not None:
            _require_shape(self.image_shape, self.rows.X)

    def victims(self, settings: Sequence[Mapping[str, Any]], **how: Any) -> list[list[list[Victim]]]:
        """Return what becomes of each setting under each threat, by fold; `how` are words of joblib's Parallel."""
        return self._of_each(victims, settings, how)

    def curves(self, settings: Sequence[Mapping[str, Any]], **how: Any) -> list[list[list[CurveNumbers]]]:
        """Return what the curves of each setting say, likewise."""
        return self._of_each(followed, settings, how)

    def _of_each(
        self, asked: Callable[..., Any], settings: Sequence[Mapping[str, Any]], how: Mapping[str, Any]
    ) -> list[list[Any]]:
        processes = effective_n_jobs(how.get("n_jobs"))
        blocks = _blocks(settings, -(-processes // len(self.splits)))
        tasks = [(fold, block) for fold in range(len(self.splits)) for block in blocks]
        done = Parallel(**how)(delayed(self._part)(asked, fold, [settings[i] for i in block]) for fold, block in tasks)
        found: list[list[Any]] = [[None] * len(settings) for _ in self.splits]
        for (fold, block), part in zip(tasks, done, strict=True):
            for place, one in zip(block, part, strict=True):
                found[fold][place] = one
        return found

    def _part(self, asked: Callable[..., Any], fold: int, settings: Sequence[Mapping[str, Any]]) -> list[Any]:
        return asked(self.estimator, settings, self._attacked(fold))

    def _attacked(self, fold: int) -> list[PoisonedData]:
        """Return the rows of a fold under each threat."""
        train, test = (self.rows.take(np.asarray(part)) for part in self.splits[fold])
        names = list(dict.fromkeys(threat.name for threat in self.threats))
        return [
            threat.on(train, test, self.image_shape, [self.seed, fold, names.index(threat.name)])
            for threat in self.threats
        ]


def _blocks(settings: Sequence[Mapping[str, Any]], count: int) -> list[list[int]]:
    """Return settings by number in so many blocks, in each those that differ in their penalty alone, which share."""

    def rest(place: int) -> str:
        return repr([(k, v) for k, v in settings[place].items() if k.rpartition("__")[2] not in ("C", "alpha")])

    ordered = sorted(range(len(settings)), key=rest)
    return [part.tolist() for part in np.array_split(ordered, min(count, len(settings))) if len(part)]


def require_flat(estimator: Any, X: Any) -> None:
    """Refuse images where the estimator takes flat rows, as its own fit would, and say what helps."""
    steps, last = steps_of(estimator)
    first = (steps or [last])[0]
    if isinstance(X, np.ndarray) and X.ndim > 2 and demands_flat_rows(first):
        raise ValueError(
            f"X: rows of shape (n, d) were expected by {type(first).__name__}, shape {X.shape} came; pass "
            f"X.reshape(len(X), -1), and image_shape={X.shape[1:]} for attacks that stamp images"
        )


def _require_shape(image_shape: Any, X: Any) -> None:
    """Refuse a shape of images that the rows do not have."""
    sides = image_shape if isinstance(image_shape, tuple | list) else ()
    whole = len(sides) in (2, 3) and all(isinstance(side, int | np.integer) and side > 0 for side in sides)
    if not (whole and isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == np.prod(sides)):
        came = f"rows of shape {np.shape(X)}" if isinstance(X, np.ndarray) else type(X).__name__
        raise ValueError(
            f"image_shape: (height, width, channels) of flat rows in an array was expected, {image_shape!r} came for "
            f"{came}"
        )


def labelled_rows(X: Any, y: Any, fit_params: Mapping[str, Any]) -> Samples:
    """Return rows with their labels, in a column or flat, and weights."""
    labels, weight = column_or_1d(y), _weight_of(fit_params)
    try:
        return Samples(X, labels, weight)
    except ValueError as error:
        raise ValueError(str(error) if weight is None else f"sample_weight: {error}") from error


def _weight_of(fit_params: Mapping[str, Any]) -> Any:
    """Return the weights of the rows among fit parameters; refuse others, which a fit under attack would not get."""
    weights = {name: value for name, value in fit_params.items() if name.rpartition("__")[2] == "sample_weight"}
    if others := sorted(fit_params.keys() - weights.keys()):
        raise ValueError(
            f"fit: sample_weight and groups alone were expected, {others[0]!r} came, which has no meaning for poisoned "
            "rows; set it on the estimator"
        )
    return next(iter(weights.values()), None)
