"""Checks for all tests: the shapes in the signatures of the mathematics hold at every call.

Examples of `features` and `deep` need torch, which is an extra.
"""

from importlib.util import find_spec

import pytest
from jaxtyping import install_import_hook

ARRAYS = ("paths", "losses", "kernels")
"""What sees arrays."""
INNER = ("condensed_rows", "deviation", "estimate", "flips", "info", "live", "scored_rows", "stored")
"""Of `curve`: the others are for callers, whose mistakes get a sentence of their own."""
install_import_hook(
    [f"backdoor_curves.{name}" for name in (*ARRAYS, *(f"curve.{name}" for name in INNER))], "beartype.beartype"
)


def pytest_configure(config: pytest.Config) -> None:
    """Pass over modules that import torch at once where it is missing."""
    if find_spec("torch") is None:
        config.option.doctest_ignore_import_errors = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the examples of `features` and of networks where torch is missing; their tests say so themselves."""
    if find_spec("torch") is None:
        for item in items:
            example = getattr(item, "dtest", None)
            is_of_torch = item.path.as_posix().split("src/backdoor_curves/")[-1].startswith(("features/", "deep/"))
            if is_of_torch or (example is not None and "TrainedNetwork(" in example.docstring):
                item.add_marker(pytest.mark.skip(reason="torch is not installed"))
