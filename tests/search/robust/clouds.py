"""Small rows for searches: two or three clouds with a column that nothing uses but a trigger."""

from __future__ import annotations

import numpy as np

import backdoor_curves as bc

COLUMN, VALUE = 3, 1.5


def clouds(n: int = 120, n_classes: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return n rows in so many classes; the last column is noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(scale=0.7, size=(n, 4))
    X[np.arange(n), y] += 2.0
    X[:, COLUMN] *= 0.5
    return X, y


def on_the_column() -> bc.Attack:
    """Return an attack on that column."""
    return bc.Attack(bc.FeatureTrigger((COLUMN,), (VALUE,)), labels=1, name="column")
