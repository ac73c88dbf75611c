"""What the paper concludes, tested on the cells of runs: a claim, what was measured, and a verdict by a stated rule.

`claims_of` tests all that some runs can; the other functions take cells as `Run.cells` has them. Slopes here are
derivatives at the optimum, not the published column; where published files are given, their numbers stand beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from backdoor_curves.paper.claims.accuracy_claims import clean_accuracy_is_high, clean_accuracy_stays
from backdoor_curves.paper.claims.claim import (
    LAMBDA,
    NAN,
    RATE,
    Axis,
    Cells,
    Claim,
    Measured,
    by_share,
    grouped,
    varying,
)
from backdoor_curves.paper.claims.rank_correlation import rank_correlation
from backdoor_curves.paper.numbers.published_files import SlopeFile
from backdoor_curves.poisoning.paper_protocol import SEED
from backdoor_curves.search.safe_region import Bounds, SafeRegion, safe_regions
from backdoor_curves.study.plan.names import attack_name, data_name, learner_name
from backdoor_curves.study.plan.scenario import Learner, Scenario
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.statistics import bootstrap_interval

DEVIATION_RATE = 0.1
"""The rate of the paper's deviations."""
SIGNIFICANT = 1.1
"""A norm that grows by a tenth or less does not grow significantly."""
TWICE = 2.0
"""The share of the gradient that makes a peak, over the trigger's share of the image."""


@dataclass(frozen=True)
class Growth:
    """How the norm of w grows from beta = 0 to 1 in one cell: norm(1) / norm(0)."""

    learner: Learner
    ratio: float


@dataclass(frozen=True)
class TriggerShare:
    """The share of a model's input gradients inside the trigger, in [0, 1]: clean model, poisoned one, and its area."""

    about: str
    clean: float
    poisoned: float
    area: float
    n: int


def claims_of(
    runs: Sequence[Run], published: Sequence[SlopeFile] = (), shares: Sequence[TriggerShare] = ()
) -> list[Claim]:
    """Return all claims that runs of `paper-mnist` can test, in the paper's order.

    Parameters
    ----------
    runs : sequence of Run
        Cells of seed 999 are those of the curves, the others those of the slopes. Failed cells are left out.
    published : sequence of SlopeFile, optional
        Their numbers are tested too, as claims of their own.
    shares : sequence of TriggerShare, optional
        Of the explanations.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.paper.claims.conclusions import claims_of
    >>> for claim in claims_of([bc.load_run("runs/paper-mnist")]):  # doctest: +SKIP
    ...     print(claim.verdict, claim.name, claim.about, *claim.measured, sep="; ")
    """
    cells = [cell for run in runs for cell in run.cells]
    slopes, curves = ([cell for cell in cells if (cell.seed == SEED) is of_curves] for of_curves in (False, True))
    return [
        *smaller_lambda_steepens(curves),
        *more_poison_steepens(curves),
        *clean_accuracy_stays(curves),
        *slope_rises_with_asr(slopes, published),
        *safe_region_exists(slopes),
        *small_lambda_and_gamma_resist(slopes),
        *clean_accuracy_is_high(slopes, published),
        *linear_norms_grow([one for run in runs for one in growths_of(run)]),
        *weights_peak_at_the_trigger(shares),
    ]


def growths_of(run: Run) -> list[Growth]:
    """Return the growth of each curve of seed 999 and a rate of .1, from the curves that the run has kept."""
    found = []
    for cell in run.cells:
        of_deviations = (cell.seed, cell.scenario.rate) == (SEED, DEVIATION_RATE)
        if cell.status == "done" and of_deviations and run.keeps_curve(cell):
            start, end = run.curve(cell).norm([0.0, 1.0])
            found.append(Growth(cell.learner, float(end / start)))
    return found


def slope_rises_with_asr(cells: Cells, published: Sequence[SlopeFile] = ()) -> list[Claim]:
    """Return a claim for each learner on each data and trigger: Spearman's correlation of theta with the ASR.

    With published files also that of the published theta with the published ASR, of the rows that the figures show.
    """
    claims = []
    known = [cell for cell in cells if cell.numbers.get("theta") is not None and cell.asr is not None]
    places = grouped(known, lambda cell: (cell.learner, cell.scenario.data, cell.scenario.trigger))
    for (learner, data, _), group in places.items():
        about = f"{learner_name(learner)}, {data_name(data)}, {attack_name(group[0].scenario)}: true slope"
        claims.append(_rises(about, [(cell.numbers["theta"], cell.numbers["asr_at_1"], cell.seed) for cell in group]))
    for file in published:
        shown = [(row.theta, row.clfp_acc_on_backdoor, at.seed) for at, row in file.rows.items() if row.theta > 0]
        if shown:
            pair = f"mnist {file.pair[0]}-{file.pair[1]}, random {file.size} x {file.size}"
            claims.append(_rises(f"{file.learner}, {pair}: published slope", shown))
    return claims


def smaller_lambda_steepens(cells: Cells) -> list[Claim]:
    """Return the claim that the curve falls faster where lambda is smaller, at equal rate, gamma and seed."""
    return _steeper(
        cells,
        LAMBDA,
        "smaller lambda, steeper curve",
        "With less regularisation the backdoor is learned at a lower weight of the poison.",
    )


def more_poison_steepens(cells: Cells) -> list[Claim]:
    """Return the claim that the curve falls faster where the rate is larger, at equal lambda, gamma and seed."""
    return _steeper(
        cells,
        RATE,
        "more poison, steeper curve",
        "With a larger share of poisoned rows the curve is steeper.",
    )


def safe_region_exists(cells: Cells, bounds: Bounds | None = None) -> list[Claim]:
    """Return a claim for each learner, data set and trigger: whether settings are accurate and hardly attacked."""
    return [_safe(region) for region in safe_regions(cells, bounds)]


def linear_norms_grow(growths: Sequence[Growth]) -> list[Claim]:
    """Return the claims that |w| of linear learners grows with the poison's weight, and that of RBF machines hardly."""
    linear = [one for one in growths if one.learner.kind != "rbf-svm"]
    rbf = [one for one in growths if one.learner.kind == "rbf-svm"]
    claims = []
    if linear:
        claims.append(
            Claim(
                "linear learners grow",
                "all linear learners",
                "A linear learner has to become more complex, its weights larger, to take the backdoor in.",
                _ratios(linear),
                "norm(1) > norm(0) in every cell; in part: in half of them",
                by_share([one.ratio > 1 for one in linear]),
            )
        )
    if rbf:
        hardly = [one.ratio <= SIGNIFICANT for one in rbf]
        claims.append(
            Claim(
                "RBF machines do not grow",
                "RBF machines",
                "A flexible kernel machine takes the backdoor in without larger weights worth speaking of.",
                (*_ratios(rbf), Measured("share that hardly grows", float(np.mean(hardly)), NAN, NAN, len(rbf))),
                f"norm(1) <= {SIGNIFICANT} norm(0) in every cell; in part: in half of them",
                by_share(hardly),
            )
        )
    return claims


def small_lambda_and_gamma_resist(cells: Cells) -> list[Claim]:
    """Return, for each data set and trigger, the claims that small lambda, and small gamma, keep the ASR low.

    The paper calls both strong regularisation, which is a large lambda: it multiplies the penalty.
    """
    claims = []
    for (data, _), group in grouped(cells, lambda cell: (cell.scenario.data, cell.scenario.trigger)).items():
        about = f"{data_name(data)}, {attack_name(group[0].scenario)}"
        claims += [_resists(name, about, group) for name in ("lambda", "gamma")]
    return [claim for claim in claims if claim is not None]


def weights_peak_at_the_trigger(shares: Sequence[TriggerShare]) -> list[Claim]:
    """Return, for each pair of models, the claim that the poisoned one looks at the trigger, the clean one not."""
    return [
        Claim(
            "weights peak at the trigger",
            one.about,
            "The poisoned model's weights are large where the trigger is, and the clean model's are not.",
            (
                Measured("share of the clean model's gradient", one.clean, NAN, NAN, one.n),
                Measured("share of the poisoned model's", one.poisoned, NAN, NAN, one.n),
                Measured("share of the image's area", one.area, NAN, NAN, one.n),
            ),
            "the poisoned share is above the clean one and at least twice the area's; in part: one of the two",
            by_share([one.poisoned > one.clean, one.poisoned >= TWICE * one.area]),
        )
        for one in shares
    ]


# --- one claim -------------------------------------------------------------------------------------------------------


def _rises(about: str, cells: Sequence[tuple[float, float, int]]) -> Claim:
    thetas, asrs, seeds = zip(*cells, strict=True)
    found = rank_correlation(thetas, asrs, seeds)
    away = float(np.mean(np.abs(np.subtract(thetas, asrs))))
    return Claim(
        "slope rises with ASR",
        about,
        "The steeper the curve at its start, the more triggered rows are misled in the end.",
        (
            Measured(f"Spearman over {found.n_seeds} seeds", found.rho, found.low, found.high, found.n),
            Measured("mean distance of theta from the ASR", away, NAN, NAN, found.n),
        ),
        "the interval over seeds is above 0; in part: the correlation alone is",
        "holds" if found.low > 0 else "holds in part" if found.rho > 0 else "does not hold",
    )


def _steeper(cells: Cells, axis: Axis, title: str, paper: str) -> list[Claim]:
    """Return the claim that of two neighbours along an axis the one that should be steeper is."""
    counts: dict[Learner, list[bool]] = {}
    for group in varying(cells, axis, "slope_at_0"):
        for less, more in pairwise(group):
            steep, flat = (less, more) if axis is LAMBDA else (more, less)
            steeper = steep.numbers["slope_at_0"] < flat.numbers["slope_at_0"]
            counts.setdefault(group[0].learner, []).append(steeper)
    if not counts:
        return []
    measured = [
        Measured(f"{learner_name(learner)}: share that is steeper", float(np.mean(found)), NAN, NAN, len(found))
        for learner, found in counts.items()
    ]
    every = [steeper for found in counts.values() for steeper in found]
    rule = f"the slope at 0 is lower in every comparison of neighbours in {axis.name}; in part: in half of them"
    return [Claim(title, "all learners", paper, tuple(measured), rule, by_share(every))]


def _safe(region: SafeRegion[Scenario, Learner]) -> Claim:
    scenario, n, judged = region.scenario, len(region.seeds), sum(setting.judged for setting in region.settings)
    measured = [Measured("safe settings", float(len(region.safe)), NAN, NAN, judged)]
    if region.best is not None:
        measured.append(Measured("best clean accuracy", region.best.clean_accuracy, NAN, NAN, n))
    if (chosen := region.chosen) is not None:
        at = ", ".join(f"{name} {value:.4g}" for name, value in chosen.hyperparameters.items())
        measured += [
            Measured(f"clean accuracy at {at}", chosen.clean_accuracy, NAN, NAN, n),
            Measured("ASR there", chosen.asr, NAN, NAN, n),
        ]
    n_chosen = sum(one.chosen is not None for one in region.left_out)
    for of, value in (("clean accuracy", region.held_out_clean_accuracy), ("ASR", region.held_out_asr)):
        if value is not None:
            measured.append(Measured(f"{of} of the others' choice on seeds left out", value, NAN, NAN, n_chosen))
    kept = [one.safe for one in region.left_out]
    if kept:
        measured.append(Measured("seeds left out on which it is safe", float(sum(kept)), NAN, NAN, len(kept)))
    return Claim(
        "a safe region exists",
        f"{learner_name(region.learner)}, {data_name(scenario.data)}, {attack_name(scenario)}",
        "Some hyperparameters keep the clean accuracy high while the backdoor has little effect.",
        tuple(measured),
        f"settings within {region.bounds.margin:g} of the best clean accuracy have an ASR of at most "
        f"{region.bounds.asr:g}, and those chosen on the other seeds do on each seed left out; in part: not on each",
        ("holds" if kept and all(kept) else "holds in part") if region.safe else "does not hold",
    )


def _resists(name: str, about: str, cells: Cells) -> Claim | None:
    """Return the claim that the ASR is lower at the small end of lambda or gamma; None where neither varies."""
    measured, right = [], []
    for learner, group in grouped(cells, lambda cell: cell.learner).items():
        known = [cell for cell in group if cell.asr is not None and name in cell.hyperparameters]
        if len({cell.hyperparameters[name] for cell in known}) < 2:
            continue
        low, high = (_asr_at(known, name, end) for end in (min, max))
        measured += [
            Measured(f"{learner_name(learner)}: ASR at the smallest {name}", *low),
            Measured(f"{learner_name(learner)}: at the largest", *high),
        ]
        right.append(low[0] < high[0])
    if not right:
        return None
    paper = f"The best trade-off is where {name} is small, which makes the backdoor hard to learn."
    rule = f"the mean ASR is lower at the smallest {name} than at the largest for every learner; in part: for half"
    return Claim(f"small {name} resists", about, paper, tuple(measured), rule, by_share(right))


# --- parts -----------------------------------------------------------------------------------------------------------


def _asr_at(cells: Cells, name: str, end: Any) -> tuple[float, float, float, int]:
    """Return the mean ASR at the smallest or largest lambda or gamma, its interval over seeds, and the cells."""
    at = end(cell.hyperparameters[name] for cell in cells)
    by_seed = grouped([cell for cell in cells if cell.hyperparameters[name] == at], lambda cell: cell.seed)
    means = np.array([np.mean([cell.numbers["asr_at_1"] for cell in found]) for found in by_seed.values()])
    return float(means.mean()), *bootstrap_interval(means), sum(map(len, by_seed.values()))


def _ratios(growths: Sequence[Growth]) -> tuple[Measured, ...]:
    found: dict[Learner, list[float]] = {}
    for one in growths:
        found.setdefault(one.learner, []).append(one.ratio)
    return tuple(
        Measured(f"{learner_name(learner)}: {end} norm(1) / norm(0)", value, NAN, NAN, len(ratios))
        for learner, ratios in found.items()
        for end, value in (("least", min(ratios)), ("largest", max(ratios)))
    )
