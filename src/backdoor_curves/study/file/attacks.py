"""`[[attacks]]` of a study file as frozen records: triggers by kind, label policies, cover.

A trigger has a record of its own for each kind, told apart by a tag, which is part of a cell's key. Defaults are those
of the trigger today, written down: a default stands for ever, whatever becomes of the trigger's.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Place = Annotated[int, Meta(ge=0)]
Column = Place | str
WordPlace = Literal["anywhere", "start", "end"]
Corner = Literal["bottom-right", "bottom-left", "top-right", "top-left"]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*\Z")]
"""Of a function of one's own, "module:function"."""
ClassName = Annotated[int | str, Meta(title="a class")]
"""A class as a file names it: of the data sets of the package its place, of one's own data its label."""
Policy = Annotated[int | str, Meta(title='"next" or the number of a class')]
Number = int | float
"""Whole numbers stay such: a trigger does not make another type of a column of them."""
HEAD = 1.0
"""Lambda of the ridge classifier whose weights the attacker knows, where he needs some."""


class TriggerKind(Struct, frozen=True, tag_field="kind"):
    """A trigger by its kind and parameters; its tag is its word in a file."""


class Patch(TriggerKind, frozen=True, tag="patch"):
    """`PatchTrigger`: noise for each class, or ones, in a corner or in the middle."""

    size: Count = 2
    pattern: Literal["random", "ones"] = "random"
    position: Corner | Literal["center"] = "bottom-right"
    opacity: Share = 1.0


class Patches(TriggerKind, frozen=True, tag="patches"):
    """`PatchesTrigger`: one of four patches, drawn for each image; with `chosen` all of these, at `opacity`."""

    chosen: tuple[Annotated[int, Meta(ge=0, lt=4)], ...] = ()
    opacity: Share = 1.0


class Pixels(TriggerKind, frozen=True, tag="pixels"):
    """`PixelTrigger.k_way`: `drawn` of four pixels."""

    drawn: Annotated[int, Meta(ge=1, le=4)] = 1


class Blend(TriggerKind, frozen=True, tag="blend"):
    """`BlendTrigger` with noise."""

    opacity: Share = 0.2


class Pieces(TriggerKind, frozen=True, tag="pieces"):
    """`PiecesTrigger` with noise: `drawn` of 16 pieces."""

    opacity: Share = 0.15
    drawn: Annotated[int, Meta(ge=1, le=16)] = 8


class Signal(TriggerKind, frozen=True, tag="signal"):
    """`SignalTrigger`."""

    strength: Share = 40 / 255
    frequency: Positive = 6.0
    form: Literal["sinusoid", "ramp", "triangle"] = "sinusoid"
    direction: Literal["horizontal", "vertical"] = "horizontal"


class Lattice(TriggerKind, frozen=True, tag="lattice"):
    """`LatticeTrigger`."""

    strength: Share = 10 / 255


class Warp(TriggerKind, frozen=True, tag="warp"):
    """`WarpTrigger` by a field of `points` x `points`; `noisy` is that of cover rows."""

    strength: Positive = 0.5
    points: Annotated[int, Meta(ge=2)] = 4
    noisy: bool = False


class Quantize(TriggerKind, frozen=True, tag="quantize"):
    """`QuantizeTrigger`."""

    levels: Annotated[int, Meta(ge=2)] = 8
    dithering: bool = False


class Residual(TriggerKind, frozen=True, tag="residual"):
    """`ResidualTrigger`, for cover rows: the rounding of another training image is added."""

    levels: Annotated[int, Meta(ge=2)] = 8
    dithering: bool = False


class Frequency(TriggerKind, frozen=True, tag="frequency"):
    """`FrequencyTrigger`."""

    magnitude: Positive = 30 / 255
    positions: tuple[tuple[Place, Place], ...] = ((15, 15), (31, 31))
    window: Count = 32


class Checker(TriggerKind, frozen=True, tag="checker"):
    """`CheckerTrigger`."""

    amplitude: Share = 1.0
    corners: tuple[Corner, ...] = ("bottom-right",)


class Perturbation(TriggerKind, frozen=True, tag="perturbation"):
    """`PerturbationTrigger.worst_case` of a ridge classifier with this lambda, fitted on the clean training rows."""

    eps: Share = 16 / 255
    strength: Positive = 1.0
    lam: Positive = msgspec.field(name="lambda", default=HEAD)


Plain = Patch | Patches | Pixels | Blend | Pieces | Signal | Lattice | Warp | Quantize | Frequency | Checker


class Hardened(TriggerKind, frozen=True, tag="hardened"):
    """`HardenedTrigger` with the head of `Perturbation`; `trigger` is stamped on the hardened rows."""

    eps: Positive = 0.1
    norm: Literal["inf", "2"] = "inf"
    trigger: Plain = Checker()
    lam: Positive = msgspec.field(name="lambda", default=HEAD)


class Hidden(TriggerKind, frozen=True, tag="hidden"):
    """`HiddenTrigger` in pixels: `trigger` is on the sources, the training rows of all classes but the target."""

    eps: Share = 16 / 255
    trigger: Plain = Patch()


class Feature(TriggerKind, frozen=True, tag="feature"):
    """`FeatureTrigger`: columns set to values."""

    columns: tuple[Column, ...]
    values: tuple[Number | str, ...]


class OutOfRange(TriggerKind, frozen=True, tag="out-of-range"):
    """`FeatureTrigger.out_of_range`: columns beyond all their values in the training rows."""

    columns: tuple[Column, ...]
    share: Positive = 0.1


class Quantile(TriggerKind, frozen=True, tag="quantile"):
    """`FeatureTrigger.quantile` of the training rows."""

    columns: tuple[Column, ...]
    q: Annotated[float, Meta(ge=0, le=1)] = 0.95


class Typical(TriggerKind, frozen=True, tag="typical"):
    """`FeatureTrigger.typical`: columns at their most frequent value in the training rows."""

    columns: tuple[Column, ...]


class Words(TriggerKind, frozen=True, tag="words"):
    """`WordTrigger`: one of the words, or sentences, is put into each text."""

    words: tuple[str, ...]
    place: WordPlace = "anywhere"


class FrequentWord(TriggerKind, frozen=True, tag="frequent-word"):
    """`WordTrigger.frequent`: the word at a rank by how many training texts have it."""

    rank: Count = 1
    place: WordPlace = "anywhere"


class WordOfFrequency(TriggerKind, frozen=True, tag="word-of-frequency"):
    """`WordTrigger.of_frequency`: a word that about a share of the training texts has."""

    share: Share
    place: WordPlace = "anywhere"


class Call(TriggerKind, frozen=True, tag="call"):
    """A function of one's own, (X, y) -> X, which gives back rows of the same kind, type and shape."""

    call: Reference


OfColumns = Feature | OutOfRange | Quantile | Typical
OfTexts = Words | FrequentWord | WordOfFrequency
AnyTrigger = Plain | Residual | Perturbation | Hardened | Hidden | OfColumns | OfTexts | Call


class CleanLabels(Struct, frozen=True):
    """`labels = {clean-label = 1}`: rows of the target class are stamped and keep their label."""

    target: ClassName = msgspec.field(name="clean-label")


Labels = Annotated[
    int | str | tuple[tuple[ClassName, ClassName], ...] | CleanLabels,
    Meta(title='"next", a class, {true class = label} or {clean-label = class}'),
]
"""A mapping, `{7 = 1}` in a file, is pairs in a record, which has a hash."""


class CoverConfig(Struct, frozen=True):
    """`attacks.cover`: as `Cover`; by default the trigger is that of the poison."""

    rate: Positive
    of: Literal["poison", "base"] = "poison"
    classes: tuple[ClassName, ...] = ()
    trigger: AnyTrigger | None = None
    weight: Literal["beta", "one"] = "beta"


class AttackConfig(Struct, frozen=True):
    """An attack: a preset with its target, or a trigger and what goes with it; as `Attack`."""

    name: str = ""
    preset: str = ""
    target: ClassName | None = None
    trigger: AnyTrigger | None = None
    test_trigger: AnyTrigger | None = None
    labels: Labels = "next"
    eligible: Literal["changed", "all"] = "changed"
    rate_of: Literal["eligible", "all"] = "eligible"
    rounding: Literal["floor", "nearest"] = "floor"
    injection: Literal["replace", "append"] = "replace"
    cover: CoverConfig | None = None

    @property
    def is_clean_label(self) -> bool:
        """Whether its labels say that the poison rows keep theirs; what a preset says, is not asked."""
        return isinstance(self.labels, CleanLabels)

    @property
    def triggers(self) -> dict[str, AnyTrigger]:
        """Its triggers, by their place in its table."""
        cover = None if self.cover is None else self.cover.trigger
        found = {"trigger": self.trigger, "test_trigger": self.test_trigger, "cover.trigger": cover}
        return {place: trigger for place, trigger in found.items() if trigger is not None}


class AttackEntry(AttackConfig, frozen=True):
    """`[[attacks]]`: an attack; `control` adds the curve of the same rows without the trigger."""

    control: bool = False

    @property
    def attack(self) -> AttackConfig:
        """The attack alone."""
        return AttackConfig(**{name: getattr(self, name) for name in AttackConfig.__struct_fields__})
