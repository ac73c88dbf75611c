"""What an audit answers, of a run: fewest rows, worst attack, setting that resists, how sure it is; text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
from backdoor_curves.study.plan.scenario import Setting
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
    worst : Exposure
        The one of these that needs the fewest rows.
    chosen : Resistance or None
        The most accurate setting that resists all attacks; None if none does.
    sturdiest : Resistance
        The setting that withstands the most rows, of those about as accurate as the best.
    given : Resistance
        The user's own setting.
    alone : list of Exposure
        Attacks, of the user's own setting, whose trigger gets that share of all triggered rows without any poison.
    n_drawn : int or None
        Training rows drawn for a seed; None where all were taken.
    n_seeds, n_test : int
        Seeds compared, and triggered test rows of a seed; 0 where these are not known.
    n_done, n_cells : int
        Curves that are done or failed, and all: the rest may change the answer.
    """

    asr: float
    bounds: Bounds
    as_given: Setting
    own: list[Exposure[str, Setting]] = field(repr=False)
    worst: Exposure[str, Setting]
    chosen: Resistance[Setting] | None
    sturdiest: Resistance[Setting]
    given: Resistance[Setting]
    alone: list[Exposure[str, Setting]] = field(repr=False)
    n_drawn: int | None
    n_seeds: int
    n_test: int
    n_done: int
    n_cells: int

    @property
    def judged(self) -> list[Exposure[str, Setting]]:
        """The attacks on the user's own setting that need poison; all if none does."""
        return _needing_poison(self.own, self.alone)

    @property
    def fewest(self) -> Dose | None:
        """The fewest rows that were tried and get the attacker a backdoor; None if none of them does."""
        return self.worst.to_reach(self.asr)


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
    judged = _needing_poison(own, alone)
    met = resistances([one for one in found if one.attack in {other.attack for other in judged}], bounds)
    triggered = [cell.numbers.get("n_triggered") for cell in run.cells if cell.setting == as_given]
    return Answer(
        asr=audit.asr,
        bounds=bounds,
        as_given=as_given,
        own=own,
        worst=worst_of(judged, audit.asr),
        chosen=chosen_of(met, bounds),
        sturdiest=sturdiest_of(met, bounds),
        given=next((one for one in met if one.setting == as_given), met[0]),
        alone=alone,
        n_drawn=run.study.experiments[0].data[0].n_train,
        n_seeds=len(own[0].doses[0].found),
        n_test=max((int(n) for n in triggered if n), default=0),
        n_done=len(run.cells),
        n_cells=run.n_cells,
    )


def _needing_poison(
    own: list[Exposure[str, Setting]], alone: list[Exposure[str, Setting]]
) -> list[Exposure[str, Setting]]:
    return [one for one in own if one not in alone] or own


def _as_given(audit: AuditConfig, settings: Sequence[Setting]) -> Setting:
    """Return the setting that the file names, or the first."""
    wanted = dict(audit.as_given)
    fits = (one for one in settings if all(one.values.get(name) == value for name, value in wanted.items()))
    return next(fits, settings[0])


# --- in words --------------------------------------------------------------------------------------------------------


def in_sentences(answer: Answer) -> list[str]:
    """Return the answer in a few sentences: how few rows, which setting, what is meant, and how sure it is."""
    return [
        _exposed(answer),
        _resists(answer),
        _meant(answer),
        *_not_judged(answer),
        *_to_come(answer),
        _sure(answer),
    ]


def _exposed(answer: Answer) -> str:
    dose, who = answer.fewest, f"{learner_title(answer.as_given.learner)} ({setting_name(answer.as_given.values)})"
    if dose is None:
        most = max(answer.judged, key=lambda one: one.worst.success)
        tried = ", ".join(str(one.rows) for one in answer.worst.doses)
        return (
            f"No number of poisoned rows that was tried ({tried}) backdoors {who}; the most successful, "
            f"{_rows(most.worst.rows)} ({most.attack}), {_raise(most.worst.rows)} the attacker's share of the "
            f"triggered rows from {_percent(most.worst.asr_without)} to {_rate(most.worst)}."
        )
    return (
        f"{_rows(dose.rows).capitalize()} {'backdoors' if dose.rows == 1 else 'backdoor'} {who}: the attacker's share "
        f"of the triggered rows goes from {_percent(dose.asr_without)} to {_rate(dose)} (attack: "
        f"{answer.worst.attack}), and clean accuracy from {_percent(answer.given.clean_accuracy)} to "
        f"{_percent(dose.clean_accuracy)}."
    )


def _resists(answer: Answer) -> str:
    most = max(dose.rows for one in answer.own for dose in one.doses)
    if answer.chosen is None:
        sturdy, given = answer.sturdiest, answer.given
        ours = f"; {setting_name(given.setting.values)} {_holds(given)}" if sturdy.setting != given.setting else ""
        return (
            f"No setting that was tried resists {_rows(most)} at a clean accuracy within "
            f"{100 * answer.bounds.margin:g} points of the best. {setting_name(sturdy.setting.values)} "
            f"{_holds(sturdy)}, at a clean accuracy of {_percent(sturdy.clean_accuracy)}{ours}."
        )
    chosen, cost = answer.chosen, answer.given.clean_accuracy - answer.chosen.clean_accuracy
    if chosen.setting == answer.as_given:
        return (
            f"It resists as it is: up to {_rows(most)} of any attack get the attacker no more than "
            f"{_percent(chosen.success)} of the rest, and no setting that resists is more accurate."
        )
    price = "costs no clean accuracy" if cost < 5e-4 else f"costs {100 * cost:.1f} points of clean accuracy"
    return (
        f"{setting_name(chosen.setting.values)} resists: up to {_rows(most)} of any attack get the attacker no more "
        f"than {_percent(chosen.success)} of the rest, where at {setting_name(answer.as_given.values)} they get "
        f"{_percent(answer.given.success)}; it {price} ({_percent(answer.given.clean_accuracy)} to "
        f"{_percent(chosen.clean_accuracy)})."
    )


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
    if len(answer.alone) == len(answer.own):
        return [f"Without any poison the triggers alone get that far: {shares}. Little above is the poison's doing."]
    return [f"Not judged, for the trigger alone gets that far without any poison: {shares}."]


def _to_come(answer: Answer) -> list[str]:
    if answer.n_done == answer.n_cells:
        return []
    return [f"Stopped early: {answer.n_done} of {answer.n_cells} curves are done, and the rest may change all of this."]


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


def _raise(n: int) -> str:
    return "raises" if n == 1 else "raise"


def _rate(dose: Dose) -> str:
    low, high = bootstrap_interval(dose.values("asr"))
    return _percent(dose.asr) + (f" [{100 * low:.0f}, {100 * high:.0f}]" if np.isfinite(low) else "")


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
    fewest = answer.fewest
    return {
        "schema": SCHEMA,
        "asr": answer.asr,
        "bounds": {"asr": answer.bounds.asr, "margin": answer.bounds.margin},
        "learner": learner_title(answer.as_given.learner),
        "as_given": dict(answer.as_given.values),
        "needs_no_poison": [one.attack for one in answer.alone],
        "worst_attack": answer.worst.attack,
        "fewest_rows": None if fewest is None else fewest.rows,
        "attacks": [
            {
                "attack": one.attack,
                "asr_without_poison": one.asr_without,
                "doses": [_dose(dose) for dose in one.doses],
            }
            for one in answer.own
        ],
        "resists": None if answer.chosen is None else _resistance(answer.chosen),
        "sturdiest": _resistance(answer.sturdiest),
        "given": _resistance(answer.given),
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
        "clean_accuracy": dose.clean_accuracy,
        "cost": dose.cost,
    }


def _resistance(found: Resistance[Setting]) -> dict[str, Any]:
    return {
        "setting": dict(found.setting.values),
        "clean_accuracy": found.clean_accuracy,
        "worst_success": found.success,
        "rows_withstood": found.rows,
    }
