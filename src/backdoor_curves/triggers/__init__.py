"""Triggers: callables (X, y) -> X with the trigger, one idea a file. Any such callable of your own serves as well."""

from backdoor_curves.triggers.base import Trigger
from backdoor_curves.triggers.blend import BlendTrigger
from backdoor_curves.triggers.checker import CheckerTrigger
from backdoor_curves.triggers.feature import FeatureTrigger
from backdoor_curves.triggers.frequency import FrequencyTrigger
from backdoor_curves.triggers.hardened import HardenedTrigger
from backdoor_curves.triggers.hidden import HiddenTrigger
from backdoor_curves.triggers.lattice import LatticeTrigger
from backdoor_curves.triggers.linear_head import LinearHead
from backdoor_curves.triggers.patch import PatchTrigger
from backdoor_curves.triggers.perturbation import PerturbationTrigger
from backdoor_curves.triggers.pieces import PiecesTrigger
from backdoor_curves.triggers.quantize import QuantizeTrigger
from backdoor_curves.triggers.residual import ResidualTrigger
from backdoor_curves.triggers.several_patches import PatchesTrigger
from backdoor_curves.triggers.signal import SignalTrigger
from backdoor_curves.triggers.single_pixels import PixelTrigger
from backdoor_curves.triggers.strict import StrictTrigger
from backdoor_curves.triggers.warp import WarpTrigger
from backdoor_curves.triggers.words import WordTrigger

__all__ = [
    "BlendTrigger",
    "CheckerTrigger",
    "FeatureTrigger",
    "FrequencyTrigger",
    "HardenedTrigger",
    "HiddenTrigger",
    "LatticeTrigger",
    "LinearHead",
    "PatchTrigger",
    "PatchesTrigger",
    "PerturbationTrigger",
    "PiecesTrigger",
    "PixelTrigger",
    "QuantizeTrigger",
    "ResidualTrigger",
    "SignalTrigger",
    "StrictTrigger",
    "Trigger",
    "WarpTrigger",
    "WordTrigger",
]
