"""D and P as records: labelled rows, and a training and a test set with a backdoor in it."""

from backdoor_curves.data.poisoned import PoisonedData, Poisoning
from backdoor_curves.data.rates import Rates
from backdoor_curves.data.samples import Samples

__all__ = ["PoisonedData", "Poisoning", "Rates", "Samples"]
