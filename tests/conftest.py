"""Checks for all tests: the shapes in the signatures of the mathematics hold at the first calls in each test.

Examples of `features` and `deep` need torch, which is an extra.
"""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import Any

import jaxtyping
import pytest

ARRAYS = ("paths", "losses", "kernels")
"""What sees arrays."""
INNER = ("condensed_rows", "deviation", "estimate", "flips", "info", "live", "scored_rows", "stored")
"""Of `curve`: the others are for callers, whose mistakes get a sentence of their own."""
FIRST_CALLS = 3
"""Calls of a function in each test that are checked, and records made. A check compiles code of its own for a record,
and walks along a path make records and call small functions by the ten thousand: tests of all took twice as long."""
_calls: Counter[Callable[..., Any]] = Counter()
_every_call = jaxtyping.jaxtyped


def _first_calls(*, typechecker: Any) -> Callable[[Any], Any]:
    """Return the decorator that the import hook puts on functions and classes, for the first calls in a test."""

    def decorate(decorated: Any) -> Any:
        if not isinstance(decorated, type):
            return _checked_at_first(decorated, _every_call(decorated, typechecker=typechecker))
        plain = decorated.__init__
        checked: Any = _every_call(decorated, typechecker=typechecker)
        if checked.__init__ is not plain:  # of a dataclass: its fields
            checked.__init__ = _checked_at_first(plain, checked.__init__)
        return checked

    return decorate


def _checked_at_first(plain: Callable[..., Any], checked: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        _calls[plain] += 1
        return (checked if _calls[plain] <= FIRST_CALLS else plain)(*args, **kwargs)

    return call


jaxtyping.jaxtyped = _first_calls
jaxtyping.install_import_hook(
    [f"backdoor_curves.{name}" for name in (*ARRAYS, *(f"curve.{name}" for name in INNER))], "beartype.beartype"
)


def pytest_runtest_setup() -> None:
    """Check the first calls again."""
    _calls.clear()


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


@pytest.fixture
def run_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """A function that runs the command here; it returns the exit code, stdout and stderr."""
    from backdoor_curves import cli

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            cli.main.main(list(args), prog_name="backdoor-curves")
        return exit_.value.code or 0, *capsys.readouterr()

    return run
