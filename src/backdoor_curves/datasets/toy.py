"""Two classes in the plane, for figures: everything about them can be seen."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.sampling import check_count


def toy(n_train: int = 200, n_test: int = 400, *, rng: np.random.Generator) -> tuple[Samples, Samples]:
    """Draw two wavy bands that stand side by side in the plane, with empty room above and below for a trigger.

    The points are this package's own design, taken from no publication. A band is a wave around x1 = -1/2 (class 0)
    or x1 = 1/2 (class 1), blurred by a disc:

        x2 = 0.4 t,   x1 = -+ 1/2 + 0.2 sin(pi t),   t uniform in [-1, 1],   plus a uniform point of radius <= 0.18

    The classes do not touch, and differ in x1: a trigger that sets x2 to 1.2, say, puts points where there are none,
    and leaves them the x1 of their class. An RBF SVM with gamma = 10 separates the bands at C = 0.1 and at C = 1.

    Parameters
    ----------
    n_train, n_test : int
        Rows to draw, half of each class (class 0 has one more if they are odd), in random order.
    rng : numpy Generator
        Source of the points.

    Returns
    -------
    train, test : Samples
        X is float64 of shape (n, 2) with x1 in [-0.88, 0.88] and x2 in [-0.58, 0.58], y int64 of shape (n,), 0 or 1.

    Raises
    ------
    ValueError
        If a number of rows is not a positive int.
    TypeError
        If `rng` is not a numpy Generator.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets import toy
    >>> train, test = toy(rng=np.random.default_rng(0))
    >>> train.X.shape, test.X.shape, np.bincount(train.y).tolist()
    ((200, 2), (400, 2), [100, 100])
    """
    check_count("n_train", n_train)
    check_count("n_test", n_test)
    check_rng(rng)
    return _bands(n_train, rng), _bands(n_test, rng)


def _bands(n: int, rng: np.random.Generator) -> Samples:
    y = rng.permutation(np.arange(n, dtype=np.int64) % 2)
    t = rng.uniform(-1, 1, n)
    wave = np.stack([y - 0.5 + 0.2 * np.sin(np.pi * t), 0.4 * t], axis=1)
    return Samples(wave + _disc(n, 0.18, rng), y)


def _disc(n: int, radius: float, rng: np.random.Generator) -> Float[np.ndarray, "n 2"]:
    """Return points uniform in a disc: the square root makes up for the small rings near the centre."""
    r = radius * np.sqrt(rng.uniform(size=n))
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)
