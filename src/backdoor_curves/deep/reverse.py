"""Influence by reverse mode: what the weight of each training row does to a loss, through all steps of a training.

    d loss / d u_i,      u_i what multiplies the loss of training row i in every batch that it is in

One pass backwards through the whole training has the derivatives in the weights of all rows, where forward mode has the
one in beta. It holds every step in memory: for small nets. Summed over the poison rows it is the slope.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.nn.functional import cross_entropy

from backdoor_curves.deep.chunks import COPIES_OF_STATE, bytes_kept
from backdoor_curves.deep.draws import dropout_draws, order
from backdoor_curves.deep.network import InitialNets, as_module_sees, tensor_of
from backdoor_curves.deep.recipe import Recipe
from backdoor_curves.deep.training import Run, batches_of
from backdoor_curves.kernels.memory import require_bytes

COPIES = 3.0
"""Of what a step keeps: its forward pass, its gradient, and what the derivative of that needs."""


def row_influences(
    run: Run,
    nets: InitialNets,
    beta: float,
    X: np.ndarray,
    y: Int[np.ndarray, " t"],
    weight: Float[np.ndarray, " t"],
) -> Float[np.ndarray, " n"]:
    """Return the derivative of a mean loss in the weight of each training row, in units of the row's own weight.

    Parameters
    ----------
    run : Run
    nets : InitialNets
        Of one seed.
    beta : float
        At which it is trained.
    X, y, weight
        The rows whose mean loss is meant, with class indices.

    Raises
    ------
    ValueError
        If the optimiser is Adam.
    MemoryError
        If the steps would not fit.
    """
    if run.recipe.optimizer != "sgd":
        raise ValueError('influence of a network: optimizer="sgd" was expected, "adam" came; ask for its slope')
    _require_room(run, nets)
    own = tensor_of(run.rows.weight).to(run.device, run.dtype)
    scale = torch.where(tensor_of(run.rows.is_poison).to(run.device), beta, 1.0)
    u = (own * scale).requires_grad_()
    fixed = {name: one[0].to(run.device) for name, one in nets.fixed.items()}
    with run.threads():
        w = _trained(run, nets, u, fixed)
        tests, labels = as_module_sees(tensor_of(X), run.dtype).to(run.device), torch.from_numpy(y).to(run.device)
        losses = cross_entropy(nets.network.scores(w, fixed, tests), labels, reduction="none")
        means = tensor_of(weight).to(run.device, run.dtype)
        (found,) = torch.autograd.grad((means * losses).sum() / means.sum(), u)
    return (found * own).double().cpu().numpy()


def _trained(run: Run, nets: InitialNets, u: Any, fixed: dict[str, Any]) -> list[Any]:
    """Return the parameters of a net as functions of the weights u of its training rows."""
    (seed,) = nets.seeds
    size, n = run.recipe.batch_size, len(run.rows.y)
    w = [one[0].to(run.device, run.dtype).requires_grad_() for one in nets.w]
    v = [torch.zeros_like(one) for one in w]
    batches, number = batches_of(run, [seed]), 0
    steps = run.recipe.epochs * -(-n // size)
    nets.network.module.train().to(run.device)
    for epoch in range(run.recipe.epochs):
        places = torch.from_numpy(order(seed, epoch, n)).to(run.device).split(size)
        for batch, chosen in zip(batches(epoch, number), places, strict=True):
            with dropout_draws(seed, number) if nets.draws else nullcontext():
                losses = cross_entropy(nets.network.scores(w, fixed, batch.x[0]), batch.y[0], reduction="none")
            g = torch.autograd.grad((u[chosen] * losses).sum() / len(chosen), w, create_graph=True)
            w, v = _sgd(run.recipe, run.recipe.lr_at(number, steps), w, v, g)
            number += 1
    nets.network.module.eval()
    return w


def _sgd(recipe: Recipe, lr: float, w: list[Any], v: list[Any], g: Any) -> tuple[list[Any], list[Any]]:
    """Return parameters and velocities after a step, as new tensors: those before it are needed on the way back."""
    decayed = [one + recipe.weight_decay * at for one, at in zip(g, w, strict=True)]
    v = [recipe.momentum * speed + one for speed, one in zip(v, decayed, strict=True)]
    ways = [one + recipe.momentum * speed for one, speed in zip(decayed, v, strict=True)] if recipe.nesterov else v
    return [at - lr * way for at, way in zip(w, ways, strict=True)], v


def _require_room(run: Run, nets: InitialNets) -> None:
    rows = run.rows
    batch = as_module_sees(tensor_of(rows.X[: run.recipe.batch_size]), run.dtype)
    state = sum(one[0].numel() for one in nets.w) * batch.element_size()
    steps = run.recipe.epochs * -(-len(rows.y) // run.recipe.batch_size)
    require_bytes(
        steps * (COPIES * bytes_kept(nets, batch) + COPIES_OF_STATE * state),
        f"influence of a network: {steps} steps of its training, all at once,",
        "train fewer epochs or a smaller net, or ask for the slope, which needs none of them",
    )
