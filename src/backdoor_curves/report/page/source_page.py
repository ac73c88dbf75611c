"""The page of a run that weighs sources: what each teaches, and whether it would be missed; it has no script."""

from __future__ import annotations

from dataclasses import dataclass

from backdoor_curves.display.style import HUES
from backdoor_curves.report.page import figures
from backdoor_curves.report.page.content import Content, ShownLearner, ShownScenario, ShownSetting, Spread
from backdoor_curves.report.page.provenance import as_toml, facts, failures, status_line
from backdoor_curves.report.page.render import part, templates
from backdoor_curves.report.page.terms import SOURCE
from backdoor_curves.report.page.words import learner_title, number, percent, setting_name, shown
from backdoor_curves.report.tables.sources import Gain
from backdoor_curves.study.plan.names import data_name, source_name


@dataclass(frozen=True)
class Row:
    """A setting in the table of a learner: its numbers with the source and without, and the verdict."""

    setting: str
    numbers: list[str]
    verdict: str


@dataclass(frozen=True)
class LearnerOfSource:
    """A learner as the template takes it."""

    name: str
    says: str
    curves: str
    deviations: str
    rows: list[Row]


def rendered_source(content: Content, command: str) -> str:
    """Return the page as text."""
    listed, more = failures(content)
    views = [
        {
            "data": shown(data_name(scenario.scenario.data), 300),
            "source": shown(source_name(scenario.scenario.data), 300),
            "learners": [_learner(scenario, learner) for learner in scenario.learners if learner.shown],
        }
        for scenario in content.drawn
    ]
    return (
        templates()
        .get_template("source.html.jinja")
        .render(
            content=content,
            title=shown(content.run.study.name, 120),
            status=status_line(content),
            views=views,
            facts=facts(content, command),
            failures=listed,
            more_reasons=more,
            study=shown(as_toml(content.run.study), 20_000),
            hues=HUES,
            style=part("page.css"),
        )
    )


def _learner(scenario: ShownScenario, learner: ShownLearner) -> LearnerOfSource:
    name = f"s{scenario.number}-{learner.number}"
    best = next((one for kind, one in learner.compared if kind == "best"), None)
    return LearnerOfSource(
        learner_title(learner.learner),
        "None of its cells is done." if best is None else _says(best),
        figures.curves(f"{name}-c", learner, SOURCE),
        figures.deviations(f"{name}-d", learner, SOURCE),
        [_row(one) for one in learner.shown],
    )


def _says(one: ShownSetting) -> str:
    """Return in two sentences what the source does to the most accurate setting."""
    gain = Gain.of(one.cells)
    loss, accuracy = ([one.mean(f"{name}_at_{beta}") for beta in (0, 1)] for name in ("triggered_loss", "asr"))
    said = "" if gain is None else gain.verdict if gain.verdict.startswith("would") else _doubt(gain)
    verdict = f" It {said}." if said else ""
    return (
        f"At its most accurate setting ({setting_name(one.setting)}) the watched rows have a loss of {number(loss[0])} "
        f"without the source and {number(loss[1])} with it, and an accuracy of {percent(accuracy[0])} and "
        f"{percent(accuracy[1])}.{verdict}"
    )


def _doubt(gain: Gain) -> str:
    return f"cannot be said to be missed or not: {gain.verdict.removeprefix('cannot be told: ')}"


def _row(one: ShownSetting) -> Row:
    gain = Gain.of(one.cells)
    losses = [_spread(one.numbers.get(f"triggered_loss_at_{beta}")) for beta in (0, 1)]
    shares = [
        "–" if (mean := one.mean(f"{name}_at_{beta}")) is None else f"{100 * mean:.1f}"
        for name in ("asr", "clean_accuracy")
        for beta in (0, 1)
    ]
    theta = number(one.mean("theta"))
    return Row(setting_name(one.setting), [*losses, *shares, theta], "–" if gain is None else gain.answer)


def _spread(found: Spread | None) -> str:
    """Return a mean, and the lowest and highest where there are several seeds."""
    if found is None:
        return "–"
    between = f" ({number(found.low)} to {number(found.high)})" if found.n > 1 else ""
    return number(found.mean) + between
