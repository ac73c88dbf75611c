"""Exact backdoor learning curves: how a model learns a backdoor as the poison's weight beta grows from 0 to 1."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backdoor_curves import datasets as datasets
    from backdoor_curves import features as features
    from backdoor_curves import metrics as metrics
    from backdoor_curves.curve import BackdoorLearningCurve as BackdoorLearningCurve
    from backdoor_curves.curve import backdoor_learning_curve as backdoor_learning_curve
    from backdoor_curves.curve import backdoor_learning_curves as backdoor_learning_curves
    from backdoor_curves.data import PoisonedData as PoisonedData
    from backdoor_curves.data import Samples as Samples
    from backdoor_curves.display import BackdoorLearningCurveDisplay as BackdoorLearningCurveDisplay
    from backdoor_curves.display import DeviationDisplay as DeviationDisplay
    from backdoor_curves.display import GradientDisplay as GradientDisplay
    from backdoor_curves.display import InfluentialRowsDisplay as InfluentialRowsDisplay
    from backdoor_curves.display import SlopeDisplay as SlopeDisplay
    from backdoor_curves.explain import input_gradient as input_gradient
    from backdoor_curves.explain import trigger_mask as trigger_mask
    from backdoor_curves.explain import trigger_share as trigger_share
    from backdoor_curves.features import FrozenFeatures as FrozenFeatures
    from backdoor_curves.following import ToleranceError as ToleranceError
    from backdoor_curves.influences import Influence as Influence
    from backdoor_curves.influences import influence as influence
    from backdoor_curves.paths.base import PathError as PathError
    from backdoor_curves.paths.shared import Shared as Shared
    from backdoor_curves.poisoning import poison as poison
    from backdoor_curves.study.run import Run as Run
    from backdoor_curves.study.run import load_run as load_run
    from backdoor_curves.triggers import FeatureTrigger as FeatureTrigger
    from backdoor_curves.triggers import PatchTrigger as PatchTrigger

__version__ = "0.1.0"

_HOME = {
    "BackdoorLearningCurve": "curve",
    "BackdoorLearningCurveDisplay": "display",
    "DeviationDisplay": "display",
    "FeatureTrigger": "triggers",
    "FrozenFeatures": "features",
    "GradientDisplay": "display",
    "Influence": "influences",
    "InfluentialRowsDisplay": "display",
    "PatchTrigger": "triggers",
    "PathError": "paths.base",
    "PoisonedData": "data",
    "Run": "study.run",
    "Samples": "data",
    "Shared": "paths.shared",
    "SlopeDisplay": "display",
    "ToleranceError": "following",
    "backdoor_learning_curve": "curve",
    "backdoor_learning_curves": "curve",
    "influence": "influences",
    "input_gradient": "explain",
    "load_run": "study.run",
    "poison": "poisoning",
    "trigger_mask": "explain",
    "trigger_share": "explain",
}
_MODULES = ("datasets", "features", "metrics")
__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the command answers before scikit-learn and matplotlib are loaded."""
    if name in _HOME:
        return getattr(import_module(f"backdoor_curves.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"backdoor_curves.{name}")
    raise AttributeError(f"module 'backdoor_curves' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
