"""What a plan will take: memory of a group, which is known before it starts, and a rough time of a cell."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from backdoor_curves.kernels.group_kernel import FEW
from backdoor_curves.kernels.memory import GIB, available_memory, limit_of_container
from backdoor_curves.kernels.on_demand import is_on_demand, most_bytes
from backdoor_curves.paths.svm.kernel_sums import HELD, KEPT
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.cells import Group, Plan, Planned
from backdoor_curves.study.plan.estimators import followed_as, kernel_of
from backdoor_curves.study.plan.names import learner_name
from backdoor_curves.study.plan.scenario import Cell, Setting

BASE = 0.3 * GIB
"""A process with its libraries."""
NODES = 1.0
"""Nodes of an SVM's path, as a share of its training rows: an estimate from above; the paper's have .1 to .5."""
PARTS = 3
"""Blocks of kernel values with test rows that are there at once: inner products, squares, values."""
SHARE = 0.75
"""Of the machine's memory, what a run may take unless told otherwise."""

SECONDS = {"ridge": 0.05, "linear-svm": 0.2, "rbf-svm": 0.25, "logistic": 0.4}
"""Of a cell with 1500 training rows of 784 features, on one core of 2024; it grows with the square of the rows."""
FitTimes = Mapping[tuple[DataConfig, Setting], float]
"""Seconds of a cell's fits, where they were measured."""
_NONE: FitTimes = MappingProxyType({})
REFITS = 10.0
"""How much longer 21 refits take."""


def memory_of_machine() -> float:
    """Return the bytes that a run may take unless told otherwise."""
    try:
        whole = float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return SHARE * available_memory()
    return SHARE * min(whole, limit_of_container())


@lru_cache(maxsize=4096)  # a coordinator asks for it each time that it hands out a cell
def memory_of(group: Group) -> float:
    """Return the bytes that a worker needs for a group, from above."""
    cell, source = group.first, group.source
    poison = sum(group.rates) * source.n_train
    tests = 2 * source.n_test
    rows = source.n_train + poison + tests
    kind = followed_as(cell, source.n_classes, group.home)
    # The rows themselves, a training set for each rate that is held, and copies in the learner's hands.
    on_demand = _is_on_demand(group)
    held = 1 if cell.method == "refit" or on_demand or kind in ("ridge", "logistic", None) else len(group.rates)
    needed = BASE + 8.0 * (source.width + source.pixels) * (source.n_train + 2 * held * source.n_train + 2 * tests)
    if cell.method == "refit" or kind in ("ridge", None):
        return needed + 8.0 * min(source.n_train, source.width) ** 2 * 3
    if kind == "logistic":
        return needed + 8.0 * (min(source.n_train, source.width) ** 2 * 4 + 200.0 * tests)
    nodes = NODES * source.n_train
    path = 8.0 * 2.0 * nodes * tests + nodes * source.n_train
    if on_demand:
        return needed + path + most_bytes(source.n_train, source.width) + PARTS * 8.0 * HELD
    kernel = 2 * 8.0 * (source.n_train + poison) * rows  # and once more while its parts are put together
    beside = 2 * 8.0 * min(float(KEPT), source.n_train * tests / 2)
    if source.n_train <= FEW:  # the paths that others share
        beside += len(group.rates) * (1 + cell.control) * (8.0 * source.n_train**2 + 9.0 * nodes * source.n_train)
    return needed + path + kernel + beside + 8.0 * 3.0 * source.n_train**2


def _is_on_demand(group: Group) -> bool:
    """Return whether the paths of a group do without a kernel matrix."""
    kernel = kernel_of(group.first, group.source.n_classes, group.home)
    return kernel is not None and is_on_demand(kernel, group.source.n_train)


def seconds_of(cell: Cell, group: Group, fits: FitTimes = _NONE) -> float:
    """Return about how long a cell takes on one core; twice that where it has a control.

    `fits` has the measured seconds of all fits of a cell, by data and setting; see `compute.fit_times`.
    """
    once = fits.get((cell.scenario.data, cell.setting))
    if once is None:
        size = (group.source.n_train / 1500.0) ** 2 * (0.5 + 0.5 * group.source.width / 784.0)
        kind = followed_as(cell, group.source.n_classes, group.home) or "logistic"
        once = max(0.01, SECONDS[kind] * size) * (REFITS if cell.method == "refit" else 1.0)
    return once * (2.0 if cell.control else 1.0)


def seconds_of_all(cells: Iterable[Planned], plan: Plan, fits: FitTimes = _NONE) -> float:
    """Return about how long cells take on one core."""
    return sum(seconds_of(planned.cell, plan.groups[planned.group], fits) for planned in cells)


def require_memory(plan: Plan, memory: float) -> None:
    """Refuse a plan with a group that could never be begun.

    Raises
    ------
    ValueError
        With the group that needs most, and both numbers.
    """
    for group in plan.groups:
        needed = memory_of(group)
        if needed > memory:
            first = group.first
            raise ValueError(
                f"{learner_name(first.setting.learner)} on {group.source.n_train} training rows needs "
                f"{needed / GIB:.2g} GiB, {memory / GIB:.2g} GiB are allowed; draw fewer rows, or raise --max-memory"
            )


def as_bytes(text: str) -> float:
    """Return the bytes that a text such as "8GB", "512 MiB" or "0.5" (GiB) says.

    Raises
    ------
    ValueError
        If it says none.

    Examples
    --------
    >>> from backdoor_curves.study.plan.resources import as_bytes
    >>> as_bytes("2 GiB") == 2 * 2**30, as_bytes("1GB")
    (True, 1000000000.0)
    """
    units = {"": GIB, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12}
    units |= {"kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40, "m": 2.0**20, "g": 2.0**30}
    stripped = text.strip().lower()
    number = stripped.rstrip("abcdefghijklmnopqrstuvwxyz ")
    try:
        size = float(number) * units[stripped[len(number) :].strip()]
    except (KeyError, ValueError):
        size = 0.0
    if not 0.0 < size < float("inf"):
        raise ValueError(f"--max-memory: a size such as 8GB or 512MiB was expected, {text!r} came")
    return size
