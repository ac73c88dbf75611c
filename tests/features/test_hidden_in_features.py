"""Hidden triggers through a frozen network."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
from networks import images, small  # noqa: E402 - it needs torch

import backdoor_curves as bc  # noqa: E402


def test_features_come_near_those_of_a_stamped_image_and_pixels_do_not():
    """By the network's own derivative, and measured in its features: never farther, mostly less than half as far."""
    features = bc.FrozenFeatures(small(double=True), cache=False)
    X = images(20)
    y = np.zeros(len(X), dtype=int)
    stamped = bc.PatchTrigger.ones(4, channels=3)(X[:5], y[:5])
    hidden = bc.HiddenTrigger(stamped, features, eps=0.1, steps=200)(X[5:], y[5:])
    assert np.abs(hidden - X[5:]).max() <= 0.1 + 1e-7  # single precision
    assert hidden.min() >= 0.0
    assert hidden.max() <= 1.0
    F, goal = features.transform(X[5:]), features.transform(stamped)
    nearest = goal[np.square(F[:, np.newaxis] - goal).sum(axis=2).argmin(axis=1)]
    before, after = (np.square(rows - nearest).sum(axis=1) for rows in (F, features.transform(hidden)))
    assert (after <= before * (1 + 1e-6)).all()
    assert np.median(after / before) < 0.5
