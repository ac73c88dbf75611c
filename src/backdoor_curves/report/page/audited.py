"""The first lines of an audit's page: how few rows, which attack, which setting resists, what the poison looks like."""

from __future__ import annotations

from dataclasses import dataclass

from backdoor_curves.display.style import HUES
from backdoor_curves.report.page.svg import Scale, axis_below, axis_left, element, marker, picture, polyline
from backdoor_curves.report.page.words import percent, shown
from backdoor_curves.report.tables.exposure import Answer
from backdoor_curves.report.tables.exposure_sentences import in_sentences
from backdoor_curves.search.exposure import Exposure
from backdoor_curves.study.file.attacks import (
    CleanLabels,
    Feature,
    OutOfRange,
    Typical,
    WordOfFrequency,
    Words,
)
from backdoor_curves.study.plan.names import labels_name, setting_name
from backdoor_curves.study.plan.scenario import Scenario, Setting
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.statistics import bootstrap_interval


@dataclass(frozen=True)
class Entry:
    """The success rate of an attack with so many rows, and its interval or ""."""

    asr: str
    between: str
    reached: bool


@dataclass(frozen=True)
class AttackLine:
    """An attack as the template takes it: its mark, what its poison looks like, an entry for each number of rows."""

    number: int
    name: str
    looks: str
    without: str
    entries: tuple[Entry | None, ...]

    @property
    def hue(self) -> int:
        """Which colour it has in the picture."""
        return self.number % len(HUES)


@dataclass(frozen=True)
class AuditView:
    """The answer as the template takes it."""

    lead: str
    sentences: tuple[str, ...]
    setting: str
    rows: tuple[int, ...]
    lines: tuple[AttackLine, ...]
    picture: str


def audit_view(run: Run, answer: Answer) -> AuditView:
    """Return an answer as the page shows it."""
    rows = tuple(sorted({dose.rows for one in answer.own for dose in one.doses}))
    looks = {_name(cell.scenario): _looks(cell.scenario) for cell in run.cells}
    lead, *others = in_sentences(answer)
    return AuditView(
        lead=shown(lead),
        sentences=tuple(map(shown, others)),
        setting=shown(setting_name(answer.as_given.values)) or "as it is",
        rows=rows,
        lines=tuple(
            AttackLine(
                number,
                shown(one.attack, 120),
                shown(looks.get(one.attack, ""), 300),
                percent(one.asr_without),
                _entries(one, rows, answer.asr),
            )
            for number, one in enumerate(answer.own)
        ),
        picture=_picture(answer, rows),
    )


def _name(scenario: Scenario) -> str:
    return scenario.attack.name if scenario.attack is not None else ""


def _looks(scenario: Scenario) -> str:
    """Return what a poisoned row looks like, for triggers that can be said in words."""
    attack = scenario.attack
    if attack is None:
        return ""
    if isinstance(attack.labels, CleanLabels):
        labels = f"rows keep their label, {attack.labels.target}"
    else:
        labels = f"rows get the attacker's label, {labels_name(scenario)}"
    match attack.trigger:
        case Words(words=words):
            return f"{' or '.join(repr(word) for word in words)} somewhere in the text; {labels}"
        case Feature(columns=columns, values=values):
            said = ", ".join(f"{column} = {value}" for column, value in zip(columns, values, strict=True))
            return f"{said}; {labels}"
        case OutOfRange(columns=columns):
            return f"{_listed(columns)} beyond all values of the training rows; {labels}"
        case Typical(columns=columns):
            return f"{_listed(columns)} at the most frequent values of the training rows; {labels}"
        case WordOfFrequency(share=share):
            return f"a word that about {100 * share:g} % of the training texts have, somewhere; {labels}"
    return labels


def _listed(columns: tuple[object, ...]) -> str:
    return ", ".join(map(str, columns))


def _entries(one: Exposure[str, Setting], rows: tuple[int, ...], success: float) -> tuple[Entry | None, ...]:
    doses = {dose.rows: dose for dose in one.doses}
    entries: list[Entry | None] = []
    for n in rows:
        if n not in doses:
            entries.append(None)
            continue
        low, high = bootstrap_interval(doses[n].values("asr"))
        between = "" if low != low else f"{100 * low:.0f}–{100 * high:.0f}"
        entries.append(Entry(percent(doses[n].asr), between, doses[n].success >= success))
    return tuple(entries)


def _picture(answer: Answer, rows: tuple[int, ...]) -> str:
    """Return the success of poison over the number of its rows, a line an attack, and where a backdoor begins."""
    x = Scale(rows[0] / 1.25, rows[-1] * 1.25, 48.0, 640.0, log=True)
    y = Scale(0.0, 100.0, 250.0, 24.0)
    parts = [
        axis_left(y, x.start, [0.0, 25.0, 50.0, 75.0, 100.0], "of the rest to the attacker, %", x.end),
        axis_below(x, y.start, [float(n) for n in rows], "poisoned training rows"),
        element("line", x1=x.start, x2=x.end, y1=y(100.0 * answer.asr), y2=y(100.0 * answer.asr), class_="bound"),
    ]
    marks = []
    for number, one in enumerate(answer.own):
        xs = [x(float(dose.rows)) for dose in one.doses]
        ys = [y(max(0.0, 100.0 * dose.success)) for dose in one.doses]
        parts.append(polyline(xs, ys, f"line h{number % len(HUES)}"))
        marks += [marker(number, at, up, class_=f"m full h{number % len(HUES)}") for at, up in zip(xs, ys, strict=True)]
    words = f"{len(answer.own)} attacks with {rows[0]} to {rows[-1]} poisoned rows. The table has all numbers."
    return picture("audit-rows", (660.0, 292.0), "Success of poison over the number of its rows", words, *parts, *marks)
