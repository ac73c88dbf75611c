"""What is asked of one trained net beyond its path: its rows' influence, its body, the slope that others would say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import clone
from torch import nn

from backdoor_curves.deep.fitting import AT_ONCE, prepared
from backdoor_curves.deep.gauss_newton import gauss_newton_slope
from backdoor_curves.deep.network import as_module_sees, tensor_of
from backdoor_curves.deep.path import NetworkPath
from backdoor_curves.deep.reverse import row_influences
from backdoor_curves.deep.training import TrainingRows

if TYPE_CHECKING:
    from backdoor_curves.deep.trained_network import TrainedNetwork

Tests = tuple[np.ndarray, Int[np.ndarray, " t"], Float[np.ndarray, " t"]]
"""Rows whose mean loss is meant, their class indices, and what each counts for."""


def influences(
    net: TrainedNetwork, rows: TrainingRows, n_classes: int, seed: int, beta: float, tests: Tests
) -> Float[np.ndarray, " n"]:
    """Return the influence of each training row on a mean loss, through the training of one seed's net at beta."""
    one = clone(net).set_params(seeds=(seed,), random_state=None, verbose=False)
    run, nets, _ = prepared(one, rows, n_classes, 1, tangents=False)
    return row_influences(run, nets, beta, *tests)


def influence_function_slope(
    path: NetworkPath, rows: TrainingRows, beta: float, tests: Tests, weight_decay: float, damping: float
) -> float:
    """Return the slope that influence functions say at one of the betas of training, of the net of the first seed."""
    network, w, fixed = path.net_at(beta)
    return gauss_newton_slope(network, w, fixed, rows, tests, beta, (weight_decay, damping))


def inputs_of_last_layer(path: NetworkPath, beta: float, X: np.ndarray) -> Float[np.ndarray, "n features"]:
    """Return what rows become before the last linear layer of the net of the first seed.

    Raises
    ------
    ValueError
        If its last layer is not linear.
    """
    network, w, fixed = path.net_at(beta)
    layers = [layer for layer in network.module.modules() if not list(layer.children())]
    if not isinstance(layers[-1], nn.Linear):
        raise ValueError(f"head: a last layer nn.Linear was expected, {type(layers[-1]).__name__} came")
    seen: list[Any] = []
    hook = layers[-1].register_forward_pre_hook(lambda _, given: seen.append(given[0].double().cpu().numpy()))
    try:
        with torch.no_grad():
            for start in range(0, len(X), AT_ONCE):
                block = as_module_sees(tensor_of(X[start : start + AT_ONCE]), w[0].dtype)
                network.scores(w, fixed, block.to(path.device))
    finally:
        hook.remove()
    return np.concatenate(seen)
