"""How much faster a search under attack is than GridSearchCV over poisoned folds, for the same fits and rates.

    python benchmarks/search.py pair     # MNIST 7-1, 1500 rows: 8 C x 5 gammas x 3 attacks x 2 rates x 3 folds
    python benchmarks/search.py digits   # ten-class digits: 6 C x 2 gammas x 3 attacks x 2 rates x 3 folds

Processor time of one process. GridSearchCV is given each poisoned training fold with its test rows as a split of its
own, scores both rates from one prediction, and may use the larger of two kernel caches, if that is faster on a part.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.data.samples import join
from backdoor_curves.search.robust.folds import Folds
from backdoor_curves.search.robust.panel import threats_of

SIDE = {"pair": (28, 28, 1), "digits": (8, 8, 1)}
GRIDS = {
    "pair": {"C": np.geomspace(0.01, 100, 8).tolist(), "gamma": [0.002, 0.005, 0.01, 0.02, 0.05]},
    "digits": {"C": np.geomspace(0.03, 30, 6).tolist(), "gamma": [0.01, 0.05]},
}
RATES = (0.05, 0.1)


def rows_of(which: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Return flat rows, labels, and the number of classes."""
    if which == "pair":
        train, _ = bc.datasets.mnist((7, 1), n_train=1500, n_test=2, rng=rng)
        return train.X.reshape(len(train), -1), train.y, 2
    train, _ = bc.datasets.digits("all", rng=rng)
    return train.X.reshape(len(train), -1), train.y, 10


def attacks_of(which: str, n_classes: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return three attacks on images."""
    size = 3 if which == "pair" else 2
    patch = bc.PatchTrigger.random(size=size, n_classes=n_classes, channels=1, rng=rng)
    blend = bc.BlendTrigger(rng.random(SIDE[which]), opacity=0.2)
    return {"patch": bc.Attack(patch), "blend": bc.Attack(blend, labels=0), "square": bc.Attack(patch, labels=1)}


def by_grid_search(folds: Folds, grid: dict[str, Any], cache: float) -> np.ndarray:
    """Return the attack success rates of all settings, folds and threats; the clean scores are fitted too."""
    found = []
    for fold, (train, test) in enumerate(folds.splits):
        GridSearchCV(SVC(cache_size=cache), grid, cv=[(train, test)], refit=False).fit(folds.rows.X, folds.rows.y)
        for data in folds._attacked(fold):
            victim = join(data.clean_train, data.poison_train, data.is_poison)
            triggered, clean = data.triggered_test, data.clean_test
            X, y = np.vstack([victim.X, triggered.X, clean.X]), np.concatenate([victim.y, triggered.y, clean.y])
            split = np.arange(len(victim)), np.arange(len(victim), len(y))
            scoring = Rates(len(triggered))
            search = GridSearchCV(SVC(cache_size=cache), grid, cv=[split], scoring=scoring, refit=False).fit(X, y)
            found.append(search.cv_results_["mean_test_asr"])
    return np.array(found)


class Rates:
    """Both rates of one prediction."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, machine: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Return the success rate on the first rows, the accuracy on the others."""
        hits = machine.predict(X) == y
        return {"asr": float(hits[: self.n].mean()), "accuracy": float(hits[self.n :].mean())}


def main(which: str) -> None:
    """Print both times, their ratio, and how far the rates differ."""
    rng = np.random.default_rng(0)
    X, y, n_classes = rows_of(which, rng)
    attacks = attacks_of(which, n_classes, rng)
    splits = list(StratifiedKFold(3).split(X, y))
    grid = GRIDS[which]
    search = bc.RobustSearchCV(
        SVC(),
        grid,
        attacks=attacks,
        rates=RATES,
        cv=splits,
        image_shape=SIDE[which],
        on_none="least",
        curves="none",
        random_state=0,
    )
    start = time.process_time()
    search.fit(X, y)
    ours = time.process_time() - start
    folds = Folds(
        SVC(),
        bc.Samples(X, y),
        splits,
        threats_of(attacks, RATES),
        SIDE[which],
        int(np.random.RandomState(0).randint(2**31 - 1)),
    )
    part = {"C": grid["C"][:2], "gamma": grid["gamma"][:1]}
    times = {}
    for cache in (200.0, 1000.0):
        start = time.process_time()
        by_grid_search(folds, part, cache)
        times[cache] = time.process_time() - start
    start = time.process_time()
    theirs = by_grid_search(folds, grid, min(times, key=times.__getitem__))
    spent = time.process_time() - start
    labels = [threat.label for threat in folds.threats]
    own = np.stack([search.cv_results_[f"split{fold}_asr_{label}"] for fold in range(3) for label in labels])
    print(f"{which}: {own.size} victims; search {ours:.1f} s, GridSearchCV {spent:.1f} s, {spent / ours:.1f} times")
    print(f"rates differ by at most {np.abs(own - theirs).max():.4f}, in {np.count_nonzero(own != theirs)} victims")
    print(search.verdict_)


if __name__ == "__main__":
    main(sys.argv[1])
