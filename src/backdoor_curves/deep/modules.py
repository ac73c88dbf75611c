"""Layers that networks here are made of beside torch's own: a residual block, normalised row by row."""

from __future__ import annotations

from typing import Any

from torch import nn

GROUPS = 8
"""Channels are normalised in so many groups at most: as many as divide them."""


def convolution(channels: int, out: int, activation: nn.Module, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution, GroupNorm and an activation."""
    groups = max(k for k in range(1, GROUPS + 1) if out % k == 0)
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False), nn.GroupNorm(groups, out), activation
    )


class Residual(nn.Module):  # type: ignore[misc]  # torch is an extra, and has no types here
    """x + f(x), or of another shape h(x) + f(x) with a 1 x 1 convolution h; then an activation, if there is one."""

    def __init__(self, inner: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.inner, self.shortcut, self.activation = inner, shortcut, activation

    def forward(self, x: Any) -> Any:
        """Return the block's outputs."""
        return self.activation(self.shortcut(x) + self.inner(x))
