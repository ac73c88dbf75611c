"""What the paper says of clean accuracy, tested: how high it is, and that poison does not change it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backdoor_curves.paper.claims.claim import NAN, RATE, Cells, Claim, Measured, by_share, grouped, varying
from backdoor_curves.paper.numbers.published_files import SlopeFile
from backdoor_curves.study.plan.names import attack_name, data_name, learner_name
from backdoor_curves.study.plan.scenario import Learner

HIGH_ACCURACY = 0.9
MOSTLY = 0.95
"""The share of cells that has to be above it for the claim to hold in part."""
EXCEPTION, EXCEPTION_GAMMA, EXCEPTION_LAMBDA = 0.75, 5e-2, 10.0
"""The clean accuracy that the paper's text grants to one setting of the RBF machine."""
ABOUT = 0.05
"""How far from it is still that accuracy."""
UNCHANGED = 0.01
"""One percentage point: five of 500 test rows, less than twice the standard error of an accuracy of .98."""
Accuracy = tuple[float | None, float, float]
"""Gamma, lambda, and the clean accuracy there."""


def clean_accuracy_is_high(cells: Cells, published: Sequence[SlopeFile] = ()) -> list[Claim]:
    """Return, for each data set and trigger, the claims on clean accuracy without poison, and on its one exception.

    Of cells it is that at beta = 0, of the rows that are not poisoned; of a published file `clf_acc`, of all rows.
    """
    claims = []
    known = [cell for cell in cells if cell.numbers.get("clean_accuracy_at_0") is not None]
    for (data, _), group in grouped(known, lambda cell: (cell.scenario.data, cell.scenario.trigger)).items():
        found = [(cell.setting.gamma, cell.setting.lam, cell.numbers["clean_accuracy_at_0"]) for cell in group]
        claims += _accurate(f"{data_name(data)}, {attack_name(group[0].scenario)}: at beta = 0", found)
    files: dict[str, list[Accuracy]] = {}
    for file in published:
        about = f"mnist {file.pair[0]}-{file.pair[1]}, random {file.size} x {file.size}: published, of all rows"
        for at, numbers in file.rows.items():
            files.setdefault(about, []).append((at.gamma, 1 / at.C, numbers.clf_acc))
    return claims + [claim for about, found in files.items() for claim in _accurate(about, found)]


def clean_accuracy_stays(cells: Cells) -> list[Claim]:
    """Return the claim that the victim's clean accuracy does not change with the rate, at equal setting and seed."""
    changes: dict[Learner, list[float]] = {}
    for group in varying(cells, RATE, "clean_accuracy_at_1"):
        values = [cell.numbers["clean_accuracy_at_1"] for cell in group]
        changes.setdefault(group[0].learner, []).append(max(values) - min(values))
    if not changes:
        return []
    every = [change for found in changes.values() for change in found]
    return [
        Claim(
            "clean accuracy stays with more poison",
            "all learners",
            "The accuracy on clean rows does not depend on how many rows are poisoned.",
            tuple(
                Measured(f"{learner_name(learner)}: largest change", max(found), NAN, NAN, len(found))
                for learner, found in changes.items()
            ),
            f"the largest change over the rates is at most {UNCHANGED:g} at every setting; in part: at half of them",
            by_share([change <= UNCHANGED + 1e-12 for change in every]),
        )
    ]


def _accurate(about: str, found: Sequence[Accuracy]) -> list[Claim]:
    def excepted(gamma: float | None, lam: float) -> bool:
        near = np.isclose([gamma or NAN, lam], [EXCEPTION_GAMMA, EXCEPTION_LAMBDA], rtol=1e-6)
        return bool(near.all())

    there = [accuracy for gamma, lam, accuracy in found if excepted(gamma, lam)]
    elsewhere = [accuracy for gamma, lam, accuracy in found if not excepted(gamma, lam)]
    claims = []
    if elsewhere:
        above = float(np.mean([accuracy > HIGH_ACCURACY for accuracy in elsewhere]))
        claims.append(
            Claim(
                "clean accuracy above 90 %",
                about,
                "Without poison all settings but one are more than 90 % accurate on clean rows.",
                (
                    Measured("least", min(elsewhere), NAN, NAN, len(elsewhere)),
                    Measured("share of cells above .9", above, NAN, NAN, len(elsewhere)),
                ),
                f"every cell is above {HIGH_ACCURACY:g}; in part: {MOSTLY:.0%} of them",
                "holds" if above == 1 else "holds in part" if above >= MOSTLY else "does not hold",
            )
        )
    if there:
        mean = float(np.mean(there))
        claims.append(
            Claim(
                "75 % at one setting",
                about,
                "At gamma = .05 and lambda = 10 the clean accuracy is only 75 %.",
                (Measured("mean", mean, NAN, NAN, len(there)),),
                f"the mean is within {ABOUT:g} of {EXCEPTION:g}",
                "holds" if abs(mean - EXCEPTION) <= ABOUT else "does not hold",
            )
        )
    return claims
