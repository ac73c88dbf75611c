"""Many events of a walk in a row, among watched rows, each at the cost of what it changes.

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

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from backdoor_curves.paths.linear_svm.problem import Problem
from backdoor_curves.paths.svm.dual import BOUND, MARGIN, ZERO

NEAREST = 8
"""Rows whose scores are followed, for each event of a block: with half as many one block in four was walked again."""
SOLVES = 3
"""With N: the second gives back the digits that N has lost, the third those that the second still left."""
SOLVED = 1e-13
"""What may be left of an equation of the margin, as a share of its right side: what rounding alone leaves."""
DEPENDENT = 1e-22
"""Share of its square that is left of a row, beside the margin, that is in the margin's span: rounding."""
LEAST_PIVOT = 1e-12
"""Share of a row's square that must be left of it beside the margin: with less N loses more digits than that."""
TIE = 1e-14
"""Events as near as this share of the way to its end are beyond it."""
WRONG = 1e-9
"""A row this far on the wrong side has crossed the margin: more than rounding leaves of a score."""
OFF = 1e-10
"""What a block may leave of the margin's scores: it is walked again with a new N, and shorter, where it leaves more."""
GOOD = 1e-12
"""What a block may leave of the margin's scores where N is to serve another: a hundredth of what counts as wrong."""
SMALL = 64
"""Unknowns whose matrix is inverted anew after each block: that costs less than to change it."""
SIDE = np.array([1.0, 0.0, -1.0])
"""The sign that y f - 1 has in each set."""
TINY = float(np.finfo(float).tiny)
"""Against division by 0."""


class Node(NamedTuple):
    """Where an event is: t, w (and b after it) there, and the row that goes to another set."""

    t: float
    w: Float[np.ndarray, " q"]
    row: int
    to: int


@dataclass(frozen=True, eq=False)
class Watched:
    """The rows that a stride looks at, the margin's among them.

    Parameters
    ----------
    rows : int array of shape (s,)
        Their numbers.
    Z : array of shape (s, q)
        Their features, and a 1 if there is a free intercept.
    y, h, u0, du : arrays of shape (s,)
        Classes, scores on the margin, and bounds u0 + t du.
    reach : array of shape (s,)
        The length of each row of Z: how far its score moves at most, for a step of w, b of length 1.
    border : int
        1 for a free intercept, else 0: what vectors have beside w and the duals.
    """

    rows: Int[np.ndarray, " s"]
    Z: Float[np.ndarray, "s q"]
    y: Float[np.ndarray, " s"]
    h: Float[np.ndarray, " s"]
    u0: Float[np.ndarray, " s"]
    du: Float[np.ndarray, " s"]
    reach: Float[np.ndarray, " s"]
    border: int

    @classmethod
    def of(cls, problem: Problem, targets: Float[np.ndarray, " n"], rows: Int[np.ndarray, " s"]) -> Watched:
        """Return some rows of a problem."""
        Z = problem.Phi[rows]
        if problem.free:
            Z = np.column_stack([Z, np.ones(len(rows))])
        reach = np.sqrt(np.einsum("ij,ij->i", Z, Z))
        y, u0, du = problem.y[rows], problem.u0[rows], problem.du[rows]
        return cls(rows, Z, y, targets[rows], u0, du, reach, int(problem.free))

    def unknowns(self, M: Int[np.ndarray, " m"]) -> Float[np.ndarray, "k q"]:
        """Return what the unknowns of a margin make of w, b: a free intercept is the first of them."""
        A = self.Z[M]
        if not self.border:
            return A
        A[:, -1] = 0.0
        return np.vstack([np.eye(1, A.shape[1], A.shape[1] - 1), A])


class Unknowns(NamedTuple):
    """The margin's matrix and what it is solved for.

    Parameters
    ----------
    N : array of shape (k, k)
        Its inverse; the first row is a free intercept's.
    A : array of shape (k, q)
        What the unknowns make of w, b.
    x : array of shape (k,)
        The unknowns: b if it is free, and the signed duals of the margin.
    w : array of shape (q,)
        w, and b after it if it is free.
    drift : array of shape (q,)
        How fast rows at their bounds pull w; after it, of a free intercept, how fast their signed duals' sum grows.
    """

    N: Float[np.ndarray, "k k"]
    A: Float[np.ndarray, "k q"]
    x: Float[np.ndarray, " k"]
    w: Float[np.ndarray, " q"]
    drift: Float[np.ndarray, " q"]


@dataclass(frozen=True, eq=False)
class Position:
    """The optimum at some t, and how all moves from there.

    Parameters
    ----------
    t : float
    status : array of shape (s,)
        The set of each row that is watched.
    M : int array of shape (m,)
        The margin, by the places of its rows among those.
    at : Unknowns
    dx, speed : arrays of shape (k,) and (q,)
        The rates of the unknowns, and of w, b.
    scores, rates : arrays of shape (s,)
        The scores of the rows that are watched, and theirs.
    """

    t: float
    status: Int8[np.ndarray, " s"]
    M: Int[np.ndarray, " m"]
    at: Unknowns
    dx: Float[np.ndarray, " k"]
    speed: Float[np.ndarray, " q"]
    scores: Float[np.ndarray, " s"]
    rates: Float[np.ndarray, " s"]

    @classmethod
    def of(
        cls, watched: Watched, t: float, status: Int8[np.ndarray, " s"], M: Int[np.ndarray, " m"], at: Unknowns
    ) -> Position:
        """Return the position of known sets."""
        dx, speed = solved(at.N, at.A, at.drift, np.zeros(len(M)))
        scores, rates = (watched.Z @ np.column_stack([at.w, speed])).T
        return cls(t, status, M, at, dx, speed, scores, rates)


def solved(
    N: Float[np.ndarray, "k k"], A: Float[np.ndarray, "k q"], pull: Float[np.ndarray, " q"], h: Float[np.ndarray, " m"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " q"]]:
    """Return the unknowns, and w and b, that give the margin its scores h, for a pull and the sum of its signed duals.

    Each solution takes out what the one before has left.
    """
    x, border = np.zeros(len(A)), len(A) - len(h)
    w = pull.copy()
    w[len(w) - border :] = 0.0
    for _ in range(SOLVES):
        off = A @ w
        if border:
            off[1:] += w[-1]
            off[0] = pull[-1] + x[1:].sum()
        off[border:] -= h
        step = N @ off
        x -= step
        w -= step @ A
    return x, w


def inverse(A: Float[np.ndarray, "k q"], border: int) -> Float[np.ndarray, "k k"]:
    """Return the inverse of the margin's matrix; raises LinAlgError if it is singular to all digits."""
    S = A @ A.T
    if border:
        S[0], S[:, 0] = 1.0, 1.0
        S[0, 0] = 0.0
    return np.linalg.inv(S)


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
        distance = np.maximum(e, 0.0) / (speed + 0.1 * speed.mean() + TINY)
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
        """Return u with S u = g, and Phi'u, from u = N g: changes cost N digits, and a look tells whether it has enough."""
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


def bow(W: Float[np.ndarray, "s q"]) -> float:
    """Return how far some w are from the chord between the first and the last, at most."""
    chord, V = W[-1] - W[0], W - W[0]
    square = float(chord @ chord)
    share = np.clip(V @ chord / square, 0.0, 1.0) if square > 0.0 else np.zeros(len(W))
    V -= share[:, np.newaxis] * chord
    return float(np.sqrt(np.einsum("ij,ij->i", V, V).max()))
