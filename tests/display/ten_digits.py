"""Digits of ten classes or a few with a patch, and the curve of an SVM on them."""

from __future__ import annotations

from functools import cache

import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc


@cache
def poisoned(labels: str | int = "next", classes: str | tuple[int, ...] = "all") -> bc.PoisonedData:
    """A tenth of the training rows."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits(classes, n_train=500 if classes == "all" else 200, n_test=120, rng=rng)
    n_classes = 10 if classes == "all" else len(classes)
    trigger = bc.PatchTrigger.random(size=3, n_classes=n_classes, channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, rate=0.1, labels=labels, rng=rng)


@cache
def ten(labels: str | int = "next") -> bc.BackdoorLearningCurve:
    """Exact, of all ten."""
    return bc.backdoor_learning_curve(SVC(C=10.0, gamma=0.05), poisoned(labels))
