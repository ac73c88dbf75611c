"""Features from a frozen network: they are the layer's values, and their gradient in the pixels is right."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

torch = pytest.importorskip("torch", reason="torch is not installed")
from networks import images, small  # noqa: E402 - it needs torch
from torch import nn  # noqa: E402

import backdoor_curves as bc  # noqa: E402


def frozen(network=None, **settings) -> bc.FrozenFeatures:
    return bc.FrozenFeatures(small() if network is None else network, **{"cache": False, **settings})


# The map


def resized(image: np.ndarray, size: int, align_corners: bool) -> np.ndarray:
    """Bilinear interpolation of one image, pixel by pixel, from its definition."""
    old = image.shape[0]
    out = np.empty((size, size, image.shape[2]))
    for i, j in np.ndindex(size, size):
        weights = []
        for at in (i, j):
            place = at * (old - 1) / (size - 1) if align_corners else max((at + 0.5) * old / size - 0.5, 0)
            low = min(int(place), old - 1)
            weights.append((low, min(low + 1, old - 1), place - low))
        (r, r1, a), (c, c1, b) = weights
        upper = (1 - b) * image[r, c] + b * image[r, c1]
        lower = (1 - b) * image[r1, c] + b * image[r1, c1]
        out[i, j] = (1 - a) * upper + a * lower
    return out


@pytest.mark.parametrize("align_corners", [True, False])
def test_images_are_normalised_by_channel_and_resized(align_corners):
    """Against the definitions, in double precision; the network is the identity."""
    X = images(2, 5)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.5)
    identity = nn.Conv2d(3, 3, 1, bias=False).double()
    identity.weight.data = torch.eye(3, dtype=torch.float64)[:, :, None, None]
    features = frozen(identity, size=9, mean=mean, std=std, align_corners=align_corners, pool=False).transform(X)
    expected = [resized((image - mean) / std, 9, align_corners).transpose(2, 0, 1).ravel() for image in X]
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-14)


def test_features_are_the_values_of_the_named_layer():
    """Against the network's layers applied one by one."""
    network, X = small(), images()
    x = torch.tensor(X.transpose(0, 3, 1, 2), dtype=torch.float32)
    with torch.no_grad():
        maps, out = network[:5](x), network(x)
    # 1e-6: another order of sums in single precision.
    pooled = frozen(network, layer="4").transform(X)
    np.testing.assert_allclose(pooled, maps.mean((2, 3)), rtol=0, atol=1e-6)
    flat = frozen(network, layer="4", pool=False).transform(X)
    np.testing.assert_allclose(flat, maps.flatten(1), rtol=0, atol=1e-6)
    np.testing.assert_allclose(frozen(network).transform(X), out, rtol=0, atol=1e-6)
    assert pooled.dtype == flat.dtype == np.float64


def test_a_layer_that_works_in_place_does_not_change_the_one_before_it():
    """Many networks overwrite a convolution's values by their ReLU; without a copy the hook would see zeros."""
    convolution = nn.Conv2d(3, 4, 3)
    X = images()
    before = frozen(nn.Sequential(convolution), pool=False).transform(X)
    network = nn.Sequential(convolution, nn.ReLU(inplace=True)).eval()
    assert before.min() < 0
    assert np.array_equal(frozen(network, layer="0", pool=False).transform(X), before)
    gradient = frozen(network, layer="0", pool=False).vjp(X, np.ones_like(before))
    assert np.array_equal(gradient, frozen(nn.Sequential(convolution), pool=False).vjp(X, np.ones_like(before)))


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_features_do_not_depend_on_the_batches(batch_size):
    """But for rounding: sums over another number of images may go another way."""
    X = images()
    expected = frozen().transform(X)
    np.testing.assert_allclose(frozen(batch_size=batch_size).transform(X), expected, rtol=0, atol=1e-6)


def test_grey_images_have_one_channel_with_or_without_an_axis():
    """Images of shape (n, h, w) are taken as they are."""
    X = images(channels=1)
    network = small(channels=1)
    assert np.array_equal(frozen(network).transform(X), frozen(network).transform(X[..., 0]))
    assert frozen(network).vjp(X[..., 0], np.ones((12, 5))).shape == X[..., 0].shape


@pytest.mark.parametrize("kind", ["float64", "float16", "bfloat16"])
def test_networks_of_other_precisions_give_float64(kind):
    """The images follow the network's type; the exact paths compute in double."""
    network = small().to(getattr(torch, kind))
    features = frozen(network).transform(images())
    assert features.dtype == np.float64
    np.testing.assert_allclose(features, frozen().transform(images()), rtol=0, atol=2e-2)  # bfloat16 has 8 bits


def test_no_images_give_no_rows_of_the_right_width():
    """A rate so small that nothing is poisoned is no error in other steps either."""
    assert frozen().transform(images()[:0]).shape == (0, 5)
    assert frozen().vjp(images()[:0], np.zeros((0, 5))).shape == (0, 12, 12, 3)


# What it leaves alone


def test_the_network_is_used_in_evaluation_mode_and_left_as_it_was():
    """Dropout would make features random; and the network is the caller's, in the middle of training perhaps."""
    network = small().train()
    features = frozen(network, layer="6").transform(images())
    frozen(network).vjp(images(), np.ones((12, 5)))
    assert np.array_equal(features, frozen(small(), layer="6").transform(images()))
    assert all(module.training for module in network.modules())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert not network[6]._forward_hooks


def test_images_are_not_changed_and_may_be_read_only():
    """Rows of a study are mapped from disk, read-only; warnings are errors here."""
    X = images()
    X.setflags(write=False)
    frozen(mean=0.5, std=0.5).transform(X)
    frozen(mean=0.5, std=0.5).vjp(X, np.ones((12, 5)))
    assert np.array_equal(X, images())


def test_it_is_a_scikit_learn_transformer():
    """Parameters are as given, a clone has them all and shares the frozen network, pickle keeps it."""
    features = frozen(layer="4", size=(10, 12), mean=[0.1, 0.2, 0.3], std=0.5)
    copy = clone(features)
    assert copy.get_params() == features.get_params()
    assert copy.network is features.network
    assert copy.set_params(layer="1").layer == "1"
    assert features.layer == "4"
    again = pickle.loads(pickle.dumps(features))
    assert np.array_equal(again.transform(images()), features.fit_transform(images()))


# The gradient


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"layer": "4"},
        {"layer": "3", "pool": False, "mean": (0.4, 0.5, 0.6), "std": 0.25},
        {"size": 20, "align_corners": True, "mean": 0.5, "std": 0.5},
        {"size": (9, 15)},
    ],
    ids=str,
)
def test_vjp_equals_finite_differences(settings):
    """In double precision; a central difference over 2e-5 of a smooth map is good to 1e-9 here."""
    features, X = frozen(small(double=True), batch_size=5, **settings), images(7)
    rng = np.random.default_rng(1)
    G = rng.normal(size=features.transform(X).shape)
    direction = rng.normal(size=X.shape)
    step = 1e-5
    up, down = (features.transform(X + sign * step * direction) for sign in (1, -1))
    expected = ((up - down) * G).sum(axis=1) / (2 * step)
    gradient = features.vjp(X, G)
    assert gradient.shape == X.shape
    np.testing.assert_allclose((gradient * direction).sum(axis=(1, 2, 3)), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "last",
    [(LinearSVC(C=1.0, loss="hinge"),), (SVC(C=1.0, gamma=0.5),), (StandardScaler(), SVC(C=1.0, gamma=0.1))],
    ids=["linear", "rbf", "scaled rbf"],
)
@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_input_gradients_go_through_the_network(last, beta):
    """From the score of a backdoored model down to the pixels of triggered images, against finite differences."""
    rng = np.random.default_rng(0)
    X, y = images(60), np.arange(60) % 2
    X[y == 1] *= 0.7
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=3, rng=rng)
    data = bc.poison((X[:40], y[:40]), (X[40:], y[40:]), trigger=trigger, rate=0.2, rng=rng)
    curve = bc.backdoor_learning_curve(make_pipeline(frozen(small(double=True), layer="4", size=16), *last), data)
    assert curve.exact
    rows = data.triggered_test.X[:4]
    gradient = bc.input_gradient(curve, rows, beta)
    direction = rng.normal(size=rows.shape)

    def scores(Z):
        for step in curve.learner.steps:
            Z = step.transform(Z)
        return curve.path.scores(Z, np.array([beta]))[0]

    step = 1e-5
    expected = (scores(rows + step * direction) - scores(rows - step * direction)) / (2 * step)
    assert np.abs(expected).min() > 1e-5
    np.testing.assert_allclose((gradient * direction).sum(axis=(1, 2, 3)), expected, rtol=1e-5, atol=1e-9)


# Slips


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"network": "resnet18"}, TypeError, "network: a torch.nn.Module was expected, str came"),
        ({"layer": "9"}, ValueError, "'9' came; .*there are 0, 1, 2, 3, 4, 5, 6, 7, 8$"),
        ({"layer": 4}, ValueError, "layer: the name of a layer or None was expected, 4 came"),
        ({"size": 0}, ValueError, "size: None, a side or"),
        ({"size": (3,)}, ValueError, "size: None, a side or"),
        ({"size": True}, ValueError, "size: None, a side or"),
        ({"mean": "imagenet"}, ValueError, "mean: a finite number, or one a channel"),
        ({"mean": (0.5, np.nan, 0.5)}, ValueError, "mean: a finite number"),
        ({"mean": (0.5, 0.5)}, ValueError, "images of 2 channels, as mean has, were expected, 3 came"),
        ({"mean": (0.5, 0.5), "std": (1, 1, 1)}, ValueError, "mean and std: as many numbers were expected, 2 and 3"),
        ({"std": 0}, ValueError, "std: numbers > 0"),
        ({"batch_size": 0}, ValueError, "batch_size: a positive int"),
        ({"device": "gpu"}, ValueError, "device: such as .* was expected, 'gpu' came"),
        ({"cache": None}, ValueError, "cache: True, False or a folder"),
        ({"size": 2}, ValueError, r"takes no 12 images of shape \(3, 2, 2\).*check channels and size"),
    ],
    ids=str,
)
def test_wrong_parameters_are_told_in_a_sentence(settings, error, message):
    """What was expected, what came, what to do."""
    with pytest.raises(error, match=message) as caught:
        frozen(**{"network": small(), **settings}).transform(images())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (images(channels=1), r"images of 3 channels were expected, 1 came; repeat .* np.repeat\(X, 3, axis=-1\)"),
        (images(channels=4), "images of 3 channels were expected, 4 came"),
        (images() * 255, "finite pixels in .* divide by 255"),
        (images() * np.nan, "finite pixels in .*, nan to nan came"),
        (images()[0, 0], r"images of shape .* were expected, float64 of shape \(12, 3\) came"),
        (["a text"], "images of shape .* were expected, <U6"),
    ],
    ids=["grey", "alpha", "levels", "nan", "rows", "texts"],
)
def test_images_that_do_not_fit_are_told_in_a_sentence(X, message):
    """Before the network is applied."""
    with pytest.raises(ValueError, match=message):
        frozen().fit(X)


def test_gradients_of_another_shape_are_refused():
    """Broadcasting would give a wrong gradient."""
    for G in (np.ones((12, 4)), np.ones((11, 5)), np.ones(12)):
        with pytest.raises(ValueError, match=r"G: shape \(12, .*\).* was expected"):
            frozen().vjp(images(), G)


def test_a_layer_without_a_tensor_is_refused():
    """An LSTM gives a tuple; which part of it is meant is not for us to guess."""
    network = nn.Sequential(nn.Flatten(2), nn.LSTM(144, 4))
    with pytest.raises(ValueError, match="layer '1': a tensor with a row for each of 12 images was expected, tuple"):
        frozen(network, layer="1").transform(images())


def test_a_gpu_that_is_not_there_is_told():
    """The alternative is named."""
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ValueError, match='torch finds no CUDA device here; take device="cpu"'):
        frozen(device="cuda").fit(images())


# Without torch


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_names_are_there_without_torch_and_using_them_asks_for_the_extra():
    """A notebook that only reads curves must not need it."""
    code = """
import sys
class NoTorch:
    def find_spec(self, name, *_):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, NoTorch())
import numpy as np, backdoor_curves as bc
X = np.zeros((1, 2, 2, 3))
for use in (lambda: bc.FrozenFeatures(None).fit(X), bc.features.alexnet, bc.features.squeezenet_features):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    lines = run(code).splitlines()
    assert len(lines) == 3
    assert all('needs torch, which is not installed: pip install "backdoor-curves[torch]"' in line for line in lines)


def test_importing_features_does_not_load_torch():
    """It takes a second or two, and is needed only by who uses it."""
    code = "import sys, backdoor_curves as bc; bc.FrozenFeatures, bc.features.alexnet; print('torch' in sys.modules)"
    assert run(code).strip() == "False"
