"""What an audit answers in sentences: how much is done, how few rows, which setting resists, how sure it is."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from backdoor_curves.report.tables.certified import proved
from backdoor_curves.report.tables.exposure import Answer, Verdict
from backdoor_curves.search.exposure import Dose, Resistance
from backdoor_curves.study.plan.names import learner_title, setting_name
from backdoor_curves.study.plan.scenario import Setting
from backdoor_curves.study.store.statistics import bootstrap_interval

SEEN = 5e-4
"""Differences of accuracy below it are 0.0 points as they are written."""


def in_sentences(answer: Answer) -> list[str]:
    """Return the answer in a few sentences: how much is done, how few rows, which setting, what is meant, how sure."""
    said = _to_come(answer)
    if answer.verdict is None:
        said.append(f"Nothing can be judged of {_who(answer)}.")
    else:
        said += [_exposed(answer, answer.verdict), _resists(answer, answer.verdict), _meant(answer)]
    return [*said, *_proved(answer), *_not_judged(answer), _sure(answer)]


def _proved(answer: Answer) -> list[str]:
    """Return what is proved of the setting that resists best, and of the user's own."""
    verdict = answer.verdict
    best = [] if verdict is None else [(verdict.chosen or verdict.sturdiest).setting]
    return proved(answer.certified, [*best, answer.as_given])


def _who(answer: Answer) -> str:
    values = setting_name(answer.as_given.values)
    learner = replace(answer.as_given.learner, steps=())  # the page says them elsewhere
    return learner_title(learner) + (f" ({values})" if values else "")


def _exposed(answer: Answer, verdict: Verdict) -> str:
    dose = verdict.worst.to_reach(answer.asr)
    if dose is None:
        most = max(verdict.judged, key=lambda one: one.worst.success)
        tried = ", ".join(str(one.rows) for one in verdict.worst.doses)
        best = most.worst
        return f"No number of poisoned rows that was tried ({tried}) backdoors {_who(answer)}; " + (
            f"the most successful, {_rows(best.rows)} of the attack {most.attack!r}, {_get(best.rows)} the attacker "
            f"{_percent(best.success)} of the rest: {_from_to(best)} of the triggered rows."
            if best.success > 0.0
            else "none of them gets the attacker more of the triggered rows than no poison does."
        )
    return (
        f"{_rows(dose.rows).capitalize()} {'backdoors' if dose.rows == 1 else 'backdoor'} {_who(answer)}: the "
        f"attacker's share of the triggered rows goes {_from_to(dose)} (attack: {verdict.worst.attack}), "
        f"and clean accuracy from {_percent(verdict.given.clean_accuracy)} to {_percent(dose.clean_accuracy)}."
    )


def _resists(answer: Answer, verdict: Verdict) -> str:
    most = max(dose.rows for one in verdict.judged for dose in one.doses)
    chosen, given, attacks = verdict.chosen, verdict.given, _these(answer, verdict)
    if chosen is None:
        sturdy = verdict.sturdiest
        ours = f"; {setting_name(given.setting.values)} {_holds(given)}" if sturdy.setting != given.setting else ""
        return (
            f"No setting that was tried resists {_rows(most)} at a clean accuracy within "
            f"{100 * answer.bounds.margin:g} points of the best: {setting_name(sturdy.setting.values)} "
            f"{_holds(sturdy)}, at a clean accuracy of {_percent(sturdy.clean_accuracy)}{ours}."
        )
    other = f"{setting_name(chosen.setting.values)}"
    if given.success <= answer.bounds.asr:
        better = chosen.clean_accuracy - given.clean_accuracy
        more = f"; {other} resists as well and is {100 * better:.1f} points more accurate" if better >= SEEN else ""
        return (
            f"It resists as it is: up to {_rows(most)} of {attacks} get the attacker no more than "
            f"{_percent(given.success)} of the rest{more}."
        )
    cost = given.clean_accuracy - chosen.clean_accuracy
    price = "costs no clean accuracy" if cost < SEEN else f"costs {100 * cost:.1f} points of clean accuracy"
    return (
        f"{other} resists: up to {_rows(most)} of {attacks} get the attacker no more than {_percent(chosen.success)} "
        f"of the rest, where at {setting_name(given.setting.values)} they get {_percent(given.success)}; it {price} "
        f"({_percent(given.clean_accuracy)} to {_percent(chosen.clean_accuracy)})."
    )


def _these(answer: Answer, verdict: Verdict) -> str:
    """Return which attacks a verdict is of."""
    if len(verdict.judged) == 1:
        return f"the one attack that is judged ({verdict.judged[0].attack})"
    if answer.alone or answer.missing:
        return f"any of the {len(verdict.judged)} attacks that are judged"
    return "any attack of the panel"


def _meant(answer: Answer) -> str:
    return (
        "The rest is the triggered rows that the attacker does not get without poison: a backdoor is at least "
        f"{_percent(answer.asr)} of it, and what resists gives him at most {_percent(answer.bounds.asr)}."
    )


def _not_judged(answer: Answer) -> list[str]:
    """Return of which attacks the trigger alone is enough: what needs no poison is no backdoor."""
    if not answer.alone:
        return []
    shares = ", ".join(f"{one.attack} ({_percent(one.asr_without)})" for one in answer.alone)
    return [f"Not judged, for the trigger alone gets that far without any poison: {shares}."]


def _to_come(answer: Answer) -> list[str]:
    """Return how much is not done; it comes first, since what is missing may be what counts."""
    if answer.n_done == answer.n_cells:
        return []
    missing = f"; nothing is known of {', '.join(answer.missing)}" if answer.missing else ""
    done = f"{answer.n_done} of {answer.n_cells} curves are done"
    return [f"Stopped early: {done}, and the rest may change all of this{missing}."]


def _holds(found: Resistance[Setting]) -> str:
    return f"holds with up to {_rows(found.rows)}" if found.rows else "does not hold with the fewest that were tried"


def _sure(answer: Answer) -> str:
    seeds = "1 seed" if answer.n_seeds == 1 else f"{answer.n_seeds} seeds"
    drawn = f", each with {answer.n_drawn} training rows drawn of all" if answer.n_drawn else ""
    tested = f", up to {answer.n_test} triggered test rows each" if answer.n_test else ""
    between = (
        "one draw says nothing of others: run more seeds"
        if answer.n_seeds == 1
        else "in brackets the 95 % bootstrap interval of the mean over seeds, too narrow for so few"
    )
    return (
        f"Means over {seeds}{drawn}{tested}; {between}. Between two numbers of rows nothing was tried, and "
        "another attack may need fewer."
    )


def _rows(n: int) -> str:
    return "1 poisoned row" if n == 1 else f"{n} poisoned rows"


def _get(n: int) -> str:
    return "gets" if n == 1 else "get"


def _from_to(dose: Dose) -> str:
    low, high = bootstrap_interval(dose.values("asr"))
    between = f" [{100 * low:.0f}, {100 * high:.0f}]" if np.isfinite(low) else ""
    return f"from {_percent(dose.asr_without)} to {_percent(dose.asr)}{between}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
