"""Logistic regression: the path to a stated accuracy."""

from backdoor_curves.paths.logistic.follow import logistic_path
from backdoor_curves.paths.logistic.path import LogisticPath

__all__ = ["LogisticPath", "logistic_path"]
