"""Data sets as pairs (train, test) of `Samples`; of one's own `from_file`; arrays need none of this."""

from backdoor_curves.datasets.cifar10 import IncompleteDataWarning, cifar10
from backdoor_curves.datasets.digits import digits
from backdoor_curves.datasets.files.content import ReadingWarning
from backdoor_curves.datasets.files.read import read_table
from backdoor_curves.datasets.files.table import Table
from backdoor_curves.datasets.mnist import mnist
from backdoor_curves.datasets.own_file import from_file
from backdoor_curves.datasets.toy import toy

__all__ = [
    "IncompleteDataWarning",
    "ReadingWarning",
    "Table",
    "cifar10",
    "digits",
    "from_file",
    "mnist",
    "read_table",
    "toy",
]
