"""SqueezeNet: both kinds of files give the published network, and its features are worth having."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

torch = pytest.importorskip("torch", reason="torch is not installed")
from networks import images  # noqa: E402 - it needs torch
from torch.nn.functional import conv2d, interpolate, max_pool2d, relu  # noqa: E402

import backdoor_curves as bc  # noqa: E402
from backdoor_curves.datasets import IncompleteDataWarning  # noqa: E402

DATA = Path(__file__).parents[2].parent / "shared" / "data"
REAL = DATA / "networks" / "squeezenet" / "squeezenet_v1.0_imagenet.npz"
SIZES = {2: (96, 16, 64), 3: (128, 16, 64), 4: (128, 32, 128), 5: (256, 32, 128), 6: (256, 48, 192)} | {
    7: (384, 48, 192),
    8: (384, 64, 256),
    9: (512, 64, 256),
}


def original_names() -> dict[str, tuple[int, ...]]:
    shapes = {"conv1": (96, 3, 7, 7), "conv_final": (1000, 512, 1, 1)}
    for k, (into, squeezed, made) in SIZES.items():
        shapes[f"fire{k}/conv1x1_1"] = (squeezed, into, 1, 1)
        shapes[f"fire{k}/conv1x1_2"] = (made, squeezed, 1, 1)
        shapes[f"fire{k}/conv3x3_2"] = (made, squeezed, 3, 3)
    return shapes


def torchvision_name(name: str) -> str:
    """The same layer's name in torchvision's file."""
    if name in ("conv1", "conv_final"):
        return {"conv1": "features.0", "conv_final": "classifier.1"}[name]
    fire, kind = name.split("/")
    place = {2: 3, 3: 4, 4: 5, 5: 7, 6: 8, 7: 9, 8: 10, 9: 12}[int(fire[4:])]
    return f"features.{place}." + {"conv1x1_1": "squeeze", "conv1x1_2": "expand1x1", "conv3x3_2": "expand3x3"}[kind]


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    """Random weights in the original's layout."""
    rng = np.random.default_rng(0)
    made = {}
    for name, shape in original_names().items():
        made[f"{name}.weight"] = (rng.normal(size=shape) * (2 / np.prod(shape[1:])) ** 0.5).astype(np.float32)
        made[f"{name}.bias"] = (0.1 * rng.normal(size=shape[:1])).astype(np.float32)
    return made


def by_hand(arrays, x: torch.Tensor) -> torch.Tensor:
    """The map of fire9 of what goes in, from the published description: two convolutions side by side."""

    def layer(x, name, **how):
        weight, bias = (torch.from_numpy(arrays[f"{name}.{part}"]) for part in ("weight", "bias"))
        return relu(conv2d(x, weight, bias, **how))

    x = max_pool2d(layer(x, "conv1", stride=2), 3, 2, ceil_mode=True)
    for k in SIZES:
        x = layer(x, f"fire{k}/conv1x1_1")
        x = torch.cat([layer(x, f"fire{k}/conv1x1_2"), layer(x, f"fire{k}/conv3x3_2", padding=1)], dim=1)
        if k in (4, 8):
            x = max_pool2d(x, 3, 2, ceil_mode=True)
    return x


def scaled(X: np.ndarray) -> torch.Tensor:
    x = torch.tensor(X.transpose(0, 3, 1, 2), dtype=torch.float32)
    return interpolate(x, size=(227, 227), mode="bilinear")


def test_the_original_sees_blue_green_red_levels_without_their_mean(arrays, tmp_path):
    """From red, green and blue in [0, 1]; against the description, which is told of blue first."""
    np.savez(tmp_path / "own.npz", **arrays)
    X = images(2, side=32)
    features = bc.features.squeezenet_features(tmp_path / "own.npz", cache=False).transform(X)
    levels = 255 * scaled(X).flip(1) - torch.tensor([104.0, 117.0, 123.0])[:, None, None]
    expected = by_hand(arrays, levels).mean((2, 3)).numpy()
    assert features.shape == (2, 512)
    # Seventeen layers in single precision.
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    red_first = by_hand(arrays, levels.flip(1)).mean((2, 3)).numpy()
    assert np.abs(features - red_first).max() > 0.02 * np.abs(expected).max()


def test_torchvision_s_file_sees_normalised_red_green_blue(arrays, tmp_path):
    """The same weights under torchvision's names."""
    state = {}
    for name in original_names():
        for part in ("weight", "bias"):
            state[f"{torchvision_name(name)}.{part}"] = torch.from_numpy(arrays[f"{name}.{part}"])
    torch.save(state, tmp_path / "own.pth")
    X = images(2, side=32)
    features = bc.features.squeezenet_features(tmp_path / "own.pth", cache=False).transform(X)
    mean, std = (torch.tensor(three)[:, None, None] for three in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = by_hand(arrays, (scaled(X) - mean) / std).mean((2, 3)).numpy()
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_the_whole_network_has_the_original_s_last_layer(arrays, tmp_path):
    """A 1 x 1 convolution padded by one, ReLU, and the mean over all places."""
    np.savez(tmp_path / "own.npz", **arrays)
    network = bc.features.squeezenet(tmp_path / "own.npz")
    x = torch.rand(1, 3, 227, 227)
    last = (torch.from_numpy(arrays[f"conv_final.{part}"]) for part in ("weight", "bias"))
    with torch.no_grad():
        expected = relu(conv2d(by_hand(arrays, x.flip(1)), *last, padding=1)).mean((2, 3))
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)
    assert sum(parameter.numel() for parameter in network.parameters()) > 1_248_424  # the published number, and zeros


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("fire5/conv1x1_2.bias"), "a tensor 'fire5/conv1x1_2.bias' was expected"),
        (lambda arrays: arrays.update(extra=np.zeros(3)), "52 tensors were expected, 'extra' came too"),
        (
            lambda arrays: arrays.update({"conv1.bias": np.zeros(3)}),
            r"shape \(96,\) of 'conv1.bias' was expected, \(3,\)",
        ),
        (lambda arrays: arrays.update({"conv1.bias": np.array([None])}), "a whole .npz of arrays was expected"),
    ],
    ids=["lacking", "extra", "shape", "pickle"],
)
def test_other_arrays_are_refused(arrays, tmp_path, change, message):
    """With the first difference, and no pickle."""
    arrays = dict(arrays)
    change(arrays)
    np.savez(tmp_path / "own.npz", **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        bc.features.squeezenet(tmp_path / "own.npz")
    assert str(caught.value).startswith(str(tmp_path / "own.npz"))
    assert "\n" not in str(caught.value)


def test_cut_and_missing_files_are_told(arrays, tmp_path):
    """In a sentence each."""
    np.savez(tmp_path / "own.npz", **arrays)
    (tmp_path / "own.npz").write_bytes((tmp_path / "own.npz").read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"a whole .npz of arrays was expected, something else came"):
        bc.features.squeezenet(tmp_path / "own.npz")
    with pytest.raises(FileNotFoundError, match="weights of SqueezeNet was expected, there is none"):
        bc.features.squeezenet(tmp_path / "nowhere.npz")


@pytest.mark.skipif(not REAL.is_file(), reason="the real weights are not beside the repository")
def test_real_features_tell_birds_from_dogs_where_pixels_do_not():
    """Of ridge on 400 images it is known that it knows .60 of 186 test images by pixels and .87 by these features.

    Two standard errors of such a share are .05; half the images do as well but for that.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IncompleteDataWarning)
        train, test = bc.datasets.cifar10("bird-dog", n_train=200, rng=np.random.default_rng(0), data_dir=DATA)
    features = bc.features.squeezenet_features(REAL, cache=False)
    ridge = RidgeClassifier(alpha=1e4).fit(features.transform(train.X), train.y)
    pixels = RidgeClassifier(alpha=1e2).fit(train.X.reshape(200, -1), train.y)
    assert ridge.score(features.transform(test.X), test.y) > 0.82
    assert pixels.score(test.X.reshape(len(test), -1), test.y) < 0.75
