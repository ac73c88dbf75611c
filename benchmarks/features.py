"""Frozen features: 2000 CIFAR-10 images through SqueezeNet on two threads, again from the cache, and what they are worth.

python benchmarks/features.py --data-dir DIR --weights squeezenet.npz
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier

import backdoor_curves as bc

PAIRS = ("airplane-frog", "bird-dog", "airplane-truck")


def main() -> None:
    """Print a line for each measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore", bc.datasets.IncompleteDataWarning)
    torch.set_num_threads(2)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        features = bc.features.squeezenet_features(args.weights, cache=folder)
        train, _ = bc.datasets.cifar10("all", n_train=2000, rng=np.random.default_rng(0), data_dir=args.data_dir)
        for what in ("computed and kept", "from the cache"):
            wall, cpu = time.perf_counter(), time.process_time()
            features.transform(train.X)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            print(f"2000 images {what}: {wall:.2f} s, {cpu:.2f} s of processor time")
        print(f"cache: {features.cache_file.stat().st_size / 2000:.0f} bytes an image")
        G = np.ones((64, 512))
        wall = time.perf_counter()
        features.vjp(train.X[:64], G)
        print(f"gradients of 64 images: {time.perf_counter() - wall:.2f} s")
        for pair in PAIRS:
            accuracies = [_accuracies(features, pair, seed, args.data_dir) for seed in range(3)]
            by_features, by_pixels = np.mean(accuracies, axis=0)
            print(f"{pair}, ridge on 400 images, mean of 3 draws: features {by_features:.3f}, pixels {by_pixels:.3f}")


def _accuracies(features: bc.FrozenFeatures, pair: str, seed: int, data_dir: Path) -> tuple[float, float]:
    train, test = bc.datasets.cifar10(pair, n_train=400, rng=np.random.default_rng(seed), data_dir=data_dir)
    ridge = RidgeClassifier(alpha=1e4).fit(features.transform(train.X), train.y)
    pixels = RidgeClassifier(alpha=1e2).fit(train.X.reshape(400, -1), train.y)
    return (
        ridge.score(features.transform(test.X), test.y),
        pixels.score(test.X.reshape(len(test), -1), test.y),
    )


if __name__ == "__main__":
    main()
