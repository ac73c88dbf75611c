"""What a study names by "module:function" or by the path of a class: looked up beside its file first, then installed.

A module beside the study is read anew, from its source and without a trace on disk; its folder is the last place where
what it imports is looked for, so that a file there never stands in for one of Python's own.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from backdoor_curves.records.one_line import error_line

SHOWN = 8
"""Functions and classes of a module that an error lists."""


def found_by_name(reference: str, home: Path | None) -> Any:
    """Return what a reference names.

    Parameters
    ----------
    reference : str
        "module:name", or "package.module.Name".
    home : path, optional
        The folder of the study's file.

    Raises
    ------
    ValueError
        In one sentence, if there is no such module, if it cannot be imported, or if it has nothing of this name.

    Examples
    --------
    >>> from backdoor_curves.study.plan.own_code import found_by_name
    >>> found_by_name("sklearn.svm.SVC", None)
    <class 'sklearn.svm._classes.SVC'>
    >>> found_by_name("sklearn.svm:LinearSVQ", None)
    Traceback (most recent call last):
    ...
    ValueError: 'sklearn.svm:LinearSVQ': sklearn.svm has no LinearSVQ; did you mean 'LinearSVR'?
    """
    module, _, name = reference.rpartition(":" if ":" in reference else ".")
    with _looking_beside(home):
        try:
            if home is not None:
                _read_beside(module.partition(".")[0], home)
            holder = importlib.import_module(module)
        except _ShadowError as error:
            raise ValueError(f"{reference!r}: {error}") from None
        except (Exception, SystemExit) as error:  # whatever a module of one's own does when it is imported
            raise ValueError(f"{reference!r}: {_why(module, error)}") from error
    if not hasattr(holder, name):
        names = dir(holder)
        whole = [f"{name}Classifier"] if f"{name}Classifier" in names else []
        near = whole or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else _said_of(holder)
        raise ValueError(f"{reference!r}: {module} has no {name}; {hint}")
    return getattr(holder, name)


def source_of(module: str) -> str | None:
    """Return a hash of the source of a module that is no part of Python or of an installed package; else None."""
    holder = sys.modules.get(module)
    path = getattr(holder, "__file__", None)
    if path is None or not path.endswith(".py") or {"site-packages", "dist-packages"} & set(Path(path).parts):
        return None
    if module.partition(".")[0] in {*sys.stdlib_module_names, __name__.partition(".")[0]}:
        return None
    return blake2b(Path(path).read_bytes(), digest_size=16).hexdigest()


def _said_of(holder: ModuleType) -> str:
    """Return which functions and classes a module has of its own, and what to do where one of them was expected."""
    own = [
        name
        for name, value in vars(holder).items()
        if callable(value) and getattr(value, "__module__", "") == holder.__name__ and not name.startswith("_")
    ]
    more = f" and {len(own) - SHOWN} more" if len(own) > SHOWN else ""
    if not own:
        return "write a function or a class of this name there"
    return f"it has {', '.join(map(repr, own[:SHOWN]))}{more}: name one of them, or write it there"


class _ShadowError(ValueError):
    """A module that is there but must not be read."""


class _FreshSource(SourceFileLoader):
    """Compiles the source that is there: a cached file of the same second and size would pass for it."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


@contextmanager
def _looking_beside(home: Path | None) -> Iterator[None]:
    """Have imports look into the study's folder last, and write nothing there."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    if home is not None and (folder := str(home.resolve())) not in sys.path:
        sys.path.append(folder)  # for good: functions import when they are called, too
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _read_beside(name: str, home: Path) -> None:
    """Import a module or package beside the study under its own name, if there is one; again where it has changed."""
    folder = home.resolve()
    path = next((p for p in (folder / f"{name}.py", folder / name / "__init__.py") if p.is_file()), None)
    if path is None:
        return
    known = sys.modules.get(name)
    if name in sys.stdlib_module_names or (known is not None and _is_installed(known)):
        raise _ShadowError(
            f"{path.name if path.stem == name else name} beside the study has the name of a module of Python's or of "
            "an installed package that is in use; give it another name"
        )
    digest = blake2b(path.read_bytes(), digest_size=16).hexdigest()
    if known is not None and getattr(known, "__source__", None) == (str(path), digest):
        return
    _forget(name)
    places = [str(path.parent)] if path.stem == "__init__" else None
    loader = _FreshSource(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader, submodule_search_locations=places)
    assert spec is not None  # the loader is given
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        _forget(name)
        raise
    module.__source__ = str(path), digest  # type: ignore[attr-defined]


def _is_installed(module: ModuleType) -> bool:
    """Return whether a module that is loaded came from another place than beside a study."""
    return not hasattr(module, "__source__")


def _forget(name: str) -> None:
    for module in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
        del sys.modules[module]


def _why(module: str, error: BaseException) -> str:
    """Return why a module cannot be had: it is not there, or what it raised."""
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
        return f"a module {error.name} was expected beside the study's file or installed, there is none"
    return f"{module} cannot be imported: {error_line(error)}"
