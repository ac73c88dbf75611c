"""Results as pictures, after scikit-learn's Display convention; they draw records and compute nothing anew."""

from backdoor_curves.display.curves import BackdoorLearningCurveDisplay, Quantity

__all__ = ["BackdoorLearningCurveDisplay", "Quantity"]
