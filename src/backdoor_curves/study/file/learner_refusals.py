"""Why well-formed `[[learners]]` are refused: keys that do not go together, values that mean nothing.

What only the estimator itself can say, such as which parameters it has, is said in `plan.own_estimators`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

from backdoor_curves.study.file.config import LearnerConfig, Value
from backdoor_curves.study.file.reading import Faults

REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:|\.)[A-Za-z_]\w*", re.ASCII)
"""Of a function, "module:function", or of a class, "package.module.Class"."""
LONGEST = 100
"""Characters of a name: it becomes a part of a file's."""
OF_KINDS = {"lam": "lambda", "gamma": "gamma", "intercept": "intercept"}
OF_ESTIMATORS = ("name", "parameters", "grid")


def check_learners(learners: Sequence[LearnerConfig], prefix: str, faults: Faults) -> None:
    """Add what is wrong with the learners of a block, one by one and together."""
    for index, learner in enumerate(learners):
        place = f"{prefix}learners[{index}]"
        _check_steps(learner, place, faults)
        if learner.estimator is None:
            _check_kind(learner, place, faults)
        else:
            _check_estimator(learner, place, faults)
    for (what, at), times in Counter(setting for one in learners for setting in _settings(one)).items():
        if times > 1:
            where = f" at lambda {at[0]:g}" if what[0] is not None else ""
            faults[f"{prefix}learners"] = (
                f"each setting once was expected, {what[0] or what[2]}{where} came twice; "
                "two methods are compared in two studies"
            )


def _settings(learner: LearnerConfig) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Yield the settings of a learner as values: which learner, and at what."""
    what = (learner.kind, learner.intercept, learner.estimator, learner.name, learner.steps)
    what = (*what, *(told_apart(value) for _, value in learner.parameters or ()))
    grid = sorted(learner.grid or ())
    lists: list[Iterable[Any]] = [dict.fromkeys(learner.lam or (None,)), dict.fromkeys(learner.gamma or (None,))]
    lists += [dict.fromkeys((name, told_apart(value)) for value in values) for name, values in grid]
    for at in product(*lists):
        yield what, at


def told_apart(value: Any) -> Any:
    """Return a value so that 1, 1.0 and true are three: to an estimator a whole number is no share.

    Examples
    --------
    >>> from backdoor_curves.study.file.learner_refusals import told_apart
    >>> len({told_apart(value) for value in (1, 1.0, True)})
    3
    """
    return tuple(map(told_apart, value)) if isinstance(value, tuple) else (type(value).__name__, value)


def _check_kind(learner: LearnerConfig, place: str, faults: Faults) -> None:
    for name in OF_ESTIMATORS:
        if getattr(learner, name) is not None:
            faults[f"{place}.{name}"] = f"nothing was expected for the kind {learner.kind}: it goes with estimator"
    for name, values in (("lambda", learner.lam or ()), ("gamma", learner.gamma)):
        _check_values(values, f"{place}.{name}", faults)
    if learner.kind == "rbf-svm" and not learner.gamma:
        faults[place] = "at least one gamma was expected for rbf-svm"
    if learner.kind != "rbf-svm" and learner.gamma:
        faults[place] = f"no gamma was expected for {learner.kind}"
    if learner.intercept == "penalised" and learner.kind not in ("logistic", "linear-svm"):
        faults[f"{place}.intercept"] = f"'free' was expected for {learner.kind}: only liblinear's are penalised"


def _check_estimator(learner: LearnerConfig, place: str, faults: Faults) -> None:
    assert learner.estimator is not None  # else it is a kind
    if learner.kind is not None:
        faults[place] = "exactly one of kind and estimator was expected, both came"
    if not REFERENCE.fullmatch(learner.estimator):
        faults[f"{place}.estimator"] = (
            f'"module:function", or a class such as "sklearn.svm.SVC", was expected, {learner.estimator!r} came'
        )
    default = LearnerConfig()
    for name, key in OF_KINDS.items():
        if getattr(learner, name) != getattr(default, name):
            faults[f"{place}.{key}"] = (
                "nothing was expected beside estimator: parameters and grid have the estimator's own names, such as C"
            )
    if learner.name is not None and not (0 < len(learner.name) <= LONGEST and learner.name.isprintable()):
        faults[f"{place}.name"] = f"one to {LONGEST} printable characters were expected, {learner.name!r} came"
    parameters, grid = dict(learner.parameters or ()), dict(learner.grid or ())
    for pairs, key in ((learner.parameters, "parameters"), (learner.grid, "grid")):
        if pairs is not None and len(dict(pairs)) < len(pairs):
            faults[f"{place}.{key}"] = "each parameter once was expected, one came twice"
    for name in parameters.keys() & grid.keys():
        faults[f"{place}.grid.{name}"] = "a parameter that is not in parameters too was expected"
    for name, value in parameters.items():
        _check_values((value,), f"{place}.parameters.{name}", faults)
    for name, values in grid.items():
        here = f"{place}.grid.{name}"
        if not values:
            faults[here] = "at least one value was expected, none came"
        _check_values(values, here, faults)


def _check_steps(learner: LearnerConfig, place: str, faults: Faults) -> None:
    steps = learner.steps or ()
    late = [step for step in steps[1:] if step in ("table", "tf-idf", "word-counts")]
    if late:
        faults[f"{place}.steps"] = f"{late[0]!r} first was expected: it takes the rows as they are in the data"


def _check_values(values: Sequence[Value], place: str, faults: Faults) -> None:
    """Add numbers that are not finite, and values that come twice."""
    if not all(math.isfinite(number) for number in _numbers(values)):
        faults[place] = f"finite numbers were expected, {list(values)} came"
    twice = [value for (_, value), times in Counter((told_apart(one), one) for one in values).items() if times > 1]
    if twice:
        faults[place] = f"each value once was expected, {twice[0]!r} came twice"


def _numbers(values: Sequence[Any]) -> Iterator[float]:
    for value in values:
        if isinstance(value, tuple):
            yield from _numbers(value)
        elif isinstance(value, float):
            yield value
