"""Every row of the paper's published MNIST slope files, and its RBF deviations, against `paper.numbers.published`.

    python benchmarks/published_slopes.py --data-dir DIR --reference-dir DIR > benchmarks/published_slopes.log

Takes all files `{learner}_pair{a}-{b}_ttypebadnet_tsize{k}.csv` that the folder has. Prints, for each C, the largest
distance of each column over seeds and gammas: relative for influences and losses, in rows of 500 for the
accuracies. One thread; five minutes for the four files of a pair. Ends with an error if something is not met.
"""

from __future__ import annotations

import measure  # first: it asks for one thread

# isort: split
import argparse
import datetime
import re
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.paper.numbers import published
from backdoor_curves.poisoning import paper_protocol as protocol

NAME = re.compile(r"(ridge|logistic|svm|svm-rbf)_pair(\d)-(\d)_ttypebadnet_tsize(\d+)\.csv")
ALLOWED = {"ridge": 1e-6, "logistic": 5e-3, "svm": 1e-8, "svm-rbf": 1e-8}
ACCURACIES = ("clf_acc", "clfp_acc", "clfp_acc_on_backdoor", "clfp_acc_tr")
COLUMNS = ("avg_I", "avg_abs_I", "norm_I", "mean_loss", "min_loss", "max_loss")
SHARED = Path(__file__).parents[2] / "shared"


def distances(ours: published.PublishedRow, theirs: published.PublishedRow) -> tuple[np.ndarray, np.ndarray]:
    """Return the relative distances of the columns, and the most rows by which an accuracy is off, of 500."""
    a, b = asdict(ours), asdict(theirs)
    relative = [abs(a[name] - b[name]) / abs(b[name]) if b[name] else abs(a[name]) for name in COLUMNS]
    return np.array(relative), np.array([round(500 * abs(a[name] - b[name]), 1) for name in ACCURACIES])


def compare_file(path: Path, data_dir: Path) -> bool:
    """Print the distances of one file for each C; return whether all are allowed."""
    match = NAME.fullmatch(path.name)
    assert match is not None
    learner, a, b, size = match[1], int(match[2]), int(match[3]), int(match[4])
    rows, images = published.read_rows(path), protocol.mnist_pair((a, b), data_dir)
    data: dict[int, PoisonedData] = {
        seed: protocol.badnet(*images, rate=0.1, size=size, seed=seed) for seed in {s.seed for s in rows}
    }
    print(f"\n{path.name}: {len(rows)} rows")
    print(f"{'C':>10s} {' '.join(f'{name:>10s}' for name in COLUMNS)}  accuracies, s a row")
    found, off, worst = [], [], (0.0, None)
    for C in sorted({setting.C for setting in rows}):
        start, first = time.process_time(), len(found)
        for setting in (setting for setting in rows if setting.C == C):
            row = published.published_row(learner, data[setting.seed], C=C, gamma=setting.gamma)
            relative, counts = distances(row, rows[setting])
            found.append(relative)
            off.append(counts)
            worst = max(worst, (float(relative[0]), str(setting)), key=lambda pair: pair[0])
        here, counts = np.array(found[first:]), np.array(off[first:])
        print(
            f"{C:10.4g} {' '.join(f'{value:10.1e}' for value in here.max(axis=0))}  "
            f"{(counts > 0).any(axis=1).sum()} of {len(here)} off by {counts.max():g} at most, "
            f"{(time.process_time() - start) / len(here):.2f}",
            flush=True,
        )
    relative, counts = np.array(found), np.array(off)
    n_off = int((counts > 0).any(axis=1).sum())
    no_margin = sum(row.avg_I == published.NO_MARGIN for row in rows.values())
    print(
        f"avg_I: largest {relative[:, 0].max():.1e} (allowed {ALLOWED[learner]:g}) at {worst[1]}, median "
        f"{np.median(relative[:, 0]):.1e}; "
        f"accuracies: {n_off} of {len(rows)} rows off by at most {counts.max():g} of 500; "
        f"rows of 9999: {no_margin}, of avg_I >= 0: {sum(row.avg_I >= 0 for row in rows.values()) - no_margin}"
    )
    tied = n_off <= 0.04 * len(rows) and counts.max() <= 2 if learner == "logistic" else n_off == 0
    return bool(relative[:, 0].max() <= ALLOWED[learner] and tied)


def compare_deviations(path: Path, data_dir: Path) -> bool:
    """Print the published and the right deviations of the RBF machines; return whether the published ones are met."""
    data = protocol.badnet(*protocol.mnist_pair((7, 1), data_dir), rate=0.1, size=6)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    print(f"\n{path.name}: RBF deviations, largest distance over 20 betas, then published and right values")
    met = True
    for C in (1, 100):
        for gamma in (5e-4, 5e-3):
            theirs = {name: arrays[f"svm-rbf_C{C}_gamma{gamma:g}/{name}"] for name in ("coef", "norm", "cosine")}
            as_published, right = published.rbf_deviation(data, C=C, gamma=gamma)
            far = [
                float(np.abs(as_published.duals - theirs["coef"]).max() / C),
                float(np.abs(as_published.norm / theirs["norm"] - 1).max()),
                float(np.abs(as_published.cosine - theirs["cosine"]).max()),
            ]
            met = met and max(far) < 1e-9
            print(
                f"C={C:<4g} gamma={gamma:<7g} duals {far[0]:.0e}, norm {far[1]:.0e}, cosine {far[2]:.0e}; norm at 0: "
                f"{as_published.norm[0]:.4g}, right {right.norm[0]:.5g}; cosine at .99: "
                f"{as_published.cosine[-1]:.4f}, right {right.cosine[-1]:.4f}"
            )
    return met


def main() -> None:
    """Compare all, and end with an error if something is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=SHARED / "data", help="folder with the MNIST files")
    parser.add_argument("--reference-dir", type=Path, default=SHARED / "reference", help="folder with the files")
    asked = parser.parse_args()
    print(f"{datetime.date.today()}, {measure.machine()}")
    start = time.process_time()
    files = sorted(path for path in asked.reference_dir.iterdir() if NAME.fullmatch(path.name))
    met = [compare_file(path, asked.data_dir) for path in files]
    print(f"\n{len(files)} files, {time.process_time() - start:.0f} s of one core")
    if (path := asked.reference_dir / "mnist_7-1_trigger6_path.npz").is_file():
        start = time.process_time()
        met.append(compare_deviations(path, asked.data_dir))
        print(f"{time.process_time() - start:.0f} s of one core")
    if not (met and all(met)):
        raise SystemExit("not all are met")
    print("all are met")


if __name__ == "__main__":
    main()
