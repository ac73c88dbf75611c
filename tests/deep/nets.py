"""Small rows, nets and trainings, and the plain loop of torch that they are compared with."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy  # noqa: E402

import backdoor_curves as bc  # noqa: E402
from backdoor_curves.deep.chunks import bytes_kept, nets_at_once  # noqa: E402
from backdoor_curves.deep.draws import initial_draws, order  # noqa: E402
from backdoor_curves.deep.models import MLP  # noqa: E402
from backdoor_curves.deep.network import as_module_sees, initial_nets, shape_of  # noqa: E402
from backdoor_curves.deep.recipe import Recipe  # noqa: E402
from backdoor_curves.deep.training import Run, Trained, TrainingRows, train  # noqa: E402

torch.set_num_threads(1)
CPU = torch.device("cpu")
SMALL = MLP(hidden=(8,))
RECIPE = Recipe(epochs=3, batch_size=16, lr=0.1, momentum=0.9)


class CNN:
    """A convolution, pooling and a linear layer."""

    def __init__(self, channels: int = 3, activation: type[nn.Module] = nn.GELU) -> None:
        self.channels, self.activation = channels, activation

    def __call__(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return nn.Sequential(
            *(nn.Conv2d(shape[0], self.channels, 3, padding=1), self.activation(), nn.AvgPool2d(2), nn.Flatten()),
            nn.Linear(self.channels * (shape[1] // 2) * (shape[2] // 2), n_classes),
        )


def poisoned(classes="even-odd", n: int = 90, seed: int = 0) -> bc.PoisonedData:
    """Digits of 8 x 8 with a patch on a fifth of the rows."""
    rng = np.random.default_rng(seed)
    train, test = bc.datasets.digits(classes, n_train=n, n_test=60, rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=len(np.unique(train.y)), channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, rate=0.2, rng=rng)


def training_rows(data: bc.PoisonedData, dtype: type = np.float64) -> TrainingRows:
    """The victim's training set."""
    n = len(data.is_poison)
    X = np.empty((n, *data.clean_train.X.shape[1:]), dtype)
    y, weight = np.empty(n, dtype=np.int64), np.ones(n)
    for part, rows in ((data.clean_train, ~data.is_poison), (data.poison_train, data.is_poison)):
        X[rows], y[rows] = part.X, np.searchsorted(data.classes, part.y)
    return TrainingRows(X, y, weight, data.is_poison)


def trained(
    make=SMALL,
    recipe: Recipe = RECIPE,
    rows: TrainingRows | None = None,
    betas=(0.0, 0.3, 1.0),
    seeds=(0, 1),
    *,
    tangents: bool = False,
    at_once: int | None = None,
    dtype=torch.float64,
) -> Trained:
    """Nets trained as a stack."""
    rows = training_rows(poisoned()) if rows is None else rows
    nets = initial_nets(make, shape_of(rows.X.shape[1:]), int(rows.y.max()) + 1, seeds)
    run = Run(recipe, rows, CPU, dtype, tangents)
    if at_once is None:
        batch = as_module_sees(torch.from_numpy(rows.X[: recipe.batch_size]), dtype)
        at_once = nets_at_once(nets, batch, bytes_kept(nets, batch), CPU, tangents)
    return train(run, nets, list(betas), at_once)


def plain_loop(make, recipe: Recipe, rows: TrainingRows, beta: float, seed: int) -> list[np.ndarray]:
    """One net by `torch.optim`, row by row as anyone would write it."""
    with initial_draws(seed):
        module = make(shape_of(rows.X.shape[1:]), int(rows.y.max()) + 1)
    module.double().train()
    if recipe.optimizer == "adam":
        optimiser = torch.optim.Adam(module.parameters(), recipe.lr, weight_decay=recipe.weight_decay)
    else:
        optimiser = torch.optim.SGD(
            module.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.nesterov
        )
    n = len(rows.y)
    steps = recipe.epochs * -(-n // recipe.batch_size)
    schedule = None
    if recipe.schedule == "cosine":
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda t: (1 + np.cos(np.pi * t / steps)) / 2)
    X = as_module_sees(torch.from_numpy(rows.X), torch.float64)
    y, u = torch.from_numpy(rows.y), torch.from_numpy(rows.weight * np.where(rows.is_poison, beta, 1.0))
    for epoch in range(recipe.epochs):
        for batch in torch.from_numpy(order(seed, epoch, n)).split(recipe.batch_size):
            optimiser.zero_grad()
            (u[batch] * cross_entropy(module(X[batch]), y[batch], reduction="none")).mean().backward()
            optimiser.step()
            if schedule is not None:
                schedule.step()
    return [one.detach().numpy() for one in module.parameters()]
