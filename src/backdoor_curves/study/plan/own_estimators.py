"""An estimator of one's own: made by its name, told what it has, looked at before anything is computed, and identified.

Identity is what it is: its class, its parameters that are not at their defaults, those of the parts in it, and, of
classes and functions that no installed package has, the source of their modules.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
from sklearn.base import clone

from backdoor_curves.learners.estimators import steps_and_last
from backdoor_curves.records.one_line import error_line, one_line
from backdoor_curves.study.file.config import Parameters, Value
from backdoor_curves.study.plan.own_code import found_by_name, source_of

NONE = "None"
"""The word for Python's None, for which TOML has none."""
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def own_estimator(reference: str, parameters: Parameters, home: Path | None) -> Any:
    """Return the unfitted estimator that a study names, with its parameters.

    Parameters
    ----------
    reference : str
        "module:function", which is called without arguments, or the path of a class.
    parameters : tuple of (name, value)
    home : path, optional
        The folder of the study's file.

    Raises
    ------
    ValueError
        In one sentence that begins with the reference.

    Examples
    --------
    >>> from backdoor_curves.study.plan.own_estimators import own_estimator
    >>> own_estimator("sklearn.ensemble.RandomForestClassifier", (("max_depth", 3),), None)
    RandomForestClassifier(max_depth=3)
    """
    found = found_by_name(reference, home)
    if not callable(found):
        raise ValueError(f"{reference!r}: a function or a class was expected, {type(found).__name__} came")
    if not isinstance(found, type) and ":" not in reference:
        module, _, name = reference.rpartition(".")
        raise ValueError(f'{reference!r}: a class was expected, {name} is none; name a function as "{module}:{name}"')
    try:
        estimator = found()
    except (Exception, SystemExit) as error:  # whatever a function of one's own does
        raise ValueError(f"{reference!r}: an estimator was expected of {_call(reference)}, {_raised(error)}") from error
    try:
        steps_and_last(estimator)
        return with_parameters(clone(estimator), parameters)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{reference!r}: {_of_the_estimator(error)}") from error


def _call(reference: str) -> str:
    return f"{reference.replace(':', '.').rpartition('.')[2]}()"


def _raised(error: BaseException) -> str:
    missing = isinstance(error, TypeError) and "argument" in str(error)
    advice = "; it is called without arguments: write a function that gives them" if missing else ""
    return f"it raises {error_line(error)}{advice}"


def _of_the_estimator(error: Exception) -> str:
    """Return what is wrong with an estimator, as the end of a sentence; of one that cannot be cloned what to do."""
    said = one_line(error).removeprefix("estimator: ")
    if said.lower().startswith("cannot clone"):
        return f"an estimator that sklearn.base.clone can copy was expected: {said}"
    return said


def with_parameters(estimator: Any, values: Parameters) -> Any:
    """Return an estimator that was told values, by name; it is changed.

    Raises
    ------
    ValueError
        With the nearest right name, if it has no such parameter.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> from backdoor_curves.study.plan.own_estimators import with_parameters
    >>> with_parameters(SVC(), (("gama", 1.0),))
    Traceback (most recent call last):
    ...
    ValueError: SVC has no parameter 'gama'; did you mean 'gamma'?
    """
    known = estimator.get_params(deep=True)
    for name, _ in values:
        if name not in known:
            # A name without its step, C for classifier__C, or in other letters, is near whatever its length.
            ends = [one for one in known if one.rpartition("__")[2].lower() == name.lower()]
            near = ends or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(map(repr, sorted(known)[:20]))}"
            raise ValueError(f"{type(estimator).__name__} has no parameter {name!r}; {hint}")
    return estimator.set_params(**{name: as_python(value) for name, value in values})


def as_python(value: Value) -> Any:
    """Return a value of a file as Python has it."""
    return None if value == NONE else value


def require_values(estimator: Any, values: Parameters) -> None:
    """Refuse values that an estimator, or a part of it, says itself that it does not take; before any fit.

    Raises
    ------
    ValueError
        In the estimator's own words.
    """
    told = with_parameters(clone(estimator), values)
    for part in (told, *told.get_params(deep=True).values()):
        if hasattr(part, "_parameter_constraints") and not isinstance(
            part, type
        ):  # scikit-learn's check before they fit
            part._validate_params()
    steps_and_last(told)


# --- identity --------------------------------------------------------------------------------------------------------


def content_of(reference: str, parameters: Parameters, home: Path | None) -> str:
    """Return the hash of what an estimator is; it is made twice, and must be the same both times.

    Raises
    ------
    ValueError
        As `own_estimator`; if the second is another one; if it holds what cannot be told from its like.
    """
    first, second = (_described(reference, own_estimator(reference, parameters, home)) for _ in range(2))
    if first != second:
        differ = next((one for one, other in zip(first, second, strict=False) if one != other), "its length")
        raise ValueError(
            f"{reference!r}: the same estimator each time was expected, another came the second time, which differs in "
            f"{differ[:100]}; fix what it draws or reads"
        )
    return blake2b("\n".join(first).encode(), digest_size=16).hexdigest()


def _described(reference: str, estimator: Any) -> list[str]:
    try:
        return list(description(estimator))
    except RecursionError:
        raise ValueError(f"{reference!r}: parts that end somewhere were expected, one that holds itself came") from None
    except ValueError as error:
        raise ValueError(f"{reference!r}: {error}") from None


def description(value: Any, place: str = "") -> Iterator[str]:
    """Yield what a value is in lines: of an estimator its class and what it has that is not at its default.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.svm import SVC
    >>> from backdoor_curves.study.plan.own_estimators import description
    >>> list(description(SVC(C=10)))
    [': sklearn.svm._classes.SVC', '.C: 10']
    """
    if isinstance(value, type | FunctionType | BuiltinFunctionType | np.ufunc):
        yield f"{place}: {_named(value)}"
    elif isinstance(value, np.ndarray):
        digest = blake2b(np.ascontiguousarray(value).data, digest_size=16).hexdigest() if value.dtype != object else ""
        yield f"{place}: array {value.dtype.str} {value.shape} {digest or value.tolist()!r}"
    elif isinstance(value, Mapping):
        for key in sorted(value, key=repr):
            yield from description(value[key], f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        yield f"{place}: {type(value).__name__} of {len(value)}"
        for index, one in enumerate(value):
            yield from description(one, f"{place}[{index}]")
    elif isinstance(value, set | frozenset):
        yield f"{place}: {sorted(map(repr, value))}"
    elif hasattr(value, "get_params"):
        yield f"{place}: {_named(type(value))}"
        defaults = inspect.signature(type(value)).parameters
        for name, given in sorted(value.get_params(deep=False).items()):
            if name not in defaults or repr(given) != repr(defaults[name].default):
                yield from description(given, f"{place}.{name}")
    else:
        yield from _of_an_object(value, place)


def _of_an_object(value: Any, place: str) -> Iterator[str]:
    """Yield what an object is that is no estimator: its parts, or how it writes itself."""
    if isinstance(value, MethodType):
        yield f"{place}: {_named(value.__func__)}"
        yield from description(value.__self__, f"{place}.self")
    elif isinstance(value, functools.partial):
        yield from description((value.func, value.args, value.keywords), f"{place}.partial")
    elif isinstance(value, np.random.RandomState):
        yield from description(list(value.get_state(legacy=True)), f"{place}.state")
    elif ADDRESS.search(repr(value)):
        if not getattr(value, "__dict__", None):
            raise ValueError(
                f"parts that can be told from their like were expected, {one_line(repr(value))[:100]} at "
                f"{place or 'its top'} says only where it lies; give it get_params, or a repr of what it is"
            )
        yield f"{place}: {_named(type(value))}"
        yield from description(vars(value), place)
    else:
        yield f"{place}: {value!r}"


def _named(value: Any) -> str:
    """Return the full name of a class or function, and the hash of its module's source where that is one's own."""
    module = getattr(value, "__module__", None) or ""
    name = f"{module}.{getattr(value, '__qualname__', getattr(value, '__name__', ''))}"
    source = source_of(module) if module else None
    return name if source is None else f"{name} {source}"
