"""Logistic regression of many rows: the path to a stated accuracy, by sums over rows that stay where they are."""

from backdoor_curves.paths.tall_logistic.follow import tall_logistic_path
from backdoor_curves.paths.tall_logistic.path import TallLogisticPath

__all__ = ["TallLogisticPath", "tall_logistic_path"]
