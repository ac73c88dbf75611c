"""Results as pictures, after scikit-learn's Display convention: what is drawn is computed before."""

from backdoor_curves.display.certificates import CertificateDisplay
from backdoor_curves.display.confusion import ConfusionDisplay
from backdoor_curves.display.curves import BackdoorLearningCurveDisplay, Quantity
from backdoor_curves.display.deviation import DeviationDisplay
from backdoor_curves.display.gradients import GradientDisplay
from backdoor_curves.display.influential_rows import InfluentialRowsDisplay
from backdoor_curves.display.robust_search import RobustSearchDisplay
from backdoor_curves.display.slopes import SlopeDisplay, SlopePoint
from backdoor_curves.display.source_classes import SourceClassDisplay

__all__ = [
    "BackdoorLearningCurveDisplay",
    "CertificateDisplay",
    "ConfusionDisplay",
    "DeviationDisplay",
    "GradientDisplay",
    "InfluentialRowsDisplay",
    "Quantity",
    "RobustSearchDisplay",
    "SlopeDisplay",
    "SlopePoint",
    "SourceClassDisplay",
]
