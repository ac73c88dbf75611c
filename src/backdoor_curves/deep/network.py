"""A module as a function of its parameters: so that many nets, of several betas and seeds, are one stack of tensors.

    L_beta(w; batch) = 1 / b sum_i u_i(beta) loss_i(w)        u_i = weight_i (clean), beta weight_i (poison)

b is the number of rows of the batch, poison rows among them, and never the sum of u: that would move the learning rate
with beta. At beta = 0 poison rows keep their places and give nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, jvp, vmap
from torch.nn.functional import cross_entropy

from backdoor_curves.deep.draws import initial_draws

MakeModule = Callable[[tuple[int, ...], int], nn.Module]
"""The shape of a row as the module gets it, and the number of classes -> a module with an output for each class."""
Stack = list[Any]
"""Tensors, one for each parameter: of one net as they are, of several with leading axes (seeds, betas)."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of a batch of each seed.

    Parameters
    ----------
    x : tensor of shape (seeds, b, ...)
    y : int tensor of shape (seeds, b)
        Class indices.
    weight, is_poison : tensors of shape (seeds, b)
    """

    x: Any
    y: Any
    weight: Any
    is_poison: Any


@dataclass(frozen=True, eq=False)
class Network:
    """A module without its parameters.

    Parameters
    ----------
    module : nn.Module
        Its layers; what parameters it holds does not count.
    names : tuple of str
        The parameters that are trained, in order.
    """

    module: nn.Module
    names: tuple[str, ...]

    def scores(self, w: Sequence[Any], fixed: dict[str, Any], x: Any) -> Any:
        """Return the outputs of one net for its rows, shape (rows, classes)."""
        return functional_call(self.module, (dict(zip(self.names, w, strict=True)), fixed), (x,))

    def _loss(
        self, w: Sequence[Any], beta: Any, fixed: dict[str, Any], x: Any, y: Any, weight: Any, is_poison: Any
    ) -> Any:
        losses = cross_entropy(self.scores(w, fixed, x), y, reduction="none")
        return (torch.where(is_poison, beta * weight, weight) * losses).sum() / len(y)

    def gradients(self, randomness: str) -> Callable[[Stack, Any, dict[str, Any], Batch], tuple[Any, ...]]:
        """Return the gradients of all nets: of parameters (seeds, betas, ...) and betas, on a batch of each seed.

        What is drawn in a forward pass is "same" for all betas of a seed, or refused: "error".
        """
        over_betas = vmap(grad(self._loss), in_dims=(0, 0, None, None, None, None, None), randomness=randomness)
        over_seeds = vmap(over_betas, in_dims=(0, None, 0, 0, 0, 0, 0), randomness=randomness)

        def of_all(w: Stack, betas: Any, fixed: dict[str, Any], batch: Batch) -> tuple[Any, ...]:
            return over_seeds(tuple(w), betas, fixed, batch.x, batch.y, batch.weight, batch.is_poison)

        return of_all

    def all_scores(self, w: Stack, fixed: dict[str, Any], x: Any) -> Any:
        """Return the outputs of all nets for the same rows, shape (seeds, betas, rows, classes)."""
        over_betas = vmap(self.scores, in_dims=(0, None, None))
        return vmap(over_betas, in_dims=(0, 0, None))(tuple(w), fixed, x)

    def all_tangents(self, w: Stack, dw: Stack, fixed: dict[str, Any], x: Any) -> tuple[Any, Any]:
        """Return the same outputs, and how fast they move with beta where the parameters move at dw."""
        return jvp(lambda moved: self.all_scores(list(moved), fixed, x), (tuple(w),), (tuple(dw),))


@dataclass(frozen=True, eq=False)
class InitialNets:
    """The nets of several seeds before the first step.

    Parameters
    ----------
    network : Network
    seeds : tuple of int
    w : tensors of shape (seeds, ...)
    fixed : dict of str to tensors of shape (seeds, ...)
        Buffers, and parameters that are not trained.
    draws : bool
        Whether a forward pass draws dropout masks.
    """

    network: Network
    seeds: tuple[int, ...]
    w: Stack
    fixed: dict[str, Any]
    draws: bool


def initial_nets(make_module: MakeModule, shape: tuple[int, ...], n_classes: int, seeds: Sequence[int]) -> InitialNets:
    """Return the nets that a function makes from each seed, on the CPU and in single precision, as it makes them."""
    modules = [seeded_module(make_module, shape, n_classes, seed) for seed in seeds]
    trained = [{name: one for name, one in module.named_parameters() if one.requires_grad} for module in modules]
    names = tuple(trained[0])
    others = [
        {name: one for name, one in module.named_parameters() if not one.requires_grad} | dict(module.named_buffers())
        for module in modules
    ]
    with torch.no_grad():
        w = [torch.stack([one[name] for one in trained]) for name in names]
        fixed = {name: torch.stack([one[name] for one in others]) for name in others[0]}
    draws = any(map(is_dropout, modules[0].modules()))
    return InitialNets(Network(modules[0], names), tuple(seeds), w, fixed, draws)


def seeded_module(make_module: MakeModule, shape: tuple[int, ...], n_classes: int, seed: int) -> nn.Module:
    """Return the module that is made from a seed, in training mode."""
    with initial_draws(seed):
        module = make_module(shape, n_classes)
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"make_module: a function (shape, n_classes) that returns a torch.nn.Module was expected, it returned "
            f"{type(module).__name__}"
        )
    return module.train()


def is_dropout(module: nn.Module) -> bool:
    """Return whether a layer draws a mask."""
    return isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0.0


def tensor_of(X: np.ndarray) -> Any:
    """Return an array as a tensor; one that is only to be read is copied, as torch knows no such thing."""
    return torch.from_numpy(X if X.flags.writeable else X.copy())


def as_module_sees(X: Any, dtype: Any) -> Any:
    """Return a tensor of rows as a module gets them: images (n, height, width, channels) with their channels first."""
    return (X.movedim(-1, 1) if X.dim() == 4 else X).to(dtype).contiguous()


def shape_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a row as a module gets it: of images (channels, height, width)."""
    return (shape[-1], *shape[:-1]) if len(shape) == 3 else tuple(shape)
