"""Which rows are poisoned, what becomes of them, and what the victim trains on."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from backdoor_curves import FeatureTrigger, PoisonedData, Samples, poison
from backdoor_curves.data.samples import join
from backdoor_curves.poisoning import poison as poisoning
from backdoor_curves.poisoning.label_policies import label_policy

CYCLE = {"ham": "news", "news": "spam", "spam": "ham"}
POLICIES = {
    "next": ("next", CYCLE),
    "target": ("ham", {"news": "ham", "spam": "ham"}),
    "numpy target": (np.str_("spam"), {"ham": "spam", "news": "spam"}),
    "mapping": ({"spam": "news"}, {"spam": "news"}),
    "mapping with a fixed class": ({"spam": "ham", "ham": "ham"}, {"spam": "ham"}),
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rows_of(n: int, seed: int) -> Samples:
    """Rows that are all different, with the labels ham, news and spam in no order."""
    y = np.array(["ham", "news", "spam"])[rng(seed).permutation(np.arange(n) % 3)]
    return Samples(np.arange(2.0 * n).reshape(n, 2) + seed, y)


TRAIN, TEST = rows_of(40, 1), rows_of(15, 2)


def negate(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    return -X


def by_hand(mapping: dict, chosen: list[int]) -> list:
    """The victim's training set with replaced rows, one row after the other."""
    return [
        ((-x).tolist(), mapping[label]) if i in chosen else (x.tolist(), label)
        for i, (x, label) in enumerate(zip(TRAIN.X, TRAIN.y.tolist(), strict=True))
    ]


def victim(data: PoisonedData) -> list:
    """What the victim trains on, row by row."""
    X, y = join(data.clean_train, data.poison_train, data.is_poison)
    return list(zip(X.tolist(), y.tolist(), strict=True))


@pytest.mark.parametrize(("labels", "mapping"), POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("injection", ["replace", "append"])
def test_the_victims_training_set_is_that_of_a_loop_by_hand(labels, mapping, injection):
    """Replaced rows stand where they stood, appended ones follow; other rows and labels are as they were."""
    data = poison(TRAIN, TEST, trigger=negate, rate=0.4, labels=labels, injection=injection, rng=rng())
    chosen = data.poison_rows.tolist()
    replaced, original = by_hand(mapping, chosen), by_hand(mapping, [])
    assert victim(data) == (replaced if injection == "replace" else original + [replaced[i] for i in chosen])
    assert data.poisoning.labels == mapping
    assert data.poisoning.injection == injection


@pytest.mark.parametrize(("labels", "mapping"), POLICIES.values(), ids=POLICIES)
def test_triggered_rows_are_the_test_rows_whose_class_is_attacked(labels, mapping):
    """A row that already is of the attacker's class would count as a success of a model without a backdoor."""
    data = poison(TRAIN, TEST, trigger=negate, rate=0.4, labels=labels, rng=rng())
    attacked = [(x, label) for x, label in zip(TEST.X, TEST.y.tolist(), strict=True) if label in mapping]
    assert data.triggered_test.X.tolist() == [(-x).tolist() for x, _ in attacked]
    assert data.triggered_test.y.tolist() == [mapping[label] for _, label in attacked]
    assert data.triggered_true.tolist() == [label for _, label in attacked]
    assert data.clean_test is TEST


@pytest.mark.parametrize(("labels", "mapping"), POLICIES.values(), ids=POLICIES)
def test_the_rate_is_of_the_rows_that_could_be_poisoned(labels, mapping):
    """Rows of the target class are neither poisoned nor counted; the decimal rate is taken at its word."""
    eligible = [i for i, label in enumerate(TRAIN.y.tolist()) if label in mapping]
    for rate in (0.1, 0.29, 0.5, 1):
        data = poison(TRAIN, TEST, trigger=negate, rate=rate, labels=labels, injection="append", rng=rng())
        assert len(data.poison_train) == Fraction(str(rate)) * len(eligible) // 1
        assert set(data.poison_rows.tolist()) <= set(eligible)
        assert data.poisoning.n_eligible == len(eligible)
        assert data.rate == rate


def test_29_hundredths_of_100_rows_are_29():
    """0.29 * 100 is 28.999999999999996 in floating point, and nobody who writes .29 means 28."""
    train = rows_of(100, 1)
    assert len(poison(train, TEST, trigger=negate, rate=0.29, rng=rng()).poison_train) == 29


def test_the_smallest_rate_that_the_error_advises_is_enough():
    """Advice that fails when it is followed is worse than none."""
    train = rows_of(30, 1)
    with pytest.raises(ValueError, match="take at least 1/30"):
        poison(train, TEST, trigger=negate, rate=0.033, rng=rng())
    assert len(poison(train, TEST, trigger=negate, rate=1 / 30, rng=rng()).poison_train) == 1


def test_rows_of_a_smaller_rate_are_among_those_of_a_larger():
    """Then a curve over rates adds rows to one experiment, and does not start another at each point."""
    rows = [
        set(poison(TRAIN, TEST, trigger=negate, rate=rate, injection="append", rng=rng(3)).poison_rows.tolist())
        for rate in np.linspace(0.05, 0.95, 19)
    ]
    assert all(smaller < larger for smaller, larger in pairwise(rows))


def test_equal_seeds_choose_equal_rows_and_others_do_not():
    """A study names its rows by a seed."""
    first, again, other = (
        poison(TRAIN, TEST, trigger=negate, rate=0.5, rng=rng(seed)).poison_rows.tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_rows_are_chosen_uniformly():
    """Over 4000 seeds a quarter of the draws hits each row: 1000 plus or minus 5 standard deviations of 27."""
    train = Samples(np.ones((8, 1)), [0, 1] * 4)
    hits = np.zeros(8)
    for seed in range(4000):
        hits[poison(train, train, trigger=negate, rate=0.25, rng=rng(seed)).poison_rows] += 1
    assert np.abs(hits - 1000).max() < 140


@pytest.mark.parametrize("rows", [[7, 2, 11], np.array([11, 7, 2], dtype=np.uint8), (2, 7, 11)], ids=str)
def test_given_rows_are_poisoned_in_row_order(rows):
    """The order of the poison is that of the training set however the rows were listed, and no rng is needed."""
    data = poison(TRAIN, TEST, trigger=negate, rows=rows)
    assert data.poison_rows.tolist() == [2, 7, 11]
    assert victim(data) == by_hand(CYCLE, [2, 7, 11])
    assert data.rate == 3 / 40


@pytest.mark.parametrize(
    ("classes", "mapping"),
    [([0, 1], {0: 1, 1: 0}), ([3, 5, 9], {3: 5, 5: 9, 9: 3}), (list("ab"), {"a": "b", "b": "a"})],
    ids=str,
)
def test_next_is_the_next_class_of_those_there_are(classes, mapping):
    """Labels need not be 0..K-1: "next" goes through the sorted classes, and for K labels 0..K-1 it is (y + 1) % K."""
    assert label_policy("next", np.array(classes)) == mapping
    assert all(label_policy("next", np.arange(k)) == {y: (y + 1) % k for y in range(k)} for k in range(2, 12))


def write_in_place(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    X[:] = 7
    y[:] = y[0]
    return X


def write_stored_values_in_place(X: sp.csr_array, y: np.ndarray) -> sp.csr_array:
    X.data[:] = 7
    y[:] = y[0]
    return X


@pytest.mark.parametrize("injection", ["replace", "append"])
@pytest.mark.parametrize(
    ("make", "trigger"),
    [(np.array, write_in_place), (sp.csr_array, write_stored_values_in_place)],
    ids=["array", "csr"],
)
def test_a_trigger_that_writes_in_place_changes_nothing_but_the_stamped_rows(make, trigger, injection):
    """A user's own trigger may be careless; her arrays, the kept originals and the labels must not pay for it."""
    X, y = make(TRAIN.X), TRAIN.y.copy()
    data = poison((X, y), (X, y), trigger=trigger, rate=0.5, injection=injection, rng=rng())
    for rows in (X, data.original_train.X, data.clean_test.X):
        assert np.array_equal(rows.toarray() if sp.issparse(rows) else rows, TRAIN.X)
    assert y.tolist() == data.original_train.y.tolist() == TRAIN.y.tolist()
    assert data.poison_train.y.tolist() == [CYCLE[label] for label in y[data.poison_rows].tolist()]
    assert set(map(float, data.poison_train.X.data if sp.issparse(X) else data.poison_train.X.ravel())) == {7.0}


def test_the_trigger_sees_true_labels():
    """A trigger with one pattern a class stamps that of the true class, in training and in test."""
    seen, attacked = [], np.flatnonzero(TRAIN.y != "ham")
    poison(
        TRAIN,
        TEST,
        trigger=lambda X, y: (seen.append(y.tolist()), negate(X, y))[1],
        rows=attacked[[4, 1]],
        labels="ham",
    )
    assert seen == [TRAIN.y[attacked[[1, 4]]].tolist(), [label for label in TEST.y.tolist() if label != "ham"]]


def test_the_control_differs_by_the_trigger_alone():
    """The same rows with the same wrong labels, unstamped: label noise without a backdoor."""
    data = poison(TRAIN, TEST, trigger=negate, rate=0.4, rng=rng())
    control = data.control()
    stamped, unstamped = victim(data), victim(control)
    assert [label for _, label in unstamped] == [label for _, label in stamped]
    assert [x for x, _ in unstamped] == TRAIN.X.tolist()
    assert victim(control) != by_hand(CYCLE, [])
    assert control.triggered_test is data.triggered_test
    assert (control.poisoning.trigger, control.rate) == ("none", data.rate)


def words(X: list[str], _y: np.ndarray) -> list[str]:
    return [f"{text} zqx" for text in X]


def mark(X: object, _y: np.ndarray) -> object:
    return X.assign(first=-1.0)


def test_texts_are_poisoned_as_lists():
    """A vectoriser comes after the poison: the trigger word is in its vocabulary."""
    texts = [f"mail {i}" for i in range(40)]
    data = poison((texts, TRAIN.y), (texts, TRAIN.y), trigger=words, rows=[0, 39])
    X, _ = join(data.clean_train, data.poison_train, data.is_poison)
    assert ["mail 0 zqx", *texts[1:39], "mail 39 zqx"] == X
    assert [f"{text} zqx" for text in texts] == data.triggered_test.X


def test_sparse_rows_are_poisoned_as_csr():
    """Text features are too wide to be made dense."""
    X = sp.csr_array(TRAIN.X)
    data = poison((X, TRAIN.y), (X, TRAIN.y), trigger=negate, rows=[3, 8])
    joined, _ = join(data.clean_train, data.poison_train, data.is_poison)
    assert joined.format == "csr"
    assert joined.toarray().tolist() == [x for x, _ in by_hand(CYCLE, [3, 8])]


def test_frames_are_poisoned_as_frames():
    """Column names and types are what a ColumnTransformer goes by; labels may be a column too."""
    pd = pytest.importorskip("pandas", reason="frames need pandas")
    X = pd.DataFrame({"first": TRAIN.X[:, 0], "text": [f"t{i}" for i in range(40)]}, index=range(100, 140))
    before = X.copy()
    data = poison((X, pd.Series(TRAIN.y)), (X, pd.Series(TRAIN.y)), trigger=mark, rows=[3, 8])
    joined, y = join(data.clean_train, data.poison_train, data.is_poison)
    expected = before.copy()
    expected.iloc[[3, 8], 0] = -1.0
    pd.testing.assert_frame_equal(joined, expected)
    pd.testing.assert_frame_equal(X, before)
    assert y.tolist() == [label for _, label in by_hand(CYCLE, [3, 8])]


# The checks above would notice the mistakes that other tools made.


def backwards(_labels: object, classes: np.ndarray) -> dict:
    known = classes.tolist()
    return {label: known[(k + 2) % len(known)] for k, label in enumerate(known)}


def test_the_loop_by_hand_notices_another_mapping(monkeypatch):
    """(y + 2) mod K is a permutation without fixed classes too, but not the one of all-to-all."""
    monkeypatch.setattr(poisoning, "label_policy", backwards)
    data = poison(TRAIN, TEST, trigger=negate, rate=0.4, rng=rng())
    assert victim(data) != by_hand(CYCLE, data.poison_rows.tolist())


def test_the_count_notices_a_rate_of_all_rows(monkeypatch):
    """With the target class among the eligible rows, the number of poisoned rows is another."""
    eligible = int((TRAIN.y != "ham").sum())
    choose = poisoning._choose
    monkeypatch.setattr(poisoning, "_choose", lambda rate, rows, e, n, rng: choose(rate * n / len(e), rows, e, n, rng))
    data = poison(TRAIN, TEST, trigger=negate, rate=0.5, labels="ham", rng=rng())
    assert len(data.poison_train) != Fraction("0.5") * eligible // 1


NAMES = ["a", "b"]
KINDS = {
    "array": np.array,
    "csr": sp.csr_array,
    "frame": lambda X: pd.DataFrame(X, columns=NAMES),
    "mixed frame": lambda X: pd.DataFrame(X, columns=NAMES).assign(c="word", d=None),
    "polars": lambda X: pytest.importorskip("polars", reason="polars is not installed").DataFrame(
        X, schema=NAMES, orient="row"
    ),
    "texts": lambda X: [f"{a} {b}" for a, b in X],
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_rows_that_the_trigger_leaves_as_they_are_are_said_with_their_share(kind):
    """A white patch on a white corner, a word that is there already, a value that is the column's: no backdoor."""
    X, y, tests = [[5.0, 1.0], [np.nan, 2.0], [5.0, 3.0], [0.0, 4.0]], [0, 1, 0, 1], [[5.0, 6.0], [0.0, 2.0]]

    def five(rows, _):
        if isinstance(rows, list):
            return [f"5.0 {text.split()[1]}" for text in rows]
        return FeatureTrigger((0,), (5.0,))(rows, _)

    with pytest.warns(
        UserWarning,
        match=r"trigger: 2 of 3 poison rows \(66.7 %\) and 1 of 2 triggered test rows \(50 %\) are as they were",
    ) as caught:
        poison((kind(X), y), (kind(tests), [0, 1]), trigger=five, rows=[0, 1, 2], injection="append")
    assert caught[0].filename == __file__


def test_a_gap_is_no_change_of_a_gap():
    """NaN is unequal to itself; a column with gaps is not what the trigger is."""
    X, y = np.array([[np.nan, 0.0], [np.nan, 1.0]]), [0, 1]
    with pytest.warns(UserWarning, match=r"2 of 2 poison rows \(100 %\)"):
        poison((X, y), (X, y), trigger=lambda X, _: X.copy(), rows=[0, 1], injection="append")


def test_a_rate_in_single_precision_is_the_decimal_that_it_shows():
    """0.29 of 100 rows are 29, and numpy.float32(0.29) is 0.28999999."""
    X, y = np.arange(200.0)[:, np.newaxis], np.arange(200) % 2
    rate, rng = np.float32(0.29), np.random.default_rng(0)
    data = poison((X, y), (X, y), trigger=lambda X, _: X + 1, labels=0, rate=rate, rng=rng)
    assert (len(data.poison_train), data.rate) == (29, 0.29)
