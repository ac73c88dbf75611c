"""What an audit answers as numbers: a table of attacks by rows, and JSON for programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from backdoor_curves.report.tables.exposure import Answer
from backdoor_curves.search.exposure import Dose, Resistance
from backdoor_curves.study.plan.names import learner_title
from backdoor_curves.study.plan.scenario import Setting
from backdoor_curves.study.store.statistics import bootstrap_interval

SCHEMA = 1
"""Of `as_json`; a key that changes its meaning raises it, a new key does not."""


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
