"""All nets at once are the nets one by one, and beta = 0 has never seen the poison."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
from torch import nn  # noqa: E402

import backdoor_curves as bc  # noqa: E402
from backdoor_curves.deep.models import MLP, LeNet, ResNet9, ResNet18  # noqa: E402
from backdoor_curves.deep.network import initial_nets  # noqa: E402
from backdoor_curves.deep.recipe import Recipe  # noqa: E402
from backdoor_curves.paths.base import PathError  # noqa: E402
from nets import CNN, RECIPE, plain_loop, poisoned, trained, training_rows  # noqa: E402 - it needs torch

ADAM = Recipe(epochs=3, batch_size=16, lr=0.01, optimizer="adam", weight_decay=0.01)
RECIPES = {
    "sgd": Recipe(epochs=3, batch_size=16, lr=0.1),
    "momentum, decay, cosine": replace(RECIPE, weight_decay=0.02, schedule="cosine"),
    "nesterov, decay": replace(RECIPE, nesterov=True, weight_decay=0.02),
    "adam": ADAM,
}
ROUNDING = 1e-11
"""Of sums in another order, through some 20 steps in double precision; measured 1e-14."""


def dropping(shape, n_classes):
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.3), MLP(hidden=(6,))(shape, n_classes))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("make", [MLP(hidden=(8,)), CNN()], ids=["mlp", "cnn"])
def test_nets_of_a_stack_are_those_of_a_plain_loop(make, recipe):
    """`torch.optim` and a loop over batches know nothing of stacks: the same weights, of every seed and beta."""
    rows = replace(training_rows(poisoned()), weight=np.linspace(0.5, 2.0, 90))
    betas, seeds = (0.0, 0.3, 1.0), (0, 5)
    stack = trained(make, recipe, rows, betas, seeds)
    for s, seed in enumerate(seeds):
        for b, beta in enumerate(betas):
            alone = plain_loop(make, recipe, rows, beta, seed)
            for whole, one in zip(stack.w, alone, strict=True):
                np.testing.assert_allclose(whole[s, b], one, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("precision", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("recipe", [RECIPE, ADAM], ids=["sgd", "adam"])
@pytest.mark.parametrize("make", [MLP(hidden=(8,)), CNN(), dropping], ids=["mlp", "cnn", "dropout"])
def test_at_beta_0_the_poison_is_not_heard_bit_for_bit(make, recipe, precision):
    """Other values and labels in the poison rows' places: the nets at 0 are the same bits, and all others move."""
    rows = training_rows(poisoned())
    other_X, other_y = rows.X.copy(), rows.y.copy()
    other_X[rows.is_poison] = np.random.default_rng(3).normal(size=other_X[rows.is_poison].shape)
    other_y[rows.is_poison] = 1 - other_y[rows.is_poison]
    here, there = (
        trained(make, recipe, one, tangents=True, dtype=precision)
        for one in (rows, replace(rows, X=other_X, y=other_y))
    )
    for one, other in zip(here.w, there.w, strict=True):
        assert np.array_equal(one[:, 0], other[:, 0])
        assert not np.array_equal(one[:, 1], other[:, 1])


def test_a_sum_of_weights_as_the_divisor_would_be_heard():
    """The check has teeth: statistics of a batch with poison rows in it move the nets at beta = 0."""

    class Centred(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = MLP(hidden=(4,))((1, 8, 8), 2)

        def forward(self, x):
            return self.layer(x - x.mean(dim=0))

    def centred(*_):
        return Centred()

    rows = training_rows(poisoned())
    other = rows.X.copy()
    other[rows.is_poison] += 1.0
    here, there = trained(centred, rows=rows), trained(centred, rows=replace(rows, X=other))
    assert not np.array_equal(here.w[0][:, 0], there.w[0][:, 0])


@pytest.mark.parametrize("make", [MLP(hidden=(8,)), CNN(), dropping], ids=["mlp", "cnn", "dropout"])
def test_chunks_of_any_size_are_the_same_nets(make):
    """Whatever fits at once: seeds, orders and masks are those of each net alone."""
    whole = trained(make, tangents=True)
    for at_once in (2, 4):
        parts = trained(make, tangents=True, at_once=at_once)
        for one, other in zip([*whole.w, *whole.dw], [*parts.w, *parts.dw], strict=True):
            np.testing.assert_allclose(one, other, rtol=ROUNDING, atol=ROUNDING * np.abs(one).max())


def test_a_chunk_that_does_not_fit_is_halved(monkeypatch):
    """A device that has no room for more than two nets at once gives the same nets."""
    from backdoor_curves.deep import training

    whole, step, tried = trained(), training._train_chunk, []

    def small_device(run, nets, chunk, *others):
        tried.append(len(chunk.seeds) * len(chunk.betas))
        if tried[-1] > 2:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return step(run, nets, chunk, *others)

    monkeypatch.setattr(training, "_train_chunk", small_device)
    again = trained()
    assert tried[:2] == [6, 3]
    np.testing.assert_allclose(whole.w[0], again.w[0], atol=ROUNDING)
    monkeypatch.setattr(training, "_train_chunk", lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory")))
    with pytest.raises(MemoryError, match="one net did not fit"):
        trained()


def test_initial_weights_and_order_come_from_the_seed_alone():
    """At the first step all betas have the weights that torch draws after manual_seed, whatever was drawn before."""
    first = initial_nets(MLP(hidden=(8,)), (1, 8, 8), 2, (3, 4))
    torch.rand(7)
    again = initial_nets(MLP(hidden=(8,)), (1, 8, 8), 2, (4,))
    assert torch.equal(first.w[0][1], again.w[0][0])
    assert not torch.equal(first.w[0][0], first.w[0][1])
    torch.manual_seed(4)
    assert torch.equal(nn.Linear(64, 8).weight, first.w[0][1])


def test_augmentation_is_drawn_from_seed_and_step():
    """Betas and chunks see the same noise, and another seed another one."""

    def noisy(X, rng):
        return X + rng.normal(size=X.shape, scale=0.3)

    recipe = replace(RECIPE, augment=noisy)
    whole, alone = trained(recipe=recipe), trained(recipe=recipe, seeds=(1,), betas=(0.3,))
    np.testing.assert_allclose(whole.w[0][1, 1], alone.w[0][0, 0], atol=ROUNDING)
    assert np.abs(whole.w[0] - trained().w[0]).max() > 1e-3
    with pytest.raises(ValueError, match=r"augment: rows of shape .* were expected back"):
        trained(recipe=replace(RECIPE, augment=lambda X, _: X[1:]))


@pytest.mark.parametrize(("width", "during"), [(8, 1), (2**19, 2)])
def test_small_nets_are_trained_by_one_thread_and_torchs_own_number_is_back(width, during):
    """Threads that wait for each other cost ten times the training; a large layer is worth several."""
    seen = []

    class Watching(nn.Linear):
        def forward(self, x):
            seen.append(torch.get_num_threads())
            return super().forward(x)

    def make(_, n_classes):
        return nn.Sequential(nn.Flatten(), Watching(64, width), nn.AdaptiveAvgPool1d(8), nn.Linear(8, n_classes))

    data, before = poisoned(n=20), torch.get_num_threads()
    net = bc.TrainedNetwork(make, epochs=1, batch_size=20, lr=0.1)
    torch.set_num_threads(2)
    try:
        net.fit(data.clean_train.X, data.clean_train.y)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert seen[-1] == during


def test_what_leaves_the_finite_numbers_is_named():
    """A learning rate that is too high is an error with beta, seed and epoch, and no number."""
    with pytest.raises(PathError, match=r"beta = 0 with seed 0 are not after epoch [123]; lower lr"):
        trained(recipe=replace(RECIPE, lr=1e200))


@pytest.mark.parametrize(
    "model", [LeNet(), ResNet9(width=4), ResNet18(width=2)], ids=lambda model: type(model).__name__
)
def test_models_are_smooth_stacks(model):
    """Those that come with it run in a stack with their tangents, and see one row at a time."""
    shape = (1, 12, 12)
    rng = np.random.default_rng(0)
    rows = replace(
        training_rows(poisoned()),
        X=rng.normal(size=(20, *shape[1:], 1)),
        y=np.arange(20) % 2,
        weight=np.ones(20),
        is_poison=np.arange(20) < 4,
    )
    recipe = Recipe(epochs=1, batch_size=10, lr=0.01)
    found = trained(model, recipe, rows, betas=(0.0, 1.0), seeds=(0,), tangents=True)
    assert all(np.isfinite(one).all() for one in found.dw)
    assert max(np.abs(one).max() for one in found.dw) > 0.0
