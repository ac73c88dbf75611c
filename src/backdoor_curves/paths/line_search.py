"""How far to go along a step of Newton's method that is too long to be trusted: Armijo's rule."""

from __future__ import annotations

from collections.abc import Callable

ARMIJO = 1e-4
"""Share of the fall that the directional derivative promises which a step must bring: the usual choice, all but any."""
SHORTEST = 1e-10
"""Share of a step below which there is nothing to search for: Newton's direction descends, and rounding is left."""


def armijo_share(value: Callable[[float], float], directional_derivative: float) -> float:
    """Return the largest of 1, 1/2, 1/4, ... of a step by which an objective falls enough.

    Parameters
    ----------
    value : callable (share) -> float
        The objective where so much of the step is taken.
    directional_derivative : float, < 0
        Of the objective along the step, at its beginning.

    Examples
    --------
    >>> from backdoor_curves.paths.line_search import armijo_share
    >>> armijo_share(lambda share: (4.0 * share - 1.0) ** 2, -8.0)
    0.25
    """
    share, begun = 1.0, value(0.0)
    while value(share) > begun + ARMIJO * share * directional_derivative:
        share /= 2.0
        if share < SHORTEST:
            break
    return share
