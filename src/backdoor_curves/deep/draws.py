"""What a training draws, from its seed alone: initial weights, the order of the rows, augmentation, dropout.

Nothing here hangs on beta or on what a row holds, so that trainings at two betas differ by beta alone: the numbers are
common to them. What is drawn in an epoch is keyed by (seed, epoch, what for), and not by what was drawn before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Int

ORDER, AUGMENT, DROPOUT = range(3)
"""What numbers are drawn for."""


@contextmanager
def initial_draws(seed: int) -> Iterator[None]:
    """Have torch draw from a seed, as `torch.manual_seed` does, and leave its global stream as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def dropout_draws(seed: int, step: int) -> Iterator[None]:
    """Have torch draw what a step of the training draws, on any device."""
    with torch.random.fork_rng():
        torch.manual_seed(int(np.random.SeedSequence([seed, step, DROPOUT]).generate_state(1)[0]))
        yield


def order(seed: int, epoch: int, n: int) -> Int[np.ndarray, " n"]:
    """Return the order in which an epoch visits its n rows."""
    return np.random.default_rng([seed, epoch, ORDER]).permutation(n)


def augment_rng(seed: int, step: int) -> np.random.Generator:
    """Return what a step draws its augmentation from."""
    return np.random.default_rng([seed, step, AUGMENT])
