"""From a cell to its curve, numbers and arrays; what the cells of a group share is made once.

The shared kernel is computed before the first cell, from all rows of the group in one order: a cell finds the same
values to the last bit whichever cells came before it, in this process or in another. Where its matrix does not fit each
cell has its rows for itself. Nothing that a cell leaves behind reaches the next one but the coordinates of rows, which
are a function of the rows.
"""

from __future__ import annotations

import io
import time
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from msgspec.structs import replace
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

from backdoor_curves.certificates.certify import certify_path
from backdoor_curves.certificates.record import PredictionCertificate
from backdoor_curves.curve import BackdoorLearningCurve, backdoor_learning_curve
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.kernels.group_kernel import FEW, GroupKernel
from backdoor_curves.kernels.on_demand import is_on_demand
from backdoor_curves.learners.follow import follow
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.learners.shared import Shared, SharedMatrices
from backdoor_curves.paths.base import BetaPath, PathError
from backdoor_curves.records.one_line import error_line
from backdoor_curves.study.compute.decision_regions import decision_regions, in_the_plane
from backdoor_curves.study.compute.explanation import explain
from backdoor_curves.study.compute.features import FeatureTable
from backdoor_curves.study.compute.movement import Movement, movement
from backdoor_curves.study.compute.quantities import CERTIFIED_ROWS, Number, numbers
from backdoor_curves.study.compute.stamped_images import StampedImages, stamped_images
from backdoor_curves.study.plan.cells import Group
from backdoor_curves.study.plan.estimators import estimator, kernel_of
from backdoor_curves.study.plan.names import class_names
from backdoor_curves.study.plan.rate_by_rate import RateByRate
from backdoor_curves.study.plan.scenario import OWN, Cell, Setting
from backdoor_curves.study.plan.sources import poisoned


@dataclass(frozen=True)
class Outcome:
    """What came of a cell: numbers and records of bytes, or the reason why not.

    Parameters
    ----------
    key : str
    seconds : float
    numbers : mapping of str to number or None
    records : mapping of str to bytes
        "curve" and "control" as `BackdoorLearningCurve.save` writes them, the others as numpy's .npz: "arrays",
        "explanation", "decision regions" of data in the plane, and "stamped images" of attacks.
    reason : str
        "" where the cell is done.
    """

    key: str
    seconds: float
    numbers: Mapping[str, Number] = field(default_factory=dict)
    records: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Bench:
    """What the cells of a group share: poisoned data by rate, kernels and coordinates of their rows, plateaus, looks.

    Parameters
    ----------
    data : mapping of float to PoisonedData
        By rate.
    shared : mapping of float to Shared
        Kernels and coordinates, by rate.
    lams : tuple of float
        All lambdas of the group, ascending; none where each cell follows its own path.
    plateaus : dict
        By rate, and whether it is the control: the path of an SVM at the smallest lambda. While no clean row is at its
        bound it is that of the others, too.
    movement : Movement, optional
        How far the test rows moved, which is the same at each rate.
    images : StampedImages, optional
        Test images before and after the attack; where the study has `[[attacks]]`, to be laid side by side.
    home : path, optional
        The folder of the study's file, beside which estimators of one's own are looked up.
    """

    data: Mapping[float, PoisonedData]
    shared: Mapping[float, Shared]
    lams: tuple[float, ...]
    plateaus: dict[tuple[float, bool], Shared] = field(default_factory=dict)
    movement: Movement | None = None
    images: StampedImages | None = None
    home: Path | None = None

    def shared_by(self, cell: Cell, is_control: bool) -> Shared:
        """Return what a cell may use, and leave something in that no other sees."""
        rate = cell.scenario.rate
        shared = self.shared[rate]
        if not (shared.kernels and self.lams):
            return shared
        if len(self.data[rate].clean_train) > FEW:
            return shared.copy()
        place = rate, is_control
        if place not in self.plateaus:
            first = self.plateaus[place] = shared.copy()
            smallest = Setting.of(cell.setting.learner, cell.setting.values | {"lambda": self.lams[0]})
            reference = estimator(replace(cell, setting=smallest), self.home)
            data = self.data[rate].control() if is_control else self.data[rate]
            with suppress(PathError):  # of which its own cell will tell
                follow(read_learner(reference, data), "exact", shared=first)
        return self.plateaus[place].copy()


def prepare(group: Group, train: Samples, test: Samples, table: FeatureTable | None = None) -> Bench:
    """Return what the cells of a group share; with a table the learners see features in place of the rows.

    Raises
    ------
    ValueError
        If trigger, labels or rates do not fit the rows, or if the table lacks some.
    """
    cell = group.first
    rates = group.rates
    stamped = poisoned(train, test, cell, rates, group.home)
    first = stamped[rates[0]]
    images = None if cell.scenario.attack is None else stamped_images(first)
    data: Mapping[float, PoisonedData] = stamped
    if table is not None:
        data = RateByRate(rates, lambda rate: table.data(stamped[rate]))
        train, test = table.rows(train), table.rows(test)
    as_they_are = cell.setting.learner.sees_rows_as_they_are and not sp.issparse(train.X)
    moved = movement(first, data[rates[0]] if as_they_are else None, cell.setting.gamma)
    shared: Mapping[float, Shared]
    kernel = kernel_of(cell, len(np.unique(train.y))) if as_they_are else None
    on_demand = kernel is not None and is_on_demand(kernel, len(train))
    if kernel is not None and not on_demand:
        data = dict(data)  # its matrix is larger than the rows of all rates
        shared = dict.fromkeys(rates, _shared_kernel(kernel, data, train, test))
    else:
        # Rows of a matrix on demand that were at hand already would be those of the cells before.
        kind = Shared if as_they_are and not on_demand else SharedMatrices
        shared = RateByRate(rates, lambda _: kind())
    return Bench(data, shared, group.lams if as_they_are else (), movement=moved, images=images, home=group.home)


def _shared_kernel(kernel: Kernel, data: Mapping[float, PoisonedData], train: Samples, test: Samples) -> Shared:
    """Return what cells of one of the four kinds share: the kernel between all rows, computed in one order."""
    shared = Shared()
    learned = _rows([train.X, *(one.stamped_train for one in data.values())])
    tested = _rows([test.X, next(iter(data.values())).triggered_test.X])
    with _threads().limit(limits=1):  # more threads add up in another order
        shared.kernels[kernel] = GroupKernel(kernel, learned, tested)
    return shared


@cache
def _threads() -> ThreadpoolController:
    """Found once: to look through all libraries that are loaded takes some milliseconds."""
    return ThreadpoolController()


def _rows(parts: list[np.ndarray]) -> np.ndarray:
    """Return rows as the kernels see them: flat, in double precision."""
    return np.concatenate([np.asarray(part, dtype=float).reshape(len(part), -1) for part in parts])


def compute(key: str, cell: Cell, bench: Bench) -> Outcome:
    """Return what comes of a cell; one that cannot be had is an outcome too, with its reason in one line."""
    start = time.perf_counter()

    def curve(data: PoisonedData, is_control: bool = False) -> BackdoorLearningCurve:
        betas = cell.keep.betas or None
        method: Any = cell.method
        shared = bench.shared_by(cell, is_control)
        return backdoor_learning_curve(estimator(cell, bench.home), data, method=method, betas=betas, shared=shared)

    try:
        with warnings.catch_warnings(), _threads().limit(limits=1):
            warnings.simplefilter("ignore", ConvergenceWarning)  # the curve keeps the betas in `missed`
            data = bench.data[cell.scenario.rate]
            found, control = curve(data), curve(data.control(), True) if cell.control else None
            small = found.condensed()
            small_control = None if control is None else control.condensed()
            records = _records(cell, found, small, small_control)
            if cell.keep.explanations:
                names = class_names(cell.scenario.data, data.classes.tolist())
                records["explanation"] = explain(found, data, names).to_bytes()
            if in_the_plane(data):
                records["decision regions"] = decision_regions(found, data).to_bytes()
            if bench.images is not None:
                records["stamped images"] = bench.images.to_bytes()
            certificate = _certificate(found, data) if cell.keep.certificate else None
            values = numbers(small, small_control, bench.movement, certificate)
    except Exception as error:  # one bad cell must not cost a night's others
        return Outcome(key, time.perf_counter() - start, reason=_reason(error, cell))
    return Outcome(key, time.perf_counter() - start, values, records)


def _certificate(curve: BackdoorLearningCurve, data: PoisonedData) -> PredictionCertificate | None:
    """Return what the fit without poison proves of the clean test rows; None of a learner that has no certificate."""
    if not curve.exact:
        return None
    try:
        return certify_path(curve.learner, curve.path, data.clean_test, limit=max(CERTIFIED_ROWS))
    except ValueError:  # which says that it has none
        return None


PACKAGE = Path(__file__).parents[2]
EXPECTED = (ValueError, TypeError, PathError, ArithmeticError, MemoryError, OSError)


def _reason(error: Exception, cell: Cell) -> str:
    """Return an error in one line; one that nobody foresaw with its place, and whose it is."""
    said = error_line(error)
    if isinstance(error, EXPECTED):
        return said
    last = traceback.extract_tb(error.__traceback__)[-1]
    if cell.setting.learner.kind == OWN and not Path(last.filename).is_relative_to(PACKAGE):
        return f"{said} (at {Path(last.filename).name}:{last.lineno})"
    return f"{said} (at {Path(last.filename).name}:{last.lineno}, a bug in backdoor-curves; please report it)"


# --- what is kept ----------------------------------------------------------------------------------------------------


def _records(
    cell: Cell, curve: BackdoorLearningCurve, small: BackdoorLearningCurve, control: BackdoorLearningCurve | None
) -> dict[str, bytes]:
    """Return the records that a study keeps of a cell."""
    records = {}
    keep = cell.keep
    if keep.curves in ("condensed", "full"):
        records["curve"] = curve_as_bytes(small if keep.curves == "condensed" else curve)
        if control is not None:
            records["control"] = curve_as_bytes(control)
    arrays: dict[str, Any] = {}
    if keep.curves == "grid":
        arrays |= {
            "triggered_loss": small.loss("triggered"),
            "clean_loss": small.loss("clean"),
            "attack_success_rate": small.accuracy("triggered"),
            "clean_accuracy": small.accuracy("clean"),
        }
    if keep.knots:
        arrays["knots"] = small.knots
    if keep.coefficients:
        arrays |= _coefficients(curve.path, small.betas)
    if arrays:
        stream = io.BytesIO()
        np.savez_compressed(stream, betas=small.betas, **arrays)
        records["arrays"] = stream.getvalue()
    return records


def _coefficients(path: BetaPath, betas: np.ndarray) -> dict[str, np.ndarray]:
    """Return the parameters of a path: w, or the duals of the distinct training rows; nothing for refits.

    The last axis is that of the score columns, where there are several; duals are >= 0.
    """
    if not path.exact:
        return {}
    found = path.parameters(betas)
    coef, intercept = (each[..., 0] if each.shape[-1] == 1 else each for each in (found.coef, found.intercept))
    if found.rows is None:
        return {"coef": coef, "intercept": intercept}
    return {"duals": np.abs(coef), "intercept": intercept, "distinct_rows": found.rows}


def curve_as_bytes(curve: BackdoorLearningCurve) -> bytes:
    """Return the bytes of the file that `save` writes."""
    stream = io.BytesIO()
    curve.save(stream)
    return stream.getvalue()


def curve_from_bytes(content: bytes) -> BackdoorLearningCurve:
    """Return the curve of the bytes of a file that `save` wrote."""
    return BackdoorLearningCurve.load(io.BytesIO(content))
