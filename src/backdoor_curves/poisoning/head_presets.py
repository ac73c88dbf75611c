"""Presets for images with clean labels: rows made hard or near to others, with the values of their sources."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backdoor_curves.poisoning.attack import Attack
from backdoor_curves.poisoning.image_presets import ART_PIXELS, white_pixels, white_square
from backdoor_curves.poisoning.label_policies import CleanLabel
from backdoor_curves.poisoning.preset import Given, Preset
from backdoor_curves.triggers.base import Trigger
from backdoor_curves.triggers.checker import CheckerTrigger
from backdoor_curves.triggers.hardened import HardenedTrigger, Norm
from backdoor_curves.triggers.hidden import HiddenTrigger
from backdoor_curves.triggers.linear_head import LinearHead
from backdoor_curves.triggers.patch import PatchTrigger
from backdoor_curves.triggers.perturbation import PerturbationTrigger


def _plain(given: Given) -> Attack:
    return Attack(white_square(given), CleanLabel(given.target))


def _hardened(given: Given, trigger: Trigger, eps: float, norm: Norm = "inf") -> Attack:
    """Return the attack with rows of the target made hard and stamped, and test rows stamped alone."""
    return Attack(HardenedTrigger(_head(given), eps, norm, trigger), CleanLabel(given.target), test_trigger=trigger)


def _label_consistent_original(given: Given) -> Attack:
    return _hardened(given, CheckerTrigger(), 300 / 255, "2")  # two_300.npy: Euclid's norm, in bytes


def _label_consistent_backdoorbench(given: Given) -> Attack:
    attack = _hardened(given, CheckerTrigger.everywhere(), 16 / 255)
    return replace(attack, rate_of="all", rounding="nearest")


def _label_consistent_cifar_backdoorbox(given: Given) -> Attack:
    return _hardened(given, CheckerTrigger.everywhere(), 8 / 255)


def _label_consistent_mnist_backdoorbox(given: Given) -> Attack:
    return _hardened(given, CheckerTrigger.everywhere(), 64 / 255)


def _label_consistent_gtsrb_backdoorbox(given: Given) -> Attack:
    return _hardened(given, CheckerTrigger.everywhere(), 16 / 255)


def _label_consistent_art(given: Given) -> Attack:
    return _hardened(given, white_pixels(given, ART_PIXELS), 0.3)


def _hidden(given: Given, patch: Trigger, eps: float) -> Attack:
    """Return the attack with rows of the target brought near to stamped rows of other classes."""
    rows = ~given.of_target()
    hidden = HiddenTrigger(np.asarray(patch(given.X[rows], given.y[rows])), eps=eps)
    return Attack(hidden, CleanLabel(given.target), test_trigger=patch)


def _hidden_original(given: Given) -> Attack:
    height, width, channels = given.shape
    sides = [max(round(side * 30 / 224), 1) for side in (height, width)]
    return _hidden(given, PatchTrigger(given.noise((*sides, channels))), 16 / 255)


def _hidden_art(given: Given) -> Attack:
    return _hidden(given, white_pixels(given, ART_PIXELS), 0.1)


def _narcissus(given: Given) -> Attack:
    worst = PerturbationTrigger.worst_case(_head(given), given.target, 16 / 255, given.X[given.of_target()])
    return Attack(worst, CleanLabel(given.target), test_trigger=worst.at_strength(3))


def _head(given: Given) -> LinearHead:
    assert given.head is not None  # `Preset.attack` refuses a preset that needs one without
    return given.head


_TURNER = "Turner et al., arXiv 1912.02771"
_SAHA = "Saha et al., arXiv 1910.00033"
_HARD = "Rows of the target class, which keep their label, moved against it by {}, with {}; test rows have that alone."
_CLOSED = "Closed form for a linear head, which is at least as hard, in place of gradient steps on a network."
_IDENTITY = (
    "Features are the pixels themselves, which has a closed form, in place of a network's; sources are all other "
    "classes; "
)
HEAD_PRESETS = (
    Preset(
        "clean-label@paper",
        f"{_TURNER}, their baseline: BadNets without wrong labels",
        "A white square of 3 x 3 pixels, bottom right, on rows of the target class, which keep their label.",
        "image",
        _plain,
        ours="The square is BackdoorBench's.",
    ),
    Preset(
        "label-consistent@original",
        f"{_TURNER}, label-consistent-backdoor-code, config.json",
        _HARD.format("300/255 in Euclid's norm", "a checker bottom right"),
        "image",
        _label_consistent_original,
        rate=1.0,
        ours=f"{_CLOSED} A rate of 1 leaves no row of the class for beta = 0: take less.",
        needs_head=True,
    ),
    Preset(
        "label-consistent@backdoorbench",
        f"{_TURNER}; BackdoorBench, attack/lc.py",
        _HARD.format("16/255", "checkers in four corners"),
        "image",
        _label_consistent_backdoorbench,
        rate=0.1,
        ours=f"{_CLOSED} The rate is all of one of ten equal classes, and leaves none for beta = 0: take less.",
        needs_head=True,
    ),
    Preset(
        "label-consistent@backdoorbox",
        f"{_TURNER}; BackdoorBox, core/attacks/LabelConsistent.py, tests/test_LabelConsistent.py (CIFAR-10)",
        _HARD.format("8/255", "checkers in four corners"),
        "image",
        _label_consistent_cifar_backdoorbox,
        rate=0.25,
        ours=_CLOSED,
        needs_head=True,
    ),
    Preset(
        "label-consistent-mnist@backdoorbox",
        f"{_TURNER}; BackdoorBox, core/attacks/LabelConsistent.py, tests (MNIST)",
        _HARD.format("64/255", "checkers in four corners"),
        "image",
        _label_consistent_mnist_backdoorbox,
        rate=0.5,
        ours=_CLOSED,
        needs_head=True,
    ),
    Preset(
        "label-consistent-gtsrb@backdoorbox",
        f"{_TURNER}; BackdoorBox, core/attacks/LabelConsistent.py, tests (GTSRB)",
        _HARD.format("16/255", "checkers in four corners"),
        "image",
        _label_consistent_gtsrb_backdoorbox,
        rate=0.5,
        ours=_CLOSED,
        needs_head=True,
    ),
    Preset(
        "label-consistent@art",
        f"{_TURNER}; Adversarial Robustness Toolbox, clean_label_backdoor_attack.py",
        _HARD.format(".3", "four white pixels bottom right"),
        "image",
        _label_consistent_art,
        rate=0.33,
        ours=f"{_CLOSED} Which pixels: those of its add_pattern_bd.",
        needs_head=True,
    ),
    Preset(
        "hidden-trigger@original",
        f"{_SAHA}, Hidden-Trigger-Backdoor-Attacks, cfg/",
        "Rows of the target class brought near to stamped rows of others, by at most 16/255; test rows have the patch.",
        "image",
        _hidden_original,
        ours=f"{_IDENTITY}a patch of noise, scaled from 30 x 30 of 224 x 224, at one place, bottom right.",
    ),
    Preset(
        "hidden-trigger@art",
        f"{_SAHA}; Adversarial Robustness Toolbox, hidden_trigger_backdoor.py",
        "Rows of the target class brought near to stamped rows of others, by at most .1; test rows have white pixels.",
        "image",
        _hidden_art,
        rate=0.1,
        ours=f"{_IDENTITY}which pixels: those of its add_pattern_bd. Rounded down, where it rounds up.",
    ),
    Preset(
        "narcissus@original",
        "Zeng et al., Narcissus, arXiv 2204.05255, narcissus_function.py",
        "A perturbation of at most 16/255 on rows of the target class, which keep their label; thrice that at test.",
        "image",
        _narcissus,
        rate=0.005,
        ours="Closed form for a linear head, in place of 1000 rounds on a surrogate network.",
        needs_head=True,
    ),
)
"""In the order of the list."""
