"""Polynomials on panels: the interpolant of smooth paths.

The scale on which a path changes shrinks towards beta = 0, and evens out in tau = log(1 + beta / scale). That variable
is cut into panels; on each the path is the polynomial through its values at the Chebyshev points of the second kind.
Those values are in turn combinations of fewer of them, at the nodes: a path lies in a space of few dimensions.

Source: Berrut and Trefethen, Barycentric Lagrange Interpolation, SIAM Review 46 (2004), for the formulas of Chebyshev
points; Cheng, Gimbutas, Martinsson and Rokhlin, SIAM J. Sci. Comput. 26 (2005), for the interpolative decomposition.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.linalg import qr, solve_triangular

NEIGHBOURS = 0.5
"""Betas this near to each other, in tau, can share a Hessian."""


@dataclass(frozen=True, eq=False)
class Panels:
    """A path that is a polynomial in tau = log(1 + beta / scale) on each of a few panels.

    Parameters
    ----------
    edges : array of shape (j + 1,)
        Where the panels begin and end, in tau, from 0 to log(1 + 1 / scale).
    degree : int
        Of the polynomials, >= 1.
    scale : float
        > 0; infinity stands for tau = beta.
    nodes : array of shape (k,)
        Betas, ascending, the first 0.
    table : array or CSR of shape (j (degree + 1), k)
        The values at the points of the panels as combinations of those at the nodes.
    knots : array
        The betas in (0, 1) where the formula of the path changes, each at an edge.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paths.interpolation.chebyshev import panels_at_points
    >>> interpolant = panels_at_points(np.linspace(0.0, np.log1p(1 / 0.1), 3), degree=12, scale=0.1)
    >>> q = lambda beta: 1 / (0.1 + beta)
    >>> bool(abs(interpolant.weights(np.array([0.3])) @ q(interpolant.nodes) - q(0.3)) < 1e-9)
    True
    >>> bool(abs(interpolant.derivative(np.array([0.3])) @ q(interpolant.nodes) + q(0.3) ** 2) < 1e-6)
    True
    """

    edges: Float[np.ndarray, " j_plus_1"]
    degree: int
    scale: float
    nodes: Float[np.ndarray, " k"]
    table: Float[np.ndarray, "p k"] | sp.csr_array
    knots: Float[np.ndarray, " l"]

    @cached_property
    def scan(self) -> Float[np.ndarray, " s"]:
        """The points of the panels."""
        return np.unique(betas_of(panel_points(self.edges, self.degree), self.scale))

    def weights(self, betas: Float[np.ndarray, " b"]) -> Float[np.ndarray, "b k"] | sp.csr_array:
        """Return the weights of the nodes, a row for each beta."""
        panel, t = self._place(betas)
        return self._spread(panel, _through_points(t, self.degree)) @ self.table

    def derivative(self, betas: Float[np.ndarray, " b"], order: int = 1) -> Float[np.ndarray, "b k"] | sp.csr_array:
        """Return the first or second derivatives of the weights from the right, at beta = 1 from the left."""
        panel, t = self._place(betas)
        D, speed = _differentiation(self.degree), _dtau_dbeta(betas, self.scale)[:, np.newaxis]
        unit = 2.0 / np.diff(self.edges)[panel, np.newaxis]
        local = unit * (_through_points(t, self.degree) @ D)
        if order == 2:
            # d2/dbeta2 = (dtau/dbeta)^2 (d2/dtau2 - d/dtau), and d2/dtau2 alone where tau = beta.
            local = speed * (
                unit**2 * (_through_points(t, self.degree) @ D @ D) - (0.0 if np.isinf(self.scale) else local)
            )
        return self._spread(panel, speed * local) @ self.table

    def quadrature(self) -> tuple[Float[np.ndarray, " g"], Float[np.ndarray, " g"]]:
        """Return Gauss-Legendre points on the panels, as many as a smooth function of the path asks for."""
        x, w = np.polynomial.legendre.leggauss(self.degree + 2)
        half = np.diff(self.edges)[:, np.newaxis] / 2
        betas = betas_of((self.edges[:-1, np.newaxis] + half * (x + 1.0)).ravel(), self.scale)
        return betas, (half * w).ravel() / _dtau_dbeta(betas, self.scale)

    def _place(self, betas: Float[np.ndarray, " b"]) -> tuple[Int[np.ndarray, " b"], Float[np.ndarray, " b"]]:
        """Return the panel of each beta, and where it is there, in [-1, 1].

        Betas are compared as such: a knot on its way through tau may round to the panel before it.
        """
        tau = _tau_of(betas, self.scale)
        inner = betas_of(self.edges[1:-1], self.scale)
        panel = np.searchsorted(inner, betas, side="right")
        left, right = self.edges[panel], self.edges[panel + 1]
        return panel, np.clip(2.0 * (tau - left) / (right - left) - 1.0, -1.0, 1.0)

    def _spread(self, panel: Int[np.ndarray, " b"], local: Float[np.ndarray, "b q"]) -> sp.csr_array:
        """Return weights of one panel's points as weights of all points."""
        b, q = local.shape
        columns = (panel[:, np.newaxis] * q + np.arange(q)).ravel()
        points = q * (len(self.edges) - 1)
        return sp.csr_array((local.ravel(), columns, np.arange(0, b * q + 1, q)), shape=(b, points))


def panels_at_points(
    edges: Float[np.ndarray, " j_plus_1"], degree: int, scale: float, knots: Float[np.ndarray, " l"] | None = None
) -> Panels:
    """Return panels whose nodes are all of their points; neighbours share the one between them."""
    q, j = degree + 1, len(edges) - 1
    nodes = np.delete(betas_of(panel_points(edges, degree), scale), q * np.arange(1, j))
    columns = (degree * np.arange(j)[:, np.newaxis] + np.arange(q)).ravel()
    table = sp.csr_array((np.ones(q * j), (np.arange(q * j), columns)), shape=(q * j, len(nodes)))
    return Panels(edges, degree, scale, nodes, table, np.empty(0) if knots is None else knots)


def compressed(
    edges: Float[np.ndarray, " j_plus_1"], degree: int, scale: float, values: Float[np.ndarray, "p d"], accuracy: float
) -> tuple[Panels, Int[np.ndarray, " k"]]:
    """Return panels with as few nodes as span the values at all points, and which points those are.

    Parameters
    ----------
    values : array of shape (p, d)
        The parameters at all points of the panels.
    accuracy : float
        Largest distance between a value and its combination of the nodes, about.

    Notes
    -----
    An interpolative decomposition by QR with column pivoting, of the differences to the value at beta = 0.
    """
    change = (values - values[0]).T
    order, rank = np.arange(len(values)), 0
    p = np.zeros((len(values), 0))
    if change.any():
        R, order = qr(change, mode="r", pivoting=True, check_finite=False)
        rank = int((np.abs(np.diag(R)) > accuracy).sum())
    if rank:
        p = np.empty((len(values), rank))
        p[order[:rank]] = np.eye(rank)
        p[order[rank:]] = solve_triangular(R[:rank, :rank], R[:rank, rank:], check_finite=False).T
    ascending = np.argsort(order[:rank])
    chosen = order[:rank][ascending]
    table = np.column_stack([1.0 - p.sum(axis=1), p[:, ascending]])
    kept = np.append(0, chosen)
    nodes = betas_of(panel_points(edges, degree), scale)[kept]
    return Panels(edges, degree, scale, nodes, table, np.empty(0)), kept


def panel_points(edges: Float[np.ndarray, " j_plus_1"], degree: int) -> Float[np.ndarray, " p"]:
    """Return the points of all panels in tau, those of a panel together; an inner edge stands twice."""
    half = np.diff(edges)[:, np.newaxis] / 2
    inside = edges[:-1, np.newaxis] + half * (chebyshev_points(degree) + 1.0)
    inside[:, -1] = edges[1:]
    return inside.ravel()


def chebyshev_points(degree: int) -> Float[np.ndarray, " q"]:
    """Return the degree + 1 Chebyshev points of the second kind, ascending from -1 to 1."""
    return np.sin(np.pi * np.arange(-degree, degree + 1, 2) / (2 * degree))


def tail(values: Float[np.ndarray, q * columns]) -> float:
    """Return how large the last two Chebyshev coefficients of a panel's values are: its error, about."""
    degree = len(values) - 1
    V = np.polynomial.chebyshev.chebvander(chebyshev_points(degree), degree)
    last = np.linalg.inv(V)[-2:] @ values.reshape(degree + 1, -1)
    return float(np.abs(last).sum(axis=0).max())


def betas_of(tau: Float[np.ndarray, " b"], scale: float) -> Float[np.ndarray, " b"]:
    """Return beta at tau, never beyond 1."""
    return np.minimum(tau if np.isinf(scale) else scale * np.expm1(tau), 1.0)


def neighbours(tau: Float[np.ndarray, " b"]) -> list[np.ndarray]:
    """Return groups of places whose tau are near each other: what is factored for one serves them all."""
    if len(tau) == 0:
        return []
    order = np.argsort(tau)
    group = np.floor(tau[order] / NEIGHBOURS)
    return np.split(order, np.flatnonzero(np.diff(group)) + 1)


def _tau_of(betas: Float[np.ndarray, " b"], scale: float) -> Float[np.ndarray, " b"]:
    return betas if np.isinf(scale) else np.log1p(betas / scale)


def _dtau_dbeta(betas: Float[np.ndarray, " b"], scale: float) -> Float[np.ndarray, " b"]:
    return np.ones_like(betas) if np.isinf(scale) else 1.0 / (scale + betas)


def _barycentric(degree: int) -> Float[np.ndarray, " q"]:
    weights = (-1.0) ** np.arange(degree + 1)
    weights[[0, -1]] /= 2.0
    return weights


def _through_points(t: Float[np.ndarray, " b"], degree: int) -> Float[np.ndarray, "b q"]:
    """Return the weights that a polynomial's values at the points have at each t in [-1, 1]."""
    distance = t[:, np.newaxis] - chebyshev_points(degree)
    at_point = distance == 0.0
    p = _barycentric(degree) / np.where(at_point, 1.0, distance)
    p /= p.sum(axis=1, keepdims=True)
    hit = at_point.any(axis=1)
    p[hit] = at_point[hit]
    return p


def _differentiation(degree: int) -> Float[np.ndarray, "q q"]:
    """Return the matrix from a polynomial's values at the points to its derivative's."""
    x, w = chebyshev_points(degree), _barycentric(degree)
    D = (w / w[:, np.newaxis]) / (x[:, np.newaxis] - x + np.eye(degree + 1))
    D[np.diag_indices_from(D)] = 0.0
    D[np.diag_indices_from(D)] = -D.sum(axis=1)
    return D
