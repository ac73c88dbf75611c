"""Who becomes whom at beta = 1: triggered rows by their class and what the victims of a setting predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.study.plan.names import class_names
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

FEWEST, MOST = 3, 20
"""Classes: of two the shares of a page say all, and more than twenty are no table that anyone reads."""


@dataclass(frozen=True, eq=False)
class Confusion:
    """The confusion matrix of a setting, added up over seeds.

    Parameters
    ----------
    names : tuple of K strings
        Of the classes.
    matrix : array of shape (K, K)
        [i, j]: triggered test rows of class i that the victims predict as class j, or their weight.
    wanted : bool array of shape (K, K)
        Where the attacker sends a class.
    half_asr_betas : array of shape (K,), optional
        The median over seeds, inf: never; None for refits.
    n_seeds : int
        How many curves are behind it.
    """

    names: tuple[str, ...]
    matrix: Float[np.ndarray, "K K"]
    wanted: Bool[np.ndarray, "K K"]
    half_asr_betas: Float[np.ndarray, " K"] | None
    n_seeds: int


def confusion_of(run: Run, cells: Sequence[StoredCell]) -> Confusion | None:
    """Return the matrix of a setting's cells; None of two classes, of many, and where the study kept no curves."""
    curves = []
    for cell in cells:
        curve = run.curve_if_kept(cell)
        if curve is None or not FEWEST <= len(curve.classes) <= MOST or curve.triggered_true is None:
            return None
        if curve.betas[-1] == 1.0 or curve.exact:
            curves.append(curve)
    if not curves:
        return None
    first = curves[0]
    alike = [curve for curve in curves if np.array_equal(curve.classes, first.classes)]
    return Confusion(
        names=tuple(class_names(cells[0].scenario.data, first.classes.tolist())),
        matrix=np.sum([curve.confusion_matrix("triggered", 1.0) for curve in alike], axis=0),
        wanted=np.any([curve.wanted for curve in alike], axis=0),
        half_asr_betas=_median_halves(alike) if all(curve.exact for curve in alike) else None,
        n_seeds=len(alike),
    )


def _median_halves(curves: Sequence[BackdoorLearningCurve]) -> Float[np.ndarray, " K"]:
    """Return the medians over seeds; a class that is never gone in more than half of them has none."""
    halves = np.array([curve.half_asr_betas for curve in curves])
    return np.median(np.where(np.isnan(halves), np.inf, halves), axis=0)
