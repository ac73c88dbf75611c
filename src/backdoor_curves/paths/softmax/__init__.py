"""Softmax regression: the path of logistic regression for many classes, to a stated accuracy."""

from backdoor_curves.paths.softmax.follow import softmax_path
from backdoor_curves.paths.softmax.path import SoftmaxPath

__all__ = ["SoftmaxPath", "softmax_path"]
