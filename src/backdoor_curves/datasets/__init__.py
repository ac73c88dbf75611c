"""Data sets as pairs (train, test) of `Samples`; own arrays need none of this."""

from backdoor_curves.datasets.cifar10 import IncompleteDataWarning, cifar10
from backdoor_curves.datasets.digits import digits
from backdoor_curves.datasets.mnist import mnist
from backdoor_curves.datasets.toy import toy

__all__ = ["IncompleteDataWarning", "cifar10", "digits", "mnist", "toy"]
