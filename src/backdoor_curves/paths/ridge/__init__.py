"""Ridge regression: the path in closed form."""

from backdoor_curves.paths.ridge.follow import ridge_path
from backdoor_curves.paths.ridge.path import RidgePath

__all__ = ["RidgePath", "ridge_path"]
