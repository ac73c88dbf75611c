"""Networks to start with: each is called with the shape of a row and the number of classes, and returns a module.

All normalise a row by itself (GroupNorm), and are smooth by default (GELU, average pooling), so that their scores are
smooth functions of beta. Channels come first in the shape of an image: (channels, height, width).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Literal

from sklearn.base import BaseEstimator

Activation = Literal["gelu", "softplus", "silu", "tanh", "relu"]
"""ReLU is the only one with a kink."""


class MLP(BaseEstimator):  # type: ignore[misc]  # it has no types
    """Layers that are fully connected, on features or flattened images.

    Parameters
    ----------
    hidden : int or tuple of int
        Width of the hidden layer, or of several; () is a linear network.
    activation : {"gelu", "softplus", "silu", "tanh", "relu"}

    Examples
    --------
    >>> from backdoor_curves.deep.models import MLP
    >>> MLP(hidden=(16,))((1, 8, 8), 2)
    Sequential(
      (0): Flatten(start_dim=1, end_dim=-1)
      (1): Linear(in_features=64, out_features=16, bias=True)
      (2): GELU(approximate='none')
      (3): Linear(in_features=16, out_features=2, bias=True)
    )
    """

    def __init__(self, hidden: int | tuple[int, ...] = (128,), activation: Activation = "gelu") -> None:
        self.hidden = hidden
        self.activation = activation

    def __call__(self, shape: tuple[int, ...], n_classes: int) -> Any:
        """Return a module with weights from torch's random numbers."""
        nn = layers_for("MLP")
        hidden = [self.hidden] if isinstance(self.hidden, int) else self.hidden
        widths = [math.prod(shape), *hidden]
        layers = [nn.Flatten()]
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs), activation_of(self.activation)]
        return nn.Sequential(*layers, nn.Linear(widths[-1], n_classes))


class LeNet(BaseEstimator):  # type: ignore[misc]  # it has no types
    """Two convolutions of 5 x 5 with average pooling, and two linear layers, for images of 12 x 12 or more.

    Parameters
    ----------
    channels : tuple of two ints
    hidden : int
        Width of the linear layer before the last.
    activation : {"gelu", "softplus", "silu", "tanh", "relu"}

    Examples
    --------
    >>> import torch
    >>> from backdoor_curves.deep.models import LeNet
    >>> LeNet()((1, 28, 28), 10)(torch.zeros(3, 1, 28, 28)).shape
    torch.Size([3, 10])
    """

    def __init__(self, channels: tuple[int, int] = (6, 16), hidden: int = 84, activation: Activation = "gelu") -> None:
        self.channels = channels
        self.hidden = hidden
        self.activation = activation

    def __call__(self, shape: tuple[int, ...], n_classes: int) -> Any:
        """Return a module with weights from torch's random numbers."""
        nn = layers_for("LeNet")
        require_image("LeNet", shape, 12)
        first, second = self.channels
        height, width = (size // 2 // 2 for size in shape[1:])
        return nn.Sequential(
            *(nn.Conv2d(shape[0], first, 5, padding=2), activation_of(self.activation), nn.AvgPool2d(2)),
            *(nn.Conv2d(first, second, 5, padding=2), activation_of(self.activation), nn.AvgPool2d(2)),
            *(nn.Flatten(), nn.Linear(second * height * width, self.hidden), activation_of(self.activation)),
            nn.Linear(self.hidden, n_classes),
        )


class ResNet9(BaseEstimator):  # type: ignore[misc]  # it has no types
    """Eight convolutions of 3 x 3, two pairs of them residual, and a linear layer; for images of 8 x 8 or more.

    The short residual network that CIFAR-10 is often trained on in a minute, with GroupNorm and average pooling.

    Parameters
    ----------
    width : int
        Channels of the first convolution; the last has eight times as many.
    activation : {"gelu", "softplus", "silu", "tanh", "relu"}

    Examples
    --------
    >>> import torch
    >>> from backdoor_curves.deep.models import ResNet9
    >>> ResNet9(width=8)((3, 32, 32), 10)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, width: int = 64, activation: Activation = "gelu") -> None:
        self.width = width
        self.activation = activation

    def __call__(self, shape: tuple[int, ...], n_classes: int) -> Any:
        """Return a module with weights from torch's random numbers."""
        from backdoor_curves.deep.modules import Residual, convolution

        nn = layers_for("ResNet9")
        require_image("ResNet9", shape, 8)
        w = self.width

        def layer(channels: int, out: int) -> Any:
            return convolution(channels, out, activation_of(self.activation))

        def residual(channels: int) -> Any:
            two = nn.Sequential(layer(channels, channels), layer(channels, channels))
            return Residual(two, nn.Identity(), nn.Identity())

        return nn.Sequential(
            layer(shape[0], w),
            *(layer(w, 2 * w), nn.AvgPool2d(2), residual(2 * w)),
            *(layer(2 * w, 4 * w), nn.AvgPool2d(2)),
            *(layer(4 * w, 8 * w), nn.AvgPool2d(2), residual(8 * w)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * w, n_classes)),
        )


class ResNet18(BaseEstimator):  # type: ignore[misc]  # it has no types
    """Seventeen convolutions in eight residual blocks, and a linear layer; in the form for images of 32 x 32.

    Parameters
    ----------
    width : int
        Channels of the first blocks; those of the last ones are eight times as many.
    activation : {"gelu", "softplus", "silu", "tanh", "relu"}

    Examples
    --------
    >>> import torch
    >>> from backdoor_curves.deep.models import ResNet18
    >>> ResNet18(width=8)((3, 32, 32), 10)(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, width: int = 64, activation: Activation = "gelu") -> None:
        self.width = width
        self.activation = activation

    def __call__(self, shape: tuple[int, ...], n_classes: int) -> Any:
        """Return a module with weights from torch's random numbers."""
        from backdoor_curves.deep.modules import Residual, convolution

        nn = layers_for("ResNet18")
        require_image("ResNet18", shape, 8)

        def block(channels: int, out: int, stride: int) -> Any:
            first = convolution(channels, out, activation_of(self.activation), stride)
            same = stride == 1 and channels == out
            shortcut = nn.Identity() if same else nn.Conv2d(channels, out, 1, stride=stride, bias=False)
            return Residual(
                nn.Sequential(first, convolution(out, out, nn.Identity())), shortcut, activation_of(self.activation)
            )

        widths = [self.width * factor for factor in (1, 2, 4, 8)]
        blocks = [convolution(shape[0], widths[0], activation_of(self.activation))]
        for channels, out in zip([widths[0], *widths[:-1]], widths, strict=True):
            blocks += [block(channels, out, 1 if channels == out else 2), block(out, out, 1)]
        return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], n_classes))


def layers_for(user: str) -> Any:
    """Return torch's module of layers; without torch an ImportError names `user` and the extra."""
    from backdoor_curves.features.extra import torch_of  # `features` is not loaded by whoever trains nothing

    return torch_of(user).nn


def activation_of(name: Activation) -> Any:
    """Return the layer of an activation."""
    nn = layers_for("an activation")
    layers = {"gelu": nn.GELU, "softplus": nn.Softplus, "silu": nn.SiLU, "tanh": nn.Tanh, "relu": nn.ReLU}
    if name not in layers:
        raise ValueError(f"activation: one of {', '.join(map(repr, layers))} was expected, {name!r} came")
    return layers[name]()


def require_image(model: str, shape: tuple[int, ...], smallest: int) -> None:
    """Refuse rows that are no images, or too small for the layers."""
    if len(shape) != 3 or min(shape[1:]) < smallest:
        raise ValueError(
            f"make_module: images (height, width, channels) of {smallest} x {smallest} or more were expected by "
            f"{model}, rows of shape {shape} came; features are for models.MLP"
        )
