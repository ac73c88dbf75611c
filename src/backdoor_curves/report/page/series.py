"""The curves of a setting as a page carries them: mean and range over seeds, at as few betas as the eye needs.

A page with 400 settings cannot hold 400 exact paths. Each setting keeps the betas at which straight lines between
them stay within `TOLERANCE` of the height of their picture, chosen from a grid dense near 0 (Ramer, Douglas and
Peucker's rule for all lines of the setting at once), and four digits of each number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.study.store.run import Run
from backdoor_curves.study.store.stored_cell import StoredCell

BETAS = np.unique(np.concatenate([np.linspace(0.0, 1.0, 51), np.geomspace(1e-4, 4e-2, 20)]))
"""Where exact curves are looked at; what a loss does between two of them, the page does not show."""
TOLERANCE = 0.004
"""A pixel in a picture 250 pixels high."""
LOSSES = ("triggered_loss", "clean_loss")
SHARES = ("asr", "clean_accuracy")
DEVIATIONS = ("norm", "angle")
BANDED = ("triggered_loss", "asr")
"""Those whose lowest and highest seed are kept beside the mean."""

Lines = dict[str, Float[np.ndarray, " b"]]


@dataclass(frozen=True, eq=False)
class Series:
    """The curves of one setting.

    Parameters
    ----------
    betas : array of shape (b,)
    lines : mapping of str to array of shape (b,)
        The means over seeds of `triggered_loss`, `clean_loss`, `asr`, `clean_accuracy` and, for learners that have a
        w, `norm` and `angle`; and `triggered_loss low`, `high`, `asr low`, `high`, the range, for two seeds or more.
    loss : str
        What loss it is.
    exact : bool
        Whether it was known at every beta; else only at these.
    n_seeds : int
        How many curves are behind it.
    """

    betas: Float[np.ndarray, " b"]
    lines: Lines
    loss: str
    exact: bool
    n_seeds: int

    def at(self, name: str, beta: float) -> float:
        """Return a line at beta, by straight interpolation; rounding errors as 0."""
        value = float(np.interp(beta, self.betas, self.lines[name]))
        return value if abs(value) > 1e-12 else 0.0


@dataclass(frozen=True, eq=False)
class _Sample:
    """One cell's curve at some betas."""

    betas: Float[np.ndarray, " b"]
    lines: Lines
    loss: str
    exact: bool


def series_of(run: Run, cells: Sequence[StoredCell]) -> Series | None:
    """Return the curves of a setting's cells; None where the study kept none of them.

    Seeds that were looked at at other betas than the first (refits may be) are left out; `n_seeds` counts the rest.
    """
    samples = [sample for cell in cells if (sample := _sample(run, cell)) is not None]
    if not samples:
        return None
    first = samples[0]
    alike = [one for one in samples if np.array_equal(one.betas, first.betas)]
    names = [name for name in first.lines if all(name in one.lines for one in alike)]
    lines: Lines = {}
    for name in names:
        values = np.stack([one.lines[name] for one in alike])
        lines[name] = values.mean(axis=0)
        if name in BANDED and len(alike) > 1:
            lines[f"{name} low"], lines[f"{name} high"] = values.min(axis=0), values.max(axis=0)
    kept = thinned(first.betas, np.stack([_in_heights(name, lines) for name in lines]))
    return Series(
        betas=first.betas[kept],
        lines={name: values[kept] for name, values in lines.items()},
        loss=first.loss,
        exact=first.exact,
        n_seeds=len(alike),
    )


def thinned(x: Float[np.ndarray, " n"], heights: Float[np.ndarray, "k n"], tolerance: float = TOLERANCE) -> list[int]:
    """Return the places to keep so that all lines through them are within the tolerance of those through all places.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.report.page.series import thinned
    >>> x = np.linspace(0, 1, 11)
    >>> thinned(x, np.stack([x, np.maximum(x, 0.5)]))
    [0, 5, 10]
    """
    kept = {0, len(x) - 1}
    spans = [(0, len(x) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        inside = slice(first + 1, last)
        along = (x[inside] - x[first]) / (x[last] - x[first])
        straight = heights[:, [first]] + along * (heights[:, [last]] - heights[:, [first]])
        off = np.abs(heights[:, inside] - straight).max(axis=0)
        worst = int(off.argmax())
        if off[worst] > tolerance:
            middle = first + 1 + worst
            kept.add(middle)
            spans += [(first, middle), (middle, last)]
    return sorted(kept)


def _sample(run: Run, cell: StoredCell) -> _Sample | None:
    """Return what was kept of a cell: its curve, or the arrays of a study that keeps no curves."""
    curve = run.curve_if_kept(cell)
    if curve is not None:
        betas = BETAS if curve.exact else curve.betas
        return _Sample(betas, _lines(curve, betas), curve.info.loss, curve.exact)
    arrays = run.arrays(cell)
    if "triggered_loss" not in arrays:
        return None
    names = ("triggered_loss", "clean_loss", "attack_success_rate", "clean_accuracy")
    lines = {mine: arrays[name] for mine, name in zip((*LOSSES, *SHARES), names, strict=True)}
    return _Sample(arrays["betas"], lines, "own", False)


def _lines(curve: BackdoorLearningCurve, betas: Float[np.ndarray, " b"]) -> Lines:
    lines: dict[str, Any] = {
        "triggered_loss": curve.loss("triggered", betas),
        "clean_loss": curve.loss("clean", betas),
        "asr": curve.accuracy("triggered", betas),
        "clean_accuracy": curve.accuracy("clean", betas),
    }
    try:
        lines |= {"norm": curve.norm(betas), "angle": curve.angle(betas)}
    except ValueError:  # a learner that has no w
        return lines
    return lines


def _in_heights(name: str, lines: Lines) -> Float[np.ndarray, " b"]:
    """Return a line in units of the height of its picture, which begins at 0."""
    kind = name.split()[0]
    if kind in SHARES:
        return lines[name]
    drawn = [values for other, values in lines.items() if other.split()[0] in (LOSSES if kind in LOSSES else (kind,))]
    highest = max(float(values.max()) for values in drawn)
    return lines[name] / highest if highest > 0 else lines[name]
