"""What a backdoored linear SVM looks at, and which training rows taught it: the arrays behind Figures 14 and 15.

The influence of the paper's formula and the true one differ most here. At the paper's C the machine separates its
training rows: none is beyond the margin, the optimum does not answer to the weight of any single row, and every true
influence is 0. The published formula gives numbers nevertheless. Both are kept: the formula's at the paper's C, and the
derivative at the largest C of a grid at which seven rows have one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from backdoor_curves.curve import BackdoorLearningCurve, backdoor_learning_curve
from backdoor_curves.curve.influence import influence
from backdoor_curves.curve.input_gradient import input_gradient, trigger_mask, trigger_share
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples, join
from backdoor_curves.paper.numbers.published import Scored, pair_influences, svm_terms
from backdoor_curves.records.npz import read_fields, whole, write_fields

TOP = 7
"""Training rows that Figure 15 shows."""
SOFTER = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
"""C at which the true influence is tried, in this order."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """The arrays of Figures 14 and 15 for one pair of classes.

    Parameters
    ----------
    C : float
        Of the two models whose gradients these are.
    row, influenced_row : int
        The triggered test row of the gradients, and that of the influences: the first from `row` on whose loss is not
        flat in the victim's scores.
    image : array of shape (height, width, channels)
        The triggered test row.
    mask : bool array, shaped as the image
        Where the trigger is.
    gradients : array of shape (2, height, width, channels)
        Of the score of the class that each model predicts for the image: the model of all original rows, then the
        poisoned one, in scores per unit of a pixel.
    predicted : int array of shape (2,)
    shares : array of shape (2,)
        The part of each gradient's magnitude inside the trigger.
    influenced : array of shape (height, width, channels)
        The triggered test row of the influences.
    label : int
        The attacker's label of that row.
    formula_top, true_top : arrays of shape (7, height, width, channels)
        Training images of largest influence on the test row: by the published formula at C, and by the derivative at
        C = `derivative_at`.
    formula_values, true_values : arrays of shape (7,)
    formula_labels, true_labels : int arrays of shape (7,)
    formula_poison, true_poison : bool arrays of shape (7,)
    derivative_at : float
    n_train, n_test : int
    """

    C: float
    row: int
    influenced_row: int
    image: Float[np.ndarray, "h w c"]
    mask: Bool[np.ndarray, "h w c"]
    gradients: Float[np.ndarray, "2 h w c"]
    predicted: Int[np.ndarray, " 2"]
    shares: Float[np.ndarray, " 2"]
    influenced: Float[np.ndarray, "h w c"]
    label: int
    formula_top: Float[np.ndarray, "k h w c"]
    formula_values: Float[np.ndarray, " k"]
    formula_labels: Int[np.ndarray, " k"]
    formula_poison: Bool[np.ndarray, " k"]
    true_top: Float[np.ndarray, "k h w c"]
    true_values: Float[np.ndarray, " k"]
    true_labels: Int[np.ndarray, " k"]
    true_poison: Bool[np.ndarray, " k"]
    derivative_at: float
    n_train: int
    n_test: int

    def save(self, path: Path) -> None:
        """Write the arrays as an .npz file, whole or not at all."""
        with whole(path) as draft:
            write_fields(draft, self)

    @classmethod
    def load(cls, path: Path) -> Explanation:
        """Return what `save` wrote."""
        return read_fields(cls, path)


def explain_linear_svm(data: PoisonedData, *, C: float, row: int, features: Any = None) -> Explanation:
    """Return what explains a linear SVM's prediction of one triggered test row.

    Parameters
    ----------
    data : PoisonedData
        Images, with `original_train`, as `protocol.badnet` makes them.
    C : float
        Positive.
    row : int
        Of the triggered test rows.
    features : transformer, optional
        A frozen network between images and machine, with `vjp`.

    Raises
    ------
    ValueError
        If seven true influences on the row differ from 0 at no C of the grid.
    """
    victim = _curve(data, C, features)
    innocent = _curve(_without_poison(data), C, features)
    X = data.triggered_test.X[[row]]
    both = ((innocent, 0.0), (victim, 1.0))
    gradients = np.stack([input_gradient(curve, X, beta, of="predicted")[0] for curve, beta in both])
    mask = trigger_mask(data)
    trained = join(data.clean_train, data.poison_train, data.is_poison)
    by_formula = _formula_influences(data, trained, C, features)
    reached = np.flatnonzero(by_formula.any(axis=1))
    influenced = int(reached[reached >= row][0]) if (reached >= row).any() else row
    derivative_at, true = _true_influences(data, influenced, features)
    return Explanation(
        C=C,
        row=row,
        influenced_row=influenced,
        image=X[0],
        mask=mask,
        gradients=gradients,
        predicted=np.array([curve.predictions("triggered", [beta])[0, row] for curve, beta in both]),
        shares=trigger_share(gradients, mask),
        influenced=data.triggered_test.X[influenced],
        label=int(data.triggered_test.y[influenced]),
        **_top("formula", by_formula[influenced], trained, data.is_poison),
        **_top("true", true, trained, data.is_poison),
        derivative_at=derivative_at,
        n_train=len(trained),
        n_test=len(data.triggered_test),
    )


def _curve(data: PoisonedData, C: float, features: Any) -> BackdoorLearningCurve:
    return backdoor_learning_curve(_machine(C, features), data)


def _machine(C: float, features: Any) -> Any:
    svm = SVC(C=C, kernel="linear")
    return svm if features is None else make_pipeline(features, svm)


def _flat(X: np.ndarray, features: Any) -> Float[np.ndarray, "n d"]:
    return np.asarray(X if features is None else features.transform(X), dtype=float).reshape(len(X), -1)


def _without_poison(data: PoisonedData) -> PoisonedData:
    """Return data whose model at beta = 0 is that of all original rows, as the paper's clean model is."""
    assert data.original_train is not None  # badnet keeps it
    return PoisonedData(data.original_train, data.poison_train, data.clean_test, data.triggered_test)


def _formula_influences(
    data: PoisonedData, trained: Samples, C: float, features: Any
) -> Float[np.ndarray, "n_test n_train"]:
    """Return the published v of each triggered and each training row, of the poisoned model with its own margin."""
    flat = _flat(trained.X, features)
    fit = SVC(C=C, kernel="linear").fit(flat, trained.y)

    def scored(X: Float[np.ndarray, "n d"], y: np.ndarray) -> Scored:
        return Scored(X, np.where(y == fit.classes_[1], 1.0, -1.0), fit.decision_function(X))

    tested = scored(_flat(data.triggered_test.X, features), data.triggered_test.y)
    terms = svm_terms(C, None, fit, flat, tested, scored(flat, trained.y))
    return np.zeros((len(tested.y), len(flat))) if terms is None else pair_influences(terms)


def _true_influences(data: PoisonedData, row: int, features: Any) -> tuple[float, Float[np.ndarray, " n"]]:
    """Return the first C of the grid at which the row's loss answers to seven training rows, and how it does."""
    for C in SOFTER:
        values = influence(_machine(C, features), data, beta=1.0).values[row]
        if np.count_nonzero(values) >= TOP:
            return C, values
    raise ValueError(f"row {row}: {TOP} influences that are not 0 were expected at some C of {SOFTER}, none has them")


def _top(
    name: str, values: Float[np.ndarray, " n"], rows: Samples, is_poison: Bool[np.ndarray, " n"]
) -> dict[str, Any]:
    top = np.argsort(-np.abs(values), kind="stable")[:TOP]
    return {
        f"{name}_top": rows.X[top],
        f"{name}_values": values[top],
        f"{name}_labels": rows.y[top],
        f"{name}_poison": is_poison[top],
    }
