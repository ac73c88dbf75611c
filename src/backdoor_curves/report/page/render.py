"""From the content to one HTML page: everything the template shows is prepared here, and the data of its script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from backdoor_curves.display.style import HUES
from backdoor_curves.report.page import explained, figures, maps
from backdoor_curves.report.page.audited import audit_view
from backdoor_curves.report.page.compared_attacks import comparison_views
from backdoor_curves.report.page.confusion_table import ConfusionView, compared_confusions
from backdoor_curves.report.page.content import Content, ShownLearner, ShownScenario, ShownSetting
from backdoor_curves.report.page.decision_pictures import decision_picture
from backdoor_curves.report.page.provenance import as_toml, facts, failures, status_line
from backdoor_curves.report.page.series import SHARES, Series
from backdoor_curves.report.page.settings_table import SettingsTable, settings_table
from backdoor_curves.report.page.svg import marker
from backdoor_curves.report.page.words import (
    Verdict,
    headline,
    learner_title,
    number,
    percent,
    scenario_name,
    scenario_rest,
    setting_name,
    shown,
    value,
    verdict,
)
from backdoor_curves.report.tables.attacks import comparisons
from backdoor_curves.report.tables.exposure import answer_of
from backdoor_curves.study.compute.explanation import ROWS, Explanation
from backdoor_curves.study.plan.names import scenario_words, symbols_of

SHORT = {
    "triggered_loss": "t",
    "triggered_loss low": "tl",
    "triggered_loss high": "th",
    "clean_loss": "n",
    "asr": "a",
    "asr low": "al",
    "asr high": "ah",
    "clean_accuracy": "c",
    "norm": "r",
    "angle": "u",
}
"""The names of lines in the data of the page, which has many of them."""
DIGITS = 4
TABLE_BETAS = (0.0, 0.01, 0.1, 0.5, 1.0)


@dataclass(frozen=True)
class LearnerView:
    """A learner of a scenario as the template takes it; figures are SVG, or "" where there is nothing to draw."""

    learner: ShownLearner
    name: str
    verdict: Verdict
    accuracy_map: str
    attack_map: str
    certificate_map: str
    table: SettingsTable
    curves: str
    deviations: str
    compared: list[tuple[str, ShownSetting, Series]]
    explanations: str
    explained: list[tuple[str, ShownSetting, Explanation]]
    confusions: list[ConfusionView]


@dataclass(frozen=True)
class ScenarioView:
    """A scenario as the template takes it."""

    scenario: ShownScenario
    name: str
    rest: str
    learners: list[LearnerView]
    frontier: str
    slopes: str


def rendered(content: Content, command: str) -> str:
    """Return the page as text."""
    environment = templates()
    environment.globals |= {
        "setting_name": setting_name,
        "learner_title": learner_title,
        "scenario_name": scenario_name,
        "verdict": verdict,
        "marker": marker,
    }
    template = environment.get_template("page.html.jinja")
    script = part("page.js")
    listed, more = failures(content)
    return template.render(
        content=content,
        title=shown(content.run.study.name, 120),
        badges={"resists": "✓", "safe": "✓", "average": "✓", "unsafe": "✗", "unknown": "?"},
        status=status_line(content),
        headline=headline(content),
        audit=None if (answer := answer_of(content.run, content.bounds)) is None else audit_view(content.run, answer),
        comparisons=(compared := comparison_views(content)),
        n_uncompared=len(comparisons(content.run.cells)) - len(compared),
        views=[_view(scenario, content) for scenario in content.drawn],
        first_place=_first(content.drawn),
        facts=facts(content, command),
        failures=listed,
        more_reasons=more,
        study=shown(as_toml(content.run.study), 20_000),
        betas=TABLE_BETAS,
        explained_rows=ROWS,
        hues=HUES,
        data=_data(content),
        style=part("page.css") + (part("confusions.css") if content.confusions else ""),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def templates() -> Environment:
    """Return the environment of the pages: what stands on them is escaped, and what is undefined is an error."""
    environment = Environment(
        loader=FunctionLoader(part), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters |= {"percent": percent, "number": number, "shown": shown}
    return environment


def part(name: str) -> str:
    """Return a file of the page: a template, its colours, its script."""
    return (files("backdoor_curves.report.page") / name).read_text(encoding="utf-8")


def _first(scenarios: Sequence[ShownScenario]) -> int:
    """Return the place of the scenario that is opened first: where most learners are safe, as the headline says.

    Where none is safe anywhere: the most settings, among equals the highest rate.
    """
    places = range(len(scenarios))
    n_safe = [sum(bool(learner.region.safe) for learner in scenario.learners) for scenario in scenarios]
    if any(n_safe):
        return n_safe.index(max(n_safe))
    return max(places, key=lambda k: (len(scenarios[k].shown), scenarios[k].scenario.rate, -k), default=0)


def _view(scenario: ShownScenario, content: Content) -> ScenarioView:
    among, kept, learners = [one.scenario for one in content.drawn], content.explanations, []
    for place, learner in enumerate(scenario.learners):
        name = f"s{scenario.number}-{place}"
        learners.append(
            LearnerView(
                learner=learner,
                name=learner_title(learner.learner),
                verdict=verdict(learner),
                accuracy_map=maps.accuracy_map(f"{name}-a", learner),
                attack_map=maps.attack_map(f"{name}-s", learner),
                certificate_map=maps.certificate_map(f"{name}-z", learner),
                table=settings_table(learner),
                curves=figures.curves(f"{name}-c", learner),
                deviations=figures.deviations(f"{name}-d", learner),
                compared=figures.compared_curves(learner),
                explanations=explained.explanations(f"{name}-e", learner, kept),
                explained=explained.compared_explanations(learner, kept),
                confusions=compared_confusions(learner, content.confusions),
            )
        )
    return ScenarioView(
        scenario,
        scenario_name(scenario.scenario, among),
        scenario_rest(scenario.scenario, among),
        learners,
        figures.frontier(f"s{scenario.number}-f", scenario),
        figures.slopes(f"s{scenario.number}-p", scenario),
    )


# --- the data of the script ------------------------------------------------------------------------------------------


def _data(content: Content) -> dict[str, Any]:
    """Return what the script draws from: scenarios, settings with their cells and curves, decision pictures."""
    shown_settings = [one.setting for scenario in content.drawn for one in scenario.shown]
    symbols = list(dict.fromkeys(symbol for one in shown_settings for symbol in symbols_of(one.hyperparameters)))
    return {
        "symbols": [shown(symbol, 120) for symbol in symbols],
        "learners": [learner_title(learner) for learner in content.learners],
        "scenarios": [
            {
                "number": one.number,
                **{name: shown(words, 120) for name, words in scenario_words(one.scenario).items()},
                "rate": one.scenario.rate,
                "start": _start(one),
            }
            for one in content.drawn
        ],
        "settings": [
            _setting(one, place, learner.number, symbols)
            for place, scenario in enumerate(content.drawn)
            for learner in scenario.learners
            for one in learner.shown
        ],
        "planes": {key: decision_picture(regions) for key, regions in content.planes.items()},
    }


def _start(scenario: ShownScenario) -> int | None:
    """Return the number of the setting that is shown first: the most accurate safe one, or the most accurate."""
    named = [one for learner in scenario.learners if (one := learner.of(learner.region.chosen or learner.region.best))]
    first = max(named, key=lambda one: (one.setting.safe, one.setting.clean_accuracy), default=None)
    return None if first is None else first.number


def _setting(one: ShownSetting, scenario: int, learner: int, symbols: Sequence[str]) -> dict[str, Any]:
    given = one.setting.hyperparameters
    values = dict(zip(symbols_of(given), given.values(), strict=True))
    return {
        "s": scenario,
        "l": learner,
        "at": [_said(values.get(symbol)) for symbol in symbols],
        "safe": one.setting.safe,
        "cells": [
            [cell.key, cell.seed, *(_round(cell.numbers.get(name)) for name in CELL_NUMBERS)]
            for cell in one.cells[: one.n_read]
        ],
        "curve": None if one.series is None else _curve(one.series),
    }


def _said(found: Any) -> Any:
    """Return a value of a hyperparameter as the script has it: numbers, words, and None where there is none."""
    return found if found is None or (isinstance(found, int | float) and not isinstance(found, bool)) else value(found)


CELL_NUMBERS = ("clean_accuracy_at_1", "asr_at_1", "theta", "half_loss_beta")


def _curve(series: Series) -> dict[str, Any]:
    lines: dict[str, Any] = {"b": [_round(float(beta)) for beta in series.betas], "seeds": series.n_seeds}
    for name, values in series.lines.items():
        shares = name.split()[0] in SHARES
        lines[SHORT[name]] = [round(float(v), 3) if shares else _round(float(v)) for v in values]
    return lines


def _round(value: Any, digits: int = DIGITS) -> Any:
    """Return a number in so many digits, without needless zeros behind the point, and rounding errors as 0."""
    if not isinstance(value, float):
        return value
    short = float(f"{value:.{digits}g}") if abs(value) > 1e-12 else 0.0
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
