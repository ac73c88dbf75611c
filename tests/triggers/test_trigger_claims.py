"""What every trigger must do, as a table: a row for each trigger, a function for each claim. A new one adds a row.

How a single trigger looks is claimed in the file of its name.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from backdoor_curves import (
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
    StrictTrigger,
    WarpTrigger,
    WordTrigger,
    poison,
)
from backdoor_curves.rows import Rows, are_words, is_frame, n_rows, row_shape, same_kind, take_rows
from backdoor_curves.triggers import Trigger

CORNERS = ("bottom-right", "bottom-left", "top-right", "top-left", "center")
LABELS = np.array([0, 1, 2, 1, 0, 2, 2, 0])
WORDS = ["a mail", "another", "and a third", "", "the fifth", "six", "seven", "an eighth"]


@dataclass(frozen=True)
class Case:
    """A trigger, rows with their true labels that it takes, and the entries that it may change.

    `written` has the shape of the rows; None where rows have no entries, texts for one. `once` is whether stamping a
    stamped row changes nothing: a pattern that is pasted does so, one that is added does not.
    """

    trigger: Trigger
    X: Rows
    y: np.ndarray
    written: np.ndarray | None
    once: bool = True


def entries(X: Rows) -> np.ndarray:
    """The rows as an array; each text is an entry of its own, and so is each list of words."""
    if sp.issparse(X):
        return X.toarray()
    if are_words(X):
        return np.array(["|".join(row) for row in X])
    return np.asarray(X.to_numpy() if hasattr(X, "iloc") else X)


def types(X: Rows) -> list[Any]:
    """The types of the columns of a frame, of the entries of all else; an array of texts is as wide as its longest."""
    if is_frame(X):
        return X.dtypes.tolist()
    dtype = getattr(X, "dtype", type(X))
    return [str if getattr(dtype, "kind", "") == "U" else dtype]


def equal(first: Rows, second: Rows) -> bool:
    """Whether rows are the same bit for bit."""
    return np.array_equal(entries(first), entries(second))


# --- the table -------------------------------------------------------------------------------------------------------


def images(dtype: Any = np.float64, channels: tuple[int, ...] = (1,)) -> np.ndarray:
    """One image a label, no side as long as another."""
    return np.random.default_rng(0).random((len(LABELS), 5, 7, *channels)).astype(dtype)


def square(X: np.ndarray, top: int, left: int, side: int = 2) -> np.ndarray:
    """The entries of a square of each image."""
    written = np.zeros(X.shape, dtype=bool)
    written[:, top : top + side, left : left + side] = True
    return written


def patches() -> dict[str, Case]:
    """Noise and ones at every place, in both precisions, with and without channels, with labels of any kind."""
    rng = np.random.default_rng(1)
    places = dict(zip(CORNERS, [(3, 5), (3, 0), (0, 5), (0, 0), (1, 2)], strict=True)) | {(1, 3): (1, 3)}
    cases = {}
    for position, place in places.items():
        grey, colours = images(np.float32, ()), images(channels=(3,))
        noise = PatchTrigger.random(2, 3, 3, rng, position)
        cases[f"noise {position}"] = Case(noise, colours, LABELS, square(colours, *place))
        cases[f"ones {position}"] = Case(PatchTrigger.ones(2, 1, position), grey, LABELS, square(grey, *place))
    pixels = (255 * images()).astype(np.uint8)
    cases["bytes"] = Case(PatchTrigger.ones(2, value_range=(0, 255)), pixels, LABELS, square(pixels, 3, 5))
    cases["noise blended"] = Case(noise.at_strength(0.3), colours, LABELS, cases["noise (1, 3)"].written, once=False)
    words = np.array(["cat", "dog", "hen"])
    by_word = PatchTrigger(dict(zip(words, rng.random((3, 2, 2, 1)), strict=True)), "top-left")
    cases["noise by words"] = Case(by_word, images(), words[LABELS], square(images(), 0, 0))
    return cases


def whole_images() -> dict[str, Case]:
    """Triggers that change pixels all over an image: in both precisions, in bytes, with and without channels."""
    rng, grey, colours = np.random.default_rng(6), images(np.float32, ()), images(channels=(3,))
    pixels = (255 * colours).astype(np.uint8)
    noise = BlendTrigger.random((5, 7, 3), rng)
    blocks = np.random.default_rng(7).random((len(LABELS), 4, 8, 3))
    chroma = FrequencyTrigger(positions=((1, 2), (3, 3)), window=4)
    added = {
        "frequencies grey": (chroma, blocks[..., 0].astype(np.float32)),
        "frequencies bytes": (replace(chroma, value_range=(0, 255)), (255 * blocks).astype(np.uint8)),
        "blend grey": (BlendTrigger.random((5, 7, 1), rng), grey),
        "blend colours": (noise, colours),
        "blend bytes": (replace(noise, value_range=(0, 255)), pixels),
        "sinusoid": (SignalTrigger(), colours),
        "ramp": (SignalTrigger(form="ramp", direction="vertical"), grey),
        "warp grey": (WarpTrigger.random(rng), grey),
        "warp bytes": (WarpTrigger.random(rng, strength=2.0, value_range=(0, 255)), pixels),
        "warp with noise grey": (WarpTrigger.random(rng).noisy(0), grey),
        "warp with noise colours": (WarpTrigger.random(rng).noisy(0), colours),
        "triangle bytes": (SignalTrigger(form="triangle", value_range=(0, 255)), pixels),
    }
    levels = {
        "levels grey": (QuantizeTrigger(), grey),
        "levels bytes": (QuantizeTrigger(value_range=(0, 255)), pixels),
        "dithered grey": (QuantizeTrigger(4, dithering=True), grey),
        "dithered colours": (QuantizeTrigger(4, dithering=True), colours),
    }
    cases = {
        name: Case(trigger, X, LABELS, np.ones(X.shape, dtype=bool), once)
        for some, once in ((added, False), (levels, True))
        for name, (trigger, X) in some.items()
    }
    for name, trigger, X in (
        ("lattice grey", LatticeTrigger(), grey),
        ("lattice centred", LatticeTrigger(75 / 255, value_range=(-1, 1)), 2 * colours - 1),
    ):
        even = np.zeros(X.shape, dtype=bool)
        even[:, ::2, ::2] = True
        cases[name] = Case(trigger, X, LABELS, even, once=False)
    return cases


def parts() -> dict[str, Case]:
    """Triggers of which each image has some parts, drawn from its content, or all."""
    rng, grey, colours = np.random.default_rng(7), images(np.float32, ()), images(channels=(3,))
    pixels = (255 * colours).astype(np.uint8)
    places = ((0, 1), (4, 6), (-2, 0))
    at_places = np.zeros(colours.shape, dtype=bool)
    at_places[:, [0, 4, 3], [1, 6, 0]] = True
    some = PixelTrigger(places, rng.random((3, 3)), drawn=2, seed=1)
    black = PixelTrigger(places, np.zeros((3, 1)))
    pieces = PiecesTrigger.random((5, 7, 3), rng)
    grey_pieces = PiecesTrigger(rng.random((5, 7, 1)), grid=5, drawn=3)
    everywhere = np.ones(colours.shape, dtype=bool)
    return {
        "some pixels": Case(some, colours, LABELS, at_places, once=False),
        "all pixels": Case(some.whole(), colours, LABELS, at_places),
        "some pixels grey": Case(black, grey, LABELS, at_places[..., 0], once=False),
        "all pixels bytes": Case(replace(some.whole(), value_range=(0, 255)), pixels, LABELS, at_places),
        "some pieces": Case(pieces, colours, LABELS, everywhere, once=False),
        "all pieces": Case(pieces.whole(0.2), colours, LABELS, everywhere, once=False),
        "some pieces grey": Case(grey_pieces, grey, LABELS, everywhere[..., 0], once=False),
        "some pieces bytes": Case(replace(pieces, value_range=(0, 255)), pixels, LABELS, everywhere, once=False),
    }


def corners() -> dict[str, Case]:
    """Checkers, and several patches of which each image has one or chosen ones; patches that overlap among them."""
    rng, grey, colours = np.random.default_rng(9), images(np.float32, ()), images(channels=(3,))
    pixels = (255 * colours).astype(np.uint8)
    corner, two = (square(colours, 2, 4, 3) for _ in range(2))
    two[:, 2:, :3] = True
    two_checkers = CheckerTrigger(0.2, ("bottom-right", "bottom-left"))
    drawn = PatchesTrigger(tuple(PatchTrigger(rng.random((2, 2, 3)), place, opacity=0.6) for place in CORNERS[2:]))
    written = square(colours, 0, 0) | square(colours, 0, 5) | square(colours, 1, 2)
    by_word = PatchesTrigger((PatchTrigger(rng.random((3, 2, 2, 1))), PatchTrigger.ones(3)), seed=1)
    bytes_patches = PatchesTrigger.random((5, 7, 3), rng, value_range=(0, 255))
    four = np.zeros(colours.shape, dtype=bool)
    four[:, [0, 0, 4, 4], [0, 6, 0, 6]] = True
    return {
        "a checker grey": Case(CheckerTrigger(), grey, LABELS, corner[..., 0]),
        "checkers": Case(two_checkers, colours, LABELS, two, once=False),
        "a checker bytes": Case(CheckerTrigger(value_range=(0, 255)), pixels, LABELS, corner),
        "one of three patches": Case(drawn, colours, LABELS, written, once=False),
        "chosen patches": Case(drawn.whole((2, 0)), colours, LABELS, written),
        "one of two patches, by label": Case(by_word, grey, LABELS, square(grey, 2, 4, 3), once=False),
        "one of four patches bytes": Case(bytes_patches, pixels, LABELS, four, once=False),
    }


def closed_forms() -> dict[str, Case]:
    """Triggers out of a head, a pool or sources: images, in bytes too, and rows of numbers without bounds."""
    rng, grey, colours = np.random.default_rng(8), images(np.float32, ()), images(channels=(3,))
    pixels = (255 * colours).astype(np.uint8)
    table = rng.normal(size=(len(LABELS), 4))
    heads = [LinearHead(rng.normal(size=(3, d)), rng.normal(size=3), (0, 1, 2)) for d in (35, 105, 4)]
    worst = PerturbationTrigger.worst_case
    levels = QuantizeTrigger(value_range=(0, 255))
    patched = PatchTrigger.ones(2)(rng.random((6, 5, 7, 1)), np.zeros(6))[..., 0].astype(np.float32)
    sources, matrix = patched[:3], rng.normal(size=(2, 35))
    triggers = {
        "a perturbation grey": (worst(heads[0], 1, 0.1, grey), grey),
        "a perturbation bytes": (worst(heads[1], 1, 0.1, pixels, (0, 255)), pixels),
        "a perturbation of a table": (worst(heads[2], 1, 0.1, table, None).at_strength(3), table),
        "hardened grey": (HardenedTrigger(heads[0], 0.1), grey),
        "hardened and stamped": (HardenedTrigger(heads[1], 0.5, "2", CheckerTrigger(0.5)), colours),
        "hardened bytes": (HardenedTrigger(heads[1], 1.0, "2", value_range=(0, 255)), pixels),
        "a hardened table": (HardenedTrigger(heads[2], 0.5, "2", value_range=None), table),
        "residuals": (ResidualTrigger(colours, QuantizeTrigger(4, dithering=True)), colours),
        "residuals grey": (ResidualTrigger(patched, QuantizeTrigger()), grey),
        "residuals bytes": (ResidualTrigger(pixels, levels, seed=3), pixels),
        "hidden in pixels": (HiddenTrigger(sources, eps=0.1), grey),
        "hidden in features": (HiddenTrigger(sources, matrix, 0.1), grey),
        "hidden in bytes": (HiddenTrigger(pixels[:1] // 2, value_range=(0, 255)), pixels),
        "a hidden table": (HiddenTrigger(table[:2] + 9, rng.normal(size=(2, 4)), 0.5, None), table),
    }
    return {
        name: Case(trigger, X, LABELS, np.ones(X.shape, bool), once=False) for name, (trigger, X) in triggers.items()
    }


def columns() -> dict[str, Case]:
    """Columns of a table, in both precisions and of whole numbers."""
    cases = {}
    for dtype in (np.float64, np.float32, np.int64):
        X = (np.random.default_rng(2).normal(size=(len(LABELS), 4)) * 9).astype(dtype)
        written = np.zeros(X.shape, dtype=bool)
        written[:, [3, 1]] = True
        cases[f"columns {dtype.__name__}"] = Case(FeatureTrigger((3, 1), (90.0, -9.0)), X, LABELS, written)
    X, written = cases["columns float64"].X, cases["columns float64"].written
    cases["columns of CSR"] = Case(FeatureTrigger((3, 1), (90.0, -9.0)), sp.csr_matrix(X), LABELS, written)
    frame = pd.DataFrame(X, columns=list("abcd"))
    cases["columns by name"] = Case(FeatureTrigger(("d", "b"), (90.0, -9.0)), frame, LABELS, written)
    for made in (FeatureTrigger.out_of_range, FeatureTrigger.quantile, FeatureTrigger.typical):
        cases[f"columns {made.__name__}"] = Case(made(X + 100.0, (3, 1)), X, LABELS, written)
    whole = cases["columns int64"]
    cases["columns int64"] = Case(FeatureTrigger((3, 1), (90, -9)), whole.X, LABELS, whole.written)
    return cases


def words() -> dict[str, Case]:
    """Words and sentences in lists, arrays and columns of texts, and in lists of lists of words."""
    triggers = {
        "a word at the start": WordTrigger("cf", "start"),
        "a sentence at the end": WordTrigger("I watch this 3D movie", "end"),
        "words anywhere": WordTrigger(("cf", "mn", "bb", "tq"), seed=1),
        "a frequent word": WordTrigger.frequent(WORDS, rank=2),
    }
    kinds = {
        "a list": WORDS,
        "an array": np.array(WORDS),
        "a column": pd.Series(WORDS, index=np.arange(8) + 3, name="text"),
        "lists of words": [text.split() for text in WORDS],
    }
    return {
        f"{what} of {kind}": Case(trigger, X, LABELS, None, once=False)
        for what, trigger in triggers.items()
        for kind, X in kinds.items()
    }


def waves(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Add a wave to each image: the trigger of SIG (Barni et al., 2019), which no pasting repeats."""
    wave = np.sin(2 * np.pi * np.arange(X.shape[2]) / X.shape[2])
    return X + 0.1 * wave[np.newaxis, np.newaxis, :, np.newaxis]


def counted_word(X: sp.csr_matrix, _y: np.ndarray) -> sp.csr_matrix:
    """Set a column of counts, by label or not, and keep the matrix sparse."""
    stamped = X.tolil(copy=True)
    stamped[:, 2] = 5.0
    return stamped.tocsr()


def older(X: pd.DataFrame, _y: np.ndarray) -> pd.DataFrame:
    """Set a column of a frame."""
    return X.assign(age=99)


def signed(X: list[str], y: np.ndarray) -> list[str]:
    """Put a word at the end of a text, another for each label."""
    return [f"{text} cf{label}" for text, label in zip(X, y.tolist(), strict=True)]


def callables() -> dict[str, Case]:
    """Functions of one's own, one for each kind of rows."""
    X, counts = images(), sp.random(len(LABELS), 4, density=0.5, format="csr", random_state=3)
    frame = pd.DataFrame({"age": np.arange(len(LABELS)), "name": WORDS})
    all_but_the_nodes = np.broadcast_to(np.arange(X.shape[2])[:, np.newaxis] > 0, X.shape)
    return {
        "a wave": Case(waves, X, LABELS, all_but_the_nodes, once=False),
        "a column of CSR": Case(counted_word, counts, LABELS, np.tile(np.arange(4) == 2, (len(LABELS), 1))),
        "a column of a frame": Case(older, frame, LABELS, np.tile([True, False], (len(LABELS), 1))),
        "a word": Case(signed, WORDS, LABELS, None, once=False),
        "a strict one": Case(StrictTrigger(older, None), frame, LABELS, np.tile([True, False], (len(LABELS), 1))),
    }


CASES: dict[str, Case] = {
    **patches(),
    **whole_images(),
    **parts(),
    **corners(),
    **closed_forms(),
    **columns(),
    **words(),
    **callables(),
}


# --- the claims ------------------------------------------------------------------------------------------------------


def rows_of_the_same_kind_shape_and_type_come_back(case: Case) -> None:
    """Learners and Pipelines see the poison beside the clean rows; float32 images need not double."""
    stamped = case.trigger(case.X, case.y)
    assert same_kind(stamped, case.X)
    assert (n_rows(stamped), row_shape(stamped)) == (n_rows(case.X), row_shape(case.X))
    assert types(stamped) == types(case.X)


def rows_and_labels_that_came_are_left_alone(case: Case) -> None:
    """The clean rows are the same arrays: a trigger that wrote to them would poison all."""
    X, y = deepcopy(case.X), case.y.copy()
    stamped = case.trigger(case.X, case.y)
    assert equal(case.X, X)
    assert np.array_equal(case.y, y)
    assert stamped is not case.X


def entries_beside_the_trigger_stay_and_each_row_has_it(case: Case) -> None:
    """A trigger is what it says; it changes no other entry, and leaves no row without a mark."""
    before, after = entries(case.X), entries(case.trigger(case.X, case.y))
    changed = before != after
    assert changed.reshape(len(changed), -1).any(axis=1).all()
    assert case.written is None or not changed[~case.written].any()


def a_row_alone_is_stamped_as_among_others(case: Case) -> None:
    """Training rows come with other rows than test rows; the trigger of a row must not depend on them."""
    together = entries(case.trigger(case.X, case.y))
    alone = [case.trigger(take_rows(case.X, np.array([i])), case.y[[i]]) for i in range(len(case.y))]
    assert np.array_equal(np.concatenate([entries(row) for row in alone]), together)


def the_order_of_rows_plays_no_part(case: Case) -> None:
    """Rows are chosen at random: the stamp belongs to the row and its label, not to its place."""
    order = np.random.default_rng(4).permutation(len(case.y))
    stamped = case.trigger(take_rows(case.X, order), case.y[order])
    assert np.array_equal(entries(stamped), entries(case.trigger(case.X, case.y))[order])


def calls_agree_here_and_in_another_process(case: Case) -> None:
    """Noise is drawn when a trigger is made; else training and test would have two triggers, and workers a third."""
    first = case.trigger(case.X, case.y)
    assert equal(first, case.trigger(case.X, case.y))
    assert equal(first, pickle.loads(pickle.dumps(case.trigger))(case.X, case.y))


def a_pasted_trigger_is_pasted_once(case: Case) -> None:
    """What is set to a value is not set further by setting it again; what is added is, and the table says so."""
    once = case.trigger(case.X, case.y)
    assert equal(once, case.trigger(once, case.y)) == case.once


def no_rows_are_stamped_to_no_rows(case: Case) -> None:
    """An empty selection is no error of the trigger."""
    none = np.array([], dtype=int)
    assert n_rows(case.trigger(take_rows(case.X, none), case.y[none])) == 0


def training_and_test_rows_get_the_same_trigger(case: Case) -> None:
    """Through `poison`: the same rows as training and as test rows carry the same trigger and the same label."""
    rows = (case.X, case.y)
    data = poison(rows, rows, trigger=case.trigger, rows=np.arange(len(case.y)), injection="append")
    assert equal(data.poison_train.X, data.triggered_test.X)
    assert data.poison_train.y.tolist() == data.triggered_test.y.tolist()


CLAIMS: tuple[Callable[[Case], None], ...] = (
    rows_of_the_same_kind_shape_and_type_come_back,
    rows_and_labels_that_came_are_left_alone,
    entries_beside_the_trigger_stay_and_each_row_has_it,
    a_row_alone_is_stamped_as_among_others,
    the_order_of_rows_plays_no_part,
    calls_agree_here_and_in_another_process,
    a_pasted_trigger_is_pasted_once,
    no_rows_are_stamped_to_no_rows,
    training_and_test_rows_get_the_same_trigger,
)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_a_trigger_meets_the_claim(claim, name):
    """Each claim of each trigger of the table."""
    claim(CASES[name])


# --- the claims have teeth -------------------------------------------------------------------------------------------


def half_precision(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Loses the type of the rows."""
    return waves(X, y).astype(np.float32)


def in_place(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Writes to the rows that it was given."""
    X[:, 0, 0] = 2
    return X


def beside(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Writes one pixel too many."""
    stamped = X.copy()
    stamped[:, 0, :2] = 2
    return stamped


def against_the_mean(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Depends on the company of a row."""
    stamped = X.copy()
    stamped[:, 0, 0] = 2 + X.mean()
    return stamped


def by_place(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Depends on where a row stands."""
    stamped = X.copy()
    stamped[:, 0, 0] = 2 + np.arange(len(X))[:, np.newaxis]
    return stamped


FRESH = np.random.default_rng(5)


def drawn_anew(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Draws its noise whenever it is called."""
    stamped = X.copy()
    stamped[:, 0, 0] = FRESH.random()
    return stamped


def added(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Adds what it should set."""
    stamped = X.copy()
    stamped[:, 0, 0] += 2
    return stamped


def scaled(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    """Has no answer for no rows."""
    stamped = X.copy()
    stamped[:, 0, 0] = 2 * (X.max() > 0)
    return stamped


@pytest.mark.parametrize(
    ("trigger", "claim"),
    [
        (half_precision, rows_of_the_same_kind_shape_and_type_come_back),
        (in_place, rows_and_labels_that_came_are_left_alone),
        (beside, entries_beside_the_trigger_stay_and_each_row_has_it),
        (against_the_mean, a_row_alone_is_stamped_as_among_others),
        (by_place, the_order_of_rows_plays_no_part),
        (drawn_anew, calls_agree_here_and_in_another_process),
        (drawn_anew, training_and_test_rows_get_the_same_trigger),
        (added, a_pasted_trigger_is_pasted_once),
        (scaled, no_rows_are_stamped_to_no_rows),
    ],
    ids=lambda thing: thing.__name__,
)
def test_a_broken_trigger_fails_its_claim(trigger, claim):
    """Of each claim there is a trigger that does not meet it, and only for that reason is the claim worth something."""
    case = Case(trigger, images(), LABELS, square(images(), 0, 0, 1))
    with pytest.raises((AssertionError, ValueError)):
        claim(case)


def test_each_claim_is_broken_by_some_trigger():
    """A claim that is added without a trigger that breaks it shows here."""
    (broken,) = (mark for mark in test_a_broken_trigger_fails_its_claim.pytestmark if mark.name == "parametrize")
    assert {claim for _, claim in broken.args[1]} == set(CLAIMS)
