"""The records that everyone shares, and bad input to them and to their neighbours."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from backdoor_curves import FeatureTrigger, PatchTrigger, PoisonedData, Samples, poison
from backdoor_curves.data.poisoned import Poisoning
from backdoor_curves.data.samples import join
from backdoor_curves.metrics import attack_success_rate, clean_accuracy, robust_accuracy
from backdoor_curves.rows import n_rows, stack_rows, take_rows

TABLE = np.arange(12.0).reshape(6, 2)


def frame(X: np.ndarray) -> object:
    return pytest.importorskip("pandas", reason="frames need pandas").DataFrame(X, columns=["a", "b"])


KINDS = {
    "array": lambda X: X,
    "images": lambda X: X.reshape(6, 1, 2, 1),
    "csr": sp.csr_array,
    "old csr": sp.csr_matrix,
    "frame": frame,
    "texts": lambda X: [f"{a} {b}" for a, b in X],
}


def listed(X: object) -> list:
    """The rows of any kind as nested lists."""
    X = X.toarray() if sp.issparse(X) else X.to_numpy() if hasattr(X, "to_numpy") else X
    return X.tolist() if isinstance(X, np.ndarray) else list(X)


def own(**parts: object) -> PoisonedData:
    """Six clean rows of classes 0 and 1, and one poison row, with the given parts changed."""
    y = np.array([0, 1, 0, 1, 0, 1])
    usual = {
        "clean_train": (TABLE, y),
        "poison_train": (TABLE[:1], [1]),
        "clean_test": (TABLE, y),
        "triggered_test": (TABLE[:2], [1, 0]),
        "triggered_true": [0, 1],
    }
    return PoisonedData(**(usual | parts))


def own_cover(**parts: object) -> PoisonedData:
    """The same with row 0 as poison and row 2 as cover, both of weight beta, with the given parts changed."""
    usual = {
        "poison_train": (TABLE[[0, 2]], [1, 0]),
        "original_train": (TABLE, [0, 1, 0, 1, 0, 1]),
        "poison_rows": [0, 2],
        "is_cover": [False] * 7 + [True],
        "cover_rows": [2],
    }
    return own(**(usual | parts))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_rows_of_every_kind_are_counted_taken_and_stacked_as_that_kind(kind):
    """A Pipeline's first step sees what its user gave: the row operations are those of nested lists."""
    X = kind(TABLE)
    taken = take_rows(X, np.array([4, 0]))
    stacked = stack_rows(X, taken)
    assert type(stacked) is type(taken) is type(X)
    assert (n_rows(X), n_rows(taken), n_rows(stacked)) == (6, 2, 8)
    assert listed(taken) == [listed(X)[4], listed(X)[0]]
    assert listed(stacked) == listed(X) + listed(taken)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_samples_keep_their_rows_and_labels_together(kind):
    """Taking rows takes their labels, and a record unpacks like the pair that it was made of."""
    samples = Samples(kind(TABLE), list("abcdef"))
    X, y = samples.take(np.array([5, 1, 1]))
    assert len(samples) == 6
    assert y.tolist() == ["f", "b", "b"]
    assert listed(X) == [listed(kind(TABLE))[i] for i in (5, 1, 1)]


@pytest.mark.parametrize("make", [sp.coo_array, sp.csc_array, sp.csr_array])
def test_sparse_rows_become_csr(make):
    """Rows are taken by number, which other sparse formats cannot do or do slowly."""
    samples = Samples(make(TABLE), np.zeros(6))
    assert samples.X.format == "csr"
    assert np.array_equal(samples.X.toarray(), TABLE)


def test_lists_of_numbers_become_arrays_and_texts_stay_a_list():
    """Numbers are stamped and stacked as arrays; vectorisers take texts one by one."""
    assert isinstance(Samples([[0, 1], [2, 3]], [0, 1]).X, np.ndarray)
    assert Samples(["a", "b"], [0, 1]).X == ["a", "b"]


def test_text_labels_of_a_frame_become_a_plain_string_array():
    """Object arrays do not go into files without pickle."""
    labels = pytest.importorskip("pandas", reason="a frame's labels need pandas").Series(["ham", "spam"])
    assert Samples(["x", "y"], labels).y.dtype.kind == "U"


@pytest.mark.parametrize(
    "is_poison",
    [[0, 0, 0, 0, 1, 1], [1, 1, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0]],
    ids=["last", "first", "between"],
)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_join_puts_every_row_where_is_poison_says(kind, is_poison):
    """Built row by row from two queues: each place takes the next row of the part that it belongs to."""
    samples = Samples(kind(TABLE), list("abcdef"))
    clean, bad = samples.take(np.arange(4)), samples.take(np.arange(4, 6))
    queues = [list(zip(listed(part.X), part.y, strict=True)) for part in (clean, bad)]
    expected = [queues[which].pop(0) for which in is_poison]
    X, y = join(clean, bad, np.array(is_poison, dtype=bool))
    assert type(X) is type(samples.X)
    assert list(zip(listed(X), y, strict=True)) == expected


def test_pairs_are_taken_wherever_samples_are():
    """A user has arrays, not our records."""
    data = own()
    for name in ("clean_train", "poison_train", "clean_test", "triggered_test"):
        assert isinstance(getattr(data, name), Samples)
    assert data.classes.tolist() == [0, 1]


def test_own_poison_follows_the_clean_rows():
    """Without a record of what was done there is no row whose place it took, so the rate is of all rows too."""
    data = own(poison_train=(TABLE[:2], [1, 0]))
    assert data.is_poison.tolist() == [False] * 6 + [True] * 2
    assert data.rate == 2 / 8


def test_replaced_rows_stand_where_their_originals_stood():
    """liblinear and SGD visit rows in order: the victim's order is that of the original training set."""
    done = Poisoning(rate=0.5, n_eligible=4, labels={0: 1, 1: 0}, injection="replace", trigger="")
    data = own(poison_train=(TABLE[:2], [1, 0]), poison_rows=[1, 6], poisoning=done)
    assert np.flatnonzero(data.is_poison).tolist() == [1, 6]
    assert np.flatnonzero(replace(data, poisoning=replace(done, injection="append")).is_poison).tolist() == [6, 7]
    assert data.rate == 0.5


def test_own_rows_may_be_cover_and_may_keep_their_label():
    """Marked in the victim's order; a clean-label attack's poison rows are of the target, its test rows never are."""
    data = own_cover()
    assert data.is_cover.tolist() == [False] * 7 + [True]
    assert str(data.rates) == "1 poison row: 12.5 % of 8 rows; 1 cover row"
    assert own().is_cover.tolist() == [False] * 7
    clean = own(poison_train=(TABLE[1:2], [1]), triggered_test=(TABLE[:1], [1]), triggered_true=[0])
    assert clean.poison_train.y.tolist() == [1]
    with pytest.raises(ValueError, match="has its true class as the attacker's label"):
        own(poison_train=(TABLE[1:2], [1]), triggered_test=(TABLE[1:2], [1]), triggered_true=[1])


def test_the_rate_of_own_rows_leaves_cover_out():
    """It is of poison rows over all, and cover rows are none."""
    assert own_cover(original_train=None, poison_rows=None, cover_rows=None).rate == 1 / 8


def test_all_stamped_rows_are_those_of_weight_beta_and_the_cover_of_weight_1():
    """What a network must see before its features are kept."""
    data = own(is_cover=[False, True] + [False] * 5)
    assert data.stamped_train.tolist() == [TABLE[0].tolist(), TABLE[1].tolist()]
    assert own().stamped_train.tolist() == [TABLE[0].tolist()]


def test_data_pickled_before_there_was_cover_come_back():
    """Without the fields that there were not: no row is cover, and what was done says the defaults."""
    data = poison((TABLE, [0, 1] * 3), (TABLE, [0, 1] * 3), trigger=lambda X, _: X + 9.0, rows=[0, 1])
    old = {name: value for name, value in vars(data).items() if name not in ("is_cover", "cover_rows")}
    done = object.__new__(Poisoning)
    first = ("rate", "n_eligible", "labels", "injection", "trigger")
    done.__dict__.update({name: getattr(data.poisoning, name) for name in first})
    again = object.__new__(PoisonedData)
    again.__setstate__(old | {"poisoning": done})
    assert again.is_cover.tolist() == [False] * 6
    assert again.cover_rows is None
    assert again.poisoning == data.poisoning
    assert repr(again) == repr(data)


@pytest.mark.parametrize(
    "record",
    [Samples([[0.0]], [0]), own(), Poisoning(0.1, 1, {}, "append", ""), FeatureTrigger((0,), (1.0,))],
    ids=repr,
)
def test_records_are_frozen(record):
    """A record that changes after it was used no longer says what was done."""
    for field in fields(record):
        with pytest.raises(FrozenInstanceError):
            setattr(record, field.name, None)


# Bad input: who calls with it learns in one line what was expected, and which argument was meant.

RNG = np.random.default_rng(0)
X, Y = np.arange(24.0).reshape(12, 2), np.arange(12) % 3
IMAGES, LABELS = np.zeros((12, 4, 4, 1)), np.arange(12) % 3
NOISE = np.zeros((3, 2, 2, 1))
CSR = sp.csr_array(X)


def plus(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    return X + 1


def poisoned(**arguments: object) -> PoisonedData:
    usual = {"train": (X, Y), "test": (X, Y), "trigger": plus, "rows": [1], "rng": RNG}
    return poison(**(usual | arguments))


def by_rate(rate: object, **arguments: object) -> PoisonedData:
    return poisoned(rows=None, rate=rate, **arguments)


def stamped(
    pattern: object = NOISE, images: object = IMAGES, labels: object = LABELS, at: object = "top-left"
) -> object:
    return PatchTrigger(pattern, at)(images, np.asarray(labels))


BAD = {
    "rows: a number": (lambda: Samples(np.float64(1), [1]), "rows (an array"),
    "rows: one text": (lambda: Samples("text", list("text")), "rows (an array"),
    "rows: an iterator": (lambda: Samples(iter(X), Y), "iterator came"),
    "labels: too few": (lambda: Samples(X, Y[1:]), "one label a row was expected: 12 rows, labels of shape (11,)"),
    "labels: a column": (lambda: Samples(X, Y[:, None]), "labels of shape (12, 1)"),
    "train: no pair": (lambda: poisoned(train=X), "train: Samples or a pair (X, y) were expected, ndarray came"),
    "train: a label short": (lambda: poisoned(train=(X, Y[1:])), "train: one label a row"),
    "test: a label short": (lambda: poisoned(test=(X, Y[1:])), "test: one label a row"),
    "train: one class": (lambda: poisoned(train=(X, Y * 0)), "train: two classes or more were expected, [0] came"),
    "train: no rows": (lambda: poisoned(train=(X[:0], Y[:0])), "train: two classes or more were expected"),
    "test: target class only": (lambda: poisoned(test=(X, Y * 0), labels=0), "test: rows of a class to attack (1, 2)"),
    "test: unknown class": (lambda: poisoned(test=(X, Y + 1)), "clean_test: labels out of the training classes"),
    "rate: 0": (lambda: by_rate(0), "rate: a number in (0, 1] was expected, 0 came"),
    "rate: negative": (lambda: by_rate(-0.1), "rate: a number in (0, 1]"),
    "rate: 1.5": (lambda: by_rate(1.5), "rate: a number in (0, 1] was expected, 1.5 came"),
    "rate: NaN": (lambda: by_rate(np.nan), "rate: a number in (0, 1]"),
    "rate: text": (lambda: by_rate("x"), "rate: a number in (0, 1] was expected, 'x' came"),
    "rate: True": (lambda: by_rate(True), "rate: a number in (0, 1] was expected, True came"),
    "rate: less than a row": (lambda: by_rate(0.08), "is not one row; take at least 1/12"),
    "rate: less than an eligible row": (lambda: by_rate(0.1, labels=0), "0.1 of 8 rows that could be poisoned"),
    "rate and rows": (lambda: poisoned(rate=0.5), "exactly one of rate and rows was expected, both came"),
    "no rate, no rows": (lambda: by_rate(None), "exactly one of rate and rows was expected, none came"),
    "rng: missing": (lambda: by_rate(0.5, rng=None), "rng: a numpy Generator was expected, NoneType came"),
    "rng: a seed": (lambda: by_rate(0.5, rng=0), "rng: a numpy Generator was expected, int came"),
    "rows: past the end": (lambda: poisoned(rows=[12]), "distinct row numbers in [0, 12)"),
    "rows: negative": (lambda: poisoned(rows=[-1]), "distinct row numbers in [0, 12)"),
    "rows: twice": (lambda: poisoned(rows=[1, 1]), "distinct row numbers"),
    "rows: of the target class": (lambda: poisoned(rows=[1, 3], labels=0), "row 3 already has the label"),
    "rows: a mask": (lambda: poisoned(rows=Y == 1), "rows: a list of row numbers was expected, bool"),
    "rows: none": (lambda: poisoned(rows=[]), "rows: a list of row numbers was expected"),
    "rows: a number alone": (lambda: poisoned(rows=1), "rows: a list of row numbers was expected"),
    "labels: unknown target": (lambda: poisoned(labels=7), 'labels: "next", a class of [0, 1, 2]'),
    "labels: misspelt": (lambda: poisoned(labels="nxt"), "'nxt' came"),
    "labels: one a row": (lambda: poisoned(labels=Y), 'labels: "next", a class of [0, 1, 2]'),
    "labels: None": (lambda: poisoned(labels=None), "None came"),
    "labels: from an unknown class": (lambda: poisoned(labels={7: 0}), "7 came"),
    "labels: to an unknown class": (lambda: poisoned(labels={0: 7}), "7 came"),
    "labels: nothing changes": (lambda: poisoned(labels={0: 0}), "labels: a policy that changes at least one class"),
    "injection: misspelt": (lambda: poisoned(injection="replaced"), 'injection: "replace" or "append"'),
    "all rows replaced": (lambda: by_rate(1), "would be replaced, none is left for beta = 0"),
    "all rows of a class replaced": (lambda: by_rate(1, labels={1: 0}), "all rows of class 1 would be replaced"),
    "trigger: not callable": (lambda: poisoned(trigger="patch"), "trigger: a callable (X, y) -> X was expected, str"),
    "trigger: gives None": (lambda: poisoned(trigger=lambda *_: None), "trigger: rows were expected back, NoneType"),
    "trigger: gives a number": (lambda: poisoned(trigger=lambda X, _: X.sum()), "rows were expected back, float64"),
    "trigger: loses a row": (
        lambda: poisoned(trigger=lambda X, _: X[1:]),
        "trigger: 1 rows were expected back, 0 came",
    ),
    "trigger: loses a column": (lambda: poisoned(trigger=lambda X, _: X[:, 1:]), "trigger: rows of shape (2,)"),
    "patch: NaN": (lambda: stamped(np.full((1, 1, 1), np.nan)), "finite pixel values were expected"),
    "patch: infinity": (lambda: stamped({0: np.full((1, 1, 1), np.inf)}), "finite pixel values were expected"),
    "patch: text": (lambda: stamped("white"), "patterns of numbers, all of one shape"),
    "patch: ragged": (lambda: stamped({0: np.ones((1, 1, 1)), 1: np.ones((2, 2, 1))}), "all of one shape"),
    "patch: without channels": (lambda: stamped(np.ones((2, 2))), "shape (2, 2) came"),
    "patch: empty": (lambda: stamped(np.ones((0, 2, 1))), "shape (0, 2, 1) came"),
    "patch: no labels": (lambda: stamped({}), "shape (0,) came"),
    "patch: position misspelt": (lambda: stamped(at="left-top"), "position: one of bottom-right"),
    "patch: position a list": (lambda: stamped(at=[0, 0]), "position: one of bottom-right"),
    "patch: position negative": (lambda: stamped(at=(0, -1)), "(0, -1) came"),
    "patch: position not whole": (lambda: stamped(at=(0, 1.5)), "(0, 1.5) came"),
    "patch: position of texts": (lambda: stamped(at=("top", "left")), "('top', 'left') came"),
    "patch: beyond the edge": (lambda: stamped(at=(3, 0)), "2 x 2 at (3, 0) came"),
    "patch: too large": (lambda: stamped(np.ones((5, 1, 1))), "take a smaller one"),
    "patch: too large for the center": (lambda: stamped(np.ones((1, 7, 1)), at="center"), "take a smaller one"),
    "patch: wrong channels": (lambda: stamped(np.ones((1, 1, 3))), "a pattern of 1 channels was expected, 3 came"),
    "patch: flattened rows": (lambda: stamped(images=IMAGES.reshape(12, -1)), "reshape flattened rows"),
    "patch: a list of images": (lambda: stamped(images=list(IMAGES)), "PatchTrigger: images of shape"),
    "patch: bytes": (lambda: stamped(images=IMAGES.astype(np.uint8)), "uint8 came; divide by 255"),
    "patch: no pattern for a label": (lambda: stamped(labels=LABELS + 1), "3 has none, [0, 1, 2] have"),
    "patch: no pattern for a text": (lambda: stamped(labels=["7"] * 12), "'7' has none"),
    "patch: no pattern in the mapping": (lambda: stamped({0: NOISE[0]}), "1 has none, [0] have"),
    "feature: lengths differ": (lambda: FeatureTrigger((0, 1), (1.0,)), "one value a column was expected"),
    "feature: none": (lambda: FeatureTrigger((), ()), "one value a column was expected"),
    "feature: column past the end": (lambda: FeatureTrigger((2,), (1.0,))(X, Y), "columns in [0, 2) were expected"),
    "feature: column negative": (lambda: FeatureTrigger((-1,), (1.0,))(X, Y), "columns in [0, 2) were expected"),
    "feature: images": (lambda: FeatureTrigger((0,), (1.0,))(IMAGES, Y), "PatchTrigger is the one for images"),
    "feature: a list": (lambda: FeatureTrigger((0,), (1.0,))(["a"], Y), "a DataFrame was expected, list"),
    "feature: no such name": (
        lambda: FeatureTrigger(("c",), (1.0,))(frame(TABLE), Y),
        "columns in [0, 2), or out of ['a', 'b'] were expected, 'c' came",
    ),
    "feature: a name in an array": (lambda: FeatureTrigger(("a",), (1.0,))(TABLE, Y), "[0, 2) were expected, 'a' came"),
    "feature: a column twice": (lambda: FeatureTrigger((0, 0), (1.0, 2.0)), "each column once"),
    "feature: text in numbers": (lambda: FeatureTrigger((0,), ("x",))(TABLE, Y), "rows of float64, 'x' came"),
    "patch: pattern in bytes": (lambda: stamped(np.full((1, 1, 1), 255.0)), "pattern values in [0, 1] were expected"),
    "patch: images of bytes as floats": (
        lambda: stamped(images=np.full_like(IMAGES, 200.0)),
        "came; divide by 255, or pass value_range=(0, 255)",
    ),
    "patch: NaN pixels": (lambda: stamped(images=IMAGES * np.nan), "NaN came"),
    "patch: a range upside down": (
        lambda: PatchTrigger(np.ones((1, 1, 1)), value_range=(255, 0)),
        "value_range (black, white), two numbers, was expected, (255, 0) came",
    ),
    "data: no pair": (lambda: own(clean_train=None), "clean_train: Samples or a pair (X, y) were expected, NoneType"),
    "data: one class": (lambda: own(clean_train=(TABLE, [1] * 6)), "clean_train: two classes or more"),
    "data: no poison": (lambda: own(poison_train=(TABLE[:0], [])), "poison_train: at least one row was expected"),
    "data: label lengths": (lambda: own(clean_test=(TABLE, [0])), "clean_test: one label a row was expected"),
    "data: unknown poison label": (
        lambda: own(poison_train=(TABLE[:1], [2])),
        "poison_train: labels out of the training",
    ),
    "data: unknown test label": (lambda: own(clean_test=(TABLE[:1], [2])), "classes [0, 1] were expected, 2 came"),
    "data: unknown attacker label": (lambda: own(triggered_test=(TABLE[:2], [1, 2])), "triggered_test: labels out of"),
    "data: unknown true label": (lambda: own(triggered_true=[0, 2]), "triggered_true: labels out of"),
    "data: true labels too few": (
        lambda: own(triggered_true=[0]),
        "triggered_true: shape (2,) was expected, (1,) came",
    ),
    "data: true label is the target": (
        lambda: own(triggered_true=[0, 0]),
        "row 1 has its true class as the attacker's",
    ),
    "data: poison rows too many": (
        lambda: own(poison_rows=[0, 1]),
        "poison_rows: 1 row numbers were expected, (2,) came",
    ),
    "data: poison rows not whole": (lambda: own(poison_rows=[0.5]), "poison_rows: ascending row numbers"),
    "data: poison rows past the end": (
        lambda: own(poison_rows=[6], original_train=(TABLE, Y[:6])),
        "poison_rows: ascending row numbers in [0, 6)",
    ),
    "data: poison rows out of order": (
        lambda: own(poison_rows=[1, 0], poison_train=(TABLE[:2], [1, 0])),
        "poison_rows: ascending row numbers",
    ),
    "data: a cover row too few": (lambda: own(is_cover=[False] * 6), "is_cover: a bool for each of the victim's 7"),
    "data: cover by number": (lambda: own(is_cover=[0] * 7), "7 training rows was expected, int64 of shape (7,) came"),
    "data: all poison is cover": (
        lambda: own(is_cover=[False] * 6 + [True]),
        "is_cover: a row of poison_train that is no cover was expected, all are",
    ),
    "data: cover rows too many": (
        lambda: own_cover(cover_rows=[2, 3]),
        "cover_rows: 1 row numbers in [0, 6) were expected, one for each row of is_cover",
    ),
    "data: cover rows not whole": (lambda: own_cover(cover_rows=[2.0]), "cover_rows: 1 row numbers"),
    "data: cover rows past the end": (lambda: own_cover(cover_rows=[6]), "cover_rows: 1 row numbers in [0, 6)"),
    "data: cover rows out of order": (
        lambda: own_cover(
            poison_train=(TABLE[:3], [1, 0, 0]), is_cover=[False] * 7 + [True] * 2, cover_rows=[4, 2], poison_rows=None
        ),
        "cover_rows: ascending row numbers were expected",
    ),
    "data: a cover row that is poison": (
        lambda: own_cover(cover_rows=[0]),
        "cover_rows: rows that are no poison were expected, row 0 is both",
    ),
    "data: a cover row with another label": (
        lambda: own_cover(poison_train=(TABLE[:2], [1, 1])),
        "is_cover: cover rows with the labels of their originals were expected, that of row 2 has another; a row that",
    ),
    "control: cover of unknown originals": (
        lambda: own(is_cover=[True] + [False] * 6, original_train=(TABLE, [0, 1] * 3), poison_rows=[2]).control(),
        "a control needs cover_rows where cover rows have weight 1",
    ),
    "control: no originals": (lambda: own().control(), "a control needs original_train and poison_rows"),
    "stack: two kinds": (lambda: stack_rows(X, CSR), "rows of one kind were expected, ndarray and csr_array came"),
    "accuracy: lengths": (lambda: clean_accuracy([0, 1], [0, 1, 1]), "y_true: one label a row"),
    "accuracy: no rows": (lambda: robust_accuracy([], []), "y_true: one label a row"),
    "accuracy: a number": (lambda: robust_accuracy([0], 0), "y_true: one label a row"),
    "success: lengths": (lambda: attack_success_rate([1, 1], [1]), "y_attacker: one label a row"),
    "success: lengths with true labels": (lambda: attack_success_rate([1], [1, 0], [0]), "y_attacker: one label a row"),
    "success: true labels too few": (lambda: attack_success_rate([1, 1], [1, 1], [0]), "y_true: one label a row"),
    "success: no row counts": (lambda: attack_success_rate([1, 1], [1, 1], [1, 1]), "y_true: a row whose true class"),
}


@pytest.mark.parametrize(("call", "fragment"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_line(call, fragment):
    """Whoever gives what cannot be meant learns which argument it was, what was expected and what came."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_are_matched_by_name():
    """Ridge would take them by position, and scikit-learn's other classifiers would refuse them much later."""
    X, y = pd.DataFrame(np.arange(8.0).reshape(4, 2), columns=["a", "b"]), np.array([0, 1, 0, 1])
    swapped = X[["b", "a"]]
    with pytest.raises(ValueError, match=r"poison_train: the columns .* were expected in this order"):
        PoisonedData((X, y), (swapped[:1], [1]), (X, y), (X[:1], [1]))
    with pytest.raises(ValueError, match=r"trigger: the columns .* were expected in this order"):
        poison((X, y), (X, y), trigger=lambda A, _: A[["b", "a"]], rows=[0])


def test_rows_of_another_width_are_refused_by_name():
    """numpy would say that operands could not be broadcast, and not which."""
    X, y = np.eye(4), np.array([0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"clean_test: rows of shape \(4,\) were expected, of \(3,\) came"):
        PoisonedData((X, y), (X[:1], [1]), (X[:, :3], y), (X[:1], [1]))


def test_a_list_of_texts_serves_an_array_of_texts():
    """The usual text trigger is a list comprehension."""
    X, y = np.array(["a b", "c", "d", "e"]), np.array([0, 1, 0, 1])
    data = poison((X, y), (X, y), trigger=lambda A, _: [text + " z" for text in A], rows=[0])
    assert data.poison_train.X.tolist() == ["a b z"]


@pytest.mark.parametrize(
    ("y", "came"),
    [
        ([["a"], ["a", "b"]], "a ragged list came; several labels are no class"),
        ([["a"], ["b"]], r"labels of shape \(2, 1\)"),
        ([{"a": 1}, {"b": 2}], "dict objects came; convert them"),
        (np.array([["a"], ["a", "b"]], dtype=object), "list objects came; convert them"),
    ],
)
def test_labels_that_are_lists_or_dicts_are_refused(y, came):
    """They cannot be counted as classes, and each says so in a sentence."""
    with pytest.raises(ValueError, match=came):
        Samples(np.eye(2), y)


def test_ragged_rows_are_refused():
    """In words, not in numpy's."""
    with pytest.raises(ValueError, match="a ragged list came"):
        Samples([[1.0], [2.0, 3.0]], [0, 1])


def missing_labels() -> dict[str, object]:
    """Six labels, of which that of row 2 is missing, as files and frames have them."""
    words = ["ham", "spam", None, "ham", "spam", "ham"]
    numbers = [0, 1, None, 0, 1, 0]
    return {
        "an empty cell": ["ham", "spam", "", "ham", "spam", "ham"],
        "a blank cell": np.array(["ham", "spam", "  ", "ham", "spam", "ham"]),
        "None": words,
        "NaN among text": pd.Series(words).fillna(np.nan),
        "NaN among numbers": np.array([0.0, 1.0, np.nan, 0.0, 1.0, 0.0]),
        "nullable integers": pd.Series(numbers, dtype="Int64"),
        "nullable floats": pd.Series(numbers, dtype="Float64"),
        "nullable bools": pd.Series([True, False, None, True, False, True], dtype="boolean"),
        "nullable text": pd.Series(words, dtype="string"),
        "Arrow's text": pd.Series(words, dtype="string[pyarrow]"),
        "categories": pd.Series(words, dtype="category"),
        "dates": pd.Series(pd.to_datetime(["2020", "2021", None, "2020", "2021", "2020"])),
        "objects": np.array([0, 1, pd.NaT, 0, 1, 0], dtype=object),
    }


@pytest.mark.parametrize("kind", missing_labels())
def test_a_missing_label_is_no_class(kind):
    """It would be one more class, silently: of text the word "nan", of numbers one that equals nothing."""
    said = "a label for each row was expected, 1 of 6 is missing, of row 2"
    y = missing_labels()[kind]
    with pytest.raises(ValueError, match=f"train: {said}"):
        poison((TABLE, y), (TABLE, y), trigger=lambda X, _: X, rate=0.5, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=f"clean_train: {said}"):
        own(clean_train=(TABLE, y))
    with pytest.raises(ValueError, match=f"clean_test: {said}"):
        own(clean_test=(TABLE, y))


def test_missing_true_classes_and_several_of_them_are_said():
    """The message has their number and the first row, so that they are found."""
    with pytest.raises(ValueError, match=r"triggered_true: .* 2 of 2 are missing, the first of row 0"):
        own(triggered_true=[None, None])
    with pytest.raises(ValueError, match=r"y_true: .* 1 of 2 is missing, of row 1"):
        clean_accuracy([0.0, np.nan], [0, 1])


@pytest.mark.parametrize(
    ("y", "came"),
    [([1, "a"], "numbers and text"), ([[0], [1, 2]], "list objects"), ([Decimal(1), Decimal(2)], "Decimal objects")],
    ids=["numbers and text", "lists", "Decimals"],
)
def test_labels_of_no_kind_or_of_two_are_refused(y, came):
    """numpy would make "1" of 1, a class that is not asked for; and files cannot hold the others."""
    labels = np.empty(2, dtype=object)
    labels[:] = y
    with pytest.raises(ValueError, match=f"numbers or text, were expected, {came} came"):
        Samples([[1.0], [2.0]], labels)


def test_text_is_no_number_whatever_it_spells():
    """Predictions of 1 where "1" is wanted are no failure of the attack: the two were never compared."""
    with pytest.raises(TypeError, match="y_attacker: labels as in the predictions, numbers, were expected, text came"):
        attack_success_rate(["1"], [1])
    assert attack_success_rate(["1"], pd.Series(["1"])) == 1.0


def test_memory_mapped_rows_are_arrays(tmp_path):
    """Large arrays reach worker processes as memory maps, small ones as copies, and a training set may hold both."""
    np.save(tmp_path / "X.npy", np.arange(6.0).reshape(3, 2))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(stack_rows(mapped, np.ones((1, 2))), [[0, 1], [2, 3], [4, 5], [1, 1]])
    y = np.array([0, 1, 0])
    data = poison((mapped, y), (mapped, y), trigger=lambda A, _: np.asarray(A) + 1, rows=[0])
    assert len(join(data.clean_train, data.poison_train, data.is_poison)) == 3


def test_classes_that_differ_in_spaces_alone_are_refused():
    """A file has "ham" and "ham ": two classes where one is meant."""
    with pytest.raises(ValueError, match=r"the classes 'ham' and 'ham ' differ in spaces alone; strip the labels"):
        PoisonedData((np.eye(3), ["ham", "spam", "ham "]), *[(np.eye(3)[:1], ["ham"])] * 3)


def test_numbers_and_gaps_in_lists_with_text_stay_what_they_are():
    """An array of text would have "1.5" and "nan"."""
    X = Samples([[1.5, "a"], [float("nan"), "b"]], [0, 1]).X
    assert X.dtype == object
    assert X[0, 0] == 1.5
    assert Samples([None, "a"], [0, 1]).X == [None, "a"]
