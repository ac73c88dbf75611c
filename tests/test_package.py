"""The package as it is imported."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import backdoor_curves

HEAVY = ("torch", "matplotlib", "dask", "sklearn", "pandas", "scipy", "numpy", "jinja2")


def test_importing_the_package_loads_nothing_heavy():
    """The command answers at once, and nobody needs torch to plan a study: names are loaded when they are used."""
    code = f"import sys, backdoor_curves; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_data_and_poison_need_no_plots_and_no_torch():
    """Who poisons data and follows curves without drawing them loads neither."""
    code = (
        "import sys, backdoor_curves as bc; bc.poison, bc.PatchTrigger, bc.backdoor_learning_curve;"
        "print([name for name in ('torch', 'matplotlib', 'dask', 'jinja2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", backdoor_curves.__all__)
def test_public_names_resolve_and_are_listed(name):
    """What `dir` and tab completion offer is there, and everything that is there is offered."""
    assert getattr(backdoor_curves, name) is not None
    assert name in dir(backdoor_curves)


def public() -> list:
    """Public functions and classes (a data set is one), by their full names; errors are raised, not called."""
    names = [(backdoor_curves, name) for name in backdoor_curves.__all__]
    names += [(backdoor_curves.datasets, name) for name in backdoor_curves.datasets.__all__]
    found = [getattr(home, name) for home, name in names]
    return [
        thing for thing in found if callable(thing) and not (isinstance(thing, type) and issubclass(thing, Exception))
    ]


@pytest.mark.parametrize("thing", public(), ids=lambda thing: thing.__name__)
def test_public_functions_and_classes_have_an_example(thing):
    """A newcomer starts from something that runs; the doctests run it."""
    sections = inspect.getdoc(thing).split("\n\n")
    assert any(section.startswith("Examples\n-----") and ">>>" in section for section in sections)


def test_public_errors_say_what_they_mean():
    """An error has no example, but a sentence of its own."""
    assert inspect.getdoc(backdoor_curves.ToleranceError) != inspect.getdoc(Exception)
    assert issubclass(backdoor_curves.ToleranceError, Exception)


def test_an_unknown_name_is_an_attribute_error():
    """Names are looked up when used; a misspelt one must fail as in any module."""
    with pytest.raises(AttributeError, match="module 'backdoor_curves' has no attribute 'posion'"):
        backdoor_curves.posion  # noqa: B018
