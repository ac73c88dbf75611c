"""The numbers of a cell: one table, name -> how it is had of a curve. A line here is a number in every store and table.

With a heading it is a column of the page's tables, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backdoor_curves.certificates.record import PredictionCertificate
from backdoor_curves.curve import BackdoorLearningCurve as Curve
from backdoor_curves.study.compute.movement import Movement

Number = float | int | str | None


@dataclass(frozen=True)
class Quantity:
    """A number of a cell.

    Parameters
    ----------
    of : callable
        Takes the curve, or the movement; None or a ValueError where it has no such number.
    heading : str
        Of its column on the page; "" where the page has none.
    is_share : bool
        Whether it is a share of rows, which is shown in per cent.
    """

    of: Callable[[Any], Any]
    heading: str = ""
    is_share: bool = False


QUANTITIES: Mapping[str, Quantity] = {
    "method": Quantity(lambda curve: curve.method),
    "clean_accuracy_at_0": Quantity(lambda curve: curve.accuracy("clean", 0.0)),
    "clean_accuracy_at_1": Quantity(lambda curve: curve.accuracy("clean", 1.0), "clean acc.", is_share=True),
    "asr_at_0": Quantity(lambda curve: curve.accuracy("triggered", 0.0), "ASR at β = 0", is_share=True),
    "asr_at_1": Quantity(lambda curve: curve.accuracy("triggered", 1.0), "ASR", is_share=True),
    "triggered_loss_at_0": Quantity(lambda curve: curve.loss("triggered", 0.0)),
    "triggered_loss_at_1": Quantity(lambda curve: curve.loss("triggered", 1.0)),
    "slope_at_0": Quantity(lambda curve: curve.slope(0.0), "slope"),
    "clean_slope_at_0": Quantity(lambda curve: curve.slope(0.0, "clean")),
    "slope_range": Quantity(lambda curve: curve.slope_range),
    "slope_estimate_at_0": Quantity(lambda curve: None if curve.has_slope else curve.slope_estimate().slope),
    "slope_estimate_error": Quantity(lambda curve: None if curve.has_slope else curve.slope_estimate().error),
    "theta": Quantity(lambda curve: curve.theta, "θ"),
    "area": Quantity(lambda curve: curve.area("triggered"), "area"),
    "half_loss_beta": Quantity(lambda curve: curve.half_loss_beta, "half-loss β"),
    "norm_at_1": Quantity(lambda curve: curve.norm(1.0), "|w|"),
    "angle_at_1": Quantity(lambda curve: curve.angle(1.0), "ν"),
    "betas_missed": Quantity(lambda curve: len(curve.missed)),
    "score_bound": Quantity(
        lambda curve: None if (c := curve.certificate()) is None else float(c.score_bound.max()), "score bound"
    ),
    "elsewhere_at_1": Quantity(lambda curve: curve.outcomes(1.0).elsewhere),
    "n_triggered": Quantity(lambda curve: curve.outcomes(1.0).n),
    "n_poison": Quantity(lambda curve: curve.info.n_poison),
}
CONTROL_QUANTITIES: Mapping[str, Quantity] = {
    "control_asr_at_1": Quantity(lambda curve: curve.accuracy("triggered", 1.0), "ASR without trigger", is_share=True),
    "control_area": Quantity(lambda curve: curve.area("triggered")),
}
"""Of the curve without the trigger, where a study asks for it."""
MOVEMENT_QUANTITIES: Mapping[str, Quantity] = {
    "moved_l2": Quantity(lambda movement: movement.l2),
    "moved_largest": Quantity(lambda movement: movement.largest),
    "moved_share": Quantity(lambda movement: movement.share),
    "moved_seen": Quantity(lambda movement: movement.seen),
}
"""Of the triggered test rows, see `Movement`."""
CERTIFIED_ROWS = (1, 3, 10, 30)
"""Appended rows for which the certified share is kept: what somebody slips in by hand."""


def certified_share(m: int) -> str:
    """Return the name of the certified share at m rows."""
    return f"certified_share_at_{m}"


def _certified(m: int) -> Quantity:
    return Quantity(lambda certificate: certificate.share(m), f"certified, {m} rows", is_share=True)


CERTIFICATE_QUANTITIES: Mapping[str, Quantity] = {certified_share(m): _certified(m) for m in CERTIFIED_ROWS}
"""Of the certificate, where a study asks for it and the learner has one."""
ALL_QUANTITIES: Mapping[str, Quantity] = {
    **QUANTITIES,
    **CONTROL_QUANTITIES,
    **MOVEMENT_QUANTITIES,
    **CERTIFICATE_QUANTITIES,
}
"""In the order of the columns of every table."""


def numbers(
    curve: Curve,
    control: Curve | None = None,
    movement: Movement | None = None,
    certificate: PredictionCertificate | None = None,
) -> dict[str, Number]:
    """Return every number of a curve, of its control, of how far test rows moved, and of its certificate.

    It is None for what there is not, a slope of refits for one.

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
    found |= {name: _number(quantity, control) for name, quantity in CONTROL_QUANTITIES.items()}
    found |= {name: _number(quantity, movement) for name, quantity in MOVEMENT_QUANTITIES.items()}
    return found | {name: _number(quantity, certificate) for name, quantity in CERTIFICATE_QUANTITIES.items()}


def _number(quantity: Quantity, of: Curve | Movement | PredictionCertificate | None) -> Number:
    """Return a quantity; None where there is nothing it could be of, it is refused, or it is never reached."""
    try:
        value = None if of is None else quantity.of(of)
    except ValueError:  # as slope, norm and angle say that a curve has none
        return None
    return None if value is None or (isinstance(value, float) and math.isnan(value)) else value
