"""What an audit answers, of a run: the fewest rows, the worst attack, the setting that resists, and what is proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from backdoor_curves.report.tables.certified import Shares, certified_shares
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
from backdoor_curves.study.plan.names import attack_name
from backdoor_curves.study.plan.scenario import Scenario, Setting
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

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
