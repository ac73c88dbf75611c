"""Small networks, and images for them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
nn = torch.nn


def small(channels: int = 3, *, seed: int = 0, double: bool = False) -> nn.Sequential:
    """Two convolutions, smooth enough for finite differences, and two linear layers."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        *(nn.Conv2d(channels, 6, 3), nn.Softplus(), nn.AvgPool2d(2), nn.Conv2d(6, 8, 3), nn.Tanh()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(8, 5)),
    )
    return (network.double() if double else network).eval()


class Counting(nn.Module):
    """A user's own module: it counts the images that it sees, and fails where it is told to."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self._seen: list[int] = []
        self._fails_at: int | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self._seen.append(len(x))
        if self._fails_at is not None and len(self._seen) > self._fails_at:
            raise KeyboardInterrupt
        return self.inner(x)

    def count(self) -> int:
        """Images since the last time that it was asked."""
        total, self._seen = sum(self._seen), []
        return total


def images(n: int = 12, side: int = 12, channels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=(n, side, side, channels))
