"""Chords of the way that w has gone: which rows are so far from their margin at both ends that they met it nowhere.

Let v_k be the point of the chord from w_0 to w_S that is nearest to w_k. Then f_i(v_k) lies between f_i(w_0) and
f_i(w_S), and

    |f_i(w_k) - f_i(v_k)|  <=  |phi_i| max_k |w_k - v_k|.

For rows in doubt the two halves of the way have shorter chords; those of which no chord will do are looked at, exactly,
at each node.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

FEW = 4
"""Nodes between which a chord costs what looking at them does."""
WRONG = 1e-9
"""A row this far on the wrong side has crossed the margin: more than rounding leaves of a score."""


def bow(W: Float[np.ndarray, "s q"]) -> float:
    """Return how far some w are from the chord between the first and the last, at most."""
    chord, V = W[-1] - W[0], W - W[0]
    square = float(chord @ chord)
    share = np.clip(V @ chord / square, 0.0, 1.0) if square > 0.0 else np.zeros(len(W))
    V -= share[:, np.newaxis] * chord
    return float(np.sqrt(np.einsum("ij,ij->i", V, V).max()))


class Part(NamedTuple):
    """Nodes low to high, rows that are in doubt there, and how far these are from their margin at both ends."""

    low: int
    high: int
    rows: Int[np.ndarray, " k"]
    before: Float[np.ndarray, " k"]
    after: Float[np.ndarray, " k"]


class Chords:
    """The chords of a stride's nodes, halved again and again: which rows cross their margin at some node.

    Parameters
    ----------
    W : array of shape (s, q)
        The nodes.
    """

    def __init__(self, W: Float[np.ndarray, "s q"]) -> None:
        self.W, self.first = W, len(W)
        self.known: dict[tuple[int, int], float] = {}

    def bow(self, low: int, high: int) -> float:
        """Return how far nodes are from the chord between two of them, at most."""
        if (low, high) not in self.known:
            self.known[low, high] = bow(self.W[low : high + 1])
        return self.known[low, high]

    def crossed(
        self,
        Z: Float[np.ndarray, "k q"],
        h: Float[np.ndarray, " k"],
        reach: Float[np.ndarray, " k"],
        ends: list[Float[np.ndarray, " k"]],
    ) -> Bool[np.ndarray, " k"]:
        """Return which rows have z'w < h at some node, given their lengths and z'w - h at the first and the last."""
        found = np.zeros(len(h), dtype=bool)
        parts = [Part(0, len(self.W) - 1, np.arange(len(h)), *ends)]
        while parts:
            low, high, rows, e, f = parts.pop()
            doubt = np.minimum(e, f) < self.bow(low, high) * reach[rows] + WRONG
            rows, e, f = rows[doubt], e[doubt], f[doubt]
            if not rows.size:
                continue
            if high - low <= FEW:
                inside = Z[rows] @ self.W[low + 1 : high + 1].T - h[rows, np.newaxis] < -WRONG
                found[rows[inside.any(axis=1)]] = True
                if inside.any():
                    self.first = min(self.first, low + 1 + int(inside.any(axis=0).argmax()))
                continue
            middle = (low + high) // 2
            g = Z[rows] @ self.W[middle] - h[rows]
            parts += [Part(low, middle, rows, e, g), Part(middle, high, rows, g, f)]
        return found
