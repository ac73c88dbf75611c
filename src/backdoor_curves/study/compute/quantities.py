"""The numbers of a cell: one table, name -> function of its curve. A line here is a column everywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from backdoor_curves.curve import BackdoorLearningCurve as Curve

Number = float | int | str | None

QUANTITIES: Mapping[str, Callable[[Curve], Any]] = {
    "method": lambda curve: curve.method,
    "clean_accuracy_at_0": lambda curve: curve.accuracy("clean", 0.0),
    "clean_accuracy_at_1": lambda curve: curve.accuracy("clean", 1.0),
    "asr_at_0": lambda curve: curve.accuracy("triggered", 0.0),
    "asr_at_1": lambda curve: curve.accuracy("triggered", 1.0),
    "triggered_loss_at_0": lambda curve: curve.loss("triggered", 0.0),
    "triggered_loss_at_1": lambda curve: curve.loss("triggered", 1.0),
    "slope_at_0": lambda curve: curve.slope(0.0),
    "clean_slope_at_0": lambda curve: curve.slope(0.0, "clean"),
    "slope_range": lambda curve: curve.slope_range,
    "slope_estimate_at_0": lambda curve: None if curve.exact else curve.slope_estimate().slope,
    "slope_estimate_error": lambda curve: None if curve.exact else curve.slope_estimate().error,
    "theta": lambda curve: curve.theta,
    "area": lambda curve: curve.area("triggered"),
    "half_loss_beta": lambda curve: curve.half_loss_beta,
    "norm_at_1": lambda curve: curve.norm(1.0),
    "angle_at_1": lambda curve: curve.angle(1.0),
    "betas_missed": lambda curve: len(curve.missed),
    "score_bound": lambda curve: None if (c := curve.certificate()) is None else float(c.score_bound.max()),
}
CONTROL_QUANTITIES: Mapping[str, Callable[[Curve], Any]] = {
    "control_asr_at_1": lambda curve: curve.accuracy("triggered", 1.0),
    "control_area": lambda curve: curve.area("triggered"),
}
"""Of the curve without the trigger, where a study asks for it."""


def numbers(curve: Curve, control: Curve | None = None) -> dict[str, Number]:
    """Return every number of a curve and its control; None for what it has not, a slope of refits for one.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from backdoor_curves.study.compute.quantities import numbers
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> found = numbers(bc.backdoor_learning_curve(RidgeClassifier(), data))
    >>> -1 <= found["theta"] <= 1, found["control_area"] is None
    (True, True)
    """
    found = {name: _number(quantity, curve) for name, quantity in QUANTITIES.items()}
    return found | {name: _number(quantity, control) for name, quantity in CONTROL_QUANTITIES.items()}


def _number(quantity: Callable[[Curve], Any], curve: Curve | None) -> Number:
    """Return a quantity of a curve; None where the curve refuses it, or where it is never reached."""
    try:
        value = None if curve is None else quantity(curve)
    except ValueError:  # as slope, norm and angle say that a curve has none
        return None
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value
