"""Triggers: callables (X, y) -> X with the trigger, one idea a file. Any such callable of your own serves as well."""

from backdoor_curves.triggers.base import Trigger
from backdoor_curves.triggers.blend import BlendTrigger
from backdoor_curves.triggers.feature import FeatureTrigger
from backdoor_curves.triggers.frequency import FrequencyTrigger
from backdoor_curves.triggers.lattice import LatticeTrigger
from backdoor_curves.triggers.patch import PatchTrigger
from backdoor_curves.triggers.pieces import PiecesTrigger
from backdoor_curves.triggers.quantize import QuantizeTrigger
from backdoor_curves.triggers.signal import SignalTrigger
from backdoor_curves.triggers.single_pixels import PixelTrigger
from backdoor_curves.triggers.warp import WarpTrigger
from backdoor_curves.triggers.words import WordTrigger

__all__ = [
    "BlendTrigger",
    "FeatureTrigger",
    "FrequencyTrigger",
    "LatticeTrigger",
    "PatchTrigger",
    "PiecesTrigger",
    "PixelTrigger",
    "QuantizeTrigger",
    "SignalTrigger",
    "Trigger",
    "WarpTrigger",
    "WordTrigger",
]
