"""Support vector machines with the hinge loss, and any kernel: the piecewise linear path of their dual."""

from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.paths.svm.path import SVMPath

__all__ = ["SVMPath", "svm_path"]
