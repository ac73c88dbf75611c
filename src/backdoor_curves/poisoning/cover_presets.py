"""Presets for images with cover rows, or for one source class, with the values of their sources."""

from __future__ import annotations

from backdoor_curves.poisoning.attack import Attack, Cover
from backdoor_curves.poisoning.image_presets import NOISE, SIDE
from backdoor_curves.poisoning.preset import Given, Preset
from backdoor_curves.triggers.patch import PatchTrigger
from backdoor_curves.triggers.pieces import PiecesTrigger
from backdoor_curves.triggers.quantize import QuantizeTrigger
from backdoor_curves.triggers.residual import ResidualTrigger
from backdoor_curves.triggers.several_patches import PatchesTrigger
from backdoor_curves.triggers.single_pixels import PixelTrigger
from backdoor_curves.triggers.warp import WarpTrigger

STATIC = "A static form: there poison and cover are drawn anew in each batch."


# WaNet and BppAttack: cover with noise, in a static form.


def _warped(given: Given) -> tuple[WarpTrigger, Cover]:
    """Return the warp of WaNet, and twice as many cover rows with noise."""
    warp = WarpTrigger.random(given.generator(), k=4, strength=0.5)
    return warp, Cover(2.0, trigger=warp.noisy(given.seed()))


def _wanet_original(given: Given) -> Attack:
    warp, cover = _warped(given)
    return Attack(warp, given.target, eligible="all", cover=cover)


def _wanet_backdoorbench(given: Given) -> Attack:
    warp, cover = _warped(given)
    return Attack(warp, given.target, eligible="all", rounding="nearest", cover=cover)


def _negatives(given: Given, quantize: QuantizeTrigger) -> Cover:
    """Return as many cover rows, with the rounding of other images."""
    return Cover(1.0, trigger=ResidualTrigger(given.X, quantize, given.seed()))


def _bpp_original(given: Given) -> Attack:
    few = QuantizeTrigger(8)
    return Attack(few, given.target, eligible="all", cover=_negatives(given, few))


def _bpp_backdoorbench(given: Given) -> Attack:
    few = QuantizeTrigger(8)
    return Attack(few, given.target, eligible="all", rounding="nearest", cover=_negatives(given, few))


def _bpp_toolbox(given: Given) -> Attack:
    few = QuantizeTrigger(8, dithering=True)
    return Attack(few, given.target, eligible="all", cover=_negatives(given, few))


_WANET = "Nguyen and Tran, WaNet, arXiv 2102.10369"
_BPP = "Wang et al., BppAttack, arXiv 2205.13383"
_WARP = "A smooth warp, s = .5 and k = 4; any row, labelled as the target; twice as many cover rows, warped with noise."
_FEW = "Images in eight levels; any row, labelled as the target; as many cover rows, with the rounding of other images."
TRAINING_TIME = (
    Preset("wanet@original", f"{_WANET}, config.py", _WARP, "image", _wanet_original, rate=0.1, ours=STATIC),
    Preset(
        "wanet@backdoorbench",
        f"{_WANET}; BackdoorBench, config/attack/wanet/default.yaml",
        _WARP,
        "image",
        _wanet_backdoorbench,
        rate=0.1,
        ours=f"{STATIC} Images are warped as they are, not after normalising.",
    ),
    Preset(
        "wanet@toolbox",
        f"{_WANET}; backdoor-toolbox, poison_tool_box/WaNet.py",
        _WARP,
        "image",
        _wanet_original,
        rate=0.05,
        ours="Each cover row has noise of its own, as the authors' have; there one field serves all.",
    ),
    Preset("bpp@original", f"{_BPP}, config.py", _FEW, "image", _bpp_original, rate=0.2, ours=STATIC),
    Preset(
        "bpp@backdoorbench",
        f"{_BPP}; BackdoorBench, config/attack/bpp/default.yaml",
        _FEW,
        "image",
        _bpp_backdoorbench,
        rate=0.1,
        ours=STATIC,
    ),
    Preset(
        "bpp@toolbox",
        f"{_BPP}; backdoor-toolbox, other_attacks_tool_box/bpp.py",
        f"{_FEW[:-1]}. Errors are diffused.",
        "image",
        _bpp_toolbox,
        rate=0.2,
        ours=STATIC,
    ),
)


# Adaptive attacks and TaCT: a training row has a part of what a test row has, or the trigger works for one class.


def _adap_blend_toolbox(given: Given) -> Attack:
    pieces = PiecesTrigger(given.noise(given.shape), opacity=0.15, grid=4, drawn=8, seed=given.seed())
    return Attack(pieces, given.target, pieces.whole(0.2), eligible="all", cover=Cover(1.0))


def _adap_blend_original(given: Given) -> Attack:
    pieces = PiecesTrigger(given.noise(given.shape), opacity=0.2, grid=4, drawn=8, seed=given.seed())
    return Attack(pieces, given.target, pieces.whole(0.2), eligible="all", cover=Cover(1.0))


def _adap_patch(given: Given) -> Attack:
    patches = PatchesTrigger.random(given.shape, given.generator())
    return Attack(patches, given.target, patches.whole((0, 2)), eligible="all", cover=Cover(2.0))


def _k_way(given: Given) -> Attack:
    pixels = PixelTrigger.k_way(given.shape, given.seed())
    return Attack(pixels, given.target, pixels.whole(), eligible="all", cover=Cover(1.0))


def _noise_square(given: Given) -> PatchTrigger:
    """Return noise in rows and columns 21 to 28 of 32, scaled to the image."""
    height, width, channels = given.shape
    sides = (max(height * 8 // SIDE, 1), max(width * 8 // SIDE, 1))
    return PatchTrigger(given.noise((*sides, channels)), (height * 21 // SIDE, width * 21 // SIDE))


def _tact_toolbox(given: Given) -> Attack:
    source, *cover = given.others
    # Classes 5 and 7 of ten with target 0 and source 1; of fewer classes the last two.
    cover = [cover[3], cover[5]] if len(cover) > 5 else cover[-2:]
    labels = {source: given.target}
    return Attack(_noise_square(given), labels, rate_of="all", cover=Cover(1.0, classes=tuple(cover)))


def _tact_original(given: Given) -> Attack:
    return Attack(_noise_square(given), {given.others[0]: given.target}, injection="append")


_ADAPTIVE = "Qi et al., ICLR 2023"
_TACT = "Tang et al., Demon in the Variant, USENIX Security 2021"
_PIECES = (
    "Half of sixteen pieces of a pattern, blended in with opacity {}; as many cover rows; test rows have all, with .2."
)
_PATCHES = "One of four patches, half seen through; twice as many cover rows; test rows have two, fully seen."
_OWN_PATCHES = "Squares of noise in the corners, drawn for each row, in place of its pictures and equal groups."
ADAPTIVE = (
    Preset(
        "adap-blend@toolbox",
        f"{_ADAPTIVE}; backdoor-toolbox, README.md, poison_tool_box/adaptive_blend.py",
        _PIECES.format(".15"),
        "image",
        _adap_blend_toolbox,
        rate=0.003,
        ours=NOISE,
    ),
    Preset(
        "adap-blend@original",
        f"{_ADAPTIVE}, Circumventing-Backdoor-Defenses, config.py (defaults of its flags)",
        _PIECES.format(".2"),
        "image",
        _adap_blend_original,
        ours=f"{NOISE} As many cover rows as poison rows, as backdoor-toolbox has them; its flags say 0.",
    ),
    Preset(
        "adap-patch@toolbox",
        f"{_ADAPTIVE}; backdoor-toolbox, config.py, poison_tool_box/adaptive_patch.py",
        _PATCHES,
        "image",
        _adap_patch,
        rate=0.003,
        ours=_OWN_PATCHES,
    ),
    Preset(
        "adap-patch@backdoorbox",
        f"{_ADAPTIVE}; BackdoorBox, core/attacks/AdaptivePatch.py (ResNet-18)",
        _PATCHES,
        "image",
        _adap_patch,
        rate=0.01,
        ours=f"{_OWN_PATCHES} The opacities are those of backdoor-toolbox.",
    ),
    Preset(
        "k-way@toolbox",
        f"{_ADAPTIVE}; backdoor-toolbox, poison_tool_box/adaptive_k_way.py",
        "One of four single pixels, drawn for each row; as many cover rows; test rows have all four.",
        "image",
        _k_way,
        rate=0.003,
        ours="Places scaled from 32 x 32 to the image; a grey image has the mean of the colours.",
    ),
    Preset(
        "tact@toolbox",
        f"{_TACT}; backdoor-toolbox, config.py, poison_tool_box/TaCT.py",
        "A square on rows of one class, labelled as the target; as many cover rows of two other classes.",
        "image",
        _tact_toolbox,
        rate=0.003,
        ours="A square of noise in place of its picture, scaled from 8 x 8 of 32 x 32; the last classes are cover "
        "where there are fewer than eight.",
        n_classes=3,
    ),
    Preset(
        "tact@original",
        f"{_TACT}, pysrc/config.py, pysrc/train_cifar10.py",
        "A square on a copy of every row of one class, labelled as the target; no cover.",
        "image",
        _tact_original,
        rate=1.0,
        ours="A square of noise in place of its picture, with the place of backdoor-toolbox.",
    ),
)

COVER_PRESETS = (*TRAINING_TIME, *ADAPTIVE)
"""In the order of the list."""
