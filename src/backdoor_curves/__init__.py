"""Exact backdoor learning curves: how a model learns a backdoor as the poison's weight beta grows from 0 to 1."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backdoor_curves.records.version import __version__

if TYPE_CHECKING:
    from backdoor_curves import datasets as datasets
    from backdoor_curves import deep as deep
    from backdoor_curves import features as features
    from backdoor_curves import metrics as metrics
    from backdoor_curves.certificates.certify import certified_radius as certified_radius
    from backdoor_curves.certificates.certify import certified_rows as certified_rows
    from backdoor_curves.certificates.certify import certify as certify
    from backdoor_curves.certificates.copies import copies_needed as copies_needed
    from backdoor_curves.certificates.record import PredictionCertificate as PredictionCertificate
    from backdoor_curves.curve import BackdoorLearningCurve as BackdoorLearningCurve
    from backdoor_curves.curve import backdoor_learning_curve as backdoor_learning_curve
    from backdoor_curves.curve import backdoor_learning_curves as backdoor_learning_curves
    from backdoor_curves.curve.influence import Influence as Influence
    from backdoor_curves.curve.influence import influence as influence
    from backdoor_curves.curve.input_gradient import input_gradient as input_gradient
    from backdoor_curves.curve.input_gradient import trigger_mask as trigger_mask
    from backdoor_curves.curve.input_gradient import trigger_share as trigger_share
    from backdoor_curves.curve.of_networks import compare_slopes as compare_slopes
    from backdoor_curves.curve.of_networks import head_curve as head_curve
    from backdoor_curves.curve.of_networks import training_influence as training_influence
    from backdoor_curves.data.poisoned import PoisonedData as PoisonedData
    from backdoor_curves.data.samples import Samples as Samples
    from backdoor_curves.deep import TrainedNetwork as TrainedNetwork
    from backdoor_curves.display import BackdoorLearningCurveDisplay as BackdoorLearningCurveDisplay
    from backdoor_curves.display import CertificateDisplay as CertificateDisplay
    from backdoor_curves.display import ConfusionDisplay as ConfusionDisplay
    from backdoor_curves.display import DeviationDisplay as DeviationDisplay
    from backdoor_curves.display import GradientDisplay as GradientDisplay
    from backdoor_curves.display import InfluentialRowsDisplay as InfluentialRowsDisplay
    from backdoor_curves.display import RobustSearchDisplay as RobustSearchDisplay
    from backdoor_curves.display import SlopeDisplay as SlopeDisplay
    from backdoor_curves.display import SourceClassDisplay as SourceClassDisplay
    from backdoor_curves.features import FrozenFeatures as FrozenFeatures
    from backdoor_curves.learners.follow import ToleranceError as ToleranceError
    from backdoor_curves.learners.linear_head import linear_head as linear_head
    from backdoor_curves.learners.shared import Shared as Shared
    from backdoor_curves.paths.base import PathError as PathError
    from backdoor_curves.poisoning.attack import Attack as Attack
    from backdoor_curves.poisoning.attack import Cover as Cover
    from backdoor_curves.poisoning.beta_conventions import betas_from as betas_from
    from backdoor_curves.poisoning.beta_conventions import betas_in as betas_in
    from backdoor_curves.poisoning.label_policies import CleanLabel as CleanLabel
    from backdoor_curves.poisoning.poison import poison as poison
    from backdoor_curves.poisoning.preset import Preset as Preset
    from backdoor_curves.poisoning.presets import presets as presets
    from backdoor_curves.poisoning.rates import mixture_beta as mixture_beta
    from backdoor_curves.search.robust.evaluation import RobustEvaluation as RobustEvaluation
    from backdoor_curves.search.robust.judged import NoSafeSettingError as NoSafeSettingError
    from backdoor_curves.search.robust.search_cv import RobustSearchCV as RobustSearchCV
    from backdoor_curves.study.store.run import Run as Run
    from backdoor_curves.study.store.run import load_run as load_run
    from backdoor_curves.triggers import BlendTrigger as BlendTrigger
    from backdoor_curves.triggers import CheckerTrigger as CheckerTrigger
    from backdoor_curves.triggers import FeatureTrigger as FeatureTrigger
    from backdoor_curves.triggers import FrequencyTrigger as FrequencyTrigger
    from backdoor_curves.triggers import HardenedTrigger as HardenedTrigger
    from backdoor_curves.triggers import HiddenTrigger as HiddenTrigger
    from backdoor_curves.triggers import LatticeTrigger as LatticeTrigger
    from backdoor_curves.triggers import LinearHead as LinearHead
    from backdoor_curves.triggers import PatchesTrigger as PatchesTrigger
    from backdoor_curves.triggers import PatchTrigger as PatchTrigger
    from backdoor_curves.triggers import PerturbationTrigger as PerturbationTrigger
    from backdoor_curves.triggers import PiecesTrigger as PiecesTrigger
    from backdoor_curves.triggers import PixelTrigger as PixelTrigger
    from backdoor_curves.triggers import QuantizeTrigger as QuantizeTrigger
    from backdoor_curves.triggers import ResidualTrigger as ResidualTrigger
    from backdoor_curves.triggers import SignalTrigger as SignalTrigger
    from backdoor_curves.triggers import StrictTrigger as StrictTrigger
    from backdoor_curves.triggers import WarpTrigger as WarpTrigger
    from backdoor_curves.triggers import WordTrigger as WordTrigger

_HOME = {
    "Attack": "poisoning.attack",
    "BackdoorLearningCurve": "curve",
    "BackdoorLearningCurveDisplay": "display",
    "BlendTrigger": "triggers",
    "CertificateDisplay": "display",
    "CheckerTrigger": "triggers",
    "CleanLabel": "poisoning.label_policies",
    "ConfusionDisplay": "display",
    "Cover": "poisoning.attack",
    "DeviationDisplay": "display",
    "FeatureTrigger": "triggers",
    "FrequencyTrigger": "triggers",
    "FrozenFeatures": "features",
    "GradientDisplay": "display",
    "HardenedTrigger": "triggers",
    "HiddenTrigger": "triggers",
    "Influence": "curve.influence",
    "InfluentialRowsDisplay": "display",
    "LatticeTrigger": "triggers",
    "LinearHead": "triggers",
    "NoSafeSettingError": "search.robust.judged",
    "PatchTrigger": "triggers",
    "PatchesTrigger": "triggers",
    "PathError": "paths.base",
    "PerturbationTrigger": "triggers",
    "PiecesTrigger": "triggers",
    "PixelTrigger": "triggers",
    "PoisonedData": "data",
    "PredictionCertificate": "certificates.record",
    "Preset": "poisoning.preset",
    "QuantizeTrigger": "triggers",
    "ResidualTrigger": "triggers",
    "RobustEvaluation": "search.robust.evaluation",
    "RobustSearchCV": "search.robust.search_cv",
    "RobustSearchDisplay": "display",
    "Run": "study.store.run",
    "Samples": "data",
    "Shared": "learners.shared",
    "SignalTrigger": "triggers",
    "SlopeDisplay": "display",
    "SourceClassDisplay": "display",
    "StrictTrigger": "triggers",
    "ToleranceError": "learners.follow",
    "TrainedNetwork": "deep",
    "WarpTrigger": "triggers",
    "WordTrigger": "triggers",
    "backdoor_learning_curve": "curve",
    "backdoor_learning_curves": "curve",
    "betas_from": "poisoning.beta_conventions",
    "betas_in": "poisoning.beta_conventions",
    "certified_radius": "certificates.certify",
    "certified_rows": "certificates.certify",
    "certify": "certificates.certify",
    "copies_needed": "certificates.copies",
    "compare_slopes": "curve.of_networks",
    "head_curve": "curve.of_networks",
    "influence": "curve.influence",
    "input_gradient": "curve.input_gradient",
    "linear_head": "learners.linear_head",
    "load_run": "study.store.run",
    "mixture_beta": "poisoning.rates",
    "poison": "poisoning.poison",
    "presets": "poisoning.presets",
    "training_influence": "curve.of_networks",
    "trigger_mask": "curve.input_gradient",
    "trigger_share": "curve.input_gradient",
}
_MODULES = ("datasets", "deep", "features", "metrics")
__all__ = [*_HOME, *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the command answers before scikit-learn and matplotlib are loaded."""
    if name in _HOME:
        return getattr(import_module(f"backdoor_curves.{_HOME[name]}"), name)
    if name in _MODULES:
        return import_module(f"backdoor_curves.{name}")
    raise AttributeError(f"module 'backdoor_curves' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
