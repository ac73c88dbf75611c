"""The code of a page: its fenced examples, in the order in which a reader meets them.

Examples are fences of ```python or ```{drawn} whose code has prompts (>>>). All of a page share their names, as if
typed into one session. The tests check what they print; the build draws what ```{drawn} ones draw.
"""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import dedent

FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>python|\{drawn\})[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.M | re.S)
OPTION = re.compile(r"^:[a-z-]+:.*$")
FLAGS = doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fence: the line of the page on which its code begins, from 0, what kind it is, and its code with prompts."""

    line: int
    kind: str
    code: str

    @property
    def is_session(self) -> bool:
        """Whether it has prompts; other code is shown and not run."""
        return ">>>" in self.code

    def examples(self) -> list[doctest.Example]:
        """Return what is typed, and what is to come back."""
        return doctest.DocTestParser().get_examples(self.code)


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the fences of a Markdown page that have Python code."""
    for found in FENCE.finditer(text):
        lines = dedent(found["body"]).splitlines(keepends=True)
        options = 0
        while options < len(lines) and found["kind"] == "{drawn}" and OPTION.match(lines[options].rstrip()):
            options += 1
        line = text.count("\n", 0, found.start("body")) + options
        yield Block(line, found["kind"].strip("{}"), "".join(lines[options:]))
