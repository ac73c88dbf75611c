"""The version of this package, as records and pages name it."""

__version__ = "0.2.0"
