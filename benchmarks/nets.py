"""How much faster all nets are trained at once than one after the other, and what their tangents cost.

    python benchmarks/nets.py [--repeats 3] [--data ../shared/data]

24 nets, eight betas and three seeds, on MNIST 7-1: processor time of one core, of each way in turn, medians and ratios.
The loop is torch.optim's, as anyone would write it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import backdoor_curves as bc
from backdoor_curves.deep.chunks import bytes_kept, nets_at_once
from backdoor_curves.deep.draws import initial_draws, order
from backdoor_curves.deep.models import MLP, LeNet
from backdoor_curves.deep.network import MakeModule, as_module_sees, initial_nets, shape_of, tensor_of
from backdoor_curves.deep.recipe import Recipe
from backdoor_curves.deep.training import Run, TrainingRows, train

BETAS = np.array([0.0, 0.01, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0])
SEEDS = (0, 1, 2)
RECIPE = Recipe(epochs=2, batch_size=50, lr=0.05, momentum=0.9, weight_decay=1e-3)


@dataclass(frozen=True)
class SmallCNN:
    """Two convolutions with strides, 8 and 16 channels."""

    def __call__(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """Return a module."""
        return nn.Sequential(
            *(nn.Conv2d(shape[0], 8, 3, 2, 1), nn.GELU(), nn.Conv2d(8, 16, 3, 2, 1), nn.GELU()),
            *(nn.Flatten(), nn.Linear(16 * 7 * 7, n_classes)),
        )


MAKES: dict[str, MakeModule] = {"MLP 128": MLP(), "CNN 8, 16": SmallCNN(), "LeNet": LeNet()}


def rows_of(data_dir: str) -> TrainingRows:
    """Return 1500 rows of MNIST 7-1 with a patch of 3 x 3 on a tenth."""
    rng = np.random.default_rng(0)
    train_rows, test = bc.datasets.mnist((7, 1), n_train=1500, n_test=500, rng=rng, data_dir=data_dir, offline=True)
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
    data = bc.poison(train_rows, test, trigger=trigger, rate=0.1, rng=rng)
    X = np.empty((len(data.is_poison), *data.clean_train.X.shape[1:]))
    y = np.empty(len(X), dtype=np.int64)
    for part, chosen in ((data.clean_train, ~data.is_poison), (data.poison_train, data.is_poison)):
        X[chosen], y[chosen] = part.X, np.searchsorted(data.classes, part.y)
    return TrainingRows(X, y, np.ones(len(y)), data.is_poison)


def one_by_one(make: MakeModule, rows: TrainingRows) -> None:
    """Train the nets in a loop."""
    X, y = as_module_sees(tensor_of(rows.X), torch.float32), torch.from_numpy(rows.y)
    for seed in SEEDS:
        for beta in BETAS:
            with initial_draws(seed):
                module = make(shape_of(rows.X.shape[1:]), 2)
            optimiser = torch.optim.SGD(
                module.parameters(), RECIPE.lr, RECIPE.momentum, weight_decay=RECIPE.weight_decay
            )
            u = torch.from_numpy(np.where(rows.is_poison, beta, 1.0)).float()
            for epoch in range(RECIPE.epochs):
                for batch in torch.from_numpy(order(seed, epoch, len(y))).split(RECIPE.batch_size):
                    optimiser.zero_grad()
                    (u[batch] * cross_entropy(module(X[batch]), y[batch], reduction="none")).mean().backward()
                    optimiser.step()


def stacked(make: MakeModule, rows: TrainingRows, *, tangents: bool) -> None:
    """Train them all at once."""
    nets = initial_nets(make, shape_of(rows.X.shape[1:]), 2, SEEDS)
    run = Run(RECIPE, rows, torch.device("cpu"), torch.float32, tangents)
    batch = as_module_sees(tensor_of(rows.X[: RECIPE.batch_size]), torch.float32)
    train(run, nets, BETAS.tolist(), nets_at_once(nets, batch, bytes_kept(nets, batch), run.device, tangents))


def seconds(task: Callable[[], None]) -> float:
    """Return the processor time that a task takes."""
    start = time.process_time()
    task()
    return time.process_time() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--models", nargs="*", default=list(MAKES), choices=list(MAKES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = rows_of(arguments.data)
    for name in arguments.models:
        make = MAKES[name]
        ways: dict[str, Callable[[], None]] = {
            "loop": lambda make=make: one_by_one(make, rows),
            "stack": lambda make=make: stacked(make, rows, tangents=False),
            "with tangents": lambda make=make: stacked(make, rows, tangents=True),
        }
        took = {way: [] for way in ways}
        for _ in range(arguments.repeats):
            for way, task in ways.items():
                took[way].append(seconds(task))
        loop, stack, tangents = (float(np.median(took[way])) for way in ways)
        print(
            f"{name:10s} loop {loop:5.1f} s, stack {stack:5.1f} s ({loop / stack:.1f} times), with tangents "
            f"{tangents:5.1f} s ({tangents / stack:.1f} times the stack, {tangents / loop:.2f} of the loop)",
            flush=True,
        )


if __name__ == "__main__":
    main()
