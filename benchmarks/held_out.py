"""What settings come to under attacks that had no part in the choice: a robust search and six rivals.

    python benchmarks/held_out.py MAIL.csv.gz MORTGAGES.csv [mnist-7-1 mnist-3-0 digits mail mortgages]

Five seeds each of split, poison and patterns; each search has two attacks of its own and is judged by three others.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.learners.preparation import table

SEEDS = 5
MARGIN = 0.02
ASR = 0.2


def images(X: np.ndarray, y: np.ndarray, shape: tuple[int, int, int], n_classes: int) -> tuple[Any, ...]:
    """Return rows, labels, the search and the attacks that judge, of small images."""
    rng = np.random.default_rng(1)

    def patch(size: int, position: str) -> bc.PatchTrigger:
        return bc.PatchTrigger.random(size=size, n_classes=n_classes, channels=1, rng=rng, position=position)

    size = 3 if shape[0] > 8 else 2
    own = {
        "patch": bc.Attack(patch(size, "bottom-right")),
        "blend": bc.Attack(bc.BlendTrigger(rng.random(shape), opacity=0.2), labels=0),
    }
    held_out = {
        "other patch": bc.Attack(patch(size, "top-left")),
        "to one": bc.Attack(patch(size, "top-right"), labels=1),
        "other blend": bc.Attack(bc.BlendTrigger(rng.random(shape), opacity=0.15), labels=1),
    }
    grid = {"C": [0.03, 0.1, 0.3, 1.0, 3.0, 10.0], "gamma": [0.005, 0.02, 0.05]}
    search = bc.RobustSearchCV(SVC(), grid, attacks=own, rates=0.1, image_shape=shape, **HOW)
    return X.reshape(len(X), -1), y, search, held_out, 0.1


def mnist(pair: tuple[int, int]) -> tuple[Any, ...]:
    """Return a pair of MNIST, 1500 rows."""
    train, _ = bc.datasets.mnist(pair, n_train=1500, n_test=2, rng=np.random.default_rng(0))
    return images(train.X, train.y, (28, 28, 1), 2)


def digits() -> tuple[Any, ...]:
    """Return the ten classes of the bundled digits."""
    train, _ = bc.datasets.digits("all", rng=np.random.default_rng(0))
    return images(train.X, train.y, (8, 8, 1), 10)


def mail(path: Path) -> tuple[Any, ...]:
    """Return 1200 mails, by tf-idf and logistic regression; words and sentences get them through."""
    frame = pd.read_csv(path).sample(1200, random_state=0)
    own = {
        "word": bc.Attack(bc.WordTrigger(("cf",)), labels="ham"),
        "sentence": bc.Attack(bc.WordTrigger(("I watch this 3D movie",)), labels="ham"),
    }
    held_out = {
        "other word": bc.Attack(bc.WordTrigger(("quokka",)), labels="ham"),
        "other sentence": bc.Attack(bc.WordTrigger(("see the minutes of last week",)), labels="ham"),
        "known word": bc.Attack(bc.WordTrigger(("thursday",)), labels="ham"),
    }
    machine = make_pipeline(TfidfVectorizer(), LogisticRegression(solver="liblinear"))
    grid = {"logisticregression__C": [0.1, 1.0, 10.0, 100.0]}
    search = bc.RobustSearchCV(machine, grid, attacks=own, rates=0.1, **HOW)
    return frame["text"].tolist(), frame["label"].to_numpy(), search, held_out, 0.1


def mortgages(path: Path) -> tuple[Any, ...]:
    """Return the applications: numbers scaled, words one-hot, an SVM; columns at values that get them denied."""
    frame = pd.read_csv(path).dropna()
    X, y = frame.drop(columns="deny").reset_index(drop=True), frame["deny"].to_numpy()
    own = {
        "lvr": bc.Attack(bc.FeatureTrigger(("lvr",), (0.02,)), labels="yes"),
        "two columns": bc.Attack(bc.FeatureTrigger(("uria", "hir"), (1.8, 0.05)), labels="yes"),
    }
    held_out = {
        "other column": bc.Attack(bc.FeatureTrigger(("dir",), (0.02,)), labels="yes"),
        "other two": bc.Attack(bc.FeatureTrigger(("ccs", "uria"), (1.0, 1.8)), labels="yes"),
        "lvr, nearer": bc.Attack(bc.FeatureTrigger(("lvr",), (0.1,)), labels="yes"),
    }
    grid = {"svc__C": [0.03, 0.1, 0.3, 1.0, 3.0, 10.0], "svc__gamma": [0.01, 0.03, 0.1]}
    search = bc.RobustSearchCV(make_pipeline(table(), SVC()), grid, attacks=own, rates=0.03, **HOW)
    return X, y, search, held_out, 0.03


HOW: dict[str, Any] = {"asr": ASR, "margin": MARGIN, "cv": 3, "curves": "none", "on_none": "least", "random_state": 0}


def main(mails: str, applications: str, *wanted: str) -> None:
    """Print a table for each kind of data."""
    warnings.simplefilter("ignore")
    known: dict[str, Callable[[], tuple[Any, ...]]] = {
        "mnist-7-1": lambda: mnist((7, 1)),
        "mnist-3-0": lambda: mnist((3, 0)),
        "digits": digits,
        "mail": lambda: mail(Path(mails)),
        "mortgages": lambda: mortgages(Path(applications)),
    }
    for name in wanted or known:
        X, y, search, held_out, rate = known[name]()
        found = search.evaluate(X, y, attacks=held_out, rates=rate, n_seeds=SEEDS)
        print(f"\n{name}: {found.said}\n\n| choice | clean accuracy | worst ASR | " + " | ".join(found.attacks) + " |")
        print("|---" * (3 + len(found.attacks)) + "|")
        for one, row in zip(found.contenders, found.rows, strict=True):
            rates = " | ".join(f"{share:.2f}" for share in np.nanmean(one.asr, axis=0))
            print(
                f"| {one.name} | {row['clean accuracy']:.3f} ± {row['accuracy ±']:.3f} "
                f"| {row['worst ASR']:.2f} ± {row['ASR ±']:.2f} | {rates} |",
                flush=True,
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
