"""A trigger of one's own in a study: a function by name, held to give back rows of one kind, and identified."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np

from backdoor_curves.data.on_disk import content_hash
from backdoor_curves.data.samples import Samples
from backdoor_curves.records.one_line import error_line
from backdoor_curves.rows import Rows
from backdoor_curves.study.file.attacks import AttackConfig, Call
from backdoor_curves.study.file.config import TriggerConfig
from backdoor_curves.study.plan.own_code import found_by_name, source_of
from backdoor_curves.triggers.base import Trigger
from backdoor_curves.triggers.strict import held

TRIED_ON = 20
"""Training rows on which a trigger is tried: it is identified by its module's source, and by what it makes of these."""


@dataclass(frozen=True)
class OwnTrigger:
    """A function of a study's own, held to give back the rows that it got, stamped; errors begin with its name."""

    reference: str
    function: Trigger = field(repr=False)

    def __call__(self, X: Rows, y: np.ndarray, /) -> Rows:
        """Return the rows `X` as the function stamps copies of them."""
        return held(self._asked, X, y, None, repr(self.reference))

    def _asked(self, X: Rows, y: np.ndarray) -> Rows:
        try:
            return self.function(X, y)
        except (Exception, SystemExit) as error:  # whatever a function of one's own does
            raise ValueError(
                f"{self.reference!r}: stamped rows were expected, it raises {error_line(error)}"
            ) from error


def own_trigger(reference: str, home: Path | None) -> Trigger:
    """Return the trigger that a study names.

    Parameters
    ----------
    reference : str
        "module:function", of (X, y) -> X, y being places of the true classes.
    home : path, optional
        The folder of the study's file.

    Raises
    ------
    ValueError
        In one sentence that begins with the reference.
    """
    function = found_by_name(reference, home)
    if not callable(function) or isinstance(function, type):
        raise ValueError(f"{reference!r}: a function (X, y) -> X was expected, {type(function).__name__} came")
    return OwnTrigger(reference, function)


def code_of(way: tuple[object, ...], train: Samples, home: Path | None) -> str:
    """Return the hash of the functions that an attack calls; "" where it calls none.

    Each is asked twice.

    Raises
    ------
    ValueError
        If one cannot be had, gives back rows of another kind, or other rows the second time.
    """
    found = []
    for reference in _calls(way):
        tried = train.take(np.arange(min(TRIED_ON, len(train))))
        trigger = own_trigger(reference, home)
        try:
            made = [content_hash(Samples(trigger(tried.X, tried.y), tried.y)) for _ in range(2)]
        except TypeError as error:
            raise ValueError(f"{reference!r}: {error}") from error
        if made[0] != made[1]:
            raise ValueError(
                f"{reference!r}: the same stamped rows each time were expected, others came the second time; fix what "
                "it draws by the row itself"
            )
        found += [reference, source_of(reference.partition(":")[0]) or "", made[0]]
    return blake2b("\n".join(found).encode(), digest_size=16).hexdigest() if found else ""


def _calls(way: tuple[object, ...]) -> Iterator[str]:
    for part in way:
        if isinstance(part, TriggerConfig) and part.kind == "call":
            yield part.call
        if isinstance(part, AttackConfig):
            yield from (trigger.call for trigger in part.triggers.values() if isinstance(trigger, Call))
