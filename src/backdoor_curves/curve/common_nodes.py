"""Columns that are linear between nodes of their own, at the nodes of all: sums of them, and values on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear


def common_lines(parts: Sequence[PiecewiseLinear]) -> tuple[PiecewiseLinear, list[sp.csr_array]]:
    """Return the lines between the nodes of all, and the weights that take values at a part's nodes to these.

    A jump of any part stands twice, as in each of them.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.curve.common_nodes import common_lines
    >>> lines, weights = common_lines([PiecewiseLinear(np.array(betas)) for betas in ([0.0, 1.0], [0.0, 0.5, 1.0])])
    >>> lines.nodes, weights[0] @ np.array([2.0, 4.0])
    (array([0. , 0.5, 1. ]), array([2., 3., 4.]))
    """
    once, jumps = (np.unique(np.concatenate(betas)) for betas in zip(*((p.nodes, p.jumps) for p in parts), strict=True))
    nodes = np.sort(np.append(once, jumps))
    is_left = np.append(nodes[:-1] == nodes[1:], False)
    return PiecewiseLinear(nodes), [_on_both_sides(part, nodes, is_left) for part in parts]


def _on_both_sides(part: PiecewiseLinear, nodes: Float[np.ndarray, " k"], is_left: np.ndarray) -> sp.csr_array:
    """Return the weights of a part's nodes at the nodes of all, from the left or from the right."""
    weights = part.weights(nodes)
    own = np.flatnonzero(is_left & np.isin(nodes, part.jumps))
    if not own.size:
        return weights
    left = np.searchsorted(part.nodes, nodes[own], side="left")
    kept = np.ones(len(nodes))
    kept[own] = 0.0
    places = sp.csr_array((np.ones(len(own)), (own, left)), shape=weights.shape)
    return sp.csr_array(sp.diags_array(kept) @ weights + places)


def sum_of_lines(
    parts: Sequence[PiecewiseLinear], values: Sequence[Float[np.ndarray, " _"]]
) -> tuple[PiecewiseLinear, Float[np.ndarray, " k"]]:
    """Return the sum of functions that are linear between nodes, given their values there."""
    lines, weights = common_lines(parts)
    return lines, np.sum([p @ v for p, v in zip(weights, values, strict=True)], axis=0)
