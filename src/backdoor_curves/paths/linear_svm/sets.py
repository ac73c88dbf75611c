"""The sets of a path's rows at its nodes, kept as the changes from node to node: a row or two, and not all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int8

from backdoor_curves.paths.linear_svm.position import Node
from backdoor_curves.paths.svm.dual import MARGIN

AT_ONCE = 1e-14
"""An event as near to 0 as this is at 0: bounds that balance there do so but for rounding, and the intercept jumps."""


@dataclass(frozen=True, eq=False)
class Sets:
    """The set of each row at each node.

    Parameters
    ----------
    status : array of shape (n,)
        At the first node.
    margin : int array of shape (m,)
        The rows on the margin there, in the order in which they are factored.
    rows, to : arrays of shape (e,)
        The rows that go to another set, and to which, in order.
    ends : int array of shape (k,)
        How many of these changes are behind each node.
    """

    status: Int8[np.ndarray, " n"]
    margin: Int[np.ndarray, " m"]
    rows: Int[np.ndarray, " e"]
    to: Int8[np.ndarray, " e"]
    ends: Int[np.ndarray, " k"]

    def at(self, k: int | np.integer) -> Int8[np.ndarray, " n"]:
        """Return the set of each row at a node."""
        end, status = self.ends[k], self.status.copy()
        status[self.rows[:end]] = self.to[:end]  # of several changes of a row the last counts
        return status

    def margin_at(self, k: int | np.integer) -> Int[np.ndarray, " m"]:
        """Return the rows on the margin at a node, in the order in which they came."""
        end, came = self.ends[k], np.zeros(len(self.status), dtype=np.intp)
        came[self.margin] = np.arange(len(self.margin)) - len(self.margin)
        came[self.rows[:end]] = np.arange(end)
        rows = np.flatnonzero(self.at(k) == MARGIN)
        return rows[np.argsort(came[rows], kind="stable")]


@dataclass(frozen=True, eq=False)
class Nodes:
    """The solution at the nodes.

    Parameters
    ----------
    betas, b : arrays of shape (k,)
    W : array of shape (k, p)
    sets : Sets
        From each node on.
    """

    betas: Float[np.ndarray, " k"]
    W: Float[np.ndarray, "k p"]
    b: Float[np.ndarray, " k"]
    sets: Sets


class Trail:
    """Where a walk has come by: nodes that are added as it goes. Of several at one t the last is kept.

    Only an empty margin leaves a free intercept to jump: then there are two, but at 0, which has its right limit only.
    """

    def __init__(self, free: bool) -> None:
        self.free = free
        self.t: list[float] = []
        self.W: list[Float[np.ndarray, " q"]] = []
        self.ends: list[int] = []
        self.rows: list[int] = []
        self.to: list[int] = []
        self.now = np.zeros(0, dtype=np.int8)
        self.m: list[int] = []

    def add(
        self,
        t: float,
        w: Float[np.ndarray, " p"],
        b: float,
        status: Int8[np.ndarray, " n"],
        margin: Int[np.ndarray, " m"],
    ) -> None:
        """Add a node, given the set of each row."""
        if not self.t:
            self.first, self.margin = status.copy(), margin
        else:
            changed = np.flatnonzero(status != self.now)
            self.rows += changed.tolist()
            self.to += status[changed].tolist()
        self.now = status.copy()
        self._add(t, np.append(w, b), len(margin))

    def go_on(self, events: Sequence[Node]) -> None:
        """Add the nodes of some events."""
        for t, w, row, to in events:
            self.rows.append(row)
            self.to.append(to)
            m = self.m[-1] + int(to == MARGIN) - int(self.now[row] == MARGIN)
            self.now[row] = to
            self._add(t, w if self.free else np.append(w, 0.0), m)

    def _add(self, t: float, w: Float[np.ndarray, " q"], m: int) -> None:
        t = t if t > AT_ONCE else 0.0
        same = [k for k in range(max(0, len(self.t) - 2), len(self.t)) if self.t[k] == t]
        jumps = self.free and len(same) == 1 and self.m[same[0]] == 0 and self.W[same[0]][-1] != w[-1]
        if same and not (jumps and t > 0.0):
            for kept in (self.t, self.W, self.m, self.ends):
                kept.pop()
        self.t.append(t)
        self.W.append(w)
        self.m.append(m)
        self.ends.append(len(self.rows))

    def nodes(self) -> Nodes:
        """Return all of it."""
        W = np.empty((len(self.W), len(self.W[0])))
        for k in range(len(W)):
            W[k], self.W[k] = self.W[k], W[k, :0]  # never all of them twice
        rows, to, ends = np.array(self.rows, dtype=np.intp), np.array(self.to, dtype=np.int8), np.array(self.ends)
        return Nodes(np.array(self.t), W[:, :-1], W[:, -1], Sets(self.first, self.margin, rows, to, ends))
