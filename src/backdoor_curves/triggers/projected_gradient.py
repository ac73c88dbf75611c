"""Distances in feature space are made small within a box: linear features with a proven gap, others by descent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from backdoor_curves.triggers.vectors import Vectors

Targets = Float[np.ndarray, "n p"]
Box = tuple[Vectors, Vectors]
TOGETHER = 128
"""Rows of one matrix product. It is always as many, since products of other sizes round otherwise: a row is to become
the same alone and among others."""
EVERY = 10
"""Steps between two looks at the gap, which costs about as much as a step."""
ENOUGH = 1e-4
"""Share of the decrease that the gradient promises which a step must bring (Armijo's rule): the usual one."""
SHORTEST = 1e-6
"""Share of the box's largest side below which a step is none any more."""


def box_least_squares(
    A: Float[np.ndarray, "p d"], T: Targets, Z: Vectors, box: Box, tolerance: float, steps: int
) -> Vectors:
    """Return for each row argmin |A z - t|^2 over low <= z <= high, to a proven accuracy.

    Accelerated projected gradient (Beck and Teboulle, FISTA, SIAM J. Imaging Sciences 2009) from z = Z, restarted where
    the momentum turns against the gradient (O'Donoghue and Candes, 2015). The problem is convex, so that with g the
    gradient of F = |A z - t|^2 / 2

        F(z) - min F <= min( max_{s in box} g (z - s),  F(z) )

    (Frank and Wolfe's gap; F is nowhere below 0). A row is ready when that is at most tolerance F(Z).

    Raises
    ------
    ValueError
        If a row is not ready after `steps`.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.projected_gradient import box_least_squares
    >>> A, T, Z = np.array([[1.0, 2.0]]), np.array([[1.0]]), np.zeros((1, 2))
    >>> box_least_squares(A, T, Z, (Z - 0.3, Z + 0.3), 1e-9, 1000).round(6)
    array([[0.3, 0.3]])
    """
    nearest = np.empty_like(Z)
    n, L = len(Z), float(np.linalg.norm(A, 2)) ** 2
    if L == 0.0:
        return Z
    for start in range(0, n, TOGETHER):
        rows = np.minimum(np.arange(start, start + TOGETHER), n - 1)  # the last one again and again
        found = _accelerated(A, T[rows], Z[rows], (box[0][rows], box[1][rows]), L, tolerance, steps)
        nearest[start : start + TOGETHER] = found[: n - start]
    return nearest


def _accelerated(
    A: Float[np.ndarray, "p d"], T: Targets, Z: Vectors, box: Box, L: float, tolerance: float, steps: int
) -> Vectors:
    """Return the nearest rows of one block; L bounds the curvature."""
    low, high = box
    # What rounding leaves of a distance that is 0; no step gets below it.
    rounding = (A.shape[1] * np.finfo(float).eps) ** 2 * (L * np.square(Z).sum(axis=1) + np.square(T).sum(axis=1))
    goal = np.maximum(tolerance * np.square(Z @ A.T - T).sum(axis=1) / 2, rounding)
    ready, answer = np.zeros(len(Z), dtype=bool), Z
    ahead, momentum = Z, np.ones((len(Z), 1))
    for step in range(steps + 1):
        if step % EVERY == 0:
            answer = np.where(ready[:, np.newaxis], answer, Z)
            ready |= _bound(A, T, Z, box) <= goal
            if ready.all():
                return answer
        g = (ahead @ A.T - T) @ A
        after = np.clip(ahead - g / L, low, high)
        moved = after - Z
        # Of each row for itself: one that turns back starts without momentum.
        momentum = np.where((g * moved).sum(axis=1, keepdims=True) > 0, 1.0, momentum)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = after + (momentum - 1) / following * moved
        Z, momentum = after, following
    raise ValueError(
        f"HiddenTrigger: rows within {tolerance:g} of the optimum after {steps} steps were expected, "
        f"{np.count_nonzero(~ready)} are not proven to be; raise steps or tolerance"
    )


def _bound(A: Float[np.ndarray, "p d"], T: Targets, Z: Vectors, box: Box) -> Float[np.ndarray, " n"]:
    """Return a bound on F(z) - min F of each row."""
    low, high = box
    residual = Z @ A.T - T
    g = residual @ A
    gap = np.where(g > 0, g * (Z - low), g * (Z - high)).sum(axis=1)
    return np.minimum(gap, np.square(residual).sum(axis=1) / 2)


def descend(
    features: Callable[[Vectors], Targets],
    vjp: Callable[[Vectors, Targets], Vectors],
    T: Targets,
    Z: Vectors,
    box: Box,
    tolerance: float,
    steps: int,
) -> Vectors:
    """Return rows in the box whose features are nearer to T than those of Z, by projected gradient steps.

    With F = |f(z) - t|^2 / 2 a trial is clip(z - s g), taken if F falls by Armijo's share of g (z - trial), after which
    s doubles; else s is halved. The first moves the entry of the largest gradient by the width of its box. A row stops
    when a step lowers F by less than tolerance F(Z), when a trial that fails moved no entry by more than a millionth of
    the box, or after `steps` trials: nothing is proven but that F never rose.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.triggers.projected_gradient import descend
    >>> Z, T = np.zeros((1, 2)), np.array([[0.25, 4.0]])
    >>> descend(np.square, lambda Z, G: 2 * Z * G, T, Z + 0.1, (Z, Z + 1.0), 1e-9, 100).round(3)
    array([[0.5, 1. ]])
    """
    low, high = box
    Z, F = Z.copy(), features(Z)
    G = vjp(Z, F - T)
    loss = np.square(F - T).sum(axis=1) / 2
    goal, side = tolerance * loss, (high - low).max(axis=1)
    s = side / np.maximum(np.abs(G).max(axis=1), np.finfo(float).tiny)
    active = np.flatnonzero(G.any(axis=1))
    for _ in range(steps):
        if not active.size:
            break
        trial = np.clip(Z[active] - s[active, np.newaxis] * G[active], low[active], high[active])
        moved = Z[active] - trial
        F = features(trial)
        after = np.square(F - T[active]).sum(axis=1) / 2
        fell = loss[active] - after
        taken = fell >= ENOUGH * (G[active] * moved).sum(axis=1)
        s[active] *= np.where(taken, 2.0, 0.5)
        rows = active[taken]
        Z[rows], loss[rows] = trial[taken], after[taken]
        stopped = np.where(taken, fell <= goal[active], np.abs(moved).max(axis=1) <= SHORTEST * side[active])
        new = taken & ~stopped
        if new.any():
            G[active[new]] = vjp(trial[new], F[new] - T[active[new]])
        active = active[~stopped]
    return Z
