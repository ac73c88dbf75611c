"""Influence through a training adds up to its slope; a head is logistic regression; other slopes mislead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

torch = pytest.importorskip("torch", reason="torch is not installed")
import backdoor_curves as bc  # noqa: E402
from backdoor_curves.deep.body import Body  # noqa: E402
from backdoor_curves.deep.models import MLP  # noqa: E402
from nets import CNN, SMALL, poisoned  # noqa: E402 - it needs torch

NET = bc.TrainedNetwork(SMALL, epochs=3, batch_size=15, lr=0.05, weight_decay=0.01, precision="double")
BETAS = [0.0, 0.01, 1.0]


@pytest.mark.parametrize(
    "words",
    [{}, {"nesterov": True, "schedule": "cosine"}, {"momentum": 0.0, "weight_decay": 0.0, "make_module": CNN()}],
    ids=["momentum, decay", "nesterov, cosine", "plain, cnn"],
)
def test_influences_of_the_poison_add_up_to_the_slope(words):
    """Backwards through the training, row by row, and forwards in beta: two roads to one number."""
    data = poisoned(((1,), (7,), (9,)), n=60)
    weight = np.linspace(0.5, 2.0, len(data.poison_train))
    heavy = replace(data, poison_train=bc.Samples(*data.poison_train, weight=weight))
    curve = bc.backdoor_learning_curve(clone(NET).set_params(**words), heavy, betas=BETAS)
    for beta in BETAS:
        for split in ("triggered", "clean"):
            found = bc.training_influence(curve, beta, split)
            assert found[heavy.is_poison].sum() == pytest.approx(curve.slope(beta, split), rel=1e-9)


def test_an_influence_is_the_difference_of_trainings():
    """Of a clean row and of a poison row, whose weights are moved by a millionth."""
    data, h = poisoned(n=60), 1e-6
    curve = bc.backdoor_learning_curve(NET, data, betas=BETAS)
    found = bc.training_influence(curve, 1.0)
    n = len(data.clean_train)

    def loss(part: str, row: int, moved: float) -> float:
        samples = getattr(data, part)
        weight = np.ones(len(samples))
        weight[row] += moved
        other = replace(data, **{part: bc.Samples(samples.X, samples.y, weight)})
        return bc.backdoor_learning_curve(NET, other, betas=[0.0, 1.0]).loss("triggered", 1.0)

    for part, row in (("clean_train", n - 1), ("poison_train", 2)):
        place = np.flatnonzero(data.is_poison if part == "poison_train" else ~data.is_poison)[row]
        difference = (loss(part, row, h) - loss(part, row, -h)) / (2 * h)
        assert found[place] == pytest.approx(difference, rel=1e-5)


def test_dropout_is_drawn_again_on_the_way_back():
    """Masks come from seed and step, and so does the sum."""

    def dropping(shape, n_classes):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.2), MLP(hidden=(4,))(shape, n_classes))

    data = poisoned(n=60)
    curve = bc.backdoor_learning_curve(clone(NET).set_params(make_module=dropping), data, betas=BETAS)
    assert bc.training_influence(curve)[data.is_poison].sum() == pytest.approx(curve.slope(0.0), rel=1e-9)


def test_the_influence_function_of_a_converged_linear_net_is_its_slope():
    """Without a hidden layer and after a long training the net is an optimum, whose slope Newton's step is."""
    data = poisoned(n=60)
    linear = clone(NET).set_params(
        make_module=MLP(hidden=()), epochs=300, batch_size=60, lr=0.5, momentum=0.9, weight_decay=0.05
    )
    curve = bc.backdoor_learning_curve(linear, data, betas=BETAS)
    found = bc.compare_slopes(curve, damping=1e-9)
    assert found.exact == pytest.approx(found.influence_function, rel=1e-3)
    short = bc.compare_slopes(bc.backdoor_learning_curve(clone(linear).set_params(epochs=3), data, betas=BETAS))
    assert abs(short.influence_function / short.exact - 1.0) > 0.2
    assert (short.step, short.damping) == (0.01, 1e-3)
    assert short.difference == pytest.approx(short.exact, rel=0.1)


def test_the_head_is_a_logistic_regression_on_the_body():
    """At beta = 1 its scores are those of scikit-learn's fit on the features of the body."""
    data = poisoned(n=90)
    curve = bc.backdoor_learning_curve(NET, data, betas=BETAS)
    for beta in (0.0, 1.0):
        head = bc.head_curve(curve, beta)
        assert head.exact
        body = Body(curve.path, beta)
        X = np.concatenate([body.transform(data.clean_train.X), body.transform(data.poison_train.X)])
        y = np.concatenate([data.clean_train.y, data.poison_train.y])
        fit = LogisticRegression(C=1 / (0.01 * len(y)), solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(X, y)
        ours = head.scores("triggered", 1.0)[0]
        np.testing.assert_allclose(ours, fit.decision_function(body.transform(data.triggered_test.X)), atol=1e-5)


def test_what_has_no_answer_is_refused():
    """A sentence each: several seeds, other learners, Adam, a beta of no training, a head without lambda."""
    data = poisoned(n=60)
    two = bc.backdoor_learning_curve(clone(NET).set_params(seeds=2), data, betas=BETAS)
    with pytest.warns(UserWarning, match="Adam goes by the sign"):
        adam = bc.backdoor_learning_curve(clone(NET).set_params(optimizer="adam", lr=0.01), data, betas=BETAS)
    plain = bc.backdoor_learning_curve(clone(NET).set_params(weight_decay=0.0), data, betas=BETAS)
    refused = [
        (lambda: bc.training_influence(two), "take one of curve.seeds"),
        (lambda: bc.training_influence(adam), 'optimizer="sgd" was expected'),
        (lambda: bc.compare_slopes(adam, 0.5), "beta: one of"),
        (lambda: bc.compare_slopes(adam, damping=0.0), "damping: a number > 0"),
        (lambda: bc.head_curve(plain, 0.0), "lam: a number > 0"),
        (lambda: bc.head_curve(adam, 0.5, lam=1.0), "at which nets were trained"),
    ]
    for ask, said in refused:
        with pytest.raises(ValueError, match=said):
            ask()
    assert len(bc.training_influence(two.seeds[1])) == len(data.is_poison)
