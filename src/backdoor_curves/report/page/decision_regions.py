"""Decision pictures of data in the plane, beta by beta: where the model says which class, as SVG paths.

A run keeps no models. For `toy` data the cell is computed anew, from the study and the seed, and asked on a grid.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import contourpy
import msgspec
import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning

from backdoor_curves.curve import backdoor_learning_curve
from backdoor_curves.study.compute.cell import Bench, estimator, prepare
from backdoor_curves.study.plan.cells import Plan, Planned, make_plan
from backdoor_curves.study.plan.sources import draw
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

BETAS = np.array([0.0, 0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
WIDTH = 340.0
"""Of the picture, in pixels; x1 and x2 have the same scale."""
CELLS = 46
"""Of the grid along x1."""
MOST_POINTS = 150
"""Of each kind."""


@dataclass(frozen=True, eq=False)
class Plane:
    """The decision picture of one cell.

    Parameters
    ----------
    height : float
        Of the picture, in pixels.
    points : mapping of str to list of (x, y)
        In pixels: "class 0", "class 1" (clean training rows), "poison", "triggered" (test rows).
    betas : list of float
    regions : list of str
        At each beta, the SVG path around where the model says class 1.
    ranges : pair of pairs
        x1 and x2 at the edges.
    """

    height: float
    points: dict[str, list[tuple[float, float]]]
    betas: list[float]
    regions: list[str]
    ranges: tuple[tuple[float, float], tuple[float, float]]


def planes_of(run: Run, cells: Sequence[StoredCell], most: int) -> tuple[dict[str, Plane], int]:
    """Return the decision pictures of those cells whose data are in the plane, by key, and how many there are to make.

    Refits are asked at their own betas. At most so many are made.
    """
    flat = _in_the_plane(run)
    if flat is None:
        return {}, 0
    planned = {one.key: one for one in flat.cells}
    wanted = [planned[cell.key] for cell in cells if cell.key in planned]
    benches: dict[int, Bench] = {}
    planes = {}
    for one in wanted[:most]:
        if one.group not in benches:
            benches[one.group] = prepare(
                flat.groups[one.group], *draw(one.cell.scenario.data, one.cell.seed, None, True)
            )
        planes[one.key] = _plane(one, benches[one.group])
    return planes, len(wanted)


def _in_the_plane(run: Run) -> Plan | None:
    """Return the plan of what a study does with toy data, which need no files; None where it does nothing with them."""
    experiments = [
        msgspec.structs.replace(experiment, data=tuple(data for data in experiment.data if data.name == "toy"))
        for experiment in run.study.experiments
    ]
    flat = tuple(experiment for experiment in experiments if experiment.data)
    return make_plan(msgspec.structs.replace(run.study, experiments=flat)) if flat else None


def _plane(planned: Planned, bench: Bench) -> Plane:
    cell = planned.cell
    data = bench.data[cell.scenario.rate]
    method: Any = cell.method
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said where the run was made
        curve = backdoor_learning_curve(
            estimator(cell), data, method=method, betas=cell.keep.betas or None, shared=bench.shared, on_miss="flag"
        )
    betas = BETAS if curve.exact else curve.betas
    kinds = {
        "class 0": data.clean_train.X[data.clean_train.y == data.classes[0]],
        "class 1": data.clean_train.X[data.clean_train.y == data.classes[1]],
        "poison": data.poison_train.X,
        "triggered": data.triggered_test.X,
    }
    everything = np.concatenate(list(kinds.values()))
    low, high = everything.min(axis=0), everything.max(axis=0)
    low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    step = (high[0] - low[0]) / CELLS
    x1 = np.linspace(low[0], high[0], CELLS + 1)
    x2 = np.linspace(low[1], high[1], max(8, round((high[1] - low[1]) / step)) + 1)
    height = WIDTH * float((high[1] - low[1]) / (high[0] - low[0]))

    def places(points: Float[np.ndarray, "n 2"]) -> list[tuple[float, float]]:
        shares = (points[:MOST_POINTS] - low) / (high - low)
        return [(round(float(x) * WIDTH, 1), round((1.0 - float(y)) * height, 1)) for x, y in shares]

    grid = np.stack([axis.ravel() for axis in np.meshgrid(x1, x2)], axis=1)
    scores = curve.path.scores(grid, betas).reshape(len(betas), len(x2), len(x1))
    xs, ys = np.linspace(0.0, WIDTH, len(x1)), np.linspace(height, 0.0, len(x2))
    return Plane(
        height=round(height, 1),
        points={kind: places(points) for kind, points in kinds.items()},
        betas=[float(f"{beta:.4g}") for beta in betas],
        regions=[_region(xs, ys, score) for score in scores],
        ranges=((float(low[0]), float(high[0])), (float(low[1]), float(high[1]))),
    )


def _region(xs: Float[np.ndarray, " m"], ys: Float[np.ndarray, " n"], scores: Float[np.ndarray, "n m"]) -> str:
    """Return the path around where the scores are positive; even-odd, for regions with holes."""
    generator = contourpy.contour_generator(xs, ys, scores, fill_type=contourpy.FillType.OuterOffset)
    path = []
    filled: Any = generator.filled(0.0, np.inf)
    polygons, offsets = filled
    for points, starts in zip(polygons, offsets, strict=True):
        for first, last in pairwise(starts):
            corners = " ".join(f"{x:.0f} {y:.0f}" for x, y in points[first : last - 1])
            path.append(f"M{corners}Z")
    return "".join(path)
