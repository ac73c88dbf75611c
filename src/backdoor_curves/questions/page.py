"""The page of a question: the answer, its figures and tables, and what repeats it; one file that asks for no other."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from matplotlib.figure import Figure

from backdoor_curves.display.saving import save_figure
from backdoor_curves.questions.answer import SHOWN, Evidence
from backdoor_curves.questions.ask import Answered
from backdoor_curves.questions.figure import answer_figure, curves_figure
from backdoor_curves.questions.words import NAMES, answer_sentences, effect_words, held_words, method_words
from backdoor_curves.records.npz import whole
from backdoor_curves.records.version import __version__
from backdoor_curves.report.page.provenance import as_toml
from backdoor_curves.report.page.render import part, templates

HEADINGS = {
    "half_loss_beta": "half-loss β",
    "asr_at_1": "ASR",
    "clean_accuracy_at_1": "clean accuracy",
    "theta": "θ",
    "slope_at_0": "slope at β = 0",
    "certified_share_at_3": "certified, 3 rows",
    "moved_l2": "row moved by",
    "n_poison": "poison rows",
}


def write_question_page(answered: Answered, folder: Path, command: str) -> Path:
    """Draw a question's figures and write its page into a folder; return the page's path.

    Parameters
    ----------
    answered : Answered
    folder : path
        Gets NAME.html, NAME.svg and NAME-curves.svg.
    command : str
        What is said to have written it.
    """
    import matplotlib.pyplot as plt

    answer = answered.answer
    figure = _saved(answer_figure(answer), folder / f"{answer.name}.svg")
    curves = _saved(curves_figure(answered.runs[0], answer.question), folder / f"{answer.name}-curves.svg")
    plt.close("all")
    template = (files("backdoor_curves.questions") / "page.html.jinja").read_text(encoding="utf-8")
    html = (
        templates()
        .from_string(template)
        .render(
            answer=answer,
            sentences=[sentence for sentence in answer_sentences(answer) if sentence],
            held=held_words(answer),
            left_out=answered.left_out,
            figure=figure,
            curves=curves,
            tables=[table_of(evidence) for evidence in answer.evidence],
            names=NAMES,
            effect=effect_words,
            method=method_words,
            studies=[as_toml(run.study) for run in answered.runs],
            hashes=[digest for run in answered.runs for digest in run.data_hashes],
            style=part("page.css"),
            version=__version__,
            command=command,
        )
    )
    path = folder / f"{answer.name}.html"
    with whole(path) as draft:
        draft.write_text(html, encoding="utf-8", newline="\n")
    return path


def table_of(evidence: Evidence) -> tuple[Sequence[str], Sequence[tuple[str, str, Sequence[str]]]]:
    """Return the means of a data set as a table: headings, and of each setting and level the numbers with intervals."""
    known = [name for name in SHOWN if any(one.quantity == name for one in evidence.means)]
    found = {(one.setting, one.level, one.quantity): one for one in evidence.means}
    rows = []
    for setting in evidence.settings:
        for level in evidence.levels:
            cells = []
            for name in known:
                one = found.get((setting, level, name))
                if one is None:
                    cells.append("–")
                elif one.low == one.high:
                    cells.append(f"{one.mean:.3g}")
                else:
                    never = f", never in {one.n_never}" if one.n_never else ""
                    cells.append(f"{one.mean:.3g} ({one.low:.3g} to {one.high:.3g}{never})")
            rows.append((setting, level, cells))
    return [HEADINGS[name] for name in known], rows


def _saved(figure: Figure, path: Path) -> str:
    """Save a figure, and return it as an address of its own content."""
    save_figure(figure, path)
    return f"data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()}"
