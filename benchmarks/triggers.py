"""What it costs to stamp 10,000 images of the size of CIFAR's, trigger by trigger.

    python benchmarks/triggers.py [--rows 10000]

Random images of 32 x 32 x 3 in single precision, labels of ten classes, 500 source rows for hidden triggers. Each
trigger runs in one thread; processor time, beside that of copying the images.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from measure import machine, seconds  # first: it sets the number of threads

# isort: split
import numpy as np

import backdoor_curves as bc
from backdoor_curves.triggers import Trigger

SHAPE = (32, 32, 3)
PIXELS = 3072


def triggers(X: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[str, Trigger]]:
    """Yield names and triggers, those that are drawn or computed per row beside those that add one pattern."""
    ten = bc.LinearHead(rng.normal(size=(10, PIXELS)) / 50, rng.normal(size=10), tuple(range(10)))
    patch, checker = bc.PatchTrigger.ones(8, 3), bc.CheckerTrigger()
    sources = patch(X[:500], y[:500])
    pieces, warp, levels = bc.PiecesTrigger.random(SHAPE, rng), bc.WarpTrigger.random(rng), bc.QuantizeTrigger()
    yield "copy", lambda X, _y: X.copy()
    yield "patch", patch
    yield "one of four patches", bc.PatchesTrigger.random(SHAPE, rng)
    yield "one of four pixels", bc.PixelTrigger.k_way(SHAPE)
    yield "checker", checker
    yield "blended", bc.BlendTrigger.random(SHAPE, rng)
    yield "8 of 16 pieces", pieces
    yield "sinusoid", bc.SignalTrigger()
    yield "lattice", bc.LatticeTrigger()
    yield "frequencies", bc.FrequencyTrigger()
    yield "8 levels", levels
    yield "8 levels, dithered", bc.QuantizeTrigger(dithering=True)
    yield "residuals of 1000 images", bc.ResidualTrigger(X[:1000], levels)
    yield "warp", warp
    yield "warp with noise", warp.noisy(0)
    yield "worst perturbation, ten classes", bc.PerturbationTrigger.worst_case(ten, 0, 16 / 255, X[:1000])
    yield "hardened, inf, ten classes", bc.HardenedTrigger(ten, 8 / 255, trigger=checker)
    yield "hardened, 2, ten classes", bc.HardenedTrigger(ten, 1.0, "2", checker)
    yield "hidden, identity", bc.HiddenTrigger(sources)
    yield "hidden, ten scores", bc.HiddenTrigger(sources, ten.coef)
    yield "hidden, 64 random features", bc.HiddenTrigger(sources, rng.normal(size=(64, PIXELS)))


def main() -> None:
    """Print a row of a table for each trigger."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    X, y = rng.random((args.rows, *SHAPE), dtype=np.float32), np.arange(args.rows) % 10
    print(machine())
    print(f"\n| {args.rows} images of 32 x 32 x 3 | s |\n| --- | --- |")
    for name, trigger in triggers(X, y, rng):
        print(f"| {name} | {seconds(lambda trigger=trigger: trigger(X, y)):.2f} |", flush=True)


if __name__ == "__main__":
    main()
