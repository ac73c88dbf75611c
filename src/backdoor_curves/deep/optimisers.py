"""One step of an optimiser on stacked parameters, and of its tangent in beta.

    SGD    g = grad + decay w,   v <- mu v + g,   w <- w - lr v          (Nesterov: w <- w - lr (g + mu v))
    Adam   m <- b1 m + (1 - b1) g,   s <- b2 s + (1 - b2) g^2,   w <- w - lr / c1 m / (sqrt(s / c2) + eps)

SGD is linear in (grad, w, v), so that its tangent takes the very same step with the tangents of these. Adam's is

    ds <- b2 ds + 2 (1 - b2) g dg        dw <- dw - lr / c1 (dm / d - m / d^2 dr)        d = r + eps, r = sqrt(s / c2)

with dr = ds / (2 c2 r), and 0 where a parameter never had a gradient: there r = |g| has a corner. As in torch.optim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backdoor_curves.deep.recipe import Recipe

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
"""Adam's, by default in torch.optim."""
Stack = Sequence[Any]
"""Tensors of shape (seeds, betas, ...), one for each parameter."""


@dataclass(frozen=True, eq=False)
class Moving:
    """Parameters that move, or their tangents: their values, and what the optimiser remembers of their gradients.

    Parameters
    ----------
    w : tensors of shape (seeds, betas, ...)
    v : tensors of the same shapes
        Velocity of SGD, mean of the gradients of Adam.
    s : tensors of the same shapes
        Mean of the squared gradients; none for SGD.
    """

    w: Stack
    v: Stack
    s: Stack

    @classmethod
    def at_rest(cls, w: Stack, recipe: Recipe) -> Moving:
        """Return parameters before the first step."""
        zeros = [torch.zeros_like(one) for one in w]
        return cls(w, zeros, [torch.zeros_like(one) for one in w] if recipe.optimizer == "adam" else [])


def step(
    recipe: Recipe, number: int, lr: float, values: Moving, g: Stack, tangents: Moving | None, dg: Stack | None
) -> None:
    """Take step `number`, counted from 1, in place: the parameters with gradient g, their tangents with its tangent."""
    if recipe.optimizer == "sgd":
        _sgd(recipe, lr, values, g)
        if tangents is not None and dg is not None:
            _sgd(recipe, lr, tangents, dg)
        return
    correct1, correct2 = 1.0 - BETA1**number, 1.0 - BETA2**number
    _decay(recipe, values, g)
    if tangents is not None and dg is not None:
        _decay(recipe, tangents, dg)
        for dv, ds, one, done in zip(tangents.v, tangents.s, g, dg, strict=True):
            dv.lerp_(done, 1.0 - BETA1)
            ds.mul_(BETA2).addcmul_(one, done, value=2.0 * (1.0 - BETA2))
    for k, (w, v, s, one) in enumerate(zip(values.w, values.v, values.s, g, strict=True)):
        v.lerp_(one, 1.0 - BETA1)
        s.mul_(BETA2).addcmul_(one, one, value=1.0 - BETA2)
        r = (s / correct2).sqrt_()
        d = r + EPS
        if tangents is not None:
            dr = torch.where(r > 0.0, tangents.s[k] / (2.0 * correct2 * r), 0.0)
            tangents.w[k].sub_(tangents.v[k] / d - v / d**2 * dr, alpha=lr / correct1)
        w.addcdiv_(v, d, value=-lr / correct1)


def _sgd(recipe: Recipe, lr: float, moving: Moving, g: Stack) -> None:
    _decay(recipe, moving, g)
    for w, v, one in zip(moving.w, moving.v, g, strict=True):
        v.mul_(recipe.momentum).add_(one)
        w.sub_(one.add(v, alpha=recipe.momentum) if recipe.nesterov else v, alpha=lr)


def _decay(recipe: Recipe, moving: Moving, g: Stack) -> None:
    if recipe.weight_decay:
        for w, one in zip(moving.w, g, strict=True):
            one.add_(w, alpha=recipe.weight_decay)
