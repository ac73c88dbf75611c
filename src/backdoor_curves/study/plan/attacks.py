"""From the words of a study to an `Attack`: triggers by kind, their noise from the cell's seed, labels, cover."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import RidgeClassifier

from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.linear_head import linear_head
from backdoor_curves.poisoning.attack import Attack, Cover
from backdoor_curves.poisoning.label_policies import CleanLabel
from backdoor_curves.poisoning.presets import presets
from backdoor_curves.study.file import attacks as words
from backdoor_curves.study.file.config import TriggerConfig
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
)


def attack_of(scenario: Scenario, train: Samples, seed: np.random.SeedSequence) -> Attack:
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
    if scenario.attack is not None:
        return _attack(scenario.attack, train, seed)
    assert scenario.trigger is not None  # a scenario has these or an attack
    assert scenario.policy is not None
    stamp = _plain_trigger(scenario.trigger, train, np.random.default_rng(seed))
    return Attack(stamp, scenario.policy.labels, injection=scenario.policy.injection)


def _plain_trigger(config: TriggerConfig, train: Samples, rng: np.random.Generator) -> Trigger:
    """Return the trigger of `[trigger]`."""
    if config.kind == "feature":
        return FeatureTrigger(config.columns, config.values)
    return _patch(words.Patch(config.size, config.pattern, config.position), train, rng)


def _attack(config: words.AttackConfig, train: Samples, seed: np.random.SeedSequence) -> Attack:
    if config.preset:
        preset = presets[config.preset]
        head = _head(words.HEAD, train) if preset.needs_head else None
        return preset.attack(train, target=config.target, head=head, rng=np.random.default_rng(seed))
    assert config.trigger is not None  # a preset or a trigger
    labels = _labels(config.labels)
    target = labels.target if isinstance(labels, CleanLabel) else labels

    def made_of(trigger: words.AnyTrigger | None) -> Trigger | None:
        return None if trigger is None else trigger_of(trigger, train, np.random.default_rng(seed), target)

    def cover_of(cover: words.CoverConfig) -> Cover:
        return Cover(cover.rate, cover.of, cover.classes or None, made_of(cover.trigger), cover.weight)

    return Attack(
        trigger_of(config.trigger, train, np.random.default_rng(seed), target),
        labels,
        test_trigger=made_of(config.test_trigger),
        eligible=config.eligible,
        rate_of=config.rate_of,
        rounding=config.rounding,
        injection=config.injection,
        cover=None if config.cover is None else cover_of(config.cover),
        name=config.name,
    )


def _labels(labels: words.Labels) -> Any:
    if isinstance(labels, words.CleanLabels):
        return CleanLabel(labels.target)
    return dict(labels) if isinstance(labels, tuple) else labels


# --- triggers --------------------------------------------------------------------------------------------------------


def trigger_of(config: words.AnyTrigger, train: Samples, rng: np.random.Generator, target: Any) -> Trigger:
    """Return a trigger of a kind, for rows like the training ones; `target` is the attacker's class, if there is one.

    Parameters
    ----------
    config : record of a kind
    train : Samples
        Clean rows with true labels, of which some kinds learn a head, take a pool or sources.
    rng : numpy Generator
        Of its noise.
    target : label
        Of kinds that are made for one.

    Raises
    ------
    ValueError
        If the trigger cannot be made for these rows.
    """
    match config:
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
        case words.Feature():
            return FeatureTrigger(config.columns, config.values)
        case words.Words():
            raise ValueError("words: images or columns were expected, a trigger for texts came")
    return _drawn(config, train, rng)


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
