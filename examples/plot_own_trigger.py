"""
A trigger of your own
=====================

A trigger is any function of rows and true labels that returns the rows with the trigger. Here are three on the same
digits: a patch, a faint pattern blended over the whole image, and a wave that is added to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc


@dataclass(frozen=True)
class Blend:
    """Mix a pattern into the whole image; strength 0 leaves the image, 1 leaves the pattern."""

    pattern: np.ndarray
    strength: float

    def __call__(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return images with the pattern, whatever their class."""
        return (1 - self.strength) * X + self.strength * self.pattern


def wave(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Add a wave across the columns; pixels stay in [0, 1]."""
    columns = np.arange(X.shape[2])[np.newaxis, np.newaxis, :, np.newaxis]
    return np.clip(X + 0.2 * np.sin(2 * np.pi * columns / 4), 0, 1)


rng = np.random.default_rng(0)
train, test = bc.datasets.digits((4, 9), rng=rng)
TRIGGERS: dict[str, Callable] = {
    "patch": bc.PatchTrigger.ones(size=2),
    "blended": Blend(rng.random((8, 8, 1)), strength=0.3),
    "wave": wave,
}

# %%
# Nothing else needs to know what the trigger is. All fours shall become nines: one target, so that each row of the
# other class may be poisoned, and the rate is a share of those.

poisoned = {
    name: bc.poison(train, test, trigger=trigger, rate=0.2, labels=1, rng=np.random.default_rng(1))
    for name, trigger in TRIGGERS.items()
}
figure, axes = plt.subplots(1, 4, figsize=(7, 2.1), layout="compressed")
clean = test.X[test.y == 0][0]
for ax, (name, image) in zip(
    axes, [("a four", clean), *((n, d.triggered_test.X[0]) for n, d in poisoned.items())], strict=True
):
    ax.imshow(image[..., 0], cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[], title=name)
plt.show()

# %%
# Which of them is learned most easily?

curves = {name: bc.backdoor_learning_curve(SVC(C=3, gamma=0.05), data) for name, data in poisoned.items()}
bc.BackdoorLearningCurveDisplay.from_curves(curves)
plt.show()
for name, curve in curves.items():
    print(f"{name:8} half-loss at {curve.half_loss_beta:.3f}, ASR {curve.accuracy('triggered', 1.0):.0%}")
