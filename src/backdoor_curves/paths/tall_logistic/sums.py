"""The objective of logistic regression by its sums over rows: one pass over them for many betas at once.

    P(w, beta) = 1/2 w'R w + sum_i u_i(beta) log(1 + exp(-y_i f_i)),    f = Z w,    u(beta) = u0 + beta du

Columns are betas: W has shape (q, b). No scores are kept: they are made again in each pass, block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.linalg.blas import dsyrk

from backdoor_curves.paths.linalg.row_parts import Place, RowParts, dense, joined, largest_of, sum_of
from backdoor_curves.rows import Rows, squared_lengths

AT_ONCE = 32
"""Betas of a pass: with more a block has fewer rows, and nothing is gained."""

Known = tuple[Float[np.ndarray, " k"], ...]
"""y, u0 and du of the rows of a part."""


class Gradients(NamedTuple):
    """What a pass over the rows says of some w.

    Parameters
    ----------
    g : array of shape (q, b)
        dP/dw.
    moved : array of shape (b,)
        The largest change of a score by the step that was asked about; 0 without one.
    """

    g: Float[np.ndarray, "q b"]
    moved: Float[np.ndarray, " b"]


class Totals(NamedTuple):
    """Sums over the rows of what is known of each: their losses, the duals u sigma(-y f), the curvatures of the losses.

    Parameters
    ----------
    value, duals, curvature : arrays of shape (b,)
        The value is P itself.
    """

    value: Float[np.ndarray, " b"]
    duals: Float[np.ndarray, " b"]
    curvature: Float[np.ndarray, " b"]


@dataclass(frozen=True, eq=False)
class Sums:
    """1/2 w'R w + sum_i u_i(beta) log(1 + exp(-y_i f_i)), f = Z w.

    Parameters
    ----------
    rows : RowParts
    place : Place
        What makes of them rows of Z.
    y : array of shape (n,)
        -1 and +1.
    u0, du : arrays of shape (n,)
        Weights u0 + beta du, >= 0.
    R : array of shape (q,)
        > 0, or 0 for a free intercept.
    """

    rows: RowParts
    place: Place
    y: Float[np.ndarray, " n"]
    u0: Float[np.ndarray, " n"]
    du: Float[np.ndarray, " n"]
    R: Float[np.ndarray, " q"]

    @property
    def known(self) -> Known:
        """What is known of each row."""
        return self.y, self.u0, self.du

    def gradients(
        self, W: Float[np.ndarray, "q b"], betas: Float[np.ndarray, " b"], step: Float[np.ndarray, "q b"] | None = None
    ) -> Gradients:
        """Return the gradients at W, and by how much the step that led there moved a score."""
        parts = []
        for at in _batches(len(betas)):
            own = None if step is None else step[:, at]
            found = list(self.rows.each(partial(_gradients, self.place, W[:, at], betas[at], own), *self.known))
            g = sum_of((one.g,) for one in found)[0]
            parts.append((self.R[:, np.newaxis] * W[:, at] + g, largest_of(one.moved for one in found)))
        return Gradients(np.hstack([g for g, _ in parts]), np.concatenate([moved for _, moved in parts]))

    def totals(self, W: Float[np.ndarray, "q b"], betas: Float[np.ndarray, " b"]) -> Totals:
        """Return the objective, and sums of the duals and of the curvatures."""
        parts = []
        for at in _batches(len(betas)):
            value, duals, curvature = sum_of(
                self.rows.each(partial(_totals, self.place, W[:, at], betas[at]), *self.known)
            )
            parts.append((value + np.einsum("qb,q,qb->b", W[:, at], self.R, W[:, at]) / 2.0, duals, curvature))
        return Totals(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def hessian(self, w: Float[np.ndarray, " q"], beta: float) -> Float[np.ndarray, "q q"]:
        """Return R + Z'D Z, its lower half."""
        (H,) = sum_of(self.rows.each(partial(_hessian, self.place, w, beta), *self.known))
        H[np.diag_indices_from(H)] += self.R
        return H

    def products(
        self, W: Float[np.ndarray, "q b"], betas: Float[np.ndarray, " b"], V: Float[np.ndarray, "q b"]
    ) -> Float[np.ndarray, "q b"]:
        """Return the Hessian at each w times a vector."""
        parts = []
        for at in _batches(len(betas)):
            (Z_DZ_V,) = sum_of(
                self.rows.each(partial(_products, self.place, W[:, at], betas[at], V[:, at]), *self.known)
            )
            parts.append(self.R[:, np.newaxis] * V[:, at] + Z_DZ_V)
        return np.hstack(parts)

    def pulls_of_beta(self, W: Float[np.ndarray, "q b"]) -> Float[np.ndarray, "q b"]:
        """Return Z'(y du sigma(-y f)): minus the derivative of the gradient in beta."""
        (pulls,) = sum_of(self.rows.each(partial(_pulls_of_beta, self.place, W), *self.known))
        return pulls

    def largest(self, V: Float[np.ndarray, "q b"]) -> Float[np.ndarray, " b"]:
        """Return the largest score of a row, for parameters that are a step."""
        return np.asarray(largest_of(self.rows.each(partial(_largest, self.place, V))))

    def largest_on_poison(self, v: Float[np.ndarray, " q"]) -> float:
        """Return the largest score of a poison row."""
        return float(largest_of(self.rows.each(partial(_largest_on_poison, self.place, v), *self.known)))

    def scores(self, w: Float[np.ndarray, " q"]) -> Float[np.ndarray, " n"]:
        """Return the scores of all rows."""
        return joined(self.rows.each(partial(_scores, self.place, w)))

    @cached_property
    def lengths(self) -> tuple[float, float, float]:
        """The length of the longest row: in its place, in the norm of R^-1, as it came with a 1."""
        weights = np.divide(1.0, self.R, out=np.ones_like(self.R), where=self.R > 0.0)
        return tuple(np.sqrt(largest_of(self.rows.each(partial(_lengths, self.place, weights)))).tolist())


def _batches(b: int) -> list[slice]:
    return [slice(start, start + AT_ONCE) for start in range(0, b, AT_ONCE)]


def _weights(known: Known, rows: slice, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "r _"]:
    """Return the weights of rows at each beta; one column where they are the same at all."""
    _, u0, du = (values[rows, np.newaxis] for values in known)
    return u0 + du * betas if du.any() else u0


def _gradients(
    place: Place,
    W: Float[np.ndarray, "q b"],
    betas: Float[np.ndarray, " b"],
    step: Float[np.ndarray, "q b"] | None,
    X: Rows,
    *known: Float[np.ndarray, " k"],
) -> Gradients:
    b = W.shape[1]
    g, moved, y = np.zeros_like(W), np.zeros(b), known[0]
    both = W if step is None else np.hstack([W, step])
    for Z, rows in place.blocks(X, 2 * both.shape[1]):
        F = Z @ both
        if step is not None:
            moved = np.maximum(moved, np.abs(F[:, b:]).max(axis=0))
        s, signs = sigmoid(F[:, :b], y[rows, np.newaxis]), y[rows, np.newaxis]
        s *= signs * _weights(known, rows, betas)
        g -= Z.T @ s
    return Gradients(g, moved)


def _totals(
    place: Place, W: Float[np.ndarray, "q b"], betas: Float[np.ndarray, " b"], X: Rows, *known: Float[np.ndarray, " k"]
) -> Totals:
    value, duals, curvature = np.zeros((3, W.shape[1]))
    for Z, rows in place.blocks(X, 4 * W.shape[1]):
        y, u = known[0][rows, np.newaxis], _weights(known, rows, betas)
        F = Z @ W
        s = sigmoid(F, y)
        F *= -y
        value += (u * (np.log1p(np.exp(-np.abs(F))) + np.maximum(F, 0.0))).sum(axis=0)
        duals += (u * s).sum(axis=0)
        s *= 1.0 - s
        curvature += (u * s).sum(axis=0)
    return Totals(value, duals, curvature)


def _hessian(
    place: Place, w: Float[np.ndarray, " q"], beta: float, X: Rows, *known: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "q q"]]:
    H = np.zeros((len(w), len(w)), order="F")
    for Z, rows in place.blocks(X, 2):
        y, u0, du = (values[rows] for values in known)
        s = sigmoid(Z @ w, y)
        Z *= np.sqrt((u0 + beta * du) * s * (1.0 - s))[:, np.newaxis]
        H = dsyrk(1.0, Z.T, beta=1.0, c=H, lower=1, overwrite_c=1)
    return (H,)


def _products(
    place: Place,
    W: Float[np.ndarray, "q b"],
    betas: Float[np.ndarray, " b"],
    V: Float[np.ndarray, "q b"],
    X: Rows,
    *known: Float[np.ndarray, " k"],
) -> tuple[Float[np.ndarray, "q b"]]:
    b, total = W.shape[1], np.zeros_like(W)
    both = np.hstack([W, V])
    for Z, rows in place.blocks(X, 4 * b):
        F = Z @ both
        s = sigmoid(F[:, :b], known[0][rows, np.newaxis])
        total += Z.T @ (_weights(known, rows, betas) * s * (1.0 - s) * F[:, b:])
    return (total,)


def _pulls_of_beta(
    place: Place, W: Float[np.ndarray, "q b"], X: Rows, *known: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, "q b"]]:
    y, _, du = known
    pulls = np.zeros_like(W)
    poison = np.flatnonzero(du)
    if poison.size:
        within = slice(int(poison[0]), int(poison[-1]) + 1)
        signed, weights = y[within, np.newaxis], (y * du)[within, np.newaxis]
        for Z, rows in place.blocks(X[within], 2 * W.shape[1]):
            pulls += Z.T @ (weights[rows] * sigmoid(Z @ W, signed[rows]))
    return (pulls,)


def _largest(place: Place, V: Float[np.ndarray, "q b"], X: Rows) -> Float[np.ndarray, " b"]:
    largest = np.zeros(V.shape[1])
    for Z, _ in place.blocks(X, V.shape[1]):
        largest = np.maximum(largest, np.abs(Z @ V).max(axis=0))
    return largest


def _largest_on_poison(place: Place, v: Float[np.ndarray, " q"], X: Rows, *known: Float[np.ndarray, " k"]) -> float:
    poison = np.flatnonzero(known[2])
    if not poison.size:
        return 0.0
    first, stop = int(poison[0]), int(poison[-1]) + 1
    return max(
        float(np.abs((Z @ v)[known[2][first:stop][rows] > 0.0]).max(initial=0.0))
        for Z, rows in place.blocks(X[first:stop], 1)
    )


def _scores(place: Place, w: Float[np.ndarray, " q"], X: Rows) -> Float[np.ndarray, " k"]:
    return np.concatenate([np.zeros(0), *(Z @ w for Z, _ in place.blocks(X, 1))])


def _lengths(place: Place, weights: Float[np.ndarray, " q"], X: Rows) -> Float[np.ndarray, " 3"]:
    longest = np.zeros(3)
    for Z, rows in place.blocks(X, place.d):
        squares = np.square(Z)
        came = squared_lengths(dense(X[rows])) + 1.0
        here = [squares.sum(axis=1), squares @ weights, came]
        longest = np.maximum(longest, [one.max(initial=0.0) for one in here])
    return longest


def sigmoid(F: Float[np.ndarray, "k ..."], y: Float[np.ndarray, "k ..."]) -> Float[np.ndarray, "k ..."]:
    """Return sigma(-y f), an array of the caller's own; where exp overflows it is 0, as it should be."""
    s = F * y
    with np.errstate(over="ignore"):
        np.exp(s, out=s)
    s += 1.0
    return np.reciprocal(s, out=s)
