"""AlexNet: the published layout, what features are taken, and which files are refused.

The published weights are not at hand, so a state dict of the same layout with random numbers stands for them.
"""

from __future__ import annotations

import hashlib
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
from networks import images, small  # noqa: E402 - it needs torch
from torch.nn.functional import conv2d, interpolate, linear, max_pool2d, relu  # noqa: E402

import backdoor_curves as bc  # noqa: E402
from backdoor_curves.features import weights  # noqa: E402
from backdoor_curves.features.weights import Checkpoint, state_of, weights_of  # noqa: E402

LAYOUT = {
    "features.0": (64, 3, 11, 11),
    "features.3": (192, 64, 5, 5),
    "features.6": (384, 192, 3, 3),
    "features.8": (256, 384, 3, 3),
    "features.10": (256, 256, 3, 3),
    "classifier.1": (4096, 9216),
    "classifier.4": (4096, 4096),
    "classifier.6": (1000, 4096),
}


@pytest.fixture(scope="module")
def state() -> dict:
    """Random weights of the size that keeps values between the layers alike."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, shape in LAYOUT.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        tensors[f"{name}.weight"] = scale * torch.randn(shape, generator=generator)
        tensors[f"{name}.bias"] = 0.1 * torch.randn(shape[:1], generator=generator)
    return tensors


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("alexnet") / "own.pth"
    torch.save(state, path)
    yield path
    path.unlink()  # 244 MB


def by_hand(state: dict, X: np.ndarray, mean: float, std: float) -> torch.Tensor:
    """The features before the last layer, written out from the published description."""

    def layer(x, name, **how):
        return relu(conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **how))

    x = torch.tensor(X.transpose(0, 3, 1, 2), dtype=torch.float32)
    x = (interpolate(x, size=(224, 224), mode="bilinear", align_corners=True) - mean) / std
    x = max_pool2d(layer(x, "features.0", stride=4, padding=2), 3, 2)
    x = max_pool2d(layer(x, "features.3", padding=2), 3, 2)
    x = layer(layer(x, "features.6", padding=1), "features.8", padding=1)
    x = max_pool2d(layer(x, "features.10", padding=1), 3, 2)
    assert x.shape[1:] == (256, 6, 6)
    for name in ("classifier.1", "classifier.4"):
        x = relu(linear(x.flatten(1), state[f"{name}.weight"], state[f"{name}.bias"]))
    return x


def test_the_network_is_alexnet(state, file):
    """Names, order and number of the parameters are the published ones; it does not train."""
    network = bc.features.alexnet(file)
    assert list(network.state_dict()) == list(state)
    assert sum(parameter.numel() for parameter in network.parameters()) == 61_100_840
    assert not network.training
    with torch.no_grad():
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)


@pytest.mark.parametrize("how", [{}, {"mean": 0.5, "std": 0.5}], ids=["curves", "slopes"])
def test_features_are_the_4096_before_the_last_layer(state, file, how):
    """Scaled to 224 with the corners in the corners; normalised for the paper's slopes, as they are for its curves."""
    X = images(2, side=32)
    features = bc.features.alexnet_features(file, cache=False, **how).transform(X)
    assert features.shape == (2, 4096)
    # 1e-4 of values around 1: nine layers in single precision.
    np.testing.assert_allclose(features, by_hand(state, X, how.get("mean", 0), how.get("std", 1)), rtol=0, atol=1e-4)


# Files


def write(path, content):
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"layer1.weight": torch.zeros(3)}, "a tensor 'features.0.weight' was expected, it lacks that and 15 more"),
        ([torch.zeros(3)], "a whole state dict.*, list of other things came"),
        ({"features.0.weight": "text"}, "a whole state dict.*, dict of other things came"),
    ],
)
def test_another_network_s_weights_are_refused(tmp_path, content, message):
    """With the first difference; nothing is half loaded."""
    with pytest.raises(ValueError, match=message) as caught:
        bc.features.alexnet(write(tmp_path / "own.pth", content))
    assert "own.pth" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_shapes_and_further_tensors_are_refused(state, tmp_path):
    """AlexNet trained for ten classes is a network of one's own: FrozenFeatures takes it as it is."""
    with torch.no_grad():
        tiny = {name: tensor.flatten()[:1] for name, tensor in state.items()}
    with pytest.raises(ValueError, match=r"shape \(64, 3, 11, 11\) of 'features.0.weight' was expected, \(1,\) came"):
        bc.features.alexnet(write(tmp_path / "own.pth", tiny))
    with pytest.raises(ValueError, match=r"16 tensors were expected, 'bn.weight' came too"):
        bc.features.alexnet(write(tmp_path / "own.pth", {**tiny, "bn.weight": torch.zeros(1)}))


class Attack:
    """What a pickle may do when it is loaded."""

    def __reduce__(self):
        return open, ("/tmp/never-written", "w")


def test_cut_files_and_pickles_of_code_are_refused(tmp_path):
    """Only tensors are unpickled; what else a file holds is never run."""
    whole = write(tmp_path / "own.pth", small().state_dict()).read_bytes()
    bad = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "html": b"<html>",
        "code": pickle.dumps({"x": Attack()}, protocol=2),
    }
    for name, content in bad.items():
        path = tmp_path / f"{name}.pth"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"a whole state dict, .* was expected, something else came") as caught:
            bc.features.alexnet(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="weights of AlexNet was expected, there is none"):
        bc.features.alexnet(tmp_path / "nowhere.pth")


def test_a_file_is_held_to_the_hash_in_its_name(tmp_path):
    """The published name promises the published content."""
    path = write(tmp_path / "alexnet-owt-7be5be79.pth", {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"content of sha256 7be5be79\.\.\. was expected, .* came .*; delete it"):
        bc.features.alexnet(path)


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A mirror, as a folder, and an empty cache; torch's own cache is empty too."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("BACKDOOR_CURVES_DATA", raising=False)
    (tmp_path / "web").mkdir()
    monkeypatch.setattr(weights, "MIRRORS", ((tmp_path / "web").as_uri() + "/",))
    return tmp_path / "web"


def published(folder) -> Checkpoint:
    """A small checkpoint, under the name that its hash gives it."""
    path = write(folder / "draft", {"x": torch.arange(3.0)})
    name = f"net-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    path.rename(folder / name)
    return Checkpoint("Net", name, "1 kB")


def test_published_weights_are_downloaded_once_and_checked(web, tmp_path):
    """The second time they come from the cache, without the network."""
    checkpoint = published(web)
    assert state_of("Net", weights_of(checkpoint))["x"].tolist() == [0, 1, 2]
    (web / checkpoint.file).unlink()
    assert state_of("Net", weights_of(checkpoint, offline=True))["x"].tolist() == [0, 1, 2]
    assert (tmp_path / "xdg" / "backdoor-curves" / "networks" / checkpoint.file).is_file()


@pytest.mark.parametrize("place", ["data", "data/networks", "data/networks/net", "torch/hub/checkpoints"])
def test_published_weights_are_found_where_they_may_be(web, tmp_path, monkeypatch, place):
    """In the folder of the environment, and where torch itself keeps them."""
    monkeypatch.setenv("BACKDOOR_CURVES_DATA", str(tmp_path / "data"))
    checkpoint = published(web)
    (tmp_path / place).mkdir(parents=True)
    (web / checkpoint.file).rename(tmp_path / place / checkpoint.file)
    assert state_of("Net", weights_of(checkpoint, offline=True))["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("place", ["", "networks", "networks/net"])
@pytest.mark.parametrize("name", ["net.pth", "original.npz"])
def test_a_folder_serves_as_data_dir_and_by_the_environment_alike(web, tmp_path, monkeypatch, place, name):  # noqa: ARG001
    """In each place, by each name; the folder that the caller names comes first."""
    checkpoint = Checkpoint("Net", "net.pth", "1 kB", ("original.npz",))
    found = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        (folder / place).mkdir(parents=True)
        (folder / place / name).touch()
        found.append(folder / place / name)
    assert weights_of(checkpoint, tmp_path / "a", offline=True) == found[0]
    monkeypatch.setenv("BACKDOOR_CURVES_DATA", str(tmp_path / "b"))
    assert weights_of(checkpoint, None, offline=True) == found[1]
    assert weights_of(checkpoint, tmp_path / "a", offline=True) == found[0]


def test_an_altered_download_is_refused_and_not_kept(web, tmp_path):
    """Nor is a cut one, or a page of a hotel."""
    checkpoint = published(web)
    (web / checkpoint.file).write_bytes(b"<html>log in</html>")
    with pytest.raises(FileNotFoundError, match=r"no mirror served .*content of sha256 .* was expected"):
        weights_of(checkpoint)
    assert not [path for path in (tmp_path / "xdg").rglob("*") if path.is_file()]


def test_offline_says_where_it_looked_and_where_to_get_it(web, tmp_path):  # noqa: ARG001
    """Every folder, and the address."""
    with pytest.raises(FileNotFoundError) as caught:
        bc.features.alexnet(offline=True)
    for part in (str(tmp_path / "xdg"), str(tmp_path / "torch"), "alexnet-owt-7be5be79.pth (244 MB)", "offline=True"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
