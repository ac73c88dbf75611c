"""TrainedNetwork is a classifier of scikit-learn's kind, and refuses what has no curve in a sentence."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

torch = pytest.importorskip("torch", reason="torch is not installed")
from torch import nn  # noqa: E402

import backdoor_curves as bc  # noqa: E402
from backdoor_curves.deep.models import MLP, LeNet  # noqa: E402
from nets import CNN, SMALL, poisoned, trained, training_rows  # noqa: E402 - it needs torch

NET = bc.TrainedNetwork(SMALL, epochs=3, batch_size=16, lr=0.1)
IN_BATCHES = "a batch holds other rows where rows are repeated or dropped: a training goes by its steps"


def module(*layers):
    """A function that makes a module of these layers and a linear one."""
    return lambda shape, n_classes: nn.Sequential(nn.Flatten(), *layers, nn.Linear(int(np.prod(shape)), n_classes))


class Forward(nn.Module):
    """A linear module whose forward pass is a function of it and its input."""

    def __init__(self, forward):
        super().__init__()
        self.linear, self.does = nn.Linear(64, 2), forward

    def forward(self, x):
        return self.does(self.linear, x.flatten(1))


@parametrize_with_checks(
    [bc.TrainedNetwork(MLP(hidden=(16,)), epochs=10, batch_size=20, lr=0.05, precision="double")],
    expected_failed_checks=lambda _: {"check_sample_weight_equivalence_on_dense_data": IN_BATCHES},
)
def test_scikit_learn_finds_an_estimator(estimator, check):
    """Its own checks: parameters, clones, pickles, labels of any kind, rows that are refused."""
    check(estimator)


def test_a_fit_is_a_value():
    """Fitted twice, cloned or pickled, whatever torch drew before: the same scores; another seed has others."""
    data = poisoned()
    X, y = data.clean_train
    first = clone(NET).fit(X, y)
    torch.rand(3)
    again = pickle.loads(pickle.dumps(clone(first).fit(X, y)))
    assert np.array_equal(first.decision_function(X), again.decision_function(X))
    other = clone(first).set_params(seeds=(5,)).fit(X, y)
    assert np.abs(first.decision_function(X) - other.decision_function(X)).max() > 1e-2


def test_a_fit_with_weights_is_the_net_of_a_stack():
    """beta is a weight: fit with it on the poison rows is the net at that beta, to single precision."""
    rows = training_rows(poisoned())
    for beta in (0.0, 0.4):
        net = clone(NET).fit(rows.X, rows.y, sample_weight=np.where(rows.is_poison, beta, 1.0))
        (alone,) = (one[0, 0] for one in trained(betas=(beta,), seeds=(0,)).w[:1])
        np.testing.assert_allclose(net.parameters_["1.weight"], alone, atol=1e-5)


def test_widths_are_parameters():
    """Model and hyperparameters are axes of a search by scikit-learn's names."""
    net = clone(NET).set_params(make_module__hidden=(3,)).fit(*poisoned().clean_train)
    assert net.parameters_["1.bias"].shape == (3,)


REFUSED = {
    "batch norm": (module(nn.BatchNorm1d(64)), "is a BatchNorm.*nn.GroupNorm"),
    "outputs": (lambda *_: nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), "an output for each of 2 classes"),
    "shape": (lambda *_: nn.Linear(7, 2), r"rows of shape \(1, 8, 8\) was expected .* it failed"),
    "no module": (lambda *_: None, "returned NoneType"),
    "class": (nn.Linear(64, 2), r"a function \(shape, n_classes\)"),
    "nothing": (3, r"a function \(shape, n_classes\)"),
    "changes": (lambda *_: Forward(lambda linear, x: linear(x.mul_(2.0))), "leaves its input as it is"),
    "draws": (lambda *_: Forward(lambda linear, x: linear(x + torch.rand_like(x))), "draws nothing"),
    "mixes": (lambda *_: Forward(lambda linear, x: linear(x - x.mean(dim=0))), "hang on that row alone"),
    "branches": (
        lambda *_: Forward(lambda linear, x: linear(x) if linear(x).sum().item() > -1e9 else x),
        "torch.func can stack",
    ),
    "seedless": (lambda *_: seedless(), "come from the seed; two modules of one seed differ"),
    "no parameters": (lambda *_: Frozen(), "it has none"),
}


def seedless():
    one = Forward(lambda linear, x: linear(x))
    one.linear.weight.data.copy_(torch.from_numpy(np.random.default_rng().normal(size=(2, 64))))
    return one


class Frozen(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :2]


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_modules_without_a_curve_are_refused(make, said):
    """A sentence says what was expected and what to do, before anything is trained."""
    data = poisoned()
    with pytest.raises((TypeError, ValueError), match=said):
        clone(NET).set_params(make_module=make).fit(*data.clean_train)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"epochs": 0}, "epochs: a number of epochs, 1 or more"),
        ({"batch_size": 2.5}, "batch_size: a number of rows"),
        ({"lr": -1.0}, "lr: a number > 0"),
        ({"momentum": 1.0}, r"momentum: a number in \[0, 1\)"),
        ({"weight_decay": -1e-3}, "weight_decay: a number >= 0"),
        ({"optimizer": "rmsprop"}, 'optimizer: "sgd" or "adam"'),
        ({"nesterov": True, "momentum": 0.0}, "nesterov: it needs"),
        ({"schedule": "step"}, 'schedule: None, "cosine" or a function'),
        ({"augment": "flip"}, "augment: a function"),
        ({"seeds": 0}, "seeds: a number of nets"),
        ({"seeds": (1, 1)}, "seeds: .* different whole numbers"),
        ({"device": "gpu"}, "device: "),
        ({"precision": "half"}, "precision: "),
        ({"make_module": LeNet()}, "make_module: images .* 12 x 12"),
        ({"make_module": MLP(activation="step")}, "activation: one of"),
    ],
    ids=str,
)
def test_hyperparameters_of_no_training_are_refused(words, said):
    """A sentence each."""
    with pytest.raises((TypeError, ValueError), match=said):
        clone(NET).set_params(**words).fit(*poisoned().clean_train)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")
def test_cuda_that_is_not_there_is_refused():
    """It does not become a CPU in silence."""
    with pytest.raises(ValueError, match="torch finds no CUDA here"):
        clone(NET).set_params(device="cuda").fit(*poisoned().clean_train)


def test_without_torch_the_name_is_there_and_a_fit_says_what_is_missing():
    """torch is an extra."""
    code = """
import sys
class NoTorch:
    def find_spec(self, name, *_):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, NoTorch())
import numpy as np, backdoor_curves as bc
net, X, y = bc.TrainedNetwork(bc.deep.models.MLP()), np.eye(4), np.array([0, 1, 0, 1])
data = bc.PoisonedData((X, y), (X, y), (X, y), (X, 1 - y))
for use in (lambda: net.fit(X, y), lambda: bc.backdoor_learning_curve(net, data)):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = 'TrainedNetwork needs torch, which is not installed: pip install "backdoor-curves[torch]"'
    assert done.stdout.splitlines() == [said, said]


def test_a_convolution_takes_images_and_buffers_are_kept():
    """Images come with their channels last, and go to the module with their channels first."""
    X, y = poisoned().clean_train
    net = clone(NET).set_params(make_module=CNN(), precision="double").fit(X, y)
    inner = net.parameters_["0.weight"]
    assert inner.shape == (3, 1, 3, 3)
    assert inner.dtype == np.float64
    assert net.predict(X).shape == y.shape


def test_a_training_that_is_not_watched_makes_no_semaphore():
    """A worker of a study that is ended at once would leave it behind; a bar's lock is one."""
    code = (
        "import numpy as np, backdoor_curves as bc, tqdm.std; from backdoor_curves.deep.models import MLP;"
        "X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2;"
        "bc.TrainedNetwork(MLP(hidden=(2,)), epochs=1, batch_size=10, lr=0.1, verbose={}).fit(X, y);"
        "print(hasattr(tqdm.std.tqdm, '_lock'))"
    )
    for verbose in (False, True):
        said = subprocess.run([sys.executable, "-c", code.format(verbose)], capture_output=True, text=True, check=True)
        assert said.stdout.strip() == str(verbose)
