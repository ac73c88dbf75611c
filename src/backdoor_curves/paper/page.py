"""The page of a reproduction: figures, published numbers beside ours, conclusions; one file that asks for no other."""

from __future__ import annotations

import base64
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from backdoor_curves.paper.claims.claim import Claim
from backdoor_curves.paper.figures.recipes import Drawn
from backdoor_curves.paper.numbers.agreement import Verdict
from backdoor_curves.paper.numbers.comparison import Compared, summary
from backdoor_curves.paper.numbers.published_nets import NetsFile, settings_of
from backdoor_curves.records.npz import whole
from backdoor_curves.records.version import __version__
from backdoor_curves.study.store.run import Run

MEDIA = {".png": "image/png", ".svg": "image/svg+xml"}
"""Kinds of pictures that a page can hold; others are linked."""


def write_page(
    path: Path,
    drawn: Sequence[Drawn],
    rows: Sequence[Compared],
    claims: Sequence[Claim],
    runs: Sequence[Run],
    nets: Sequence[NetsFile] = (),
) -> Path:
    """Write the page, and return its path.

    Parameters
    ----------
    path : path
        Beside the folder `figures`.
    drawn : sequence of Drawn
    rows : sequence of Compared
        Empty where no published files were named.
    claims : sequence of Claim
    runs : sequence of Run
        Behind the figures.
    nets : sequence of NetsFile
        Published networks, which stand alone.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("backdoor_curves.paper", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    shown = [one for one in drawn if one.file is not None]
    counts = Counter(row.verdict for row in rows)
    html = environment.get_template("page.html.jinja").render(
        figures=shown,
        left_out=[one for one in drawn if one.file is None],
        pictures={one.recipe.name: _picture(one.file) for one in shown if one.file is not None},
        name_of=_name,
        n_compared=len(rows),
        counts={verdict: counts[verdict] for verdict in get_args(Verdict)},
        summary=summary(rows),
        claims=claims,
        nets=settings_of(nets),
        n_nets=sum(file.n_nets for file in nets),
        runs=runs,
        bounds={run.study.name: _largest_bound(run) for run in runs},
        version=__version__,
        command=shlex.join(["backdoor-curves", *sys.argv[1:]]),
    )
    with whole(path) as draft:
        draft.write_text(html, encoding="utf-8")
    return path


def _name(drawn: Drawn) -> str:
    name = drawn.recipe.name
    return f"Figure {name}" if name.isdecimal() else name.replace("-", " ").capitalize()


def _picture(file: Path) -> str:
    """Return a picture as an address of its own content; "" for a kind that no browser shows in a page."""
    media = MEDIA.get(file.suffix)
    return f"data:{media};base64,{base64.b64encode(file.read_bytes()).decode()}" if media else ""


def _largest_bound(run: Run) -> float:
    """Return the largest `score_bound` of a run's cells; NaN if none has one."""
    bounds = [bound for cell in run.cells if (bound := cell.numbers.get("score_bound")) is not None]
    return max(bounds, default=float("nan"))
