"""A traced gradient is the gradient to the last bit, without products by zero; what cannot be traced runs as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.func import grad, jvp  # noqa: E402
from torch.fx.experimental.proxy_tensor import make_fx  # noqa: E402

from backdoor_curves.deep import training  # noqa: E402
from backdoor_curves.deep.traced import _prune, traced  # noqa: E402
from nets import CNN, RECIPE, SMALL, poisoned, trained, training_rows  # noqa: E402 - it needs torch


@pytest.mark.parametrize("make", [SMALL, CNN()], ids=["mlp", "cnn"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_traced_training_is_the_training(make, optimizer, monkeypatch):
    """Values and tangents, bit for bit, with a last batch that is smaller and not traced."""
    recipe = replace(RECIPE, optimizer=optimizer, momentum=0.0, weight_decay=0.01)
    found = {}
    for worth in (1, 10**9):
        monkeypatch.setattr(training, "WORTH", worth)
        found[worth] = trained(make, recipe, tangents=True)
    one, other = found.values()
    for a, b in zip([*one.w, *one.dw], [*other.w, *other.dw], strict=True):
        assert np.array_equal(a, b)


def test_products_by_zero_are_gone():
    """Of a linear layer's weights the tangent goes through x alone, which does not move: two of its products are 0."""
    x = torch.ones(5, 3)

    def loss(w):
        return (x @ w).pow(3).sum()

    def both(w, dw, x, dx):
        return jvp(grad(lambda at, rows: (rows @ at).pow(3).sum()), (w, x), (dw, dx))

    def moving(w, dw, x):
        return both(w, dw, x, torch.zeros_like(x))

    graph = make_fx(moving)(torch.ones(3, 2), torch.ones(3, 2), x)
    products = [sum(node.target is torch.ops.aten.mm.default for node in graph.graph.nodes)]
    _prune(graph)
    products.append(sum(node.target is torch.ops.aten.mm.default for node in graph.graph.nodes))
    assert products[1] <= products[0] - 2
    w, dw = torch.randn(3, 2), torch.randn(3, 2)
    for a, b in zip(graph(w, dw, x), jvp(grad(loss), (w,), (dw,)), strict=True):
        assert torch.allclose(a, b, rtol=1e-6)


def test_what_hangs_on_values_runs_as_it_is():
    """A trace would go one way for all."""

    def f(x):
        return (x if x.sum().item() > 0 else -x,)

    assert traced(f, [torch.ones(2)]) is f


def test_what_differs_from_its_trace_runs_as_it_is():
    """A count of calls is no function of tensors."""
    calls = []

    def f(x):
        calls.append(1)
        return (x * len(calls),)

    assert traced(f, [torch.ones(2)]) is f


def test_few_steps_are_not_traced(monkeypatch):
    """A trace costs more than it spares."""
    monkeypatch.setattr(training, "traced", lambda *_: pytest.fail("it was traced"))
    trained(SMALL, RECIPE)


def test_dropout_is_drawn_at_each_step(monkeypatch):
    """And not held by a trace."""
    monkeypatch.setattr(training, "WORTH", 1)
    monkeypatch.setattr(training, "traced", lambda *_: pytest.fail("it was traced"))

    def make(shape, n_classes):
        return torch.nn.Sequential(SMALL(shape, n_classes), torch.nn.Dropout(0.2))

    trained(make, RECIPE, rows=training_rows(poisoned(n=30)))
