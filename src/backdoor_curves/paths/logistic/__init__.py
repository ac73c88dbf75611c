"""Logistic regression: the path to a stated accuracy."""

from backdoor_curves.paths.logistic.path import LogisticPath, logistic_path

__all__ = ["LogisticPath", "logistic_path"]
