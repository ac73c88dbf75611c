"""The slope that influence functions would give a network, as it is often taken: an estimate, for comparison.

    - g_test' (G + damping)^-1 g_poison        G = 1 / n sum u_i J_i' H_i J_i + weight_decay

with J the derivative of a net's outputs in its parameters and H that of its loss in the outputs, at the trained net. It
takes the net for an optimum that one Newton step follows, which a training of some epochs is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.func import jvp, vjp
from torch.nn.functional import cross_entropy, softmax

from backdoor_curves.deep.network import Network, as_module_sees, tensor_of
from backdoor_curves.deep.training import TrainingRows

MOST_STEPS = 200
"""Of conjugate gradients; with damping they are done before."""
TOLERANCE = 1e-6
"""Of the residual over the right side: the estimate itself is off by far more."""


def gauss_newton_slope(
    network: Network,
    w: list[Any],
    fixed: dict[str, Any],
    rows: TrainingRows,
    tests: tuple[np.ndarray, Int[np.ndarray, " t"], Float[np.ndarray, " t"]],
    beta: float,
    curvature: tuple[float, float],
) -> float:
    """Return the estimate of the derivative of the mean loss of test rows in beta.

    Parameters
    ----------
    network, w, fixed
        One trained net: its parameters, and what is not trained.
    rows : TrainingRows
    tests : X, y, weight
        The rows whose mean loss is meant.
    beta : float
        At which it was trained.
    curvature : weight decay, damping
        What is added to the curvature.
    """
    own = torch.from_numpy(rows.weight).to(w[0])
    poison = torch.from_numpy(rows.is_poison).to(w[0].device)
    X, y = as_module_sees(tensor_of(rows.X), w[0].dtype).to(w[0].device), torch.from_numpy(rows.y).to(w[0].device)
    n = len(y)

    def outputs(*at: Any) -> Any:
        return network.scores(at, fixed, X)

    def mean_loss(u: Any, X: Any, y: Any) -> Callable[..., Any]:
        return lambda *at: (u * cross_entropy(network.scores(at, fixed, X), y, reduction="none")).sum()

    of_tests = torch.from_numpy(tests[2] / tests[2].sum()).to(w[0])
    Xt, yt = as_module_sees(tensor_of(tests[0]), w[0].dtype).to(w[0].device), torch.from_numpy(tests[1]).to(w[0].device)
    g_poison = torch.func.grad(mean_loss(own * poison / n, X, y), tuple(range(len(w))))(*w)
    g_test = torch.func.grad(mean_loss(of_tests, Xt, yt), tuple(range(len(w))))(*w)
    z, back = vjp(outputs, *w)
    p, u = softmax(z, dim=-1), (own * torch.where(poison, beta, 1.0) / n)[:, None]

    def product(v: tuple[Any, ...]) -> tuple[Any, ...]:
        _, Jv = jvp(outputs, tuple(w), v)
        bent = back(u * p * (Jv - (p * Jv).sum(dim=-1, keepdim=True)))
        return tuple(one + sum(curvature) * at for one, at in zip(bent, v, strict=True))

    with torch.no_grad():
        return -_dot(g_test, _solved(product, g_poison))


def _solved(product: Callable[[tuple[Any, ...]], tuple[Any, ...]], b: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return A^-1 b by conjugate gradients."""
    x, r, size = tuple(torch.zeros_like(one) for one in b), b, _dot(b, b)
    d, rr = r, size
    for _ in range(MOST_STEPS):
        if rr <= TOLERANCE**2 * size:
            break
        Ad = product(d)
        a = rr / _dot(d, Ad)
        x = tuple(one + a * at for one, at in zip(x, d, strict=True))
        r = tuple(one - a * at for one, at in zip(r, Ad, strict=True))
        rr, before = _dot(r, r), rr
        d = tuple(one + rr / before * at for one, at in zip(r, d, strict=True))
    return x


def _dot(a: tuple[Any, ...], b: tuple[Any, ...]) -> float:
    return float(sum((one.double() * other.double()).sum() for one, other in zip(a, b, strict=True)))
