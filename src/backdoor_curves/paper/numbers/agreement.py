"""When a published number is right: against the recipe repeated and against the optimum; with the reason where not.

    distance     |repeated - published| / |published| and |published - exact| / |exact|; not divided for shares of rows
                 and cosines
    unexplained                 the recipe repeated does not give the published number; or none of these is so:

by the distance to the exact number, or to the repeated one where a study has no exact one,

    exact                       but for rounding
    within solver tolerance     what the solver's stopping rule leaves undone
    differs                     the solver did not converge; or it is of another quantity than its name says
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from backdoor_curves.paper.numbers.published import NO_MARGIN

Verdict = Literal["exact", "within solver tolerance", "differs", "unexplained"]
Family = Literal["influence", "loss", "accuracy", "coef", "intercept", "cosine", "norm"]
Solver = Literal["ridge", "libsvm", "LinearSVC", "liblinear"]
"""What fitted a published number; LinearSVC is liblinear's dual solver, "liblinear" here its logistic regression."""

ROUNDING = 1e-9
"""Equal but for rounding: normal equations of 785 columns and sums of a million terms lose so much."""
SAME_COUNT = 1e-9
"""Accuracies are whole numbers of rows: the same count or another."""
UNCONVERGED_C = 1.0
"""Beyond it liblinear's logistic regression stops long before the optimum."""
UNCONVERGED = 2e-2
"""What it may be off there: permuting the rows alone moves its losses at C = 100 by 2e-2."""
UNCONVERGED_COSINE = 1e-3
"""And its cosines by this."""
TIES = 2 / 500
"""Scores near 0 fall on either side: one or two of 500 test rows."""
LIBLINEAR_INFLUENCE = 5e-3
"""The published influences amplify where liblinear stops; 2e-3 was found."""
LIBLINEAR_CARRIED = 1e-8
"""Where liblinear gets to its tolerance, its iterations carry rounding along so far."""
LEAST_LOSS = 1e-7
"""The least loss of 500 rows may be the square of a difference near 0, which has lost half of its digits."""
RIDGE_INFLUENCE = 1e-6
"""A mean in which 75,000 pairs cancel, solved as well as normal equations allow."""
LIBSVM_INFLUENCE = 1e-8
"""Libsvm stops at the same place; a system of its margin rows is solved after it."""
STOP = {"ridge": ROUNDING, "libsvm": 1e-3, "LinearSVC": 1e-3, "liblinear": 2e-3}
"""How far from the optimum a converged solver may stop. Libsvm's rule allows scores to be 1e-3 off, LinearSVC's a
gradient of 1e-4: ten times that in a loss. Liblinear's is relative to its first gradient, which grows with C; up to
`UNCONVERGED_C` it has left 1.3e-3 at most, beyond it `UNCONVERGED` is granted."""


@dataclass(frozen=True)
class Number:
    """What a published number is: its name and family, and what it was fitted by, at which C and beta.

    Parameters
    ----------
    quantity : str
    family : str
    solver : str
    kernel : bool
        Whether it is of an RBF machine.
    C : float
    beta : float or None
        None for one that is of no single beta.
    """

    quantity: str
    family: Family
    solver: Solver
    kernel: bool
    C: float
    beta: float | None

    @property
    def relative(self) -> bool:
        """Whether distances are relative."""
        return self.family not in ("accuracy", "cosine")

    @property
    def unconverged(self) -> bool:
        """Whether the solver stops here without having converged."""
        return self.solver in ("liblinear", "LinearSVC") and self.C > UNCONVERGED_C


def distance(number: Number, value: float, reference: float) -> float:
    """Return how far a number is from the one it is held against, >= 0; relative, but for accuracies and cosines.

    Examples
    --------
    >>> from backdoor_curves.paper.numbers.agreement import Number, distance
    >>> loss = Number("mean_loss", "loss", "ridge", False, 1.0, None)
    >>> distance(loss, 2.5, 2.0), distance(loss, 0.0, 0.0)
    (0.25, 0.0)
    """
    off = abs(value - reference)
    if not number.relative or off == 0.0:
        return off
    return off / abs(reference) if reference else float("inf")


def met_within(number: Number) -> float:
    """Return how far the repeated recipe may be from the published number: what the solver is from itself elsewhere."""
    liblinear = number.solver == "liblinear"
    if number.family == "accuracy":
        return TIES + SAME_COUNT if liblinear else SAME_COUNT
    if number.family == "influence":
        return {"ridge": RIDGE_INFLUENCE, "libsvm": LIBSVM_INFLUENCE}.get(number.solver, LIBLINEAR_INFLUENCE)
    if liblinear and number.unconverged:
        return UNCONVERGED_COSINE if number.family == "cosine" else UNCONVERGED
    if number.quantity == "min_loss":
        return LEAST_LOSS
    return LIBLINEAR_CARRIED if liblinear else ROUNDING


def verdict_of(number: Number, published: float, to_repeated: float, to_exact: float | None) -> Verdict:
    """Return the verdict on a published number from its distances to the repeated and to the exact one."""
    if not to_repeated <= met_within(number):
        return "unexplained"
    wrong = wrong_by_construction(number, published) != ""
    if to_exact is None and wrong:
        return "differs"
    off = to_repeated if to_exact is None else to_exact
    if off <= (SAME_COUNT if number.family == "accuracy" else ROUNDING):
        return "exact"
    if wrong:  # also where it is near the right number by chance
        return "differs"
    if off <= stops_within(number):
        return "within solver tolerance"
    return "differs" if number.unconverged else "unexplained"


def stops_within(number: Number) -> float:
    """Return how far from the optimum the solver's stopping rule may leave a number."""
    if number.family == "accuracy":
        return TIES + SAME_COUNT
    return met_within(number) if number.solver == "liblinear" and number.unconverged else STOP[number.solver]


def why(number: Number, published: float, verdict: Verdict, is_exact_known: bool) -> str:
    """Return the reason of a verdict in a short sentence; "" for exact."""
    if verdict == "exact":
        return ""
    if verdict == "unexplained":
        return "the paper's recipe or the optimum is another number, for no reason that is known"
    if (wrong := wrong_by_construction(number, published)) and verdict == "differs":
        return wrong
    if verdict == "differs" or (number.unconverged and number.family != "accuracy"):
        return _unconverged(number, is_exact_known)
    if number.family == "accuracy":
        return "one or two test rows have scores near 0, which the solver leaves on either side"
    return {
        "ridge": "the same optimum; a mean in which large numbers cancel keeps fewer digits",
        "libsvm": "libsvm stops at scores within 1e-3 of the optimum",
        "LinearSVC": "LinearSVC stops within its tolerance of the optimum",
        "liblinear": "liblinear stops within its tolerance of the optimum",
    }[number.solver]


def wrong_by_construction(number: Number, published: float) -> str:
    """Return why a published number is not the quantity of its name; "" where it is."""
    if published == NO_MARGIN:
        return "9999 stands for an SVM without a margin row, whose influences the formula cannot have"
    if number.quantity == "avg_I":
        what = (
            "complementary projection on the margin rows" if number.solver == "libsvm" else "Hessian of the poison rows"
        )
        return f"not the derivative: {what}, the penalty's gradient on each, a mean for the sum over the poison"
    if number.family == "influence":
        return "not an influence: the formula of avg_I, in magnitude; a study has no number of that kind"
    if number.kernel and number.family == "coef" and number.beta == 0.0:
        return "the duals of beta = 0 stand packed at the first places instead of at their rows"
    if number.kernel and (number.family == "cosine" or (number.family == "norm" and number.beta == 0.0)):
        return "the duals of beta = 0 are at the wrong rows, and with them the norm there and every cosine"
    return ""


def _unconverged(number: Number, is_exact_known: bool) -> str:
    if number.solver == "LinearSVC":
        return "LinearSVC stopped at its last iteration, unconverged"
    if not is_exact_known:
        return "liblinear stops unconverged, at another place with every order of the sums"
    if number.quantity in ("triggered_loss", "clean_loss"):
        return "liblinear stopped unconverged; its probabilities were clipped at 1e-15"
    return "liblinear stopped unconverged"


def largest_entry(vector: np.ndarray) -> int:
    """Return the place of the entry of the largest magnitude."""
    return int(np.argmax(np.abs(vector)))
