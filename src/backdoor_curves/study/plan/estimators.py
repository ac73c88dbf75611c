"""From a table of `[[learners]]` to a learner as a value, and from a setting to its scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.learners.estimators import facts_of, steps_and_last
from backdoor_curves.learners.exact import refusal
from backdoor_curves.learners.preparation import STEPS
from backdoor_curves.records.one_line import one_line
from backdoor_curves.study.file.config import Kind, LearnerConfig
from backdoor_curves.study.plan.keys import random_state_of
from backdoor_curves.study.plan.own_estimators import content_of, own_estimator, require_values, with_parameters
from backdoor_curves.study.plan.scenario import OWN, Cell, Learner

FOLLOWED: Mapping[type, Kind] = {
    RidgeClassifier: "ridge",
    LogisticRegression: "logistic",
    LinearSVC: "linear-svm",
    SVC: "rbf-svm",
}
"""The kind that takes about the time and the room of an estimator which is followed, or of a column of one around."""
MOST_STATES = 2**31 - 1
"""Random states are below it: some libraries take no larger ones."""


def learner_of(config: LearnerConfig, default: tuple[str, ...], home: Path | None) -> Learner:
    """Return a learner's table as a value; an estimator of one's own is made, looked at and identified.

    Parameters
    ----------
    config : LearnerConfig
    default : tuple of str
        The steps that the data want where the table says none; what a function returns gets none.
    home : path, optional
        The folder of the study's file.

    Raises
    ------
    ValueError
        In one sentence, if an estimator cannot be had or used, or refuses a value of its grid.
    """
    if config.estimator is None:
        assert config.kind is not None  # a table has one or the other
        return Learner(config.kind, config.intercept, default if config.steps is None else config.steps)
    reference, parameters = config.estimator, tuple(sorted(config.parameters or ()))
    content = content_of(reference, parameters, home)
    made = own_estimator(reference, parameters, home)
    try:
        require_values(made, ())
        for name, values in config.grid or ():
            for value in values:
                require_values(made, ((name, value),))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{reference!r}: {one_line(error).removeprefix('estimator: ')}") from error
    steps = config.steps if config.steps is not None else () if ":" in reference else default
    return Learner(OWN, "free", steps, reference, config.name or "", parameters, content)


def estimator(cell: Cell, home: Path | None = None) -> Any:
    """Return the scikit-learn estimator of a cell, unfitted, behind its steps: C = 1 / lambda, alpha = lambda / 2.

    With a free intercept solvers and tolerances are those that come closest to the optimum; with a penalised one it is
    liblinear as it comes. Random states that are not said come from what the cell is.

    Raises
    ------
    ValueError
        If an estimator of one's own is no longer what it was when the study was planned.
    """
    learner = cell.setting.learner
    last = _own(cell, home) if learner.kind == OWN else _of_a_kind(cell)
    return make_pipeline(*(STEPS[name]() for name in learner.steps), last) if learner.steps else last


def kernel_of(cell: Cell, n_classes: int, home: Path | None = None) -> Kernel | None:
    """Return the kernel of a learner that is followed in it, of gamma 1 where it is yet to come of the rows."""
    _, last = steps_and_last(estimator(cell, home))
    if cell.method == "refit" or refusal(last, n_classes) is not None:
        return None
    if isinstance(last.get_params().get("gamma"), str):  # "scale" or "auto"
        last = clone(last).set_params(gamma=1.0)
    return facts_of(last).kernel(last)


def _of_a_kind(cell: Cell) -> Any:
    setting = cell.setting
    kind, C = setting.learner.kind, 1.0 / setting.lam
    if kind == "ridge":
        return RidgeClassifier(alpha=setting.lam / 2.0)
    if kind == "rbf-svm":
        return SVC(C=C, gamma=setting.gamma)
    if setting.learner.intercept == "penalised":
        state = random_state_of(cell)
        if kind == "logistic":
            return LogisticRegression(C=C, solver="liblinear", random_state=state)
        return LinearSVC(C=C, loss="hinge", random_state=state)
    if kind == "logistic":
        return LogisticRegression(C=C, solver="newton-cholesky", tol=1e-8)
    return SVC(C=C, kernel="linear")


def _own(cell: Cell, home: Path | None) -> Any:
    made = with_parameters(clone(_as_planned(cell.setting.learner, home)), cell.setting.hyperparameters)
    unsaid = [name for name, value in sorted(made.get_params(deep=True).items()) if value is None and _is_state(name)]
    state = random_state_of(cell) if unsaid else 0
    return made.set_params(**{name: (state + k) % MOST_STATES for k, name in enumerate(unsaid)})


def _is_state(name: str) -> bool:
    return name.rpartition("__")[2] == "random_state"


@lru_cache(maxsize=16)
def _as_planned(learner: Learner, home: Path | None) -> Any:
    """Return the estimator of a learner, which is what was planned; each cell gets a copy."""
    found = content_of(learner.estimator, learner.parameters, home)
    if found != learner.content:
        raise ValueError(
            f"{learner.estimator!r}: the estimator that the study was planned with was expected, another came; plan it "
            "anew: run the study again"
        )
    return own_estimator(learner.estimator, learner.parameters, home)


def followed_as(cell: Cell, n_classes: int, home: Path | None) -> Kind | None:
    """Return which of the four kinds a cell's learner is, or is followed like; None for an estimator that is refitted.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> from backdoor_curves.study.plan.estimators import followed_as
    >>> from backdoor_curves.study.plan.scenario import Cell, Learner, Scenario, Setting
    >>> setting = Setting.of(Learner("ridge"), {"lambda": 1.0})
    >>> followed_as(Cell(Scenario(DataConfig(), None, None, 0.1), setting, 0), 2, None)
    'ridge'
    """
    kind = cell.setting.learner.kind
    if kind != OWN:
        return kind  # type: ignore[return-value]
    _, last = steps_and_last(estimator(cell, home))
    followed = cell.method != "refit" and refusal(last, n_classes) is None
    return FOLLOWED[type(last if type(last) in FOLLOWED else last.estimator)] if followed else None
