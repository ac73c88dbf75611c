"""What a curve and its influences cost on texts through a hashing vectoriser, over the same through TF-IDF.

    python benchmarks/wide_rows.py [--mails FILE]

1500 mails, 2^20 columns. Each case runs in a process of its own, in one thread: processor time of the curve and of what
is asked of it, and the most memory that the process ever had, with Python and the libraries in it. Without a file of
mails (a CSV with columns text and label) they are made: words by Zipf's law, 100 to 300 a mail, out of 40,000.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from measure import machine, seconds  # first: it sets the number of threads

# isort: split
import resource

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

N_TRAIN, N_TEST = 1500, 500
LEARNERS: dict[str, Any] = {
    "RidgeClassifier": RidgeClassifier(),
    "LogisticRegression": LogisticRegression(),
    "LinearSVC": LinearSVC(),
    "LinearSVC, hinge": LinearSVC(loss="hinge"),
    "SVC, linear": SVC(kernel="linear"),
    "SVC": SVC(),
}
VECTORISERS: dict[str, Any] = {"TF-IDF": TfidfVectorizer(), "hashed": HashingVectorizer()}
ASKED = {
    "curve": lambda curve: None,  # noqa: ARG005
    "influences": lambda curve: curve.influence(1.0),
    "self-influences": lambda curve: curve.self_influence(1.0),
    "slopes, norms, file": lambda curve: (curve.slope([0.0, 0.5]), curve.norm(), curve.condensed()),
}


def made(rng: np.random.Generator, n: int, words: int = 40_000) -> tuple[list[str], np.ndarray]:
    """Return mails of Zipf's words; every tenth word of spam has another word's place."""
    frequencies = 1.0 / np.arange(2, words + 2)
    names, others = np.array([f"w{i:05d}" for i in range(words)]), rng.permutation(words)
    texts, y = [], np.array(["ham", "spam"] * n)[:n]
    for label in y:
        drawn = rng.choice(words, int(rng.integers(100, 301)), p=frequencies / frequencies.sum())
        turned = (rng.random(len(drawn)) < 0.1) & (label == "spam")
        texts.append(" ".join(names[np.where(turned, others[drawn], drawn)]))
    return texts, y


def read(path: Path, rng: np.random.Generator, n: int) -> tuple[list[str], np.ndarray]:
    """Return n mails of a CSV, drawn without replacement."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = rng.permutation(len(rows))[:n]
    return [rows[i]["text"] for i in chosen], np.array([rows[i]["label"] for i in chosen])


def with_a_word(X: list[str], y: np.ndarray) -> list[str]:  # noqa: ARG001
    """The trigger."""
    return [f"{text} quokka" for text in X]


def one(learner: str, vectoriser: str, asked: str, mails: Path | None) -> dict[str, float]:
    """Return what one case takes."""
    rng = np.random.default_rng(0)
    X, y = made(rng, N_TRAIN + N_TEST) if mails is None else read(mails, rng, N_TRAIN + N_TEST)
    train, test = (X[:N_TRAIN], y[:N_TRAIN]), (X[N_TRAIN:], y[N_TRAIN:])
    data = bc.poison(train, test, trigger=with_a_word, rate=0.1, labels="ham", rng=rng)
    pipeline, found = make_pipeline(VECTORISERS[vectoriser], LEARNERS[learner]), []
    to_curve = seconds(lambda: found.append(bc.backdoor_learning_curve(pipeline, data)))
    after = seconds(lambda: ASKED[asked](found[0]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    return {"seconds": to_curve if asked == "curve" else after, "MiB": peak}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=Path, help="a CSV with columns text and label, gzipped or not")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(one(*given.case, given.mails)))
        return
    print(machine())
    print(
        "\n| learner | asked | TF-IDF, s | hashed, s | **hashed / TF-IDF** | TF-IDF, MiB | hashed, MiB |\n|"
        + " --- |" * 7
    )
    for learner in LEARNERS:
        for asked in ASKED:
            command = [sys.executable, __file__, *(["--mails", str(given.mails)] if given.mails else []), "--case"]
            texts = [subprocess.check_output([*command, learner, kind, asked], text=True) for kind in VECTORISERS]
            tfidf, hashed = map(json.loads, texts)
            times = f"{tfidf['seconds']:.2f} | {hashed['seconds']:.2f} | **{hashed['seconds'] / tfidf['seconds']:.2f}**"
            print(f"| {learner} | {asked} | {times} | {tfidf['MiB']:.0f} | {hashed['MiB']:.0f} |", flush=True)


if __name__ == "__main__":
    main()
