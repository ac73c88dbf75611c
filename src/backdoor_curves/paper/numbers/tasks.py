"""What is computed to have the published numbers again: tasks that know the paper's recipe, and nothing of files.

Same rows, same order, same draws from numpy's global stream, same formulas:

    slopes     `published.published_row`, for the seed's trigger and poison
    curves     a fit for each beta; before those of `LinearSVC`, which draws from the stream, the poison rows are drawn
    paths      likewise; `LinearSVC` goes on through all C in one stream, which the draw of the test rows has begun
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from backdoor_curves.curve import BackdoorLearningCurve, backdoor_learning_curve
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.paper.numbers.published import (
    PublishedLearner,
    PublishedSetting,
    make_estimator,
    published_row,
    rbf_deviation,
)
from backdoor_curves.paper.numbers.published_files import PATH_RATE, Pair, PublishedNumbers
from backdoor_curves.poisoning import paper_protocol as protocol

SLOPE_RATE = 0.1
CLIP = 1e-15
"""The published log loss keeps probabilities this far off 0 and 1."""
Arrays = dict[str, np.ndarray]
Images = Callable[[Pair], tuple[Samples, Samples]]
"""The paper's training and test rows of a pair."""


@dataclass(frozen=True)
class SlopeTask:
    """The rows of one seed of a slope file."""

    learner: PublishedLearner
    pair: Pair
    size: int
    settings: tuple[PublishedSetting, ...]

    @property
    def name(self) -> str:
        """What it is, as its file is named."""
        return f"slopes_{self.learner}_{_place(self.pair, self.size)}_seed{self.settings[0].seed}"

    def run(self, images: Images) -> Arrays:
        """Return the rows, (settings, 10)."""
        data = protocol.badnet(*images(self.pair), rate=SLOPE_RATE, size=self.size, seed=self.settings[0].seed)
        rows = [astuple(published_row(self.learner, data, C=one.C, gamma=one.gamma)) for one in self.settings]
        return {"rows": np.array(rows)}


@dataclass(frozen=True)
class CurveTask:
    """The losses of one learner at one rate."""

    learner: PublishedLearner
    pair: Pair
    size: int
    C: float
    gamma: float | None
    rate: float
    betas: tuple[float, ...]

    @property
    def name(self) -> str:
        """What it is, as its file is named."""
        return f"curve_{self.learner}_{_place(self.pair, self.size)}_{_setting(self.C, self.gamma)}_p{self.rate:g}"

    def run(self, images: Images) -> Arrays:
        """Return the mean losses over triggered and clean rows, (betas,) each."""
        data = protocol.badnet(*images(self.pair), rate=self.rate, size=self.size)
        n = len(data.clean_train) + len(data.poison_train)
        protocol.choice(n, int(n * self.rate), protocol.SEED)  # as `badnet` has left the stream; the fits depend on it
        curve = refitted(self.learner, self.C, self.gamma, data, self.betas)
        if self.learner != "logistic":
            return {"triggered": curve.loss("triggered"), "clean": curve.loss("clean")}
        y = {"triggered": data.triggered_test.y, "clean": data.clean_test.y}
        return {split: clipped_log_loss(curve.scores(split), y[split]) for split in ("triggered", "clean")}


@dataclass(frozen=True)
class PathTask:
    """The parameters of one learner at one setting, or at all C of one stream."""

    learner: PublishedLearner
    pair: Pair
    size: int
    settings: tuple[tuple[float, float | None], ...]
    betas: tuple[float, ...]

    @property
    def name(self) -> str:
        """What it is, as its file is named."""
        settings = "_".join(_setting(*setting) for setting in self.settings)
        return f"path_{self.learner}_{_place(self.pair, self.size)}_{settings}"

    def run(self, images: Images) -> Arrays:
        """Return coef, intercept, cosine, norm and asr of the settings, each after the number of its setting."""
        data = protocol.badnet(*images(self.pair), rate=PATH_RATE, size=self.size)
        n_test = len(data.clean_test)
        protocol.choice(n_test, n_test, protocol.SEED)
        found: Arrays = {}
        for i, (C, gamma) in enumerate(self.settings):
            curve = refitted(self.learner, C, gamma, data, self.betas)
            found[f"{i}/asr"] = np.array(curve.accuracy("triggered", self.betas[-1]))
            named = linear_parameters(curve) if gamma is None else misplaced_deviation(data, C, gamma, self.betas)
            found |= {f"{i}/{name}": array for name, array in named.items()}
        return found


Task = SlopeTask | CurveTask | PathTask


def tasks_of(published: PublishedNumbers) -> list[Task]:
    """Return what has to be computed to have every number of the published files again; the longest first.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paper.numbers.published_files import CurveFile, PublishedCurve, PublishedNumbers
    >>> from backdoor_curves.paper.numbers.tasks import tasks_of
    >>> losses = np.zeros(2)
    >>> curves = [PublishedCurve("ridge", 1.0, None, rate, losses, losses) for rate in (0.1, 0.2)]
    >>> file = CurveFile((7, 1), 6, np.array([0.0, 1.0]), tuple(curves))
    >>> [task.name for task in tasks_of(PublishedNumbers(curves=(file,)))]
    ['curve_ridge_7-1_trigger6_C1_p0.1', 'curve_ridge_7-1_trigger6_C1_p0.2']
    """
    tasks: list[Task] = []
    for slopes in published.slopes:
        for seed in dict.fromkeys(setting.seed for setting in slopes.rows):
            settings = tuple(setting for setting in slopes.rows if setting.seed == seed)
            tasks.append(SlopeTask(slopes.learner, slopes.pair, slopes.size, settings))
    for curves in published.curves:
        betas = tuple(curves.betas.tolist())
        tasks += [
            CurveTask(one.learner, curves.pair, curves.size, one.C, one.gamma, one.rate, betas) for one in curves.curves
        ]
    for paths in published.paths:
        betas = tuple(paths.betas.tolist())
        settings_of: dict[PublishedLearner, list[tuple[float, float | None]]] = {}
        for one in paths.paths:
            settings_of.setdefault(one.learner, []).append((one.C, one.gamma))
        for learner, found in settings_of.items():
            streams = [tuple(sorted(found))] if learner == "svm" else [(setting,) for setting in found]
            tasks += [PathTask(learner, paths.pair, paths.size, stream, betas) for stream in streams]
    return sorted(tasks, key=_size, reverse=True)


def refitted(
    learner: PublishedLearner, C: float, gamma: float | None, data: PoisonedData, betas: tuple[float, ...]
) -> BackdoorLearningCurve:
    """Return the curve of fits, one for each beta in turn: `LinearSVC` goes on in numpy's global stream."""
    estimator = LinearSVC(C=C, loss="hinge") if learner == "svm" else make_estimator(learner, C, gamma)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the published fits at C = 10 did not converge either
        return backdoor_learning_curve(estimator, data, method="refit", betas=list(betas))


def clipped_log_loss(scores: Float[np.ndarray, "betas n"], y: Int[np.ndarray, " n"]) -> Float[np.ndarray, " betas"]:
    """Return the published mean log loss, of probabilities in [1e-15, 1 - 1e-15].

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paper.numbers.tasks import clipped_log_loss
    >>> clipped_log_loss(np.array([[-1000.0], [0.0]]), np.array([1])).round(3)  # 1000 without the clipping
    array([34.539,  0.693])
    """
    with np.errstate(over="ignore"):
        p = np.clip(1 / (1 + np.exp(-scores)), CLIP, 1 - CLIP)
    return -np.where(y == 1, np.log(p), np.log1p(-p)).mean(axis=-1)


def linear_parameters(curve: BackdoorLearningCurve) -> Arrays:
    """Return w and intercept at each beta, and what deviation makes of them, of a refitted linear learner."""
    models: list[Any] = list(curve.path.models)  # type: ignore[attr-defined]  # of a refitted path
    fits = [model.estimator for model in models]
    return {
        "coef": np.vstack([fit.coef_ for fit in fits]),
        "intercept": np.concatenate([np.atleast_1d(fit.intercept_) for fit in fits]),
        "cosine": curve.cosine(),
        "norm": curve.norm(),
    }


def misplaced_deviation(data: PoisonedData, C: float, gamma: float, betas: tuple[float, ...]) -> Arrays:
    """Return duals, cosine and norm as published, with those of beta = 0 at the wrong rows."""
    as_published, _ = rbf_deviation(data, C=C, gamma=gamma, betas=np.array(betas))
    return {"coef": as_published.duals, "cosine": as_published.cosine, "norm": as_published.norm}


def _place(pair: Pair, size: int) -> str:
    return f"{pair[0]}-{pair[1]}_trigger{size}"


def _setting(C: float, gamma: float | None) -> str:
    return f"C{C:g}" + ("" if gamma is None else f"_gamma{gamma:g}")


def _size(task: Task) -> int:
    """Return how long a task takes beside others, roughly: fits."""
    return len(task.settings) * 3 if isinstance(task, SlopeTask) else len(task.betas)
