"""What an audit answers, of a run: fewest rows, worst attack, setting that resists, how sure it is; text and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec.structs import replace

from backdoor_curves.report.tables.certified import Shares, certified_shares, proved
from backdoor_curves.search.exposure import (
    Dose,
    Exposure,
    Rates,
    Resistance,
    chosen_of,
    exposures,
    resistances,
    sturdiest_of,
    worst_of,
)
from backdoor_curves.search.safe_region import Bounds
from backdoor_curves.study.file.config import AuditConfig
from backdoor_curves.study.plan.names import attack_name, learner_title, setting_name
from backdoor_curves.study.plan.scenario import Scenario, Setting
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.statistics import bootstrap_interval
from backdoor_curves.study.store.stored_cell import StoredCell

SCHEMA = 1
"""Of `as_json`; a key that changes its meaning raises it, a new key does not."""
RATES = {
    "asr": "asr_at_1",
    "clean_accuracy": "clean_accuracy_at_1",
    "asr_without": "asr_at_0",
    "clean_accuracy_without": "clean_accuracy_at_0",
}
"""The quantities of a cell that are its rates."""
SEEN = 5e-4
"""Differences of accuracy below it are 0.0 points as they are written."""


@dataclass(frozen=True)
class DoseCell:
    """A cell as a trial of so many poisoned rows; its attack is named as in tables."""

    cell: StoredCell

    @property
    def attack(self) -> str:
        """What tables call it."""
        return attack_name(self.cell.scenario)

    @property
    def setting(self) -> Setting:
        """Its learner and hyperparameters."""
        return self.cell.setting

    @property
    def rows(self) -> int:
        """Poisoned training rows; 0 where it is not done."""
        return int(self.cell.numbers.get("n_poison") or 0)

    @property
    def seed(self) -> int:
        """Of rows, trigger and poison."""
        return self.cell.seed

    @property
    def rates(self) -> Rates | None:
        """What came of it; None where it failed."""
        found = {name: self.cell.numbers.get(quantity) for name, quantity in RATES.items()}
        return None if None in found.values() else Rates(**found)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Verdict:
    """What is concluded of the attacks that need poison.

    Parameters
    ----------
    judged : list of Exposure
        Of the user's own setting: the attacks whose trigger alone is not enough.
    worst : Exposure
        The one of these that needs the fewest rows.
    chosen : Resistance or None
        The most accurate setting that resists them all; None if none does.
    sturdiest : Resistance
        The setting that withstands the most rows, of those about as accurate as the best.
    given : Resistance
        The user's own setting.
    """

    judged: list[Exposure[str, Setting]] = field(repr=False)
    worst: Exposure[str, Setting]
    chosen: Resistance[Setting] | None
    sturdiest: Resistance[Setting]
    given: Resistance[Setting]


@dataclass(frozen=True)
class Answer:
    """What an audit says of a learner.

    Parameters
    ----------
    asr : float
        The success of the poison that counts as a backdoor.
    bounds : Bounds
        What resists.
    as_given : Setting
        The user's own.
    own : list of Exposure
        Of that setting, an attack each.
    verdict : Verdict or None
        None where every trigger that was tried is enough without poison.
    alone : list of Exposure
        Attacks, of the user's own setting, whose trigger gets that share of all triggered rows without any poison.
    missing : list of str
        Attacks of which nothing is done.
    n_drawn : int or None
        Training rows drawn for a seed; None where all were taken.
    n_seeds, n_test : int
        Seeds compared, and triggered test rows of a seed; 0 where these are not known.
    n_done, n_cells : int
        Curves that are done or failed, and all: the rest may change the answer.
    certified : mapping of Setting to Shares
        What is proved of settings, where the study keeps certificates.
    """

    asr: float
    bounds: Bounds
    as_given: Setting
    own: list[Exposure[str, Setting]] = field(repr=False)
    verdict: Verdict | None
    alone: list[Exposure[str, Setting]] = field(repr=False)
    missing: list[str]
    n_drawn: int | None
    n_seeds: int
    n_test: int
    n_done: int
    n_cells: int
    certified: Mapping[Setting, Shares] = field(default_factory=dict, repr=False)

    @property
    def fewest(self) -> Dose | None:
        """The fewest rows that were tried and get the attacker a backdoor; None if none of them does."""
        return None if self.verdict is None else self.verdict.worst.to_reach(self.asr)

    @property
    def is_whole(self) -> bool:
        """Whether every curve is done and some attack could be judged."""
        return self.verdict is not None and self.n_done == self.n_cells


def answer_of(run: Run, bounds: Bounds) -> Answer | None:
    """Return what the run of a study with `[audit]` answers; None without it, or as long as nothing is done.

    Parameters
    ----------
    run : Run
    bounds : Bounds
        What resists: no poison has more success than `asr`, at no more than the margin under the best accuracy.
    """
    audit = run.study.audit
    found = [] if audit is None else exposures([DoseCell(cell) for cell in run.cells if cell.status == "done"])
    if audit is None or not found:
        return None
    as_given = _as_given(audit, [one.setting for one in found])
    own = [one for one in found if one.setting == as_given]
    alone = [one for one in own if one.asr_without >= audit.asr]
    judged = [one for one in own if one not in alone]
    met = resistances([one for one in found if one.attack in {other.attack for other in judged}], bounds)
    triggered = [cell.numbers.get("n_triggered") for cell in run.cells if cell.setting == as_given]
    return Answer(
        asr=audit.asr,
        bounds=bounds,
        as_given=as_given,
        own=own,
        verdict=_verdict(judged, met, audit.asr, bounds) if judged else None,
        alone=alone,
        missing=sorted(_attacks(run) - {one.attack for one in own}),
        n_drawn=run.study.experiments[0].data[0].n_train,
        n_seeds=len(own[0].doses[0].found),
        n_test=max((int(n) for n in triggered if n), default=0),
        n_done=len(run.cells),
        n_cells=run.n_cells,
        certified=certified_shares([cell for cell in run.cells if cell.status == "done"]),
    )


def _verdict(
    judged: list[Exposure[str, Setting]], met: list[Resistance[Setting]], asr: float, bounds: Bounds
) -> Verdict:
    given = next(one for one in met if one.setting == judged[0].setting)
    return Verdict(judged, worst_of(judged, asr), chosen_of(met, bounds), sturdiest_of(met, bounds), given)


def _attacks(run: Run) -> set[str]:
    """Return the attacks that a study names."""
    return {
        attack_name(Scenario(one.data[0], None, None, one.rates[0], entry.attack))
        for one in run.study.experiments
        for entry in one.attacks
    }


def _as_given(audit: AuditConfig, settings: Sequence[Setting]) -> Setting:
    """Return the setting that the file names; or, where nothing of it is done, the first."""
    wanted = dict(audit.as_given)
    fits = (one for one in settings if all(one.values.get(name) == value for name, value in wanted.items()))
    return next(fits, settings[0])


# --- in words --------------------------------------------------------------------------------------------------------


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
            f"{100 * answer.bounds.margin:g} points of the best. {setting_name(sturdy.setting.values)} "
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


# --- as a table and as JSON ------------------------------------------------------------------------------------------


def as_text(answer: Answer) -> str:
    """Return the success rate of each attack by rows, without poison first, in per cent, for the setting as given."""
    rows = sorted({dose.rows for one in answer.own for dose in one.doses})
    width = max(len("attack"), *(len(one.attack) for one in answer.own))
    lines = ["ASR in %, by poisoned rows", f"{'attack':<{width}}" + "".join(f"{n:>8}" for n in (0, *rows))]
    for one in answer.own:
        by_rows = {0: f"{100 * one.asr_without:.1f}"} | {dose.rows: f"{100 * dose.asr:.1f}" for dose in one.doses}
        lines.append(f"{one.attack:<{width}}" + "".join(f"{by_rows.get(n, '–'):>8}" for n in (0, *rows)))
    return "\n".join(lines)


def as_json(answer: Answer) -> dict[str, Any]:
    """Return the answer as a table of plain values; `docs/howto/audit.md` says what each key is."""
    fewest, verdict = answer.fewest, answer.verdict
    return {
        "schema": SCHEMA,
        "asr": answer.asr,
        "bounds": {"asr": answer.bounds.asr, "margin": answer.bounds.margin},
        "learner": learner_title(answer.as_given.learner),
        "as_given": dict(answer.as_given.values),
        "needs_no_poison": [one.attack for one in answer.alone],
        "not_tried": answer.missing,
        "worst_attack": None if verdict is None else verdict.worst.attack,
        "fewest_rows": None if fewest is None else fewest.rows,
        "attacks": [
            {
                "attack": one.attack,
                "asr_without_poison": one.asr_without,
                "doses": [_dose(dose) for dose in one.doses],
            }
            for one in answer.own
        ],
        "resists": None if verdict is None else _resistance(answer, verdict.chosen),
        "sturdiest": None if verdict is None else _resistance(answer, verdict.sturdiest),
        "given": None if verdict is None else _resistance(answer, verdict.given),
        "n_done": answer.n_done,
        "n_curves": answer.n_cells,
        "n_drawn": answer.n_drawn,
        "n_seeds": answer.n_seeds,
        "n_triggered": answer.n_test,
    }


def _dose(dose: Dose) -> dict[str, Any]:
    low, high = bootstrap_interval(dose.values("asr"))
    return {
        "rows": dose.rows,
        "success": dose.success,
        "asr": dose.asr,
        "asr_low": low if np.isfinite(low) else None,
        "asr_high": high if np.isfinite(high) else None,
        "asr_without": dose.asr_without,
        "clean_accuracy": dose.clean_accuracy,
        "cost": dose.cost,
    }


def _resistance(answer: Answer, found: Resistance[Setting] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    certified = answer.certified.get(found.setting)
    return {
        "setting": dict(found.setting.values),
        "clean_accuracy": found.clean_accuracy,
        "worst_success": found.success,
        "rows_withstood": found.rows,
        "certified": None if certified is None else {str(m): share for m, share in certified.items()},
    }
