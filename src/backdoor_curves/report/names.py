"""Learners and places of a run as titles and file names have them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from backdoor_curves.study.store.sqlite import StoredCell

LEARNERS = {"logistic": "Logistic regression", "ridge": "Ridge", "linear-svm": "Linear SVM", "rbf-svm": "RBF SVM"}


def learner_name(learner: str) -> str:
    """Return a learner as a title has it.

    Examples
    --------
    >>> from backdoor_curves.report.names import learner_name
    >>> learner_name("logistic, penalised intercept")
    'Logistic regression, penalised intercept'
    """
    kind = learner_kind(learner)
    return LEARNERS.get(kind, kind) + learner.removeprefix(kind)


def learner_kind(learner: str) -> str:
    """Return the kind of a learner, without a word on its intercept.

    Examples
    --------
    >>> from backdoor_curves.report.names import learner_kind
    >>> learner_kind("logistic, penalised intercept")
    'logistic'
    """
    return learner.partition(",")[0]


@dataclass(frozen=True)
class Place:
    """What the cells of a figure share: the attack, without learner, lambda, gamma and seed.

    Examples
    --------
    >>> from backdoor_curves.report.names import Place
    >>> place = Place("mnist 7-1", "random 3 x 3", "next", "replace", 1e-5)
    >>> place.title(), place.file_name
    ('mnist 7-1, random 3 x 3, p = 1e-05', 'mnist-7-1_random-3-x-3_next_replace_p-1e-05')
    """

    data: str
    trigger: str
    labels: str
    injection: str
    rate: float

    @classmethod
    def of(cls, cell: StoredCell) -> Place:
        """Return the place of a cell."""
        return cls(**{part.name: cell.coordinates[part.name] for part in fields(cls)})

    def title(self, among: Iterable[Place] = ()) -> str:
        """Return data, trigger and rate, and what else differs among the places of the run."""
        others = list(among)
        told = [
            f"{name} {value}"
            for name, value in (("labels", self.labels), ("injection", self.injection))
            if any(getattr(other, name) != value for other in others)
        ]
        return ", ".join([self.data, self.trigger, *told, f"p = {self.rate:g}"])

    @property
    def file_name(self) -> str:
        """A name for a file, without its ending."""
        return as_file_name([self.data, self.trigger, self.labels, self.injection, f"p-{self.rate:g}"])


def as_file_name(parts: Iterable[str]) -> str:
    """Return parts as a name that every file system takes."""
    return "_".join("".join(c if c.isalnum() or c in "-+." else "-" for c in part) for part in parts)
