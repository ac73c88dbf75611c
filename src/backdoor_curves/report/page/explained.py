"""What the models look at and which training rows teach them: a row of pictures for each setting that is compared."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping

import numpy as np
from matplotlib import colormaps
from PIL import Image

from backdoor_curves.data.images import edges_of
from backdoor_curves.display.style import DIVERGING
from backdoor_curves.report.page.content import ShownLearner, ShownSetting
from backdoor_curves.report.page.svg import element, picture, text
from backdoor_curves.report.page.words import learner_title, number, percent, setting_name, shown
from backdoor_curves.study.compute.explanation import ENDS, TOP, Explanation

TILE, GAP = 76.0, 8
"""Width of a picture on the page, in pixels; the eighth part of its own pixels, or one, between it and the next."""
STEPS = 16
"""Of colours on each side of 0."""
ABOVE, BELOW = 64.0, 24.0
"""Room for the words above and below a row of pictures."""
LONGEST = 11
"""Characters of a label above a picture, which is as wide."""
NO_GRADIENT = "no gradient"
"""Where nothing moves the score of any row, so that a trigger has no share."""


def compared_explanations(
    learner: ShownLearner, kept: Mapping[str, Explanation]
) -> list[tuple[str, ShownSetting, Explanation]]:
    """Return the settings that are compared and have an explanation, with their kind."""
    return [(kind, one, kept[one.key]) for kind, one in learner.compared if one.key in kept]


def explanations(name: str, learner: ShownLearner, kept: Mapping[str, Explanation]) -> str:
    """Return what is looked at, and who taught it, at the settings that are compared; "" where a run kept none."""
    drawn = compared_explanations(learner, kept)
    if not drawn:
        return ""
    heights = [ABOVE + TILE * _shape(found)[0] / _shape(found)[1] + BELOW for _, _, found in drawn]
    tops = np.cumsum([0.0, *heights])
    parts = [_row(kind, one, found, float(top)) for (kind, one, found), top in zip(drawn, tops, strict=False)]
    words = " ".join(f"{setting_name(one.setting)}: {_in_words(found)}" for _, one, found in drawn)
    width = max(_place(found, 2 + TOP) + TILE for *_, found in drawn) + 2.0
    return picture(name, (width, float(tops[-1])), f"Explanations of {learner_title(learner.learner)}", words, *parts)


def _shape(found: Explanation) -> tuple[int, int]:
    height, width = found.mask.shape
    return height, width


def _gap(found: Explanation) -> int:
    """Return the pixels of a picture's own size between two of them."""
    return max(1, _shape(found)[1] // GAP)


def _place(found: Explanation, k: int) -> float:
    """Return where the picture in place k begins."""
    return k * TILE * (1.0 + _gap(found) / _shape(found)[1])


def _row(kind: str, one: ShownSetting, found: Explanation, top: float) -> str:
    """Return the pictures of a setting: the test image, the gradients at both ends, the rows that taught it most."""
    height, width = _shape(found)
    y, down = top + ABOVE, TILE * height / width
    taught = [_place(found, 1 + len(ENDS) + k) for k, poison in enumerate(found.top_is_poison) if poison]
    return element(
        "g",
        text(setting_name(one.setting), 14.0, top + 14.0, class_="title"),
        element("line", x1=0.0, x2=10.0, y1=top + 10.0, y2=top + 10.0, class_=f"line {kind}"),
        *_pictures(found, y, down),
        element(
            "path",
            d="".join(_outline(found, _place(found, k), y) for k in range(1 + len(found.gradients))),
            class_="trigger",
        ),
        element("path", d="".join(f"M{x:.1f} {y:.1f}h{TILE:g}v{down:g}h{-TILE:g}z" for x in taught), class_="poisoned"),
        element(
            "g",
            *_words_above(found, y),
            *(text("poison", x + TILE / 2, y + down + 14.0) for x in taught),
            text_anchor="middle",
        ),
    )


def _words_above(found: Explanation, y: float) -> list[str]:
    """Return two or three lines above each picture."""
    wanted = ("attacker:", _label(found.label), f"{percent(float(found.mask.mean()), 0)} is trigger")
    lines: list[tuple[str, ...]] = [wanted]
    for beta, predicted, share in zip(ENDS, found.predicted.tolist(), found.shares.tolist(), strict=True):
        says = f"β = {beta:g}" + (" says" if predicted else "")
        where = f"{percent(share, 0)} in trigger" if share == share else NO_GRADIENT
        lines.append((says, _label(predicted), "not known" if found.no_gradients else where))
    lines += [
        (_label(label), ("+" if value > 0.0 else "") + number(value, 2).replace("-", "−"))
        for label, value in zip(found.top_labels.tolist(), found.influences.tolist(), strict=True)
    ]
    places = [_place(found, k) + TILE / 2 for k in range(len(lines))]
    written = [
        text(line, x, y - 5.0 - 13.0 * k)
        for x, above in zip(places, lines, strict=True)
        for k, line in enumerate(reversed(above))
    ]
    if not len(found.top):
        why = "influences are not known" if found.no_influences else "no row moves this loss"
        written.append(text(why, _place(found, 1 + len(ENDS)) + TILE, y + TILE / 2))
    return written


def _label(label: str) -> str:
    return shown(label) if len(label) <= LONGEST else f"{shown(label[: LONGEST - 1])}…"


def _in_words(found: Explanation) -> str:
    """Return what the pictures say."""
    shares = zip(ENDS, found.shares.tolist(), strict=True) if len(found.gradients) else ()
    said = [
        f"at β = {beta:g} "
        + (f"{percent(share)} of the gradient lie in the trigger" if share == share else NO_GRADIENT)
        for beta, share in shares
    ]
    if len(found.top):
        said.append(
            f"of the {len(found.top)} most influential training rows {int(found.top_is_poison.sum())} are poison"
        )
    said.append(shown(found.missing) if found.missing else "")
    return "; ".join(filter(None, said)) + "."


# --- pictures --------------------------------------------------------------------------------------------------------


def _pictures(found: Explanation, y: float, down: float) -> list[str]:
    """Return the images, as one picture with room for the gradients, and the gradients."""
    (height, width), gap = _shape(found), _gap(found)
    step, channels = width + gap, found.image.shape[2]
    strip = np.zeros((height, (1 + len(ENDS) + len(found.top)) * step - gap, channels + 1), dtype=np.uint8)
    places = [0, *(1 + len(ENDS) + k for k in range(len(found.top)))]
    for k, image in zip(places, [found.image, *found.top], strict=True):
        strip[:, k * step : k * step + width] = np.dstack([image, np.full((height, width), 255)])
    drawn = [_placed(Image.fromarray(strip), 0.0, y, TILE * strip.shape[1] / width, down)]
    largest = float(np.abs(found.gradients).max(initial=0.0)) or 1.0
    for k, G in enumerate(found.gradients):
        # As the square root, or the trigger would leave the rest white.
        share = np.round(STEPS * np.sign(G) * np.sqrt(np.abs(G) / largest)) / STEPS
        colours = Image.fromarray(colormaps[DIVERGING]((1.0 + share) / 2.0, bytes=True)[..., :3])
        few = colours.convert("P", palette=Image.Palette.ADAPTIVE, colors=2 * STEPS + 1)
        drawn.append(_placed(few, _place(found, 1 + k), y, TILE, down))
    return drawn


def _placed(image: Image.Image, x: float, y: float, width: float, height: float) -> str:
    stream = io.BytesIO()
    image.save(stream, "png", optimize=True)
    href = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
    return element("image", x=x, y=y, width=width, height=height, href=href)


def _outline(found: Explanation, x: float, y: float) -> str:
    """Return the path of the trigger's border on a picture."""
    scale = TILE / _shape(found)[1]
    return "".join(
        f"M{x + scale * a:.1f} {y + scale * b:.1f}{'v' if a == c else 'h'}{scale:.3g}"
        for (a, b), (c, _) in edges_of(found.mask).tolist()
    )
