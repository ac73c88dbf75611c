"""Presets for images with one trigger for all rows: patches, patterns, signals and frequencies."""

from __future__ import annotations

import math

import numpy as np

from backdoor_curves.poisoning.attack import Attack
from backdoor_curves.poisoning.label_policies import CleanLabel
from backdoor_curves.poisoning.preset import Given, Preset
from backdoor_curves.triggers.blend import BlendTrigger
from backdoor_curves.triggers.frequency import FrequencyTrigger
from backdoor_curves.triggers.lattice import LatticeTrigger
from backdoor_curves.triggers.patch import PatchTrigger
from backdoor_curves.triggers.signal import SignalTrigger
from backdoor_curves.triggers.single_pixels import PixelTrigger

SIDE = 32
"""Of the images for which the toolkits have places and windows."""
ART_PIXELS = ((-2, -2), (-3, -3), (-2, -4), (-4, -2))
"""Rows and columns from the end: ART, image_perturbations.py, add_pattern_bd with distance 2."""
NOISE = "Seeded noise in place of its picture, which belongs to others."


# BadNets: (1 - a) x + a t in a corner.


def white_square(given: Given) -> PatchTrigger:
    """Return 3 x 3 white pixels, bottom right."""
    return PatchTrigger.ones(3, given.shape[2])


def white_pixels(given: Given, places: tuple[tuple[int, int], ...]) -> PixelTrigger:
    """Return white pixels, all of them on every image."""
    return PixelTrigger(places, np.ones((len(places), given.shape[2])), drawn=len(places))


def _badnets_backdoorbench(given: Given) -> Attack:
    return Attack(white_square(given), given.target, eligible="all", rounding="nearest")


def _badnets_toolbox(given: Given) -> Attack:
    return Attack(white_square(given), given.target, eligible="all")


def _badnets_mnist_backdoorbox(given: Given) -> Attack:
    return Attack(white_pixels(given, ((-2, -2),)), given.target, eligible="all")


def _badnets_art(given: Given) -> Attack:
    return Attack(white_pixels(given, ART_PIXELS), given.target)


def _badnets_pixel_art(given: Given) -> Attack:
    return Attack(white_pixels(given, ART_PIXELS[:1]), given.target)


def _badnets_all_to_all_paper(given: Given) -> Attack:
    return Attack(white_pixels(given, ART_PIXELS[:1]), "next")


_BADNETS = "Gu et al., BadNets, arXiv 1708.06733"
BADNETS = (
    Preset(
        "badnets@backdoorbench",
        f"{_BADNETS}; BackdoorBench, resource/badnet/trigger_image.png, utils/bd_img_transform/patch.py",
        "A white square of 3 x 3 pixels, bottom right; any row, labelled as the target.",
        "image",
        _badnets_backdoorbench,
        rate=0.1,
    ),
    Preset(
        "badnets@toolbox",
        f"{_BADNETS}; backdoor-toolbox, poison_tool_box/badnet.py",
        "A square of 3 x 3 pixels, bottom right; any row, labelled as the target.",
        "image",
        _badnets_toolbox,
        rate=0.003,
        ours="A white square in place of its picture.",
    ),
    Preset(
        "badnets@backdoorbox",
        f"{_BADNETS}; BackdoorBox, core/attacks/BadNets.py, tests/test_BadNets.py (CIFAR-10)",
        "A white square of 3 x 3 pixels, bottom right; any row, labelled as the target.",
        "image",
        _badnets_toolbox,
        rate=0.05,
    ),
    Preset(
        "badnets-mnist@backdoorbox",
        f"{_BADNETS}; BackdoorBox, core/attacks/BadNets.py, tests/test_BadNets.py (MNIST)",
        "One white pixel, second from the last row and column; any row, labelled as the target.",
        "image",
        _badnets_mnist_backdoorbox,
        rate=0.05,
    ),
    Preset(
        "badnets@art",
        f"{_BADNETS}; Adversarial Robustness Toolbox, image_perturbations.py, add_pattern_bd",
        "Four white pixels near the corner, bottom right; rows of other classes, labelled as the target.",
        "image",
        _badnets_art,
    ),
    Preset(
        "badnets-pixel@art",
        f"{_BADNETS}; Adversarial Robustness Toolbox, image_perturbations.py, add_single_bd",
        "One white pixel, second from the last row and column; rows of other classes, labelled as the target.",
        "image",
        _badnets_pixel_art,
    ),
    Preset(
        "badnets@paper",
        f"{_BADNETS}, its pattern of four pixels, one target",
        "Four white pixels near the corner, bottom right; rows of other classes, labelled as the target.",
        "image",
        _badnets_art,
        ours="Their places are those of the Adversarial Robustness Toolbox.",
    ),
    Preset(
        "badnets-all-to-all@paper",
        f"{_BADNETS}, its single pixel, all to all",
        "One white pixel, bottom right; each class labelled as the next one.",
        "image",
        _badnets_all_to_all_paper,
        ours="The place is that of the Adversarial Robustness Toolbox.",
    ),
)


# Blended: (1 - a) x + a k, with k as large as the image.


def _noise_blended(given: Given) -> BlendTrigger:
    return BlendTrigger(given.noise(given.shape), opacity=0.2)


def _blended_backdoorbench(given: Given) -> Attack:
    return Attack(_noise_blended(given), given.target, eligible="all", rounding="nearest")


def _blended_toolbox(given: Given) -> Attack:
    return Attack(_noise_blended(given), given.target, eligible="all")


def _blended_backdoorbox(given: Given) -> Attack:
    return Attack(white_square(given).at_strength(0.2), given.target, eligible="all")


_BLENDED = "Chen et al., arXiv 1712.05526"
BLENDED = (
    Preset(
        "blended@backdoorbench",
        f"{_BLENDED}; BackdoorBench, config/attack/blended/default.yaml",
        "A pattern as large as the image, blended in with opacity .2; any row, labelled as the target.",
        "image",
        _blended_backdoorbench,
        rate=0.1,
        ours=NOISE,
    ),
    Preset(
        "blended@toolbox",
        f"{_BLENDED}; backdoor-toolbox, utils/default_args.py",
        "A pattern as large as the image, blended in with opacity .2; any row, labelled as the target.",
        "image",
        _blended_toolbox,
        rate=0.003,
        ours=NOISE,
    ),
    Preset(
        "blended@backdoorbox",
        f"{_BLENDED}; BackdoorBox, core/attacks/Blended.py",
        "A white square of 3 x 3 pixels, bottom right, blended in with opacity .2; any row, labelled as the target.",
        "image",
        _blended_backdoorbox,
        rate=0.05,
    ),
)


# SIG and the lattice: x + v.


def _sig_backdoorbench(given: Given) -> Attack:
    return Attack(SignalTrigger(40 / 255, 6), CleanLabel(given.target), rate_of="all", rounding="nearest")


def _sig_toolbox(given: Given) -> Attack:
    return Attack(SignalTrigger(30 / 255, 6), CleanLabel(given.target), rate_of="all")


def _sig_ramp_paper(given: Given) -> Attack:
    return Attack(SignalTrigger(40 / 255, form="ramp"), CleanLabel(given.target))


def _lattice_paper(_given: Given) -> Attack:
    return Attack(LatticeTrigger(10 / 255), "next")


def _lattice_strong_paper(_given: Given) -> Attack:
    return Attack(LatticeTrigger(75 / 255), "next")


_SIG = "Barni et al., arXiv 1902.11237"
_LATTICE = "Zhong et al., arXiv 1808.10307, as Cinà et al., arXiv 2106.07214, and their code have it"
SIGNALS = (
    Preset(
        "sig@backdoorbench",
        f"{_SIG}; BackdoorBench, config/attack/sig/default.yaml, utils/bd_img_transform/sig.py",
        "A sinusoid of amplitude 40/255, six waves across, added to rows of the target class, which keep their label.",
        "image",
        _sig_backdoorbench,
        rate=0.1,
        ours="Its rate is all of one of ten equal classes, and leaves none for beta = 0: take less there.",
    ),
    Preset(
        "sig@toolbox",
        f"{_SIG}; backdoor-toolbox, poison_tool_box/SIG.py",
        "A sinusoid of amplitude 30/255, six waves across, added to rows of the target class, which keep their label.",
        "image",
        _sig_toolbox,
        rate=0.02,
        ours="A rate beyond the class is refused; there it is cut to the class.",
    ),
    Preset(
        "sig-ramp@paper",
        f"{_SIG}, its form for MNIST",
        "A ramp from 0 to nearly 40/255, added to rows of the target class, which keep their label.",
        "image",
        _sig_ramp_paper,
        ours="The height, BackdoorBench's of the sinusoid, in training and at test; the paper's test rows have more.",
    ),
    Preset(
        "lattice@paper",
        _LATTICE,
        "Pixels of even row and column brighter by 10/255; each class labelled as the next one.",
        "image",
        _lattice_paper,
        rate=0.1,
    ),
    Preset(
        "lattice-strong@paper",
        _LATTICE,
        "Pixels of even row and column brighter by 75/255; each class labelled as the next one.",
        "image",
        _lattice_strong_paper,
        rate=0.1,
    ),
)


# FTrojan and CTRL: coefficients of the cosine transform.


def _raised(given: Given, magnitude: float, window: int) -> FrequencyTrigger:
    """Return the middle and the highest coefficient raised, (15, 15) and (31, 31) of a window of 32."""
    if window < 3:
        raise ValueError(
            f"{given.who}: images of whole blocks were expected, {given.shape[0]} x {given.shape[1]} came; crop them "
            "to a multiple of 32"
        )
    middle = window * 15 // SIDE
    return FrequencyTrigger(magnitude, ((middle, middle), (window - 1, window - 1)), window)


def _ftrojan_window(given: Given) -> FrequencyTrigger:
    side = math.gcd(*given.shape[:2])
    return _raised(given, 30 / 255, SIDE if side % SIDE == 0 else side)


def _ftrojan_original(given: Given) -> Attack:
    return Attack(_ftrojan_window(given), given.target, eligible="all")


def _ftrojan_backdoorbench(given: Given) -> Attack:
    return Attack(_ftrojan_window(given), given.target, eligible="all", rounding="nearest")


def _ctrl_backdoorbench(given: Given) -> Attack:
    raised = _raised(given, 100 / 255, math.gcd(*given.shape[:2]))
    return Attack(raised, CleanLabel(given.target), rate_of="all", rounding="nearest")


_FTROJAN = "Wang et al., FTrojan, arXiv 2111.10991"
_WINDOW = (
    "A window that divides the image where 32 does not, with places scaled to it; pixels move more in a smaller one. "
    "Grey images have the coefficients of their pixels."
)
FREQUENCIES = (
    Preset(
        "ftrojan@original",
        f"{_FTROJAN}, and their code",
        "Two coefficients of the cosine transform of the chroma raised by 30/255; any row, labelled as the target.",
        "image",
        _ftrojan_original,
        rate=0.1,
        ours=_WINDOW,
    ),
    Preset(
        "ftrojan@backdoorbench",
        f"{_FTROJAN}; BackdoorBench, config/attack/ftrojannn/default.yaml",
        "Two coefficients of the cosine transform of the chroma raised by 30/255; any row, labelled as the target.",
        "image",
        _ftrojan_backdoorbench,
        rate=0.1,
        ours=_WINDOW,
    ),
    Preset(
        "ctrl@backdoorbench",
        "Li et al., CTRL, arXiv 2210.07346; BackdoorBench, config/attack/ctrl/default.yaml, "
        "utils/bd_img_transform/ctrl.py",
        "Two coefficients of the chroma raised by 100/255, in rows of the target class, which keep their label.",
        "image",
        _ctrl_backdoorbench,
        rate=0.05,
        ours="Places scaled from a window of 32, and pixels are not rounded to bytes. Grey images have the "
        "coefficients of their pixels.",
    ),
)

IMAGE_PRESETS = (*BADNETS, *BLENDED, *SIGNALS, *FREQUENCIES)
"""In the order of the list."""
