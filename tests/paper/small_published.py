"""Published files of a small world: 60 training and 20 test images of 6 x 6 pixels, and numbers of our own recipe."""

from __future__ import annotations

import json
from dataclasses import astuple
from functools import cache

import numpy as np

import backdoor_curves as bc
from backdoor_curves.paper.numbers import published
from backdoor_curves.paper.numbers.published_files import (
    SLOPE_COLUMNS,
    CurveFile,
    PathFile,
    PublishedCurve,
    PublishedNumbers,
    PublishedPath,
    SlopeFile,
)
from backdoor_curves.poisoning import paper_protocol as protocol

BETAS = np.array([0.0, 0.3, 0.99])
GAMMA = 0.3
TAIL = "_poison_train_triggered_test_clf"
HEADER = (
    "seed,gamma,c,trigger_type,trigger_size,trigger_type,clf_acc,clfp_acc,clfp_acc_on_backdoor,clfp_acc_tr,"
    f"avg_I{TAIL},avg_abs_I{TAIL},norm_I{TAIL},mean_loss,min_loss,max_loss"
)
SETTINGS = {
    "logistic": [(0.1, None), (100.0, None)],
    "ridge": [(0.01, None), (1.0, None)],
    "svm": [(0.01, None), (10.0, None)],
    "svm-rbf": [(1.0, GAMMA), (100.0, GAMMA)],
}


def images(pair):
    """The rows of a pair, whose first class is brighter on the left."""
    rng = np.random.default_rng(10 * pair[0] + pair[1])

    def rows(n):
        y = np.arange(n) % 2
        X = rng.random((n, 6, 6, 1))
        X[:, :, :3] *= 0.6 + 0.4 * y[:, None, None, None]
        return bc.Samples(X, y)

    return rows(60), rows(20)


def placeholders(betas=BETAS, pair=(7, 1), size=3):
    """Published numbers that are all 0, of the settings that shall be repeated."""
    zero = np.zeros(len(betas))
    curves = tuple(
        PublishedCurve(learner, C, gamma, rate, zero, zero)
        for learner, settings in SETTINGS.items()
        for C, gamma in settings
        for rate in (0.1, 0.2)
    )
    paths = tuple(
        PublishedPath(learner, C, gamma, zero[:, None], None if gamma else zero, zero, zero, 0.0)
        for learner, settings in SETTINGS.items()
        for C, gamma in settings
    )
    nothing = published.PublishedRow(*(0.0,) * 10)
    slopes = tuple(
        SlopeFile(
            learner,
            pair,
            size,
            {published.PublishedSetting(seed, C, gamma): nothing for seed in (1, 10) for C, gamma in SETTINGS[learner]},
        )
        for learner in SETTINGS
    )
    return PublishedNumbers(slopes, (CurveFile(pair, size, betas, curves),), (PathFile(pair, size, betas, paths),))


def write(numbers, folder):
    """Write the numbers as the published files have them."""
    for file in numbers.slopes:
        lines = [HEADER] + [
            f'{at.seed},{-1 if at.gamma is None else at.gamma},{at.C!r},badnet,"(3, 3)",badnet,'
            + ",".join(repr(value) for value in astuple(row))
            for at, row in file.rows.items()
        ]
        name = f"{file.learner}_pair{_named(file.pair)}_ttypebadnet_tsize{file.size}.csv"
        (folder / name).write_text("\n".join(lines) + "\n")
    for file in numbers.curves:
        curves = [
            {
                "classifier": one.learner,
                "C": one.C,
                "gamma": one.gamma,
                "poison_rate": one.rate,
                "triggered_loss": one.triggered.tolist(),
                "clean_loss": one.clean.tolist(),
            }
            for one in file.curves
        ]
        content = {"betas": file.betas.tolist(), "trigger_size": file.size, "pair": list(file.pair), "curves": curves}
        (folder / f"mnist_{_named(file.pair)}_trigger{file.size}_curves.json").write_text(json.dumps(content))
    for file in numbers.paths:
        arrays = {"betas": file.betas}
        for one in file.paths:
            name = f"{one.learner}_C{one.C:g}" + (f"_gamma{one.gamma:g}" if one.gamma else "")
            named = {"coef": one.coef, "cosine": one.cosine, "norm": one.norm, "backdoor_accuracy": np.array(one.asr)}
            arrays |= {f"{name}/{key}": array for key, array in named.items()}
            if one.intercept is not None:
                arrays[f"{name}/intercept"] = one.intercept
        np.savez(folder / f"mnist_{_named(file.pair)}_trigger{file.size}_path.npz", **arrays)


def _named(pair):
    return f"{pair[0]}-{pair[1]}"


@cache
def poisoned(rate, seed=protocol.SEED):
    """The poisoning of the pair 7-1 of the small world."""
    return protocol.badnet(*images((7, 1)), rate=rate, size=3, seed=seed)


assert set(HEADER.split(",")) == SLOPE_COLUMNS
