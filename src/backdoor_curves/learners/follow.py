"""From a learner to its path: the exact one where its estimator has one, or refits; and how near it must be."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from backdoor_curves.learners import network
from backdoor_curves.learners.exact import file_of, refusal
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.parameters import is_precomputed
from backdoor_curves.learners.refit import refit
from backdoor_curves.learners.shared import Shared
from backdoor_curves.paths.base import BetaPath, Certificate, PathError
from backdoor_curves.paths.linalg.row_parts import are_tall, column_sizes, parts_of
from backdoor_curves.rows import as_numbers, is_frame, is_on_workers, row_shape

Method = Literal["auto", "exact", "refit"]

MOST_CHECKED = 21
"""Betas asked for that are all checked; as many as refits have."""
LARGE = 100.0
"""Entries beyond which a column is named as large: the squares of smaller ones cost four digits at most."""
MOST_NAMED = 3
"""Columns named at once: after three the others are alike."""


class ToleranceError(PathError):
    """A path is farther from the optimum than its tolerance; the message names the betas."""


def check_tolerance(tolerance: Any) -> None:
    """Refuse a tolerance that is no number > 0."""
    if not (isinstance(tolerance, Real) and not isinstance(tolerance, bool) and 0.0 < float(tolerance) < np.inf):
        raise ValueError(f"tolerance: a number > 0 was expected, {tolerance!r} came")


def betas_to_check(nodes: Float[np.ndarray, " k"], asked: Float[np.ndarray, " b"]) -> Float[np.ndarray, " c"]:
    """Return where a path is held to its tolerance; `certificate` answers for any other beta.

    At the betas asked for, at both ends, and in the middle of the path, between two of its nodes; of many betas asked
    for, at five of the nodes instead.
    """
    if len(asked) > MOST_CHECKED:
        return nodes[np.unique(np.linspace(0, len(nodes) - 1, 5).round().astype(int))]
    half = len(nodes) // 2
    return np.union1d(asked, [0.0, nodes[half - 1 : half + 1].mean(), 1.0])


def missed_betas(
    learner: Learner, path: BetaPath, certificate: Certificate | None, tolerance: float, on_miss: str = "raise"
) -> Float[np.ndarray, " f"]:
    """Return the betas where a certificate exceeds the tolerance, or raise; of refits the unconverged ones."""
    if certificate is None:
        return path.unconverged
    missed = certificate.betas[~(certificate.score_bound <= tolerance)]
    if missed.size and on_miss == "raise":
        raise ToleranceError(
            f"scores within {tolerance:g} of the optimum's were expected; at {missed.size} betas, the first "
            f"{missed[0]:g}, the bound is up to {certificate.score_bound.max():.1e}; raise lambda or tolerance, "
            f'scale the features{large_columns(learner)}, or pass on_miss="flag"'
        )
    return missed


def large_columns(learner: Learner) -> str:
    """Return which columns of the training rows are the largest and what helps, in brackets; nothing if none is large.

    Beside them double precision loses what the others say.
    """
    X = learner.clean.X
    if len(row_shape(X)) != 1 or is_precomputed(learner.estimator):
        return ""
    names = list(X.columns) if is_frame(X) else range(X.shape[1])
    if are_tall(X):
        sizes = column_sizes(parts_of(X))
    else:
        numbers = as_numbers(X)
        largest_of_each = abs(numbers).max(axis=0)
        sizes = np.asarray(largest_of_each.todense() if sp.issparse(numbers) else largest_of_each).ravel()
    largest = [k for k in np.argsort(-sizes)[:MOST_NAMED] if sizes[k] > LARGE]
    if not largest:
        return ""
    listed = ", ".join(f"{names[k]!r} to {sizes[k]:.1e}" for k in largest)
    scaler = "MaxAbsScaler" if sp.issparse(X) else "StandardScaler"
    return f" (columns go up to large numbers, {listed}: a {scaler} before the classifier helps)"


def follow(
    learner: Learner,
    method: Method = "auto",
    betas: Float[np.ndarray, " b"] | None = None,
    n_jobs: int | None = None,
    tolerance: float = 1e-6,
    shared: Shared | None = None,
) -> BetaPath:
    """Return the path of a learner: the exact one where there is one, or refits at `betas`.

    There is one for RidgeClassifier, SVC, LinearSVC and LogisticRegression, with the L2 penalty, and for
    OneVsRestClassifier and OneVsOneClassifier around these. A subclass is refitted: its `fit` may do something else.
    A TrainedNetwork is trained at `betas`, with its slope.

    Parameters
    ----------
    learner : Learner
    method : {"auto", "exact", "refit"}
        "auto" takes the exact path where there is one, and never a refit in its place.
    betas : array of shape (b,), optional
        Where to refit, by default REFIT_BETAS, or to train a network.
    n_jobs : int, optional
        Refits at once.
    tolerance : float
        For paths that are followed to a stated accuracy (logistic regression), in the units of the scores.
    shared : Shared, optional
        What it may use of other paths on the same rows, and leave to them.

    Raises
    ------
    ValueError
        If `method` is unknown, or "exact" for a learner that has no exact path; if a kernel is not positive
        semidefinite on the training rows.
    MemoryError
        If the kernel matrix of an exact path would not fit.
    PathError
        If rounding keeps the exact path from the optimum. It does not become a refit unless that is asked for.
    """
    if method not in ("auto", "exact", "refit"):
        raise ValueError(f'method: "auto", "exact" or "refit" was expected, {method!r} came')
    if method == "auto" and network.is_network(learner.estimator):
        return network.follow(learner, betas)
    why_not = refusal(learner.estimator, len(learner.classes))
    file = file_of(learner.estimator)
    if method != "refit" and file is not None and why_not is None:
        try:
            return file.follow(learner, tolerance, shared)
        except PathError as failure:
            raise PathError(f'{failure}{large_columns(learner)}; or pass method="refit"') from failure
    if method == "exact":
        raise ValueError(f'method: {type(learner.estimator).__name__} has no exact path {why_not}; pass method="refit"')
    if any(map(is_on_workers, (learner.clean.X, learner.poison.X))):
        raise ValueError(
            f"method: no exact path {why_not or 'was asked for'}, and refits need their rows in memory, a dask array "
            "came; pass X.compute()"
        )
    return refit(learner, betas, n_jobs)
