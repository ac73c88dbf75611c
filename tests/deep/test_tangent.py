"""The slope of a training is the difference of two trainings, to the digits that a difference has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
from torch import nn  # noqa: E402

from backdoor_curves.deep import optimisers, training  # noqa: E402
from backdoor_curves.deep.models import MLP  # noqa: E402
from backdoor_curves.deep.recipe import Recipe  # noqa: E402
from nets import CNN, SMALL, poisoned, trained, training_rows  # noqa: E402 - it needs torch

STEP = 1e-6
"""Of beta, to both sides: an error of 1e-12 of the third derivative, and of rounding 1e-15 over the step, 1e-9."""
BETAS = (0.0, 0.005, 0.02, 0.06, 0.15, 0.3, 0.6, 1.0)
SEEDS = (0, 1, 2)
SGD = Recipe(epochs=5, batch_size=15, lr=0.1)
RECIPES = {
    "sgd": SGD,
    "momentum": replace(SGD, momentum=0.9, lr=0.05),
    "nesterov, decay": replace(SGD, momentum=0.9, lr=0.05, nesterov=True, weight_decay=0.01),
    "momentum, decay, cosine": replace(SGD, momentum=0.9, lr=0.05, weight_decay=0.01, schedule="cosine"),
    "momentum, 20 epochs": replace(SGD, momentum=0.9, lr=0.05, epochs=20),
    "adam": Recipe(epochs=5, batch_size=15, lr=3e-3, optimizer="adam", weight_decay=0.01),
    "adam, cosine, decay, 20 epochs": Recipe(20, 15, 3e-3, optimizer="adam", schedule="cosine", weight_decay=0.01),
}
MAKES = {
    "mlp, gelu": SMALL,
    "mlp, softplus": MLP(hidden=(8,), activation="softplus"),
    "cnn, gelu": CNN(),
    "cnn, softplus": CNN(activation=nn.Softplus),
}
MEDIAN, MOST = 1e-5, 1e-3
"""Of the difference between tangent and central difference, over the length of the tangent, over all nets."""


def rows():
    return training_rows(poisoned(n=60))


def errors(make, recipe, betas=BETAS, seeds=SEEDS) -> np.ndarray:
    """Relative differences of the parameters' derivatives, a net each: tangents against trainings on either side."""
    data = rows()
    tangents = trained(make, recipe, data, betas, seeds, tangents=True).dw
    around = [beta + side for beta in betas for side in (-STEP, STEP)]
    values = trained(make, recipe, data, around, seeds).w
    apart = total = 0.0
    for dw, w in zip(tangents, values, strict=True):
        difference = (w[:, 1::2] - w[:, ::2]) / (2.0 * STEP)
        axes = tuple(range(2, dw.ndim))
        apart, total = apart + ((dw - difference) ** 2).sum(axis=axes), total + (difference**2).sum(axis=axes)
    return np.sqrt(apart / total)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
@pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
def test_tangents_are_differences_of_independent_trainings(make, recipe):
    """Trained twice, at a beta a millionth more and less: of every net, eight betas and three seeds."""
    found = errors(make, recipe)
    assert found.shape == (3, 8)
    assert np.median(found) < MEDIAN
    assert found.max() < MOST


FAULTS = {
    "no momentum": lambda recipe: replace(recipe, momentum=0.0, nesterov=False),
    "decay doubled": lambda recipe: replace(recipe, weight_decay=2.0 * recipe.weight_decay),
    "no Nesterov": lambda recipe: replace(recipe, nesterov=False),
}


@pytest.mark.parametrize("wrong", FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_step_of_the_tangent_is_seen(monkeypatch, wrong):
    """The check has teeth: the tangent's step differs from that of the values in one term."""
    right = optimisers.step

    def faulty(recipe, number, lr, values, g, tangents, dg):
        right(recipe, number, lr, values, g, None, None)
        if tangents is not None:
            right(wrong(recipe), number, lr, tangents, dg, None, None)

    monkeypatch.setattr(training, "step", faulty)
    recipe = replace(SGD, momentum=0.9, lr=0.05, nesterov=True, weight_decay=0.01)
    assert np.median(errors(SMALL, recipe, betas=(0.1,), seeds=(0,))) > MOST


def test_a_fault_in_adams_second_moment_is_seen(monkeypatch):
    """Without the tangent of the mean square the slope is another one."""
    right = optimisers.step

    def faulty(recipe, number, lr, values, g, tangents, dg):
        right(recipe, number, lr, values, g, tangents, dg)
        for ds in () if tangents is None else tangents.s:
            ds.zero_()

    monkeypatch.setattr(training, "step", faulty)
    assert np.median(errors(SMALL, RECIPES["adam"], betas=(0.1,), seeds=(0,))) > MOST


def test_adams_corner_at_0_is_as_sharp_as_its_eps(monkeypatch):
    """Weights with hardly a gradient but the poison's move by lr at any beta > 0, by lr / eps times it near 0.

    So Adam's curve without weight decay has an exact slope at 0 that says little of it: differences come to it in
    proportion to their step, from 1e-8 down.
    """
    adam = Recipe(epochs=20, batch_size=15, lr=3e-3, optimizer="adam", schedule="cosine")
    assert errors(SMALL, adam, betas=BETAS[1:]).max() < MOST
    found = []
    for step in (1e-8, 1e-9, 1e-10):
        monkeypatch.setattr("test_tangent.STEP", step)
        found.append(errors(SMALL, adam, betas=(0.0,), seeds=(0,))[0, 0])
    np.testing.assert_allclose(np.divide(found[:-1], found[1:]), 10.0, rtol=0.05)
    assert found[-1] < MOST


def test_the_first_tangent_is_the_gradient_of_the_poison():
    """After one step of SGD w has moved by -lr / b times the gradient of the poison's losses, in closed form."""
    data = rows()
    n = len(data.y)
    one = Recipe(epochs=1, batch_size=n, lr=0.3)
    found = trained(SMALL, one, data, (0.2,), (4,), tangents=True)
    low, high = trained(SMALL, one, data, (0.0, 1.0), (4,)).w, found.dw
    for w, dw in zip(low, high, strict=True):
        np.testing.assert_allclose(w[0, 1] - w[0, 0], dw[0, 0], atol=1e-13)
