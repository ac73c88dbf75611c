"""Results as pictures, after scikit-learn's Display convention: what is drawn is computed before."""

from backdoor_curves.display.curves import BackdoorLearningCurveDisplay, Quantity
from backdoor_curves.display.deviation import DeviationDisplay
from backdoor_curves.display.gradients import GradientDisplay
from backdoor_curves.display.influential_rows import InfluentialRowsDisplay
from backdoor_curves.display.slopes import SlopeDisplay, SlopePoint

__all__ = [
    "BackdoorLearningCurveDisplay",
    "DeviationDisplay",
    "GradientDisplay",
    "InfluentialRowsDisplay",
    "Quantity",
    "SlopeDisplay",
    "SlopePoint",
]
