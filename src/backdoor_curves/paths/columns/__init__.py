"""Several score columns, each with a two-class path whose nodes are its own: K classes one-vs-rest, or in pairs."""

from backdoor_curves.paths.columns.path import PathOfColumns

__all__ = ["PathOfColumns"]
