"""Decision regions as the page draws them: points and SVG paths, in pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.study.compute.decision_regions import DecisionRegions

WIDTH = 340.0
"""Of a picture, in pixels. The script has it, too."""


def decision_picture(regions: DecisionRegions) -> dict[str, Any]:
    """Return what the script draws from: height, points by kind, betas, and at each the path around class 1."""
    size = np.array([WIDTH, WIDTH * regions.aspect])

    def pixels(points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:  # x2 rises upwards
        shares = (points.astype(float) - regions.low) / (regions.high - regions.low)
        return np.stack([shares[:, 0], 1.0 - shares[:, 1]], axis=1) * size

    def places(points: Float[np.ndarray, "n 2"]) -> list[list[float]]:
        return np.round(pixels(points), 1).tolist()

    return {
        "height": round(float(size[1]), 1),
        "points": {
            "class 0": places(regions.clean[regions.clean_classes == 0]),
            "class 1": places(regions.clean[regions.clean_classes == 1]),
            "poison": places(regions.poison),
            "triggered": places(regions.triggered),
        },
        "betas": [float(f"{beta:.4g}") for beta in regions.betas],
        "regions": [
            "".join(_closed(pixels(outline)) for outline in regions.outlines(k)) for k in range(len(regions.betas))
        ],
    }


def _closed(corners: Float[np.ndarray, "n 2"]) -> str:
    """Return the path along a closed outline; even-odd, for regions with holes."""
    return "M" + " ".join(f"{x:.0f} {y:.0f}" for x, y in corners) + "Z"
