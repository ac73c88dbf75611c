"""Pages on questions out of the answers that the package keeps; run as a script this file writes them.

python docs/extensions/question_pages.py
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from backdoor_curves.questions.answer import Answer
from backdoor_curves.questions.ask import kept_answers, read_answer
from backdoor_curves.questions.effects import holm
from backdoor_curves.questions.words import answer_sentences, effect_words, held_in_a_word, range_words, verdict

PAGES = Path(__file__).parents[1] / "questions"
INDEX = PAGES / "index.md"
THEMES = {
    "The trigger": ("patch-size", "opacity", "place", "shape"),
    "The rows": (
        "poison-rows",
        "clean-rows",
        "clean-rows-unused-pixel",
        "more-of-both",
        "append-or-replace",
        "labels",
        "many-attackers",
    ),
    "The input": ("image-side", "patch-in-larger-images", "random-features", "classes"),
    "The learner": ("learner", "penalty", "width-of-kernel"),
    "Networks": ("net-width", "net-depth", "net-weight-decay", "net-epochs"),
}
"""The questions in the order of the index."""
HEAD = ("question", "the answer", "on MNIST it holds")
LAWS = {
    "poison-rows": 0.5,
    "patch-size": 0.25,
    "image-side": 0.25,
    "opacity": 0.25,
    "penalty": 2.0,
    "clean-rows-unused-pixel": 1.0,
}
"""Of ridge's half-loss β under a doubling, for a strong trigger on unused pixels: mathematics/unused-pixels.md."""
PAGE = """# {text}

{first}

{second}

```{{drawn}} Half-loss β above and attack success rate below, along the axis: {of}
:hidden:
>>> from backdoor_curves.questions.ask import kept_answers, read_answer
>>> from backdoor_curves.questions.figure import answer_figure
>>> figure = answer_figure(read_answer(kept_answers()["{name}"]))
```

**What would change our mind.** {doubt}

**Again.** {cells} on a part of one core:

    backdoor-curves questions {name}

The study is [{name}.toml]({studies}/{name}.toml). [How the intervals are made](index.md#how-to-read-it).
"""


def answers() -> dict[str, Answer]:
    """Return the answers that the package keeps, by name."""
    return {name: read_answer(file) for name, file in kept_answers().items()}


def page_of(answer: Answer) -> str:
    """Return the page of a question."""
    first, second = answer_sentences(answer)
    took = [f"{one.cells} cells on {one.about}, {_duration(one.seconds)}" for one in answer.evidence]
    return PAGE.format(
        studies="../../src/backdoor_curves/questions/studies",
        name=answer.name,
        text=answer.question.text,
        of=answer.question.of,
        doubt=answer.question.doubt,
        first=first,
        second=second,
        cells=" and ".join(took),
    )


def table(found: dict[str, Answer]) -> str:
    """Return all answers as tables by theme, and how many questions have an effect that is sure among all."""
    parts = []
    for theme, names in THEMES.items():
        rows = [HEAD, ("---",) * len(HEAD)]
        for name in names:
            if name in found:
                answer = found[name]
                rows.append((f"[{answer.question.text}]({name}.md)", _short(answer), held_in_a_word(answer)))
        parts.append("\n".join([f"**{theme}**", "", *(f"| {' | '.join(cells)} |" for cells in rows)]))
    sure = holm(np.array([answer.p for answer in found.values()]))
    unsure = [name for name, is_sure in zip(found, sure, strict=True) if not is_sure]
    others = f" The others: {', '.join(unsure)}." if unsure else ""
    said = f"Of {len(sure)} questions {sum(sure)} have an effect that is sure at 5 % among all of them (Holm).{others}"
    return "\n\n".join([*parts, said])


def _short(answer: Answer) -> str:
    """Return verdict and effect: of a doubling, or of each level against the first."""
    first = answer.first
    decides = first.of(answer.question.measure)
    unit = {"half_loss_beta": "half-loss β", "asr_at_1": "ASR"}[answer.question.measure]
    if first.numbers:
        bent = "" if all(one.is_monotone for one in decides) else ", up and down along the axis"
        return f"twice {answer.question.of}: {verdict(decides)}; {unit} {range_words(decides)}{bent}"
    steps = [(level, [one for one in decides if one.level == level]) for level in first.levels[1:]]
    said = [f"**{level}** {verdict(some)}, {range_words(some)}" for level, some in steps]
    return f"{unit} against **{first.levels[0]}**: {'; '.join(said)}"


def laws(found: dict[str, Answer]) -> str:
    """Return what theory says of ridge beside what is measured, on each data set."""
    names = [evidence.data for evidence in next(iter(found.values())).evidence]
    rows = [("twice", "theory", *names), ("---",) * (2 + len(names))]
    for name, law in LAWS.items():
        answer = found[name]
        measured = [
            effect_words(one.effect)
            for evidence in answer.evidence
            for one in evidence.of("half_loss_beta")
            if one.setting == "Ridge"
        ]
        rows.append((f"[{answer.question.of}]({name}.md)", f"× {law:g}", *measured))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def with_table(page: str, found: dict[str, Answer]) -> str:
    """Return the index with its tables between their marks, and the list of pages."""
    marked = page
    for name, text in (("answers", table(found)), ("laws", laws(found))):
        at = rf"(<!-- {name} -->\n).*?(\n<!-- end of {name} -->)"
        marked = re.sub(at, lambda at, text=text: at[1] + text + at[2], marked, flags=re.DOTALL)
    names = "\n".join(["checked-twice", *(name for names in THEMES.values() for name in names if name in found)])
    return re.sub(
        r"(```\{toctree\}\n:hidden:\n\n).*?(\n```)", lambda at: at[1] + names + at[2], marked, flags=re.DOTALL
    )


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    known = answers()
    for one in known.values():
        (PAGES / f"{one.name}.md").write_text(page_of(one), encoding="utf-8")
    INDEX.write_text(with_table(INDEX.read_text(encoding="utf-8"), known), encoding="utf-8")
