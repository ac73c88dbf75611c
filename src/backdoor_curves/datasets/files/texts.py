"""A folder of texts or mails with a folder a class: of a mail its subject and what there is to read, no attachment."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from backdoor_curves.datasets.files.content import text_of
from backdoor_curves.datasets.files.folders import LABEL, NAME, files_by_class
from backdoor_curves.datasets.files.table import Table

ENDINGS = frozenset({".txt", ".eml"})
TEXT = "text"
"""The column of the texts."""
MOST_BYTES = 2**26
"""Of one text or mail: one with more is an archive of many, or something else."""


def read_texts(folder: Path, source: str) -> Table:
    """Return the texts of a folder, with the columns "text", "label" (the folder of each) and "file".

    A mail (.eml) is its subject, a line break, and its text: the plain one, or that of its HTML without tags. Bytes of
    a mail that its own encoding does not have become U+FFFD; a text (.txt) that is no UTF-8 is refused.

    Parameters
    ----------
    folder : path
    source : str
        What it is called in errors.

    Raises
    ------
    ValueError
        If a file is no text.
    """
    files = files_by_class(folder, ENDINGS, source)
    texts, labels, names = (np.empty(len(files), dtype=object) for _ in range(3))
    for k, (label, path) in enumerate(files):
        names[k], labels[k] = str(path.relative_to(folder)), label
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{source}: texts of at most {MOST_BYTES} bytes were expected, {names[k]!r} has more")
        content = path.read_bytes()
        is_mail = path.suffix.lower() == ".eml"
        texts[k] = _of_mail(content) if is_mail else text_of(content, f"{source}: {names[k]}")
    return Table(source, {TEXT: texts, LABEL: labels, NAME: names})


def _of_mail(content: bytes) -> str:
    """Return subject and body of a mail; what is no mail is all body."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)  # the policy's
    try:
        subject = str(message["subject"] or "")
    except Exception:  # the parser of headers fails in many ways on those that were made to harm
        subject = ""
    return f"{subject}\n{_body(message)}"


def _body(message: EmailMessage) -> str:
    try:
        part = message.get_body(("plain", "html"))
        text = "" if part is None else part.get_content()
    except Exception:  # an encoding that nobody knows, parts in parts: the bytes as they came
        part, text = None, str(message.get_payload())
    if part is not None and part.get_content_type() == "text/html":
        return _without_tags(text)
    return text if isinstance(text, str) else ""


class _Words(HTMLParser):
    """Collects what there is to read in HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style") and self.hidden > 0

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words.append(data)


def _without_tags(html: str) -> str:
    parser = _Words()
    parser.feed(html)
    parser.close()
    return " ".join(" ".join(parser.words).split())
