"""The paper's published numbers as records: slope files, curves and paths of a folder, each read in one place.

    {learner}_pair{a}-{b}_ttypebadnet_tsize{k}.csv     slopes, a row a seed, C and gamma
    mnist_{a}-{b}_trigger{k}_curves.json               losses at the published betas, of seed 999
    mnist_{a}-{b}_trigger{k}_path.npz                  parameters at these betas, of seed 999 and a rate of .1

Of MNIST only: what is named so with a trigger of another size than 3 or 6 pixels is of CIFAR-10 and is left out.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from jaxtyping import Float

from backdoor_curves.paper.numbers.published import PublishedLearner, PublishedRow, PublishedSetting, read_rows
from backdoor_curves.paper.numbers.published_parts import ascending_betas, finite, require_same, worded

Pair = tuple[int, int]
MNIST_SIZES = (3, 6)
"""Sides of the published triggers of MNIST; those of CIFAR-10 are 8 and 16."""
PATH_RATE = 0.1
"""The rate of poison behind the path files, which do not say it."""
SLOPES = re.compile(r"(logistic|ridge|svm|svm-rbf)_pair(\d)-(\d)_ttypebadnet_tsize(\d+)\.csv")
CURVES = re.compile(r"mnist_(\d)-(\d)_trigger(\d+)_curves\.json")
PATHS = re.compile(r"mnist_(\d)-(\d)_trigger(\d+)_path\.npz")
PATH_SETTING = re.compile(r"(logistic|ridge|svm|svm-rbf)_C([^_/]+)(?:_gamma([^_/]+))?/(\w+)")
TAIL = "_poison_train_triggered_test_clf"
"""What the files add to the names of their columns of influences."""
SLOPE_COLUMNS = {
    *("seed", "gamma", "c", "trigger_type", "trigger_size"),
    *(name + TAIL * name.endswith("_I") for name in PublishedRow.__dataclass_fields__),
}
CURVE_FIELDS = {"classifier", "C", "gamma", "poison_rate", "triggered_loss", "clean_loss"}


@dataclass(frozen=True)
class SlopeFile:
    """A published slope file: of a pair of digits and a trigger of size x size pixels, a row a setting."""

    learner: PublishedLearner
    pair: Pair
    size: int
    rows: Mapping[PublishedSetting, PublishedRow] = field(repr=False)


@dataclass(frozen=True, eq=False)
class PublishedCurve:
    """Mean losses over the triggered and over the clean test rows at the betas of its file."""

    learner: PublishedLearner
    C: float
    gamma: float | None
    rate: float
    triggered: Float[np.ndarray, " betas"]
    clean: Float[np.ndarray, " betas"]


@dataclass(frozen=True, eq=False)
class CurveFile:
    """The published curves of a pair of digits and a trigger of size x size pixels."""

    pair: Pair
    size: int
    betas: Float[np.ndarray, " betas"]
    curves: tuple[PublishedCurve, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class PublishedPath:
    """Parameters at the betas of its file: w or signed duals, intercepts (None for RBF), cosine with w(0) and norm.

    `asr` is the attack success rate at the last beta, .99.
    """

    learner: PublishedLearner
    C: float
    gamma: float | None
    coef: Float[np.ndarray, "betas p"]
    intercept: Float[np.ndarray, " betas"] | None
    cosine: Float[np.ndarray, " betas"]
    norm: Float[np.ndarray, " betas"]
    asr: float


@dataclass(frozen=True, eq=False)
class PathFile:
    """The published paths of a pair of digits and a trigger of size x size pixels."""

    pair: Pair
    size: int
    betas: Float[np.ndarray, " betas"]
    paths: tuple[PublishedPath, ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class PublishedNumbers:
    """The numbers of a folder; `repeated.repeat` returns the same record with its own numbers in their places."""

    slopes: tuple[SlopeFile, ...] = ()
    curves: tuple[CurveFile, ...] = ()
    paths: tuple[PathFile, ...] = ()


def read_published(folder: str | os.PathLike[str]) -> PublishedNumbers:
    """Return the published MNIST numbers of a folder, of whatever pairs and sizes of the trigger there are.

    Parameters
    ----------
    folder : path
        Where the files are; others that it has are not looked at.

    Returns
    -------
    PublishedNumbers
        Slope files in the order of their names.

    Raises
    ------
    FileNotFoundError
        If the folder is none, or has no file of published numbers.
    ValueError
        If a file is damaged, or has columns, fields or arrays that are not the published ones.

    Examples
    --------
    >>> from backdoor_curves.paper.numbers.published_files import read_published
    >>> published = read_published("reference")  # doctest: +SKIP
    >>> sum(len(file.rows) for file in published.slopes)  # doctest: +SKIP
    400
    """
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: a folder with the published files was expected, none is there")
    found: list[Any] = []
    for path in sorted(place.iterdir()):
        for name, read in ((SLOPES, slope_file), (CURVES, curve_file), (PATHS, path_file)):
            if (match := name.fullmatch(path.name)) and int(match[match.re.groups]) in MNIST_SIZES:
                found.append(read(path))
    if not found:
        raise FileNotFoundError(
            f"{place}: files such as ridge_pair7-1_ttypebadnet_tsize3.csv or mnist_7-1_trigger6_curves.json were "
            "expected, none is there; name the folder that has them"
        )
    return PublishedNumbers(
        tuple(file for file in found if isinstance(file, SlopeFile)),
        tuple(file for file in found if isinstance(file, CurveFile)),
        tuple(file for file in found if isinstance(file, PathFile)),
    )


def slope_file(path: Path) -> SlopeFile:
    """Return the rows of a slope file, `{learner}_pair{a}-{b}_ttypebadnet_tsize{k}.csv`."""
    learner, a, b, size = _groups(SLOPES, path)
    with worded(path):
        with open(path, newline="") as file:
            require_same(path, "columns", set(next(csv.reader(file))), SLOPE_COLUMNS)
        rows = read_rows(path)
        if not rows:
            raise ValueError("rows were expected, there is none")
        for setting, row in rows.items():
            if (setting.gamma is None) == (learner == "svm-rbf"):
                raise ValueError(f"{learner} was expected, gamma = {setting.gamma} came")
            finite("numbers", list(row.__dict__.values()))
    return SlopeFile(cast(PublishedLearner, learner), (int(a), int(b)), int(size), rows)


def curve_file(path: Path) -> CurveFile:
    """Return the curves of a file `mnist_{a}-{b}_trigger{k}_curves.json`."""
    a, b, size = map(int, _groups(CURVES, path))
    with worded(path):
        content = json.loads(path.read_text())
        require_same(path, "fields", set(content), {"betas", "trigger_size", "pair", "curves"})
        if (tuple(content["pair"]), content["trigger_size"]) != ((a, b), size):
            raise ValueError(f"its name was expected to fit pair {content['pair']}, size {content['trigger_size']}")
        betas = ascending_betas(content["betas"])
        curves = tuple(_curve(path, one, len(betas)) for one in content["curves"])
    return CurveFile((a, b), size, betas, curves)


def path_file(path: Path) -> PathFile:
    """Return the paths of a file `mnist_{a}-{b}_trigger{k}_path.npz`; nothing in it is unpickled."""
    a, b, size = map(int, _groups(PATHS, path))
    with worded(path):
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        betas, settings = ascending_betas(arrays.pop("betas")), dict[tuple[str, str, str | None], dict[str, Any]]()
        for name, array in arrays.items():
            if (match := PATH_SETTING.fullmatch(name)) is None:
                raise ValueError(f"arrays such as svm_C10/coef were expected, {name} came")
            settings.setdefault((match[1], match[2], match[3]), {})[match[4]] = array
        paths = tuple(_path(path, setting, named, len(betas)) for setting, named in settings.items())
    return PathFile((a, b), size, betas, paths)


# --- parts of files --------------------------------------------------------------------------------------------------


def _curve(path: Path, one: Mapping[str, Any], n_betas: int) -> PublishedCurve:
    require_same(path, "fields of a curve", set(one), CURVE_FIELDS)
    if one["classifier"] not in get_args(PublishedLearner):
        raise ValueError(f"one of {', '.join(get_args(PublishedLearner))} was expected, {one['classifier']!r} came")
    C, rate = float(one["C"]), float(one["poison_rate"])
    gamma = None if one["gamma"] is None else float(one["gamma"])
    losses = (finite(name, one[name], (n_betas,)) for name in ("triggered_loss", "clean_loss"))
    return PublishedCurve(one["classifier"], C, gamma, rate, *losses)


def _path(
    path: Path, setting: tuple[str, str, str | None], arrays: Mapping[str, np.ndarray], n_betas: int
) -> PublishedPath:
    learner, C, gamma = setting
    expected = {"coef", "cosine", "norm", "backdoor_accuracy"} | ({"intercept"} if gamma is None else set())
    require_same(path, f"arrays of {learner}, C = {C}", set(arrays), expected)
    coef = finite("coef", arrays["coef"])
    if coef.ndim != 2 or len(coef) != n_betas:
        raise ValueError(f"coef: a row a beta was expected, shape {coef.shape} came")
    line = (n_betas,)
    return PublishedPath(
        cast(PublishedLearner, learner),
        float(C),
        None if gamma is None else float(gamma),
        coef,
        finite("intercept", arrays["intercept"], line) if gamma is None else None,
        finite("cosine", arrays["cosine"], line),
        finite("norm", arrays["norm"], line),
        float(finite("backdoor_accuracy", arrays["backdoor_accuracy"], ())),
    )


def _groups(name: re.Pattern[str], path: Path) -> tuple[str, ...]:
    match = name.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path.name}: a name like {name.pattern} was expected")
    return match.groups()
