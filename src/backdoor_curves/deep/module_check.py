"""Which modules have a curve: those whose scores of a row hang on that row alone, and on what a seed draws."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from backdoor_curves.deep.draws import initial_draws
from backdoor_curves.deep.network import MakeModule, Network, is_dropout, seeded_module

NORMS_OF_BATCHES = (nn.modules.batchnorm._BatchNorm, nn.SyncBatchNorm)
KINKED = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Threshold)
KINKED_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
ROUNDING = 1e-4
"""Relative difference of two sums in another order, in single precision: of a batch of one row, say."""


def require_usable(make_module: MakeModule, shape: tuple[int, ...], n_classes: int, rows: Any) -> None:
    """Refuse a module that has no curve, in a sentence, before anything is trained.

    Parameters
    ----------
    make_module : callable
    shape, n_classes
        What it is called with.
    rows : tensor of shape (n, ...)
        A few training rows, two or more.
    """
    module = seeded_module(make_module, shape, n_classes, 0)
    _require_same_start(make_module, shape, n_classes, module)
    if norms := [name for name, layer in module.named_modules() if isinstance(layer, NORMS_OF_BATCHES)]:
        raise ValueError(
            f"make_module: layers that see one row at a time were expected, {norms[0]!r} is a BatchNorm: its "
            "statistics of a batch let poison rows in at weight 0, and beta would move them; put "
            "nn.GroupNorm(groups, channels) or nn.LayerNorm in its place, as models.ResNet9 does"
        )
    before = rows.clone()
    scores = _forward(module, rows)
    if not torch.equal(before, rows):
        raise ValueError("make_module: a module that leaves its input as it is was expected; clone it in forward")
    if scores.shape != (len(rows), n_classes):
        raise ValueError(
            f"make_module: an output for each of {n_classes} classes was expected, shape ({len(rows)}, {n_classes}) "
            f"for {len(rows)} rows; shape {tuple(scores.shape)} came: make the last layer from n_classes"
        )
    _require_rows_apart(module.eval(), rows)
    _require_known_draws(module.train(), rows)
    _require_gradient(module, rows)


def kinks_of(module: nn.Module) -> list[str]:
    """Return the names of the layers that make the slope in beta jump, as far as they are layers."""
    return sorted({type(layer).__name__ for layer in module.modules() if isinstance(layer, KINKED + KINKED_POOLS)})


def _forward(module: nn.Module, rows: Any) -> Any:
    with torch.no_grad(), initial_draws(0):
        try:
            scores = module(rows)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise ValueError(
                f"make_module: a module for rows of shape {tuple(rows.shape[1:])} was expected (images have their "
                f"channels first), it failed: {str(error).splitlines()[0]}"
            ) from error
    if not torch.is_tensor(scores):
        raise TypeError(f"make_module: a module that returns a tensor was expected, it returns {type(scores).__name__}")
    return scores


def _require_same_start(make_module: MakeModule, shape: tuple[int, ...], n_classes: int, module: nn.Module) -> None:
    again = seeded_module(make_module, shape, n_classes, 0)
    pairs = zip(module.state_dict().values(), again.state_dict().values(), strict=True)
    if not all(torch.equal(one, other) for one, other in pairs):
        raise ValueError(
            "make_module: initial weights from torch's random numbers were expected, which come from the seed; two "
            "modules of one seed differ: draw with torch, and make the module anew at each call"
        )
    if not any(one.requires_grad for one in module.parameters()):
        raise ValueError("make_module: a module with parameters to train was expected, it has none")


def _require_rows_apart(module: nn.Module, rows: Any) -> None:
    """Refuse a module that mixes the rows of a batch: poison rows would be heard at weight 0."""
    others = rows.clone()
    others[1:] = others[1:].flip(-1) * 0.5 + 0.25
    here, there = _forward(module, rows)[0], _forward(module, others)[0]
    if (here - there).abs().max() > ROUNDING * here.abs().max().clamp(min=1.0):
        raise ValueError(
            "make_module: scores of a row that hang on that row alone were expected; those of the first row change "
            "with the other rows of its batch, so that poison rows would be heard at weight 0: normalise a row by "
            "itself (nn.GroupNorm, nn.LayerNorm)"
        )


def _require_known_draws(module: nn.Module, rows: Any) -> None:
    """Refuse random numbers but those of dropout layers, whose masks come from the seed."""
    if any(map(is_dropout, module.modules())):
        return
    with initial_draws(1), torch.no_grad():
        first, second = module(rows), module(rows)
    if not torch.equal(first, second):
        raise ValueError(
            "make_module: a module that draws nothing in its forward pass but by nn.Dropout was expected, whose masks "
            "come from the seed; it scores the same rows otherwise each time"
        )


def _require_gradient(module: nn.Module, rows: Any) -> None:
    """Refuse a module that torch.func cannot follow, in its words."""
    parameters = {name: one for name, one in module.named_parameters() if one.requires_grad}
    network = Network(module, tuple(parameters))
    w = [one.detach()[None, None] for one in parameters.values()]
    others = {name: one for name, one in module.named_parameters() if not one.requires_grad}
    fixed = {name: one.detach()[None] for name, one in (others | dict(module.named_buffers())).items()}
    try:
        with initial_draws(0):
            torch.func.vmap(
                torch.func.vmap(network.scores, (0, None, None), randomness="same"), (0, 0, None), randomness="same"
            )(tuple(w), fixed, rows)
    except RuntimeError as error:
        raise ValueError(
            "make_module: a module that torch.func can stack was expected (no .item(), no branches on values, no "
            f"changes in place of what it keeps), it failed: {str(error).splitlines()[0]}"
        ) from error
