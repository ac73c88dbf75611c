"""What is proved of the settings of an audit, whatever the attack: certified shares of a run, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from backdoor_curves.study.compute.quantities import CERTIFIED_ROWS, certified_share
from backdoor_curves.study.plan.names import setting_name
from backdoor_curves.study.plan.scenario import Setting
from backdoor_curves.study.store.stored_cell import StoredCell

SAID = (1, 10)
"""Appended rows of the sentence: one, and as many as somebody slips in by hand."""
Shares = Mapping[int, float]
"""Of the clean test rows that are right whatever so many appended rows do, by the number of rows."""


def certified_shares(cells: Sequence[StoredCell]) -> dict[Setting, Shares]:
    """Return the certified shares of each setting that has some, in the mean over its cells."""
    found: dict[Setting, dict[int, list[float]]] = {}
    for cell in cells:
        for m in CERTIFIED_ROWS:
            share = cell.numbers.get(certified_share(m))
            if share is not None:
                found.setdefault(cell.setting, {}).setdefault(m, []).append(share)
    return {setting: {m: float(np.mean(of_m)) for m, of_m in shares.items()} for setting, shares in found.items()}


def proved(certified: Mapping[Setting, Shares], settings: Sequence[Setting]) -> list[str]:
    """Return what is proved of some settings in a sentence; none where nothing is known of them.

    Examples
    --------
    >>> from backdoor_curves.report.tables.certified import proved
    >>> from backdoor_curves.study.plan.scenario import Learner, Setting
    >>> strong = Setting.of(Learner("logistic"), {"lambda": 100.0})
    >>> proved({strong: {1: 0.93, 10: 0.4}}, [strong])[0].split(": ")[1]
    'λ = 100 has at least 93.0 % of the clean test rows right with 1, 40.0 % with 10.'
    """
    said = []
    for setting in dict.fromkeys(settings):
        if shares := certified.get(setting):
            one, ten = (f"{100 * shares[m]:.1f} %" for m in SAID)
            at = setting_name(setting.values) or "as it is, it"
            said.append(f"{at} has at least {one} of the clean test rows right with {SAID[0]}, {ten} with {SAID[1]}")
    whatever = "Proved, whatever rows are appended (no longer than the longest training row, of any label)"
    return [f"{whatever}: {'; '.join(said)}."] if said else []
