"""What a preset does to rows that are at hand: a training row, a cover row and a test row, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from backdoor_curves.data.samples import Samples
from backdoor_curves.poisoning.attack import Attack
from backdoor_curves.poisoning.draw import cover_candidates, eligible_rows
from backdoor_curves.poisoning.label_policies import label_policy
from backdoor_curves.poisoning.preset import Kind, Preset
from backdoor_curves.triggers.base import Trigger
from backdoor_curves.triggers.linear_head import LinearHead

ENLARGED = 4
"""8 x 8 digits are as large as the images of CIFAR-10 then, for which toolkits have places and windows."""
N_IMAGES = 300
TEXTS = {
    "the lunch on friday is at noon, bring your own cup": "ham",
    "win a free phone today, just send us your number": "spam",
    "see you at the station, my train is a bit late": "ham",
    "cheap watches and free delivery for the next hour": "spam",
    "could you look at the second page of the draft": "ham",
    "you have won, claim the prize before midnight": "spam",
    "the meeting is moved to room four on the ground floor": "ham",
    "lose weight in a week with this one free trick": "spam",
}


@dataclass(frozen=True, eq=False)
class StampedRow:
    """A row before and after it was stamped.

    Parameters
    ----------
    role : {"poison", "cover", "test"}
    before, after : array of shape (height, width, channels), str, or {column: value}
    true, label : str
        Its class, and what it is labelled in training, or what the attacker wants of it at test.
    """

    role: str
    before: Any
    after: Any
    true: str
    label: str


@dataclass(frozen=True, eq=False)
class Example:
    """A preset made for rows that are at hand, and what becomes of some of them."""

    preset: Preset
    attack: Attack
    rows: tuple[StampedRow, ...]


def example(preset: Preset, rng: np.random.Generator) -> Example:
    """Return what a preset does to the first row that may be poisoned, that may be cover, and that counts at test.

    Images are scikit-learn's digits, enlarged to 32 x 32 and coloured by class; tables are its irises; texts are eight
    lines of mail. `rng` makes the attack's patterns.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.poisoning.examples import example
    >>> poison, test = example(bc.presets["sentence@openbackdoor"], np.random.default_rng(0)).rows
    >>> poison.true, poison.label, "I watch this 3D movie" in poison.after
    ('spam', 'ham', True)
    """
    train = rows_at_hand(preset.rows)
    attack = preset.attack(train, head=_head() if preset.needs_head else None, rng=rng)
    mapping = label_policy(attack.labels, np.unique(train.y))
    changed = [row for row, label in enumerate(train.y.tolist()) if label in mapping]
    poison = eligible_rows(attack, train.y, mapping)
    poison = poison if attack.is_clean_label else np.intersect1d(poison, changed)
    stamped = [("poison", poison[0], attack.trigger, mapping)]
    if attack.cover is not None:
        cover = cover_candidates(attack, train.y, mapping, poison[:1])[0]
        stamped.append(("cover", cover, attack.cover.trigger or attack.trigger, {}))
    stamped.append(("test", changed[-1], attack.test_trigger or attack.trigger, mapping))
    return Example(preset, attack, tuple(_stamped(train, *one) for one in stamped))


@cache
def rows_at_hand(kind: Kind) -> Samples:
    """Return rows of a kind that need no file: images in [0, 1] of shape (300, 32, 32, 3), texts, or a table.

    Examples
    --------
    >>> from backdoor_curves.poisoning.examples import rows_at_hand
    >>> rows_at_hand("image").X.shape, rows_at_hand("table").X.shape, len(rows_at_hand("text"))
    ((300, 32, 32, 3), (150, 4), 8)
    """
    if kind == "text":
        return Samples(list(TEXTS), np.array(list(TEXTS.values())))
    from sklearn.datasets import load_digits, load_iris  # here, as scikit-learn takes half a second to import

    if kind == "table":
        irises = load_iris()
        return Samples(irises.data, irises.target_names[irises.target])
    from scipy.ndimage import zoom

    digits = load_digits()
    ink = zoom(digits.images[:N_IMAGES] / 16, (1, ENLARGED, ENLARGED), order=1)[..., np.newaxis]
    turn = digits.target[:N_IMAGES, np.newaxis] / 10 + np.arange(3) / 3
    colour = 0.55 + 0.4 * np.cos(2 * np.pi * turn)[:, np.newaxis, np.newaxis]
    ground = 0.15 + 0.1 * np.linspace(0, 1, ink.shape[1]).reshape(1, -1, 1, 1)
    return Samples(ground + ink * (colour - ground), digits.target[:N_IMAGES])


@cache
def _head() -> LinearHead:
    """Return a linear head of the images at hand."""
    from sklearn.linear_model import RidgeClassifier

    images = rows_at_hand("image")
    fitted = RidgeClassifier().fit(images.X.reshape(len(images), -1), images.y)
    return LinearHead(fitted.coef_, fitted.intercept_, tuple(fitted.classes_.tolist()))


def _stamped(train: Samples, role: str, row: int, trigger: Trigger, mapping: dict[Any, Any]) -> StampedRow:
    one = train.take(np.array([row]))
    true = one.y.tolist()[0]
    before, after = (_shown(X) for X in (one.X, trigger(one.X, one.y)))
    return StampedRow(role, before, after, str(true), str(mapping.get(true, true)))


def _shown(X: Any) -> Any:
    """Return the only row as an image, a text, or the cells of a table by their names."""
    if not isinstance(X, np.ndarray) or X.ndim > 2:
        return X[0]
    from sklearn.datasets import load_iris

    return dict(zip(load_iris().feature_names, X[0].tolist(), strict=True))
