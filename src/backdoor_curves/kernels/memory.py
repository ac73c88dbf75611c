"""Whether a matrix fits in memory, asked before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

GIB = 2.0**30
MATRICES = 2
"""Matrices of the kernel's size that an SVM path holds at once: the kernel, and a copy while it begins."""
COPIES = 3
"""Arrays of the size of the rows that a path over features holds at once: the rows, with the intercept's column, and
weighted or in single precision."""


def require_room(n: int) -> None:
    """Refuse a kernel matrix of n rows that would not fit.

    Raises
    ------
    MemoryError
        If it needs more than there is; the message has both numbers.
    """
    needed, available = MATRICES * 8.0 * n**2, available_memory()
    if needed > available:
        raise MemoryError(
            f"kernel: the matrix of {n} training rows needs {needed / GIB:.3g} GiB, {available / GIB:.3g} GiB are "
            'available; draw fewer rows or pass method="refit"'
        )


def require_room_for_features(n: int, d: int) -> None:
    """Refuse rows whose features, as an array, would not fit as often as a path holds them; a MemoryError says so."""
    require_bytes(
        COPIES * 8.0 * n * d,
        f"features: {n} training rows with {d} features, as arrays,",
        'draw fewer rows, use fewer features (min_df=, say), or pass method="refit"',
    )


def require_bytes(needed: float, what: str, mend: str = "ask for fewer rows at once") -> None:
    """Refuse a result that would not fit; a MemoryError says what it is, both numbers, and what helps."""
    if needed > (available := available_memory()):
        raise MemoryError(f"{what} need {needed / GIB:.3g} GiB, {available / GIB:.3g} GiB are available; {mend}")


def available_memory() -> float:
    """Return the bytes that can be had without swapping, as far as the system says; infinity where it does not.

    On Linux what is available, and at most what a container may use; elsewhere what there is in all.
    """
    return min(_of_the_machine(), limit_of_container())


def _of_the_machine() -> float:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    except OSError:
        pass
    try:
        return float(os.sysconf("SC_PAGE_SIZE")) * float(os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return float("inf")


def limit_of_container() -> float:
    """Return the bytes that a container may use; infinity where there is none, or no limit."""
    try:
        return float(Path("/sys/fs/cgroup/memory.max").read_text())
    except (OSError, ValueError):
        return float("inf")
