"""Backdoor learning curves: how the loss on triggered and on clean test rows moves with the weight of the poison.

    w(beta) = argmin  sum_clean loss(y, f(x)) + beta sum_poison loss(y, f(x)) + (lambda / 2) |w|^2,    beta in [0, 1]
    curve   = beta -> mean loss of w(beta) over the test rows

Source: Cina et al., Backdoor Learning Curves (arXiv 2106.07214), Eq. 1 and 2, with means over test rows and lambda / 2.

The functions that compute a curve are in `entry`. The record that answers is in `record`: what the scores of the test
rows say is in `scored_curve`, the rest comes from its source, `live` or `stored`. Its file is in `file`.
"""

from backdoor_curves.curve.entry import backdoor_learning_curve, backdoor_learning_curves
from backdoor_curves.curve.estimate import SlopeEstimate
from backdoor_curves.curve.info import CurveInfo
from backdoor_curves.curve.record import BackdoorLearningCurve

__all__ = [
    "BackdoorLearningCurve",
    "CurveInfo",
    "SlopeEstimate",
    "backdoor_learning_curve",
    "backdoor_learning_curves",
]
