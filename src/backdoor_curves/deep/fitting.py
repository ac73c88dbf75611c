"""One net is trained, and scores rows: what scikit-learn asks of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.func import functional_call

from backdoor_curves.deep.chunks import bytes_kept, is_small, nets_at_once
from backdoor_curves.deep.module_check import require_usable
from backdoor_curves.deep.network import InitialNets, as_module_sees, initial_nets, seeded_module, shape_of, tensor_of
from backdoor_curves.deep.training import Run, TrainingRows, train

if TYPE_CHECKING:
    from backdoor_curves.deep.trained_network import TrainedNetwork

CHECKED = 4
"""Rows that a module is tried on: one, and others beside it."""
AT_ONCE = 500
"""Rows that are scored together: what layers keep of them stays small."""
DTYPES = {"single": torch.float32, "double": torch.float64}


def fitted_parameters(
    net: TrainedNetwork, X: np.ndarray, y: Int[np.ndarray, " n"], weight: Float[np.ndarray, " n"], n_classes: int
) -> dict[str, np.ndarray]:
    """Return the parameters of the first seed's net, trained on weighted rows, and what of it is not trained."""
    run, nets, _ = prepared(net, TrainingRows(X, y, weight, np.zeros(len(y), dtype=bool)), n_classes, 1, tangents=False)
    trained = train(run, nets, [1.0], at_once=1)
    values = {name: one[0, 0] for name, one in zip(nets.network.names, trained.w, strict=True)}
    return values | {name: one[0].numpy() for name, one in nets.fixed.items()}


def prepared(
    net: TrainedNetwork, rows: TrainingRows, n_classes: int, n_seeds: int | None, *, tangents: bool
) -> tuple[Run, InitialNets, int]:
    """Return how the nets of some seeds are trained, these nets, and how many fit at once; all is checked before.

    Raises
    ------
    TypeError, ValueError, MemoryError
        If hyperparameters, module, device or rows will not do; a sentence each.
    """
    recipe, seeds, device = net.recipe(), net.seeds_used()[:n_seeds], device_of(net.device)
    if net.precision not in DTYPES:
        raise ValueError(f'precision: "single" or "double" was expected, {net.precision!r} came')
    if not callable(net.make_module) or isinstance(net.make_module, torch.nn.Module):
        raise TypeError(
            f"make_module: a function (shape, n_classes) -> torch.nn.Module was expected, {net.make_module!r} came"
        )
    dtype, shape = DTYPES[net.precision], shape_of(rows.X.shape[1:])
    require_usable(net.make_module, shape, n_classes, as_module_sees(tensor_of(rows.X[:CHECKED]), torch.float32))
    nets = initial_nets(net.make_module, shape, n_classes, seeds)
    batch = as_module_sees(tensor_of(rows.X[: recipe.batch_size]), dtype)
    kept = bytes_kept(nets, batch)
    one_thread = device.type == "cpu" and is_small(kept)
    run = Run(recipe, rows, device, dtype, tangents, one_thread, net.verbose)
    return run, nets, nets_at_once(nets, batch, kept, device, tangents)


def device_of(name: str) -> Any:
    """Return torch's device by its name; refused where it is asked for and is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        raise ValueError(f'device: "auto", "cpu" or "cuda" was expected, {name!r} came') from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f'device: {name!r} was asked for, and torch finds no CUDA here; pass device="cpu"')
    return device


def fitted_scores(net: TrainedNetwork, X: np.ndarray) -> Float[np.ndarray, "n classes"]:
    """Return the outputs of a fitted net for rows."""
    module = seeded_module(net.make_module, shape_of(X.shape[1:]), len(net.classes_), 0).eval()
    device = device_of(net.device)
    module.to(device)
    values = {name: torch.from_numpy(one).to(device) for name, one in net.parameters_.items()}
    parts = []
    with torch.no_grad():
        for start in range(0, len(X), AT_ONCE):
            block = as_module_sees(tensor_of(X[start : start + AT_ONCE]), DTYPES[net.precision])
            parts.append(functional_call(module, values, (block.to(device),)).cpu().double().numpy())
    return np.concatenate(parts)
