"""A block of events of a walk, among watched rows, each at the cost of what it changes.

With S the margin's matrix, bordered for a free intercept, and N its inverse,

    S = [ 0  1'   ]        S [ db; dc_M ] = -[ 1'; Phi_M ] dc_E,        dw = Phi'dc:
        [ 1  K_MM ]

an event turns all rates along one direction u, and changes N by the product of u with itself:

    row j leaves      u = N e_j,            theta = (its rate at the limit - dc_j) / u_j,        N -= u u' / u_j
    row k comes       u = (N g, -1),        theta = df_k / s,      s = |phi_k|^2 - g'N g,        N += u u' / s

    dc += theta u,    dw += theta Phi'u,    g = (1; Phi_M phi_k).

So an event costs one sum over the margin's rows, and a product of N with the row that comes; N itself is changed once a
block of events. Of the rows outside the margin those are watched that may come first: few in each block, whose scores
are followed, and more that are looked at, at all its events, at its end.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.paths.linear_svm.chords import WRONG, bow
from backdoor_curves.paths.linear_svm.position import SIDE, Node, Position, Unknowns, Watched, inverse
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO

NEAREST = 8
"""Rows whose scores are followed, for each event of a block: with half as many one block in four was walked again."""
SOLVED = 1e-13
"""What may be left of an equation of the margin, as a share of its right side: what rounding alone leaves."""
DEPENDENT = 1e-22
"""Share of its square that is left of a row, beside the margin, that is in the margin's span: rounding."""
LEAST_PIVOT = 1e-12
"""Share of a row's square that must be left of it beside the margin: with less N loses more digits than that."""
TIE = 1e-14
"""Events as near as this share of the way to its end are beyond it."""
OFF = 1e-10
"""What a block may leave of the margin's scores: it is walked again with a new N, and shorter, where it leaves more."""
GOOD = 1e-12
"""What a block may leave of the margin's scores where N is to serve another: a hundredth of what counts as wrong."""
SMALL = 64
"""Unknowns whose matrix is inverted anew after each block: that costs less than to change it."""
SLOW = 1e-99
"""Rates of scores below this are none: divisions by them overflow."""


def walk_block(
    watched: Watched, at: Position, forced: Int[np.ndarray, " f"], most: int
) -> tuple[Position, list[Node], bool]:
    """Return where a walk is after some events, the events, and whether it can go on from there by blocks.

    Parameters
    ----------
    watched, at
    forced : int array
        Places of rows whose scores are to be followed in any case.
    most : int
        Events, at most.
    """
    while most:
        block = Block(watched, at, forced, most)
        nodes, goes_on = block.walked()
        after = block.position()
        if block.off > OFF:
            N, most = inverse(at.at.A, watched.border), most // 2
            at = Position.of(watched, at.t, at.status, at.M, at.at._replace(N=N))
        elif (missed := block.missed(nodes, after)).size:
            forced = np.union1d(forced, missed)
        else:
            return after, nodes, goes_on
    return at, [], False


class Turn(NamedTuple):
    """How an event turns the rates: along u, and w along v, by theta; N changes by sigma u u'.

    It is unknown j that comes or goes, of the row at a place among those that are watched. What is left of a row that
    comes, beside the margin, is a share of the squares of what it is made of.
    """

    u: Float[np.ndarray, " k"]
    v: Float[np.ndarray, " q"]
    theta: float
    sigma: float
    j: int
    place: int
    to: int
    left: float


class Block:
    """A block of events: what it changes, in arrays with room for the rows that come.

    Limits that must not be passed are all in one array, X >= 0: duals, what is left to their bounds, and how far the
    rows that are followed are from the margin. V are their rates.
    """

    def __init__(self, watched: Watched, begin: Position, forced: Int[np.ndarray, " f"], most: int) -> None:
        at, M = begin.at, begin.M
        self.watched, self.begin, self.at, self.most = watched, begin, at, most
        k, border = len(at.x), watched.border
        K = self.K = k + most
        self.k = k
        self.A, self.x, self.dx = np.zeros((K, at.A.shape[1])), np.zeros(K), np.zeros(K)
        self.A[:k], self.x[:k], self.dx[:k] = at.A, at.x, begin.dx
        self.place, self.alive = np.zeros(K, dtype=np.intp), np.zeros(K)
        self.place[border:k], self.alive[border:k] = M, 1.0
        self.y, self.du = np.zeros(K), np.zeros(K)
        self.y[border:k], self.du[border:k] = watched.y[M], watched.du[M]
        self.U, self.sigma, self.changes, self.came = np.zeros((K, most)), np.zeros(most), 0, 0
        self.status, self.t, self.w, self.speed = begin.status.copy(), begin.t, at.w, begin.speed
        self.off, self.drift = 0.0, at.drift.copy()
        self.longest = float(watched.reach.max())
        self._follow(forced)
        a, u = self.y * self.x, np.zeros(K)
        u[border:k] = watched.u0[M] + self.t * self.du[border:k]
        self.X = np.concatenate([a, u - a, self.e])
        self.X[:border] = self.X[K : K + border] = 1.0
        self.V = np.zeros_like(self.X)
        self.V[2 * K : 2 * K + self.followed] = self.side[: self.followed] * begin.rates[self.near[: self.followed]]
        self._duals_move()

    def _follow(self, forced: Int[np.ndarray, " f"]) -> None:
        """Choose the rows whose scores are followed: those that may come first, and room for those that leave."""
        watched, begin = self.watched, self.begin
        side, speed = SIDE[begin.status] * watched.y, np.abs(begin.rates)
        e = side * (begin.scores - watched.h)
        distance = np.maximum(e, 0.0) / np.maximum(speed + 0.1 * speed.mean(), SLOW)
        distance[forced] = -1.0
        distance[side == 0.0] = np.inf
        count = min(NEAREST * self.most + len(forced), int((side != 0.0).sum()))
        near = np.argpartition(distance, count - 1)[:count] if count else np.empty(0, dtype=np.intp)
        self.followed, self.near = count, np.append(near, np.zeros(self.most, dtype=np.intp))
        self.Z = np.zeros((count + self.most, watched.Z.shape[1]))
        self.side, self.e = np.zeros(count + self.most), np.ones(count + self.most)
        self.Z[:count], self.side[:count], self.e[:count] = watched.Z[near], side[near], e[near]

    def _duals_move(self) -> None:
        da = self.y * self.dx * self.alive
        self.V[: self.K] = da
        self.V[self.K : 2 * self.K] = self.du * self.alive - da

    # --- events ------------------------------------------------------------------------------------------------------

    def walked(self) -> tuple[list[Node], bool]:
        """Return the events up to the end of the block or of the way, and whether it goes on by blocks."""
        nodes: list[Node] = []
        X, V, K, times = self.X, self.V, self.K, np.empty_like(self.X)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            while len(nodes) < self.most:
                times.fill(-np.inf)
                np.divide(np.maximum(X, 0.0), V, out=times, where=V < 0.0)
                i = int(times.argmax())
                tau = -float(times[i])
                if not tau < 1.0 - self.t - TIE:
                    self._move(1.0 - self.t)
                    self.t = 1.0
                    return nodes, True
                turn = self._leaving(i % K, BOUND if i >= K else ZERO) if i < 2 * K else self._coming(i - 2 * K)
                if turn.left <= DEPENDENT and turn.to == MARGIN:
                    V[i] = 0.0  # in the span of the margin: there it stays
                    continue
                if turn.left <= LEAST_PIVOT:
                    return nodes, False
                self._move(tau)
                self._turn(turn)
                nodes.append(Node(self.t, self.w, int(self.watched.rows[turn.place]), turn.to))
        return nodes, True

    def _move(self, tau: float) -> None:
        self.t += tau
        self.w = self.w + tau * self.speed
        self.x += tau * self.dx
        self.X += tau * self.V

    def _leaving(self, j: int, to: int) -> Turn:
        """Return how rates turn when unknown j goes to its limit; the last row that holds an intercept cannot."""
        one = np.zeros(self.K)
        one[j] = 1.0
        u, v = self._solved(one, self._column(j))
        place, pivot = int(self.place[j]), float(u[j])
        if not pivot > 0.0 or (self.watched.border and self.alive.sum() <= 1.0):
            return Turn(u, v, 0.0, 0.0, j, place, to, 0.0)
        limit = self.y[j] * self.du[j] if to == BOUND else 0.0
        return Turn(u, v, float(limit - self.dx[j]) / pivot, -1.0 / pivot, j, place, to, 1.0)

    def _coming(self, i: int) -> Turn:
        """Return how rates turn when followed row i comes to the margin."""
        z = self.Z[i]
        g = self.A @ z
        u, v = self._solved(g, self._times_n(g))
        p, j, place = len(z) - self.watched.border, self.k + self.came, int(self.near[i])
        v[:p] -= z[:p]
        pivot, size = float(v[:p] @ v[:p]), 1.0 + float(np.abs(u).sum())
        u[j] = -1.0
        theta = float(z @ self.speed) / pivot if pivot else 0.0
        is_full = self.alive.sum() == p + self.watched.border
        left = 0.0 if is_full else pivot / (size * self.longest) ** 2
        return Turn(u, v, theta, 1.0 / pivot if pivot else 0.0, j, place, MARGIN, left)

    def _times_n(self, g: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Return N g, N as the block has left it."""
        k, r = self.k, self.changes
        u = self.U[:, :r] @ (self.sigma[:r] * (g @ self.U[:, :r]))
        u[:k] += self.at.N @ g[:k]
        return u

    def _column(self, j: int) -> Float[np.ndarray, " k"]:
        """Return N e_j."""
        r = self.changes
        u = self.U[:, :r] @ (self.sigma[:r] * self.U[j, :r])
        if j < self.k:
            u[: self.k] += self.at.N[:, j]
        return u

    def _solved(
        self, g: Float[np.ndarray, " k"], u: Float[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " q"]]:
        """Return u with S u = g, and Phi'u, from u = N g; steps of refinement give back the digits that N has lost."""
        border, largest, before = self.watched.border, float(np.abs(g).max()), np.inf
        while True:
            u[border:] *= self.alive[border:]
            v = u @ self.A
            off = g - self.A @ v
            if border:
                off[0] = g[0] - u[1:].sum()
                off[1:] -= u[0]
            off[border:] *= self.alive[border:]
            size = float(np.abs(off).max(initial=0.0))
            if size <= SOLVED * largest or not size < before / 2:
                return u, v
            u, before = u + self._times_n(off), size

    def _turn(self, turn: Turn) -> None:
        """Change the sets and all rates."""
        self.U[:, self.changes], self.sigma[self.changes] = turn.u, turn.sigma
        self.changes += 1
        if turn.to == MARGIN:
            self._enter(turn)
        self.speed = self.speed + turn.theta * turn.v
        self.dx += turn.theta * turn.u
        self.V[2 * self.K :] += turn.theta * (self.side * (self.Z @ turn.v))
        if turn.to != MARGIN:
            self._leave(turn)
        self.status[turn.place] = turn.to
        self._duals_move()

    def _enter(self, turn: Turn) -> None:
        watched, j, place, K = self.watched, turn.j, turn.place, self.K
        (i,) = np.flatnonzero((self.near == place) & (self.side != 0.0))
        z, y, du = self.Z[i], watched.y[place], watched.du[place]
        u = watched.u0[place] + self.t * du
        self.A[j] = z
        self.A[j, len(z) - watched.border :] = 0.0
        self.place[j], self.alive[j], self.y[j], self.du[j] = place, 1.0, y, du
        self.came += 1
        if self.status[place] == BOUND:
            self.x[j], self.dx[j] = y * u, y * du
            self.drift -= self.dx[j] * z
        a = y * self.x[j]
        self.X[j], self.X[K + j] = a, u - a
        self.side[i], self.X[2 * K + i], self.V[2 * K + i] = 0.0, 1.0, 0.0

    def _leave(self, turn: Turn) -> None:
        watched, j, place, K = self.watched, turn.j, turn.place, self.K
        z, y, i = watched.Z[place], watched.y[place], self.followed
        if turn.to == BOUND:
            self.drift += y * watched.du[place] * z
        self.A[j], self.alive[j], self.dx[j] = 0.0, 0.0, 0.0
        self.X[j] = self.X[K + j] = 1.0
        self.near[i], self.Z[i], self.side[i] = place, z, y if turn.to == ZERO else -y
        self.X[2 * K + i], self.V[2 * K + i] = 0.0, self.side[i] * turn.theta
        self.followed += 1

    # --- the end of a block ------------------------------------------------------------------------------------------

    def missed(self, nodes: list[Node], after: Position) -> Int[np.ndarray, " k"]:
        """Return the places of watched rows that were not followed and have crossed the margin.

        Those far from it at both ends, for how far w has gone from the chord between, have not.
        """
        watched = self.watched
        side = SIDE[self.begin.status] * watched.y
        side[self.near[: self.followed]] = 0.0
        W = np.array([self.at.w, *(node.w for node in nodes), self.w])
        nearest = np.minimum(*(side * (scores - watched.h) for scores in (self.begin.scores, after.scores)))
        others = np.flatnonzero((side != 0.0) & (nearest < bow(W) * watched.reach + WRONG))
        excess = side[others, np.newaxis] * (watched.Z[others] @ W[1:].T - watched.h[others, np.newaxis])
        return others[(excess < -WRONG).any(axis=1)]

    def position(self) -> Position:
        """Return where the block has come to, the margin's rows exactly on the margin."""
        border = self.watched.border
        alive = self.alive > 0.0
        alive[:border] = True
        left = np.flatnonzero(alive)
        A, x, w, M = self.A[left], self.x[left], self.w, self.place[left[border:]]
        off = A @ w
        if border:
            off[1:] += w[-1]
            off[0] = 0.0
        off[border:] -= self.watched.h[M]
        self.off = float(np.abs(off).max(initial=0.0))
        N = inverse(A, border) if len(A) <= SMALL or self.off > GOOD else self._changed(left)
        step = N @ off
        return Position.of(self.watched, self.t, self.status, M, Unknowns(N, A, x - step, w - step @ A, self.drift))

    def _changed(self, left: Int[np.ndarray, " l"]) -> Float[np.ndarray, "l l"]:
        """Return N with the changes of the block, of the unknowns that are left."""
        U, old = self.U[left, : self.changes], left[left < self.k]
        N = (U * self.sigma[: self.changes]) @ U.T
        N[: len(old), : len(old)] += self.at.N[np.ix_(old, old)]
        return N
