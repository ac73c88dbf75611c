"""The page of attacks: what each does to a row, drawn; one file that asks for no other."""

from __future__ import annotations

import base64
import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from backdoor_curves.records.version import __version__

ROLES = {"poison": "poison row", "cover": "cover row", "test": "test row"}
KINDS = {"image": "Images", "text": "Texts", "table": "Tables"}


@dataclass(frozen=True, eq=False)
class ShownRow:
    """A row before and after: images in [0, 1] of shape (height, width, 3), texts, or {column: value}."""

    role: str
    true: str
    label: str
    before: Any
    after: Any


@dataclass(frozen=True, eq=False)
class ShownAttack:
    """An attack as the page says it."""

    name: str
    kind: str
    about: str
    source: str
    ours: str
    rate: str
    rows: tuple[ShownRow, ...]


@dataclass(frozen=True)
class Picture:
    """An image as an address of its own content, and what it is called."""

    name: str
    href: str


def attacks_page(attacks: Sequence[ShownAttack], command: str) -> str:
    """Return the page as text.

    Parameters
    ----------
    attacks : sequence of ShownAttack
    command : str
        What is said to have written it.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"pictures": pictures, "words": words, "said": _said}
    here = files("backdoor_curves.report.page")
    template = environment.from_string((here / "attacks.html.jinja").read_text(encoding="utf-8"))
    kinds = [(kind, title, [one for one in attacks if one.kind == kind]) for kind, title in KINDS.items()]
    return template.render(
        kinds=[group for group in kinds if group[2]],
        n=len(attacks),
        style=(here / "page.css").read_text(encoding="utf-8"),
        version=__version__,
        command=command,
    )


def pictures(row: ShownRow) -> list[Picture]:
    """Return a row's image before and after, and the difference about grey, stretched so that its largest is 1/2."""
    before, after = np.asarray(row.before), np.asarray(row.after)
    difference = after - before
    largest = float(np.abs(difference).max())
    factor = 0.5 / largest if largest else 1.0
    return [
        Picture("clean", _png(before)),
        Picture("stamped", _png(after)),
        Picture(f"change × {factor:.2g}", _png(0.5 + factor * difference)),
    ]


def words(row: ShownRow) -> list[tuple[bool, str]]:
    """Return a text after it was stamped in pieces: (is it new, its words).

    Examples
    --------
    >>> from backdoor_curves.report.page.attacks import ShownRow, words
    >>> words(ShownRow("poison", "ham", "spam", "see you", "see cf you"))
    [(False, 'see'), (True, 'cf'), (False, 'you')]
    """
    before, after = row.before.split(), row.after.split()
    steps = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [(kind != "equal", " ".join(after[start:end])) for kind, _, _, start, end in steps if start < end]


def _said(row: ShownRow) -> str:
    """Return what a row is, and what is said of it."""
    wanted = "wanted" if row.role == "test" else "labelled"
    return f"{ROLES[row.role]} of class {row.true}" + (
        f", {wanted} {row.label}" if row.label != row.true else ", label kept"
    )


def _png(image: Float[np.ndarray, "height width channels"]) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.rint(255 * np.clip(image, 0, 1)).astype(np.uint8)).save(stream, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
