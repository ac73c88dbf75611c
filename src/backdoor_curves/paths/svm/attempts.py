"""The ways in which an SVM's path is attempted: from its start, segment by segment, to its nodes.

Most paths are followed as they are. Where ties keep one from going on, its margins are shifted at random, and each of
its segments is taken back to margins 1 by the same homotopy. Where double precision has too few digits the path is
followed in extended precision, with a ridge that makes all rows independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from backdoor_curves.paths.linalg.definite import Number
from backdoor_curves.paths.svm.active_set import TIE
from backdoor_curves.paths.svm.dual import BOUND, IDLE, ZERO, Point, Problem, Segment, StalledError
from backdoor_curves.paths.svm.homotopy import Homotopy
from backdoor_curves.paths.svm.path import Nodes
from backdoor_curves.paths.svm.start import start

INNER_ROUNDS = 50
"""Rounds of a path within one segment of a shifted one, after which it counts as stalled: there the two have few
events."""
CLEAR = 1e-8
"""Rounding of a score that hides no event: a hundredth of the error that curves ask for."""
NEARLY_DEPENDENT = 1e-4
"""Rows depend on each other, nearly, if less of their squared length is left: a residual of 1e-12 is then one of 1e-8
in a dual, and an event may be missed."""


@dataclass(frozen=True)
class Attempt:
    """A way to follow a path.

    Parameters
    ----------
    name : str
    shift : float
        Size of the random shifts of the margins that break ties.
    ridge : float
        On the kernel matrix, in units of its noise; a path with one is followed in extended precision.
    separates_dependent_rows : bool
        Whether the start puts rows that depend on others of the margin to a side, or leaves them as ties.
    """

    name: str
    shift: float = 0.0
    ridge: float = 0.0
    separates_dependent_rows: bool = True

    @property
    def precision(self) -> Literal["double", "extended"]:
        """In which the path is followed."""
        return "extended" if self.ridge else "double"

    @property
    def is_plain(self) -> bool:
        """Whether the problem is followed as it is."""
        return not self.shift and not self.ridge


ATTEMPTS = (
    Attempt("as it is"),
    Attempt("shifted margins", shift=1e-7),
    Attempt("margins shifted by more", shift=1e-6),
    Attempt("dependent rows as ties", separates_dependent_rows=False),
    Attempt("extended precision", ridge=1.0),
    Attempt("extended precision, larger ridge", ridge=30.0),
    Attempt("extended precision, largest ridge", ridge=1e3),
)
"""Each for where those before fail: of 1500 random problems the first is enough for all but 27, the shifts for all but
18. A shift is far above the rounding of a margin, 1e-12, and what it does is taken back; ridges begin at the kernel
matrix's noise, in extended precision, and a larger one is for noise that adds up."""


@dataclass(frozen=True, eq=False)
class Followed:
    """A path as an attempt has followed it.

    Parameters
    ----------
    nodes : Nodes
    is_complete : bool
        Whether none of its events may be missing: by a shift, by the rounding of large bounds, or by rows of the margin
        that nearly depend on each other.
    """

    nodes: Nodes
    is_complete: bool


def follow(problem: Problem, attempt: Attempt) -> Followed:
    """Return the path as an attempt follows it; raises StalledError where it cannot go on."""
    perturbation = attempt.shift * np.random.default_rng(5).random(len(problem.y))
    homotopy = _start(problem, attempt, perturbation)
    exact, state = homotopy.problem, homotopy.state
    waiting = np.flatnonzero(state.status == IDLE)
    state.status[waiting] = np.where(exact.y[waiting] * state.e[waiting] < 0.0, BOUND, ZERO)
    segments = [*homotopy.follow(np.zeros(len(problem.y)), exact.du), homotopy.segment(1.0)]
    is_complete = exact.rounding <= CLEAR and float(homotopy.margin.least_pivot) >= NEARLY_DEPENDENT
    if attempt.shift:
        ends, is_complete = [segment.start for segment in segments[1:]] + [1.0], False
        pairs = zip(segments, ends, strict=True)
        segments = [part for segment, end in pairs for part in _unshifted(exact, segment, end, perturbation)]
    return Followed(_nodes(segments, problem), is_complete)


def _start(problem: Problem, attempt: Attempt, perturbation: Float[np.ndarray, " n"]) -> Homotopy:
    """Return the solution at beta = 0, in the precision of the attempt."""
    if attempt.precision == "double":
        return start(problem, perturbation, attempt.separates_dependent_rows)
    exact = problem.extended(attempt.ridge * problem.noise)
    try:
        near = start(problem, perturbation).state
        h = exact.y * (1.0 + perturbation)
        homotopy = Homotopy(exact, Point(near.a.astype(h.dtype), near.b, near.status), h, exact.u0)
        homotopy.repair()
    except StalledError:
        return start(exact, perturbation)
    return homotopy


def _unshifted(problem: Problem, segment: Segment, end: Number, perturbation: Float[np.ndarray, " n"]) -> list[Segment]:
    """Return a segment for margins 1: at its start by the same homotopy in h at a fixed beta, then on to its end.

    The events of the two paths are not the same, so that one segment may become several; of a path that stalls the
    first is kept.
    """
    u, off = problem.bounds(segment.start), problem.y * perturbation
    homotopy = Homotopy(problem, segment.point(u), problem.y + off, u)
    homotopy.follow(-off, np.zeros_like(u))
    first, length = homotopy.segment(segment.start), end - segment.start
    if not length > 0.0:
        return [first]
    homotopy.limit = homotopy.rounds + INNER_ROUNDS
    try:
        inner = homotopy.follow(np.zeros_like(u), length * problem.du)
    except StalledError:
        return [first]
    later = [part._replace(start=segment.start + length * part.start) for part in inner if part.start > 0.0]
    return [first, *later]


def _nodes(segments: Sequence[Segment], problem: Problem) -> Nodes:
    """Return a node for the start of each segment; two at one beta are a jump, which at 0 has its right limit only."""
    kept: list[Segment] = []
    for segment in map(problem.rounded, segments):
        same = [before for before in kept[-2:] if before.start == segment.start]
        # Only an empty margin leaves a free intercept to jump.
        jumps = problem.free and len(same) == 1 and not same[0].margin.size and same[0].b != segment.b
        if jumps and segment.start <= TIE:  # at 0, wherever rounding has put it
            kept, segment = [], segment._replace(start=0.0)
        elif same and not jumps:
            kept.pop()
        kept.append(segment)
    return Nodes(
        betas=np.array([segment.start for segment in kept]),
        b=np.array([segment.b for segment in kept]),
        status=np.array([segment.status for segment in kept]),
        margin_duals=[segment.a[segment.margin.argsort()] for segment in kept],
    )
