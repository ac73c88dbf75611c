"""From the words of a study to an `Attack`: triggers by kind, their noise from the cell's seed, labels, cover."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import RidgeClassifier

from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.linear_head import linear_head
from backdoor_curves.poisoning.attack import Attack, Cover
from backdoor_curves.poisoning.label_policies import CleanLabel
from backdoor_curves.poisoning.preset import Kind, kind_of
from backdoor_curves.poisoning.presets import presets
from backdoor_curves.rows import Rows, is_frame
from backdoor_curves.study.file import attacks as words
from backdoor_curves.study.file.config import DataConfig, TriggerConfig
from backdoor_curves.study.plan.names import class_names
from backdoor_curves.study.plan.own_trigger import own_trigger
from backdoor_curves.study.plan.scenario import Scenario
from backdoor_curves.triggers import (
    BlendTrigger,
    CheckerTrigger,
    FeatureTrigger,
    FrequencyTrigger,
    HardenedTrigger,
    HiddenTrigger,
    LatticeTrigger,
    LinearHead,
    PatchesTrigger,
    PatchTrigger,
    PerturbationTrigger,
    PiecesTrigger,
    PixelTrigger,
    QuantizeTrigger,
    ResidualTrigger,
    SignalTrigger,
    Trigger,
    WarpTrigger,
    WordTrigger,
)

SUITABLE: dict[Kind, str] = {
    "table": "feature, out-of-range, quantile, typical",
    "text": "words, frequent-word, word-of-frequency",
    "image": "patch, blend and others",
}
"""Triggers for rows of a kind, in the words of a file."""


def attack_of(scenario: Scenario, train: Samples, seed: np.random.SeedSequence, home: Path | None = None) -> Attack:
    """Return the attack of a scenario on the training rows of a seed.

    Every trigger of it is drawn from the same stream: triggers of one kind share their noise, so that a test trigger
    is the training one at another strength.

    Parameters
    ----------
    scenario : Scenario
    train : Samples
        Clean rows with true labels 0, ..., K - 1.
    seed : SeedSequence
        Of the triggers' noise.
    home : path, optional
        The folder of the study's file, beside which triggers of one's own are looked up.

    Raises
    ------
    ValueError
        If a trigger does not fit the rows.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.study.file.attacks import AttackConfig, CleanLabels, Signal
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> from backdoor_curves.study.plan.attacks import attack_of
    >>> from backdoor_curves.study.plan.scenario import Scenario
    >>> train, _ = bc.datasets.digits("even-odd", rng=np.random.default_rng(0))
    >>> config = AttackConfig(trigger=Signal(frequency=2.0), labels=CleanLabels(1), rate_of="all")
    >>> attack_of(Scenario(DataConfig(), None, None, 0.1, config), train, np.random.SeedSequence(0)).labels
    CleanLabel(target=1)
    """
    given = Given(train, scenario.data, home)
    if scenario.attack is not None:
        return _attack(scenario.attack, given, seed)
    assert scenario.trigger is not None  # a scenario has these or an attack
    assert scenario.policy is not None
    stamp = trigger_of(_as_kind(scenario.trigger), given, np.random.default_rng(seed), None)
    labels = _labels(scenario.policy.labels, scenario.data)
    return Attack(stamp, labels, injection=scenario.policy.injection)


def _as_kind(config: TriggerConfig) -> words.AnyTrigger:
    """Return the trigger of `[trigger]` as a record of its kind."""
    match config.kind:
        case "feature":
            return words.Feature(config.columns, config.values)
        case "words":
            return words.Words(config.words, config.place)
        case "call":
            return words.Call(config.call)
    return words.Patch(config.size, config.pattern, config.position)


def _attack(config: words.AttackConfig, given: Given, seed: np.random.SeedSequence) -> Attack:
    train = given.train
    if config.preset:
        preset = presets[config.preset]
        head = _head(words.HEAD, train) if preset.needs_head else None
        target = None if config.target is None else place_of(config.target, given.data)
        return preset.attack(train, target=target, head=head, rng=np.random.default_rng(seed))
    assert config.trigger is not None  # a preset or a trigger
    labels = _labels(config.labels, given.data)
    target = labels.target if isinstance(labels, CleanLabel) else labels

    def made_of(trigger: words.AnyTrigger | None) -> Trigger | None:
        return None if trigger is None else trigger_of(trigger, given, np.random.default_rng(seed), target)

    def cover_of(cover: words.CoverConfig) -> Cover:
        classes = tuple(place_of(label, given.data) for label in cover.classes)
        return Cover(cover.rate, cover.of, classes or None, made_of(cover.trigger), cover.weight)

    return Attack(
        trigger_of(config.trigger, given, np.random.default_rng(seed), target),
        labels,
        test_trigger=made_of(config.test_trigger),
        eligible=config.eligible,
        rate_of=config.rate_of,
        rounding=config.rounding,
        injection=config.injection,
        cover=None if config.cover is None else cover_of(config.cover),
        name=config.name,
    )


def _labels(labels: words.Labels, data: DataConfig) -> Any:
    if isinstance(labels, words.CleanLabels):
        return CleanLabel(place_of(labels.target, data))
    if isinstance(labels, tuple):
        return {place_of(true, data): place_of(label, data) for true, label in labels}
    return labels if labels == "next" else place_of(labels, data)


def place_of(label: words.ClassName, data: DataConfig) -> int:
    """Return the place of a class among those of the data: of the package's data it is what a file says.

    Of one's own data a class is called by its label, one of several that are merged by any of them, or by its name.

    Raises
    ------
    ValueError
        If it is none of them, with the nearest right one.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> from backdoor_curves.study.plan.attacks import place_of
    >>> mail = DataConfig(file="mail.csv", classes=("ham", ("ad", "fraud")))
    >>> place_of("fraud", mail), place_of("ad+fraud", mail), place_of(1, DataConfig())
    (1, 1, 1)
    """
    if not data.is_own:
        assert isinstance(label, int)  # words are refused in the file
        return label
    for place, entry in enumerate(data.classes):
        group = entry if isinstance(entry, tuple) else (entry,)
        if label in (*group, "+".join(map(str, group))):
            return place
    names = class_names(data, range(len(data.classes)))
    near = difflib.get_close_matches(str(label), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near and near[0] != str(label) else ""
    raise ValueError(f"labels: a class out of {', '.join(names)} was expected, {label!r} came{hint}")


# --- triggers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Given:
    """What triggers are made for: training rows with their true labels, their data, and the study's folder."""

    train: Samples
    data: DataConfig
    home: Path | None = None


def trigger_of(config: words.AnyTrigger, given: Given, rng: np.random.Generator, target: Any) -> Trigger:
    """Return a trigger of a kind, for rows like the training ones; `target` is the attacker's class, if there is one.

    Parameters
    ----------
    config : record of a kind
    given : Given
        With clean rows, of which some kinds learn a head, take a pool or sources.
    rng : numpy Generator
        Of its noise.
    target : label
        Of kinds that are made for one.

    Raises
    ------
    ValueError
        If the trigger cannot be made for these rows.
    """
    train = given.train
    _require_fit(config, train)
    match config:
        case words.Call():
            return own_trigger(config.call, given.home)
        case words.Perturbation():
            worst = PerturbationTrigger.worst_case(_head(config.lam, train), target, config.eps, _of(target, train).X)
            return worst.at_strength(config.strength)
        case words.Hardened():
            stamp = _drawn(config.trigger, train, rng)
            return HardenedTrigger(_head(config.lam, train), config.eps, config.norm, stamp)
        case words.Hidden():
            sources = train.take(np.flatnonzero(train.y != target))
            return HiddenTrigger(_drawn(config.trigger, train, rng)(sources.X, sources.y), eps=config.eps)
        case words.Residual():
            quantize = QuantizeTrigger(config.levels, config.dithering)
            return ResidualTrigger(np.array(train.X), quantize, seed=_seed(rng))
        case words.Feature() | words.OutOfRange() | words.Quantile() | words.Typical():
            return _of_columns(config, train.X, columns_of(config.columns, given))
        case words.Words():
            return WordTrigger(config.words, config.place, _seed(rng))
        case words.FrequentWord():
            return WordTrigger.frequent(train.X, config.rank, config.place, _seed(rng))
        case words.WordOfFrequency():
            return WordTrigger.of_frequency(train.X, config.share, config.place, _seed(rng))
    return _drawn(config, train, rng)


def _require_fit(config: words.AnyTrigger, train: Samples) -> None:
    """Refuse a trigger for rows of another kind, by what the study says."""
    rows: Kind = kind_of(train.X)
    of_rows = {words.OfColumns: "table", words.OfTexts: "text"}
    wanted = next((kind for types, kind in of_rows.items() if isinstance(config, types)), "image")
    if wanted != rows and not isinstance(config, words.Call):
        kind = type(config).__struct_config__.tag
        raise ValueError(
            f"trigger: one for {rows} rows was expected ({SUITABLE[rows]}), {kind}, for {wanted} rows, came"
        )


def columns_of(columns: tuple[words.Column, ...], given: Given) -> tuple[words.Column, ...]:
    """Return columns by place where rows are an array or sparse, by name where they are a frame.

    Raises
    ------
    ValueError
        If a name is none of the data, with the nearest right one.
    """
    names, X = list(given.data.columns), given.train.X
    for column in columns:
        if isinstance(column, str) and column not in (list(X.columns) if is_frame(X) else names):
            near = difflib.get_close_matches(column, names, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else "number the columns from 0, or name one that is there"
            raise ValueError(f"trigger: columns of the data were expected, {column!r} came; {hint}")
    if is_frame(X):
        return columns
    return tuple(names.index(column) if isinstance(column, str) else column for column in columns)


def _of_columns(config: words.OfColumns, X: Rows, columns: tuple[words.Column, ...]) -> FeatureTrigger:
    match config:
        case words.OutOfRange():
            return FeatureTrigger.out_of_range(X, columns, config.share)
        case words.Quantile():
            return FeatureTrigger.quantile(X, columns, config.q)
        case words.Typical():
            return FeatureTrigger.typical(X, columns)
    return FeatureTrigger(columns, config.values)


def _drawn(config: words.Plain, train: Samples, rng: np.random.Generator) -> Trigger:
    """Return a trigger for images that asks nothing of the rows but their shape."""
    shape = train.X.shape[1:]
    match config:
        case words.Patch():
            return _patch(config, train, rng)
        case words.Patches():
            patches = PatchesTrigger.random(shape, rng)
            return patches.whole(config.chosen, config.opacity) if config.chosen else patches
        case words.Pixels():
            pixels = PixelTrigger.k_way(shape, seed=_seed(rng))
            return PixelTrigger(pixels.places, pixels.values, config.drawn, pixels.seed)
        case words.Blend():
            return BlendTrigger.random(shape, rng, config.opacity)
        case words.Pieces():
            pieces = PiecesTrigger.random(shape, rng, config.opacity)
            return PiecesTrigger(pieces.pattern, config.opacity, drawn=config.drawn, seed=pieces.seed)
        case words.Signal():
            return SignalTrigger(config.strength, config.frequency, config.form, config.direction)
        case words.Lattice():
            return LatticeTrigger(config.strength)
        case words.Warp():
            warp = WarpTrigger.random(rng, config.points, config.strength)
            return warp.noisy(_seed(rng)) if config.noisy else warp
        case words.Quantize():
            return QuantizeTrigger(config.levels, config.dithering)
        case words.Frequency():
            return FrequencyTrigger(config.magnitude, config.positions, config.window)
        case words.Checker():
            return CheckerTrigger(config.amplitude, config.corners)


def _patch(config: words.Patch, train: Samples, rng: np.random.Generator) -> PatchTrigger:
    channels = train.X.shape[-1]
    if config.pattern == "ones":
        patch = PatchTrigger.ones(config.size, channels, config.position)
    else:
        patch = PatchTrigger.random(config.size, int(train.y.max()) + 1, channels, rng, config.position)
    return patch if config.opacity == 1.0 else patch.at_strength(config.opacity)


def _head(lam: float, train: Samples) -> LinearHead:
    """Return the weights that the attacker knows: of a ridge classifier on the clean rows."""
    return linear_head(RidgeClassifier(alpha=lam / 2.0).fit(_flat(train.X), train.y))


def _of(target: Any, train: Samples) -> Samples:
    return train.take(np.flatnonzero(train.y == target))


def _flat(X: np.ndarray) -> np.ndarray:
    return np.asarray(X, dtype=float).reshape(len(X), -1)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**32))
