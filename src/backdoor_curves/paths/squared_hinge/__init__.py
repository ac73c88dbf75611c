"""LinearSVC's squared hinge: the path by series between its events."""

from backdoor_curves.paths.squared_hinge.follow import squared_hinge_path
from backdoor_curves.paths.squared_hinge.path import SquaredHingePath

__all__ = ["SquaredHingePath", "squared_hinge_path"]
