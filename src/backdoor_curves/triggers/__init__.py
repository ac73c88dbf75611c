"""Triggers: callables (X, y) -> X with the trigger, one idea a file. Any such callable of your own serves as well."""

from backdoor_curves.triggers.base import Trigger
from backdoor_curves.triggers.blend import BlendTrigger
from backdoor_curves.triggers.feature import FeatureTrigger
from backdoor_curves.triggers.patch import PatchTrigger

__all__ = ["BlendTrigger", "FeatureTrigger", "PatchTrigger", "Trigger"]
