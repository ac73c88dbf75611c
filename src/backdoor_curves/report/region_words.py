"""The safe region along each hyperparameter, in words: at which of its values some setting is safe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backdoor_curves.search.axes import Axis
from backdoor_curves.search.safe_region import SafeRegion
from backdoor_curves.study.plan.names import value_name

FORM = ".3g"


def region_words(region: SafeRegion[Any, Any]) -> list[str]:
    """Return for each axis where on it the region lies; nothing where no setting is safe.

    Examples
    --------
    >>> from backdoor_curves.report.region_words import region_words
    >>> from backdoor_curves.search.safe_region import Trial, safe_regions
    >>> found = [(2, 10, 0.1), (2, 100, 0.1), (4, 10, 0.1), (4, 100, 0.9), (8, 10, 0.9), (8, 100, 0.9)]
    >>> trials = [Trial("patch", "forest", {"depth": depth, "trees": n}, 0, 0.9, asr) for depth, n, asr in found]
    >>> region_words(safe_regions(trials)[0])
    ['depth 2 to 4 of 2 to 8', 'trees any of 10 to 100']
    """
    if not region.safe:
        return []
    return [f"{axis.name} {_along(axis, region.safe_along(axis))}" for axis in region.axes]


def _along(axis: Axis, safe: Sequence[Any]) -> str:
    if len(safe) == len(axis.values):
        return f"any of {_range(axis.values, axis)}"
    return f"{_range(safe, axis)} of {_range(axis.values, axis)}"


def _range(values: Sequence[Any], axis: Axis) -> str:
    """Return values by their ends where they are numbers side by side on the axis, else one by one."""
    first = axis.place({axis.name: values[0]})
    beside = tuple(values) == axis.values[first : first + len(values)]
    if axis.is_of_numbers and beside and len(values) > 1:
        return f"{value_name(values[0], FORM)} to {value_name(values[-1], FORM)}"
    return ", ".join(value_name(value, FORM) for value in values)
