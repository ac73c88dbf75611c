"""What the lines of a page are called: of an attack, or of a source whose rows have weight beta."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Terms:
    """Words for what is weighted, and for lines.

    Parameters
    ----------
    weighted : str
        The rows of weight beta.
    title : str
        Of the figure of curves.
    lines : mapping of str to str
        A line as it is called; others by their own name.
    kinds : tuple of str
        The settings that are drawn, see `ShownLearner.compared`.
    """

    weighted: str
    title: str
    lines: Mapping[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("best", "calm")

    def line(self, name: str) -> str:
        """Return what a line is called."""
        return self.lines.get(name, name.replace("_", " "))


ATTACK = Terms("the poison", "Backdoor learning curves")
SOURCE = Terms(
    "the source",
    "Curves of a source",
    {
        "triggered_loss": "loss on watched rows",
        "asr": "accuracy on watched rows",
        "clean_loss": "loss on all test rows",
        "clean_accuracy": "accuracy on all test rows",
    },
    ("best",),
)
