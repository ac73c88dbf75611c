"""The published numbers as points of the paper's figures, by the title of the panel that they belong behind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from backdoor_curves.paper.figures.panels import LEARNERS, Pair, panel_title
from backdoor_curves.paper.numbers.number_key import LEARNERS as STUDY_LEARNERS
from backdoor_curves.paper.numbers.published import PublishedLearner
from backdoor_curves.paper.numbers.published_files import PublishedNumbers

Points = Mapping[str, tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]]
"""x and y by the title of a panel."""
SMALLEST = 3
"""Side in pixels of the trigger that Figure 10 shows; the files of another are compared, and shown nowhere."""


def slope_points(published: PublishedNumbers) -> Points:
    """Return theta and attack success of each pair and learner, of all lambdas, gammas and seeds.

    Rows whose theta is not above 0 have no place on a logarithmic axis.
    """
    points = {}
    for file in published.slopes:
        rows = [row for row in file.rows.values() if row.theta > 0.0]
        if file.size == SMALLEST and rows:
            theta, asr = ([getattr(row, name) for row in rows] for name in ("theta", "clfp_acc_on_backdoor"))
            points[_of_pair(file.learner, file.pair)] = np.array(theta), np.array(asr)
    return points


def curve_points(published: PublishedNumbers, pair: Pair) -> Points:
    """Return betas and losses of each learner and setting of a pair: triggered and clean ones, of all rates."""
    found: dict[str, list[np.ndarray]] = {}
    for file in published.curves:
        for one in file.curves if file.pair == pair else ():
            gamma = {} if one.gamma is None else {"gamma": one.gamma}
            title = panel_title(STUDY_LEARNERS[one.learner].kind, {"lambda": 1.0 / one.C, **gamma})
            found.setdefault(title, []).extend(np.stack([file.betas, loss]) for loss in (one.triggered, one.clean))
    return {title: tuple(np.concatenate(parts, axis=1)) for title, parts in found.items()}


def deviation_points(published: PublishedNumbers) -> Points:
    """Return nu and rho of each pair and learner at all settings."""
    found: dict[str, list[np.ndarray]] = {}
    for file in published.paths:
        for one in file.paths:
            points = np.stack([(1.0 - one.cosine) / 2.0, one.norm])
            found.setdefault(_of_pair(one.learner, file.pair), []).append(points)
    return {title: tuple(np.concatenate(parts, axis=1)) for title, parts in found.items()}


def _of_pair(learner: PublishedLearner, pair: Pair) -> str:
    return f"{LEARNERS[STUDY_LEARNERS[learner].kind]}, {pair[0]}-{pair[1]}"
