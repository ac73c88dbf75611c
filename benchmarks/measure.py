"""What the benchmarks share: a clock, memory, the machine. Import it before numpy: it asks for one thread."""

# ruff: noqa: E402 - the number of threads is read when numpy is loaded
from __future__ import annotations

import os

for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import platform
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn
from threadpoolctl import threadpool_info


def seconds(work: Callable[[], object]) -> float:
    """Return the processor's time that `work` takes: one thread's, whatever else the machine does."""
    start = time.process_time()
    work()
    return time.process_time() - start


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the most memory that `work` holds beyond what was there."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def machine() -> str:
    """Return what the numbers were taken on."""
    info = Path("/proc/cpuinfo")
    models = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    blas = {f"{pool['internal_api']} {pool['version']}" for pool in threadpool_info() if pool["user_api"] == "blas"}
    return (
        f"{models[0] if models else platform.processor()}, {os.cpu_count()} cores, one used; "
        f"Python {platform.python_version()}, numpy {np.__version__}, scikit-learn {sklearn.__version__}, "
        f"{', '.join(sorted(blas))}"
    )


def product_rate() -> float:
    """Return the 1e9 operations a second of a large matrix product: what this machine can do."""
    A = np.random.default_rng(0).random((1500, 1500))
    return float(2 * 1500**3 / 1e9 / min(seconds(lambda: A @ A) for _ in range(5)))
