"""SqueezeNet v1.0 (Iandola et al., arXiv 1602.07360): features as good as AlexNet's from a file of 5 MB.

Its fire modules have a 1 x 1 and a 3 x 3 convolution side by side. Here they are one 3 x 3 convolution, in which the
1 x 1 kernels stand in the middle of zeros: the same map, and a plain sequence of layers.
"""

from __future__ import annotations

import os
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from backdoor_curves.features.extra import torch_of
from backdoor_curves.features.frozen import FrozenFeatures
from backdoor_curves.features.weights import Checkpoint, load_state, require_shapes, state_of, weights_of

if TYPE_CHECKING:
    import torch

CHECKPOINT = Checkpoint("SqueezeNet", "squeezenet1_0-b66bff10.pth", "5 MB", ("squeezenet_v1.0_imagenet.npz",))
"""Trained on ImageNet; see the terms of torchvision and of ImageNet."""
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of red, green and blue on ImageNet: what torchvision's networks were trained on."""
CAFFE = (123 / 255, 117 / 255, 104 / 255), (1 / 255,) * 3
"""The original's: levels 0..255 without their mean; it had blue first, which `squeezenet` turns round."""
FIRES = (
    (96, 16, 64),
    (128, 16, 64),
    (128, 32, 128),
    (256, 32, 128),
    (256, 48, 192),
    (384, 48, 192),
    (384, 64, 256),
    (512, 64, 256),
)
"""Channels that come in, that are squeezed to, and that each kind of kernel makes of these; fire2 to fire9."""


class Names(NamedTuple):
    """What a file calls the layers: first convolution, last one, and those of a fire module k."""

    first: str
    last: str
    squeeze: str
    one: str
    three: str


ORIGINAL = Names("conv1", "conv_final", "fire{k}/conv1x1_1", "fire{k}/conv1x1_2", "fire{k}/conv3x3_2")
TORCHVISION = Names(
    "features.0",
    "classifier.1",
    "features.{place}.squeeze",
    "features.{place}.expand1x1",
    "features.{place}.expand3x3",
)
_PLACES = (3, 4, 5, 7, 8, 9, 10, 12)
"""Of fire2 to fire9 in torchvision's sequence, in which the pools have places too."""


def squeezenet(weights: str | os.PathLike[str] | None = None, *, offline: bool = False) -> torch.nn.Module:
    """Return SqueezeNet v1.0 with its weights, in evaluation mode; red, green and blue in this order go in.

    Parameters
    ----------
    weights : path, optional
        A .npz with the arrays `conv1.weight`, `fire2/conv1x1_1.weight` and so on of the original, which has blue first;
        or a state dict with torchvision's names. None: squeezenet1_0-b66bff10.pth (5 MB) or the original's
        squeezenet_v1.0_imagenet.npz, where one is found, or the first from the web.
    offline : bool
        Never use the network.

    Returns
    -------
    torch.nn.Sequential
        Layers conv1, relu1, pool1, fire2 to fire4, pool4, fire5 to fire8, pool8, fire9, conv_final, relu_final, pool:
        from (n, 3, h, w) to (n, 1000).

    Raises
    ------
    ImportError
        Without torch.
    FileNotFoundError
        If the file is nowhere, and `offline` or no mirror serves it.
    ValueError
        If it is altered, cut off, or another network's.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> network = bc.features.squeezenet("squeezenet1_0-b66bff10.pth")  # doctest: +SKIP
    """
    return _loaded(weights, offline)[0]


def squeezenet_features(
    weights: str | os.PathLike[str] | None = None,
    *,
    size: int = 227,
    batch_size: int = 16,
    device: str = "cpu",
    cache: bool | str | os.PathLike[str] = True,
    offline: bool = False,
) -> FrozenFeatures:
    """Return a transformer from images to the 512 averaged channels of SqueezeNet's last fire module.

    Images are scaled to 227 and normalised as the weights want it.

    Parameters
    ----------
    weights, offline
        As in `squeezenet`.
    size, batch_size, device, cache
        As in `FrozenFeatures`.

    Returns
    -------
    FrozenFeatures

    Raises
    ------
    ImportError, FileNotFoundError, ValueError
        As `squeezenet`.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> features = bc.features.squeezenet_features()  # doctest: +SKIP
    """
    network, (mean, std) = _loaded(weights, offline)
    features: Any = network[:-3]  # up to fire9: what follows would cost an eighth more
    return FrozenFeatures(features, size=size, mean=mean, std=std, batch_size=batch_size, device=device, cache=cache)


def _loaded(weights: str | os.PathLike[str] | None, offline: bool) -> tuple[Any, Any]:
    """Return the network, and the mean and deviation that it wants."""
    torch = torch_of("SqueezeNet")
    file = weights_of(CHECKPOINT, offline=offline) if weights is None else Path(weights).expanduser()
    source, original = str(file), file.suffix == ".npz"
    state = _arrays_in(file) if original else state_of(CHECKPOINT.network, file)
    names = ORIGINAL if original else TORCHVISION
    require_shapes(dict(_shapes(names)), state, source)
    network = load_state(_untrained(padding=1 if original else 0), _as_sequence(state, names), source)
    if original:
        with torch.no_grad():
            network.conv1.weight.copy_(network.conv1.weight.flip(1))  # blue came first
    return network, CAFFE if original else IMAGENET


def _untrained(padding: int) -> Any:
    """Return the sequence of layers; the original pads its last convolution, torchvision's does not."""
    nn = torch_of("SqueezeNet").nn

    def fire(k: int) -> Any:
        into, squeezed, made = FIRES[k - 2]
        squeeze, expand = nn.Conv2d(into, squeezed, 1), nn.Conv2d(squeezed, 2 * made, 3, padding=1)
        return nn.Sequential(OrderedDict(squeeze=squeeze, relu=nn.ReLU(), expand=expand, relu_expand=nn.ReLU()))

    def pool() -> Any:
        return nn.MaxPool2d(3, stride=2, ceil_mode=True)

    layers = OrderedDict(conv1=nn.Conv2d(3, 96, 7, stride=2), relu1=nn.ReLU(), pool1=pool())
    for k in range(2, 10):
        layers[f"fire{k}"] = fire(k)
        if k in (4, 8):
            layers[f"pool{k}"] = pool()
    layers["conv_final"] = nn.Conv2d(512, 1000, 1, padding=padding)
    layers["relu_final"] = nn.ReLU()
    layers["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(layers)


def _layers(names: Names) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield a file's names of the convolutions and the shapes of their kernels, from the first to the last."""
    yield names.first, (96, 3, 7, 7)
    for k, ((into, squeezed, made), place) in enumerate(zip(FIRES, _PLACES, strict=True), start=2):
        for name, shape in zip(
            names[2:], ((squeezed, into, 1, 1), (made, squeezed, 1, 1), (made, squeezed, 3, 3)), strict=True
        ):
            yield name.format(k=k, place=place), shape
    yield names.last, (1000, 512, 1, 1)


def _shapes(names: Names) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, shape in _layers(names):
        yield f"{name}.weight", shape
        yield f"{name}.bias", shape[:1]


def _as_sequence(state: dict[str, torch.Tensor], names: Names) -> dict[str, torch.Tensor]:
    """Return the tensors under the names of our sequence, each pair of kernels side by side as one."""
    torch = torch_of("SqueezeNet")
    files = [name for name, _ in _layers(names)]
    ours = {
        f"{ours}.{part}": state[f"{theirs}.{part}"]
        for ours, theirs in (("conv1", files[0]), ("conv_final", files[-1]))
        for part in ("weight", "bias")
    }
    for k in range(2, 10):
        squeeze, one, three = files[3 * k - 5 : 3 * k - 2]
        centred = torch.nn.functional.pad(state[f"{one}.weight"], (1, 1, 1, 1))
        ours[f"fire{k}.squeeze.weight"] = state[f"{squeeze}.weight"]
        ours[f"fire{k}.squeeze.bias"] = state[f"{squeeze}.bias"]
        ours[f"fire{k}.expand.weight"] = torch.cat([centred, state[f"{three}.weight"]])
        ours[f"fire{k}.expand.bias"] = torch.cat([state[f"{one}.bias"], state[f"{three}.bias"]])
    return ours


def _arrays_in(path: Path) -> dict[str, torch.Tensor]:
    """Return the arrays of a .npz as tensors; without pickle."""
    torch = torch_of("SqueezeNet")
    try:
        # Opened here: of a broken file, np.load leaves its own open.
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            return {name: torch.from_numpy(file[name]) for name in file.files}
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: a file with the weights of SqueezeNet was expected, there is none") from None
    except (ValueError, EOFError, OSError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: a whole .npz of arrays was expected, something else came ({error})") from None
