"""A study as one TOML file, read into frozen records; all its faults are said at once, each with its place."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from backdoor_curves.records.one_line import one_line
from backdoor_curves.study.file.lines_of_keys import line_of, lines_of_keys
from backdoor_curves.study.file.reading import Faults, read_table

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(gt=0, le=1)]
Seed = Annotated[int, Meta(ge=0, lt=2**32)]
Beta = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]  # it becomes a folder
Kind = Literal["logistic", "ridge", "linear-svm", "rbf-svm"]


class FeaturesConfig(Struct, frozen=True):
    """`data.features`: the frozen network whose features of the images are the learners' rows.

    `normalised` is for AlexNet alone: pixels (x - 0.5) / 0.5 instead of x, as in the paper's slopes.
    """

    network: Literal["alexnet", "squeezenet"]
    normalised: bool = False


class DataConfig(Struct, frozen=True):
    """`[data]`: the data set, its classes, and how many rows are drawn of it; None for all.

    `sampling = "paper"` draws the rows, the trigger and the poison as the paper did, see `poisoning.paper_protocol`.
    With `features` images are stamped first and go through a frozen network then.
    """

    name: Literal["digits", "mnist", "cifar10", "toy"] = "digits"
    classes: str | tuple[int | tuple[int, ...], ...] = "even-odd"
    n_train: Count | None = None
    n_test: Count | None = None
    sampling: Literal["random", "paper"] = "random"
    features: FeaturesConfig | None = None


class TriggerConfig(Struct, frozen=True):
    """`[trigger]`: a patch of uniform noise for each class or of ones; for `toy` columns set to values."""

    kind: Literal["patch", "feature"] = "patch"
    size: Count = 2
    pattern: Literal["random", "ones"] = "random"
    position: Literal["bottom-right", "bottom-left", "top-right", "top-left", "center"] = "bottom-right"
    columns: tuple[Annotated[int, Meta(ge=0, lt=2**31)], ...] = ()
    values: tuple[float, ...] = ()


class PoisonConfig(Struct, frozen=True):
    """`[poison]`: label policy and injection, as in `poison`; `control` adds the same rows without the trigger."""

    labels: Literal["next"] | int = "next"
    injection: Literal["replace", "append"] = "replace"
    control: bool = False


class LearnerConfig(Struct, frozen=True):
    """`[[learners]]`: a learner and its grid; `gamma` for rbf-svm only.

    `intercept = "penalised"` is that of liblinear: `LinearSVC`, `LogisticRegression(solver="liblinear")`.
    """

    kind: Kind
    lam: Annotated[tuple[Positive, ...], Meta(min_length=1)] = msgspec.field(name="lambda")
    gamma: tuple[Positive, ...] = ()
    method: Literal["auto", "exact", "refit"] = "auto"
    intercept: Literal["free", "penalised"] = "free"


class KeepConfig(Struct, frozen=True):
    """`[keep]`: what is kept of a cell besides its numbers.

    `curves`: "condensed" is exact at every beta without scores of single rows, "full" has them, "grid" keeps losses and
    accuracies at `betas` only, "none" nothing. `betas` are those that curves report, and at which refits are fitted.
    `explanations` are of images that the learners see themselves: gradients and influential rows, for the page.
    """

    curves: Literal["condensed", "full", "grid", "none"] = "condensed"
    betas: tuple[Beta, ...] = ()
    knots: bool = False
    coefficients: bool = False
    explanations: bool = False


class Experiment(Struct, frozen=True):
    """A grid: every learner at every lambda, gamma, rate and seed, on all data with all triggers and label policies."""

    data: tuple[DataConfig, ...]
    trigger: tuple[TriggerConfig, ...]
    poison: tuple[PoisonConfig, ...]
    learners: tuple[LearnerConfig, ...]
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    keep: KeepConfig


class Study(Struct, frozen=True):
    """A study: one grid or several, and whether figures and the report are made.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import built_in_study
    >>> built_in_study().experiments[0].rates
    (0.01, 0.1)
    """

    name: Name
    experiments: tuple[Experiment, ...]
    figures: bool = True
    report: bool = True


class Block(Struct, frozen=True):
    """The parts of an experiment as they stand in a file; what is left out comes from the top of the file."""

    data: tuple[DataConfig, ...] | None = None
    trigger: tuple[TriggerConfig, ...] | None = None
    poison: tuple[PoisonConfig, ...] | None = None
    learners: tuple[LearnerConfig, ...] | None = None
    rates: Annotated[tuple[Rate, ...], Meta(min_length=1)] | None = None
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)] | None = None
    keep: KeepConfig | None = None


class File(Block, frozen=True, kw_only=True):
    """A study file."""

    name: Name
    figures: bool = True
    report: bool = True
    experiments: tuple[Block, ...] = ()


DEFAULTS: dict[str, Any] = {
    "data": (DataConfig(),),
    "trigger": (TriggerConfig(),),
    "poison": (PoisonConfig(),),
    "keep": KeepConfig(),
}


class StudyError(ValueError):
    """A study file with faults; the message has a line for each."""


def built_in_study() -> Study:
    """Return the study that runs when no file is named: the bundled digits."""
    return read_study(Path(__file__).parent.parent / "digits.toml")


def read_study(path: str | Path) -> Study:
    """Return the study in a TOML file.

    Parameters
    ----------
    path : path
        The file; see `study/digits.toml` for one, and `docs/studies.md` for all keys.

    Raises
    ------
    StudyError
        A ValueError. If the file is no TOML, or if keys, types or values in it are not those of a study; the message
        has a line for each fault: the file, the line, the key and, for a misspelt one, the nearest right one.
    FileNotFoundError
        If there is no such file.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import read_study
    >>> study = read_study("study.toml")  # doctest: +SKIP
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors on Windows write a mark first
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file; write a study there or run without a file") from None
    except IsADirectoryError:
        raise StudyError(f"{path}: a study file was expected, a folder came") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, a number or a nesting that Python refuses
        raise StudyError(f"{path}: TOML was expected: {one_line(error)}") from None
    faults: Faults = {}
    file = read_table(table, File, "", faults)
    if file is not None:
        study = Study(file.name, tuple(_experiments(file, faults)), file.figures, file.report)
        if not faults:
            return study
    lines = lines_of_keys(text)
    raise StudyError("\n".join(_said(path, place, fault, lines) for place, fault in faults.items()))


def _said(path: Path, place: str, fault: str, lines: dict[str, int]) -> str:
    line = line_of(place, lines)
    printable = place if place.isprintable() else repr(place)
    return f"{path}:{line}: {printable}: {fault}" if line else f"{path}: {printable}: {fault}"


def _experiments(file: File, faults: Faults) -> list[Experiment]:
    """Return the experiments of a file, each filled up from its top; faults of sense are added."""
    _check_block(file, "", faults)
    experiments = []
    for index, block in enumerate(file.experiments or (Block(),)):
        place = f"experiments[{index}]" if file.experiments else ""
        _check_block(block, f"{place}.", faults)
        parts: dict[str, Any] = {}
        homes: dict[str, str] = {}
        for name in Block.__struct_fields__:
            own = getattr(block, name)
            homes[name] = f"{place}.{name}" if own is not None else name
            parts[name] = own if own is not None else getattr(file, name)
            if parts[name] is None:
                parts[name] = DEFAULTS.get(name)
            if parts[name] is None:
                faults[f"{place}.{name}" if place else name] = "missing key"
        if all(part is not None for part in parts.values()):
            experiments.append(Experiment(**parts))
            _check_together(experiments[-1], homes, faults)
    return experiments


# --- sense -----------------------------------------------------------------------------------------------------------


def _check_block(block: Block, prefix: str, faults: Faults) -> None:
    """Add what is well-formed but means nothing, in one table or list."""
    for name in ("rates", "seeds"):
        _check_once(getattr(block, name) or (), prefix + name, faults)
    for name in ("data", "trigger", "poison"):
        _check_once(getattr(block, name) or (), prefix + name, faults)
    if block.keep is not None:
        betas = block.keep.betas
        if any(later <= sooner for sooner, later in pairwise(betas)):
            faults[f"{prefix}keep.betas"] = "ascending numbers, none twice, were expected"
    for index, trigger in enumerate(block.trigger or ()):
        place = f"{prefix}trigger[{index}]" if len(block.trigger or ()) > 1 else f"{prefix}trigger"
        _check_trigger(trigger, place, faults)
    for index, learner in enumerate(block.learners or ()):
        _check_learner(learner, f"{prefix}learners[{index}]", faults)
    settings = [
        (learner.kind, learner.intercept, lam, gamma)
        for learner in block.learners or ()
        for lam in dict.fromkeys(learner.lam)
        for gamma in dict.fromkeys(learner.gamma or (None,))
    ]
    for (kind, _, lam, _), times in Counter(settings).items():
        if times > 1:
            faults[f"{prefix}learners"] = (
                f"each setting once was expected, {kind} at lambda {lam:g} came twice; "
                "two methods are compared in two studies"
            )


def _check_trigger(trigger: TriggerConfig, place: str, faults: Faults) -> None:
    _check_finite(trigger.values, f"{place}.values", faults)
    if trigger.kind == "feature" and not (trigger.columns and trigger.values):
        faults[place] = "columns and values were expected for a feature trigger"
    if trigger.kind == "patch" and (trigger.columns or trigger.values):
        faults[place] = "no columns and values were expected for a patch; it has size and position"


def _check_learner(learner: LearnerConfig, place: str, faults: Faults) -> None:
    for name, values in (("lambda", learner.lam), ("gamma", learner.gamma)):
        _check_finite(values, f"{place}.{name}", faults)
        _check_once(values, f"{place}.{name}", faults)
    if learner.kind == "rbf-svm" and not learner.gamma:
        faults[place] = "at least one gamma was expected for rbf-svm"
    if learner.kind != "rbf-svm" and learner.gamma:
        faults[place] = f"no gamma was expected for {learner.kind}"
    if learner.intercept == "penalised" and learner.kind not in ("logistic", "linear-svm"):
        faults[f"{place}.intercept"] = f"'free' was expected for {learner.kind}: only liblinear's are penalised"


def _check_together(experiment: Experiment, homes: dict[str, str], faults: Faults) -> None:
    """Add what does not go together: data and triggers, and the paper's sampling with anything of one's own."""
    kinds = {trigger.kind for trigger in experiment.trigger}
    for data in experiment.data:
        wanted = "feature" if data.name == "toy" else "patch"
        if kinds != {wanted}:
            faults[f"{homes['trigger']}.kind"] = f"{wanted!r} was expected for {data.name} data"
        if data.name == "toy" and data.classes != DataConfig().classes:
            faults[f"{homes['data']}.classes"] = f"the toy has two classes of its own, {data.classes!r} came"
        if data.name == "cifar10" and data.classes == DataConfig().classes:
            faults[f"{homes['data']}.classes"] = 'classes such as "airplane-frog" or [0, 6] were expected for cifar10'
        if experiment.keep.explanations and (data.name == "toy" or data.features is not None):
            faults[f"{homes['keep']}.explanations"] = (
                "false was expected: explanations are pictures, and here the learners see features or two numbers"
            )
        if data.features is not None:
            _check_features(data.name, data.features, f"{homes['data']}.features", faults)
        if data.sampling == "paper":
            _check_paper(data, experiment, homes, faults)


def _check_features(name: str, features: FeaturesConfig, place: str, faults: Faults) -> None:
    if name != "cifar10":
        faults[place] = f"no frozen network was expected for {name}: they are for colour images, of cifar10"
    elif features.normalised and features.network != "alexnet":
        faults[f"{place}.normalised"] = f"no choice was expected for {features.network}, which has inputs of its own"


def _check_paper(data: DataConfig, experiment: Experiment, homes: dict[str, str], faults: Faults) -> None:
    pair = (
        not isinstance(data.classes, str) and len(data.classes) == 2 and all(isinstance(c, int) for c in data.classes)
    )
    if data.name not in ("mnist", "cifar10") or not pair or data.n_train or data.n_test:
        faults[f"{homes['data']}.sampling"] = (
            '\'paper\' draws 1500 and 500 rows of a pair: name = "mnist" or "cifar10", classes such as [7, 1] and '
            "no n_train, n_test were expected"
        )
    for trigger in experiment.trigger:
        if trigger != TriggerConfig(size=trigger.size):
            faults[homes["trigger"]] = "a random patch at the bottom right was expected for the paper's sampling"
    for poison in experiment.poison:
        if (poison.labels, poison.injection) != ("next", "replace"):
            faults[homes["poison"]] = 'labels "next" and injection "replace" were expected for the paper\'s sampling'


def _check_finite(values: Sequence[float], place: str, faults: Faults) -> None:
    if not all(map(math.isfinite, values)):
        faults[place] = f"finite numbers were expected, {list(values)} came"


def _check_once(values: Sequence[Any], place: str, faults: Faults) -> None:
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        came = "the same table" if isinstance(twice[0], Struct) else repr(twice[0])
        faults[place] = f"each value once was expected, {came} came twice"
