"""From images to a layer's values and back to the pixels: the map that `FrozenFeatures` applies, in torch.

    x -> (x - mean) / std -> bilinear resize -> network, up to a layer -> mean over the map, or flat

Normalisation and resizing are linear with weights that sum to one, so their order does not matter; small images are
normalised faster.
"""

from __future__ import annotations

import copy
import difflib
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.features.extra import torch_of

if TYPE_CHECKING:
    import torch

NAMES_SHOWN = 60
"""Layers that an error lists; a deep network has hundreds."""


@dataclass(frozen=True)
class Settings:
    """What besides the network makes features what they are.

    Parameters
    ----------
    layer : str or None
        A name of `network.named_modules()`; None for the network's output.
    size : (int, int) or None
        Height and width that images are scaled to.
    mean, std : tuple of float
        One for all channels or one a channel.
    align_corners : bool
        Whether the corner pixels' centres stay in the corners when images are scaled.
    pool : bool
        Whether maps (channels, height, width) are averaged over height and width.
    """

    layer: str | None
    size: tuple[int, int] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    align_corners: bool
    pool: bool


def settings_of(layer: Any, size: Any, mean: Any, std: Any, *, align_corners: Any, pool: Any) -> Settings:
    """Return checked settings; a ValueError says what was expected."""
    if layer is not None and not isinstance(layer, str):
        raise ValueError(f"layer: the name of a layer or None was expected, {layer!r} came")
    sides = (size, size) if isinstance(size, int | np.integer) and not isinstance(size, bool) else size
    if sides is not None:
        ints = isinstance(sides, Sequence) and all(isinstance(side, int | np.integer) and side > 0 for side in sides)
        if not ints or len(sides) != 2:
            raise ValueError(
                f"size: None, a side or (height, width) in pixels, at least 1, was expected, {size!r} came"
            )
        sides = (int(sides[0]), int(sides[1]))
    means, stds = _numbers("mean", mean, 0.0), _numbers("std", std, 1.0)
    if min(stds) <= 0:
        raise ValueError(f"std: numbers > 0 were expected, {std!r} came")
    if len({len(means), len(stds)} - {1}) > 1:
        raise ValueError(f"mean and std: as many numbers were expected, {len(means)} and {len(stds)} came")
    return Settings(layer, sides, means, stds, bool(align_corners), bool(pool))


def _numbers(name: str, value: Any, default: float) -> tuple[float, ...]:
    """Return one number, or one a channel, as a tuple of floats."""
    try:
        numbers = tuple(float(number) for number in np.atleast_1d(default if value is None else value))
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{name}: a finite number, or one a channel, was expected, {value!r} came")
    return numbers


@dataclass(frozen=True)
class FrozenMap:
    """A network in evaluation mode on its device, and the settings; nothing of it is ever trained or changed.

    Parameters
    ----------
    network : torch.nn.Module
        From `frozen_network`.
    settings : Settings
        The others.
    """

    network: torch.nn.Module
    settings: Settings

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that the network computes in, as numpy has it: float32 but for networks made double."""
        torch = torch_of("FrozenFeatures")
        return np.dtype(np.float64 if self._kind().dtype == torch.float64 else np.float32)

    def _kind(self) -> torch.Tensor:
        """Return a tensor of the network's type on its device."""
        torch = torch_of("FrozenFeatures")
        floating = (tensor for tensor in self.network.parameters() if tensor.is_floating_point())
        return next(floating, torch.zeros(()))

    def rows(self, images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "n d"]:
        """Return the features of a batch of images, in the network's own type."""
        torch = torch_of("FrozenFeatures")
        with torch.no_grad():
            features = self._features(self._tensor(images)).cpu()
        # numpy knows fewer types than torch: half precision becomes single.
        rows: np.ndarray = (features if self.dtype == np.float64 else features.float()).numpy()
        return rows

    def pulled_back(
        self, images: Float[np.ndarray, "n h w c"], G: Float[np.ndarray, "n d"]
    ) -> Float[np.ndarray, "n h w c"]:
        """Return, for each image of a batch, G' d features / d image."""
        torch = torch_of("FrozenFeatures")
        with torch.enable_grad():
            x = self._tensor(images).requires_grad_()
            features = self._features(x)
            if tuple(features.shape) != G.shape:
                raise ValueError(f"G: shape {tuple(features.shape)}, as of the features, was expected, {G.shape} came")
            weights = torch.tensor(
                G, dtype=features.dtype, device=features.device
            )  # a copy: G may be a view to be read only
            (gradient,) = torch.autograd.grad(features, x, weights)
        pixels: np.ndarray = gradient.cpu().double().numpy()
        return pixels

    def _tensor(self, images: Float[np.ndarray, "n h w c"]) -> torch.Tensor:
        torch = torch_of("FrozenFeatures")
        kind = self._kind()
        # A copy: torch warns of arrays that are read-only, and would share the others'.
        return torch.tensor(np.ascontiguousarray(images), dtype=kind.dtype, device=kind.device)

    def _features(self, x: torch.Tensor) -> torch.Tensor:
        torch = torch_of("FrozenFeatures")
        s = self.settings
        mean, std = (torch.tensor(numbers, dtype=x.dtype, device=x.device) for numbers in (s.mean, s.std))
        # Seen as (n, c, h, w), the values stay where they are: channels last, in which convolutions are fast.
        z = ((x - mean) / std).permute(0, 3, 1, 2)
        if s.size is not None:
            z = torch.nn.functional.interpolate(z, size=s.size, mode="bilinear", align_corners=s.align_corners)
        try:
            values = _at_layer(self.network, s.layer, z)
        except RuntimeError as error:
            raise ValueError(
                f"the network takes no {len(x)} images of shape {tuple(z.shape[1:])} (channels, height, width): "
                f"{str(error).splitlines()[0]}; check channels and size, or take a smaller batch_size"
            ) from error
        place = "the network's output" if s.layer is None else f"layer {s.layer!r}"
        if not isinstance(values, torch.Tensor) or values.ndim < 2 or len(values) != len(x):
            came = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
            raise ValueError(f"{place}: a tensor with a row for each of {len(x)} images was expected, {came} came")
        return values.mean((2, 3)) if s.pool and values.ndim == 4 else values.flatten(1)


def _at_layer(network: torch.nn.Module, layer: str | None, z: torch.Tensor) -> Any:
    """Return what a layer gives when the network is applied to z."""
    if layer is None:
        return network(z)
    seen: list[Any] = []
    thread = threading.get_ident()

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        # Another thread may apply the same network meanwhile; and the next layer may overwrite what this one gives.
        if threading.get_ident() == thread:
            seen.append(output.clone() if hasattr(output, "clone") else output)

    hook = network.get_submodule(layer).register_forward_hook(keep)
    try:
        network(z)
    finally:
        hook.remove()
    if not seen:
        raise ValueError(f"layer: one that the network applies was expected, {layer!r} was not applied")
    return seen[-1]


def require_layer(network: torch.nn.Module, layer: str | None) -> None:
    """Raise a ValueError with the names that there are unless `layer` is one of them, or None."""
    names = [name for name, _ in network.named_modules() if name]
    if layer is None or layer in names:
        return
    near = difflib.get_close_matches(layer, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    raise ValueError(
        f"layer: a name out of network.named_modules() was expected, {layer!r} came; {hint}"
        f"there are {', '.join(names[:NAMES_SHOWN])}{more}"
    )


def require_channels(network: torch.nn.Module, channels: int, settings: Settings) -> None:
    """Raise a ValueError unless the images have as many channels as the normalisation and the first convolution."""
    torch = torch_of("FrozenFeatures")
    for name, numbers in (("mean", settings.mean), ("std", settings.std)):
        if len(numbers) not in (1, channels):
            raise ValueError(f"X: images of {len(numbers)} channels, as {name} has, were expected, {channels} came")
    first = next((module for module in network.modules() if isinstance(module, torch.nn.Conv2d)), None)
    if first is not None and first.in_channels != channels:
        hint = "; repeat the grey channel: np.repeat(X, 3, axis=-1)" if (first.in_channels, channels) == (3, 1) else ""
        raise ValueError(f"X: images of {first.in_channels} channels were expected, {channels} came{hint}")


def frozen_network(network: Any, device: Any) -> torch.nn.Module:
    """Return the network in evaluation mode on a device: itself if it is, else a copy, as it is the caller's.

    Raises
    ------
    TypeError
        If it is no torch.nn.Module.
    ValueError
        If there is no such device here.
    """
    torch = torch_of("FrozenFeatures")
    if not isinstance(network, torch.nn.Module):
        raise TypeError(f"network: a torch.nn.Module was expected, {type(network).__name__} came")
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(f'device: such as "cpu" or "cuda" was expected, {device!r} came') from None
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f'device: {device!r} was asked for, and torch finds no CUDA device here; take device="cpu"')
    tensors = [*network.parameters(), *network.buffers()]
    elsewhere = any(
        tensor.device.type != place.type or place.index not in (None, tensor.device.index) for tensor in tensors
    )
    if not elsewhere and not any(module.training for module in network.modules()):
        return network
    return copy.deepcopy(network).to(place).eval()
