"""AlexNet in its one-tower form (Krizhevsky 2014), whose 4096 features the paper's CIFAR-10 experiments use."""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from backdoor_curves.features.extra import torch_of
from backdoor_curves.features.frozen import FrozenFeatures
from backdoor_curves.features.weights import Checkpoint, load_state, state_of, weights_of

if TYPE_CHECKING:
    import torch

CHECKPOINT = Checkpoint("AlexNet", "alexnet-owt-7be5be79.pth", "244 MB")
"""Trained on ImageNet; see the terms of torchvision and of ImageNet."""


def alexnet(weights: str | os.PathLike[str] | None = None, *, offline: bool = False) -> torch.nn.Module:
    """Return AlexNet with its weights, in evaluation mode.

    Source: A. Krizhevsky, One weird trick for parallelizing convolutional neural networks (arXiv 1404.5997), without
    the local response normalisation, as torchvision has it. 61,100,840 parameters.

    Parameters
    ----------
    weights : path, optional
        A state dict with torchvision's names, `features.0.weight` to `classifier.6.bias`. None: the published one,
        alexnet-owt-7be5be79.pth (244 MB), where it is found, or from the web.
    offline : bool
        Never use the network.

    Returns
    -------
    torch.nn.Module
        From (n, 3, h, w), h and w at least 63, to (n, 1000).

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
    >>> network = bc.features.alexnet("alexnet-owt-7be5be79.pth")  # doctest: +SKIP
    """
    # Before the network is made: nobody should wait for 61 million random numbers to learn of a misspelt name.
    file = weights_of(CHECKPOINT, offline=offline) if weights is None else weights
    state = state_of(CHECKPOINT.network, file)
    return load_state(_untrained(), state, str(file))


def alexnet_features(
    weights: str | os.PathLike[str] | None = None,
    *,
    mean: Any = None,
    std: Any = None,
    batch_size: int = 16,
    device: str = "cpu",
    cache: bool | str | os.PathLike[str] = True,
    offline: bool = False,
) -> FrozenFeatures:
    """Return a transformer from images to AlexNet's 4096 features before its last layer, as in the paper.

    Images are scaled to 224 with `align_corners`. The paper does not normalise them for curves and explanations
    (the default); for its slopes it does, with `mean=0.5, std=0.5`.

    Parameters
    ----------
    weights, offline
        As in `alexnet`.
    mean, std, batch_size, device, cache
        As in `FrozenFeatures`.

    Returns
    -------
    FrozenFeatures

    Raises
    ------
    ImportError, FileNotFoundError, ValueError
        As `alexnet`.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> features = bc.features.alexnet_features(mean=0.5, std=0.5)  # doctest: +SKIP
    """
    return FrozenFeatures(
        alexnet(weights, offline=offline),
        layer="classifier.5",
        size=224,
        mean=mean,
        std=std,
        align_corners=True,
        batch_size=batch_size,
        device=device,
        cache=cache,
    )


def _untrained() -> torch.nn.Module:
    nn = torch_of("AlexNet").nn
    features = nn.Sequential(
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2)),
    )
    classifier = nn.Sequential(
        *(nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU()),
        *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, 1000),
    )
    return nn.Sequential(
        OrderedDict(features=features, avgpool=nn.AdaptiveAvgPool2d(6), flatten=nn.Flatten(), classifier=classifier)
    )
