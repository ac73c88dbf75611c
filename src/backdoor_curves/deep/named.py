"""Networks by name, for files of studies: each a function without arguments that returns a network at its defaults."""

from __future__ import annotations

from backdoor_curves.deep.models import MLP, LeNet, ResNet9, ResNet18
from backdoor_curves.deep.trained_network import TrainedNetwork


def mlp() -> TrainedNetwork:
    """Return a network of fully connected layers."""
    return TrainedNetwork(MLP())


def lenet() -> TrainedNetwork:
    """Return a small convolutional network."""
    return TrainedNetwork(LeNet())


def resnet9() -> TrainedNetwork:
    """Return a residual network with eight convolutions."""
    return TrainedNetwork(ResNet9())


def resnet18() -> TrainedNetwork:
    """Return a residual network with seventeen convolutions."""
    return TrainedNetwork(ResNet18())
