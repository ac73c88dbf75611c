"""Where a squared hinge's path begins: the optimum of the clean rows, from liblinear, made exact by Newton's method."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from backdoor_curves.paths.base import PathError
from backdoor_curves.paths.linalg.rows_in_place import FeatureRows, blocks, lifted
from backdoor_curves.paths.squared_hinge.problem import InverseHessian, Problem, gradient, inverse_hessian
from backdoor_curves.paths.squared_hinge.series import SLACK

LIBLINEAR_STEPS = 30
"""Steps after which liblinear stops: at large C it would take seconds for what a few Newton steps then do."""
ENOUGH = 8000
"""Rows from which every other, third and so on are left out for liblinear: Newton's method then takes two steps more,
each a fifth of what liblinear takes for all."""
NEWTON_STEPS = 500
"""Steps of Newton's method after which an optimum counts as unattainable: from liblinear's w digits take one or two."""


@dataclass(frozen=True, eq=False)
class Start:
    """The optimum of the clean rows.

    Parameters
    ----------
    w : array of shape (r,)
    active : bool array of shape (n,)
    scale : float
        1 over a bound on the poles of the path there: the scale of tau.
    rate : array of shape (r,)
        dw / dtau.
    inverse : callable
        The product with the inverse Hessian of the active clean rows.
    """

    w: Float[np.ndarray, " r"]
    active: Bool[np.ndarray, " n"]
    scale: float
    rate: Float[np.ndarray, " r"]
    inverse: InverseHessian


def start(problem: Problem) -> Start:
    """Return where the path begins."""
    clean = problem.du == 0.0
    w, active_clean, inverse = optimum(problem.Z, problem.y, problem.u0)
    active = np.where(clean, active_clean, problem.y * (problem.Z @ w) < 1.0)
    weight, trace = np.where(active, 2.0 * problem.du, 0.0), 0.0
    for some in blocks(problem.Z, np.flatnonzero(weight)):
        Z = problem.Z[some]
        trace += float(weight[some] @ np.einsum("mr,rm->m", Z, inverse(Z.T)))
    scale = 1.0 / trace if trace > 0.0 else 1.0
    rate = scale * inverse(lifted(problem.Z, weight * (problem.y - problem.Z @ w)))
    return Start(w, active, scale, rate, inverse)


def optimum(
    Z: FeatureRows, y: Float[np.ndarray, " n"], u: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " r"], Bool[np.ndarray, " n"], InverseHessian]:
    """Return the optimum at fixed weights, its active rows of weight > 0, and the product with their inverse Hessian.

    By Newton's method with an exact line search: each step solves the quadratic of the rows that are active; where they
    stay the same it is done.
    """
    weighs = u > 0.0
    w = _liblinear(Z, y, u, np.flatnonzero(weighs))
    f = Z @ w
    active = weighs & (y * f < 1.0)
    for _ in range(NEWTON_STEPS):
        inverse, step = inverse_hessian(Z, np.flatnonzero(active), u[active]), np.zeros(len(w))
        for _ in range(2):
            step -= inverse(gradient(Z, y, np.where(active, u, 0.0), w + step))
        share = _line_search(w, step, 1.0 - y * f, y * (Z @ step), u)
        w = w + share * step
        f = Z @ w
        before, active = active, weighs & (y * f < 1.0)
        if share == 1.0 and (np.abs(1.0 - y * f)[active != before] <= SLACK).all():
            return w, before, inverse
    raise PathError(f"Newton's method did not find the optimum of {len(y)} rows; raise lambda or rescale the features")


def _liblinear(
    Z: FeatureRows, y: Float[np.ndarray, " n"], u: Float[np.ndarray, " n"], rows: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " r"]:
    """Return w near the optimum of some rows, of many a part; what tolerance is asked for does not matter."""
    step = 1 + len(rows) // ENOUGH
    if (rows := rows[::step]).size == 0 or Z.shape[1] == 0 or len(np.unique(y[rows])) < 2:
        return np.zeros(Z.shape[1])
    most = float(u[rows].max())
    fit = LinearSVC(C=step * most, dual=False, fit_intercept=False, max_iter=LIBLINEAR_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(fit.fit(Z[rows], y[rows], sample_weight=u[rows] / most).coef_[0])


def _line_search(
    w: Float[np.ndarray, " r"],
    step: Float[np.ndarray, " r"],
    slack: Float[np.ndarray, " n"],
    rise: Float[np.ndarray, " n"],
    u: Float[np.ndarray, " n"],
) -> float:
    """Return the share t of a step that minimises P(w + t step); 1 if no row changes its side before 1.

    The whole step takes `rise` from the slacks 1 - y f.
    The slope over t is a + b t where a row stays on its side, and its pieces are joined at t = slack / rise.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = slack / rise
    rows = np.flatnonzero((crossing > 0.0) & np.isfinite(crossing))
    rows = rows[np.argsort(crossing[rows])]
    on = slack > 0.0
    a = float(w @ step) - 2.0 * float(u[on] @ (slack[on] * rise[on]))
    b = float(step @ step) + 2.0 * float(u[on] @ rise[on] ** 2)
    sign = np.where(on[rows], -1.0, 1.0)
    a_after = a - np.append(0.0, np.cumsum(2.0 * sign * u[rows] * slack[rows] * rise[rows]))
    b_after = b + np.append(0.0, np.cumsum(2.0 * sign * u[rows] * rise[rows] ** 2))
    root = -a_after / np.maximum(b_after, np.finfo(float).tiny)
    first = int(np.argmax(root <= np.append(crossing[rows], np.inf)))
    # Before the first crossing the step is Newton's own and its share is 1, but for rounding.
    return 1.0 if first == 0 else max(float(root[first]), float(crossing[rows[first - 1]]))
