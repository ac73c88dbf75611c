"""The digits that scikit-learn brings along."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from backdoor_curves.datasets import digits


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def as_set(X: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in X}


def test_defaults_split_every_row_two_to_one():
    """A third is tested, the rest trains, and all 1797 rows (which are all different) are used once."""
    train, test = digits(rng=rng())
    assert train.X.shape == (1198, 8, 8, 1)
    assert test.X.shape == (599, 8, 8, 1)
    assert as_set(train.X) | as_set(test.X) == as_set(load_digits().images[..., np.newaxis] / 16)


@pytest.mark.parametrize("sizes", [(None, None), (100, 50), (900, 897), (1, None), (None, 1)])
def test_train_and_test_are_disjoint(sizes):
    """A row in both would be tested on what was learnt."""
    train, test = digits(n_train=sizes[0], n_test=sizes[1], rng=rng())
    assert not as_set(train.X) & as_set(test.X)


@pytest.mark.parametrize(
    ("n_train", "n_test", "sizes"),
    [
        (None, None, (241, 120)),
        (100, None, (100, 120)),
        (300, None, (300, 61)),
        (None, 300, (61, 300)),
        (100, 50, (100, 50)),
    ],
)
def test_sizes_that_are_left_out_are_filled_in(n_train, n_test, sizes):
    """There are 361 digits 7 and 1: a third is 120, and a given size goes before a default."""
    train, test = digits((7, 1), n_train=n_train, n_test=n_test, rng=rng())
    assert (len(train), len(test)) == sizes


def test_values_are_levels_over_16():
    """Images have values in [0, 1] everywhere in the package, as float64."""
    train, _ = digits(rng=rng())
    assert train.X.dtype == np.float64
    assert set(np.unique(train.X * 16)) == set(range(17))


@pytest.mark.parametrize(
    ("classes", "label_of"),
    [
        ((7, 1), {7: 0, 1: 1}),
        ((1, 7), {1: 0, 7: 1}),
        ((3, (4, 5), 6), {3: 0, 4: 1, 5: 1, 6: 2}),
        ("even-odd", {digit: digit % 2 for digit in range(10)}),
        ("all", {digit: digit for digit in range(10)}),
    ],
)
def test_labels_are_places_in_classes(classes, label_of):
    """Each image is looked up among the originals: its label is the place of its digit in `classes`."""
    bunch = load_digits()
    digit_of = {image.tobytes(): digit for image, digit in zip(bunch.images / 16, bunch.target, strict=True)}
    for X, y in digits(classes, rng=rng()):
        assert [label_of[digit_of[image.tobytes()]] for image in X] == y.tolist()
        assert y.dtype == np.int64


def test_equal_seeds_give_equal_rows_and_others_do_not():
    """A study names its rows by a seed."""
    (first, _), (again, _), (other, _) = digits(rng=rng()), digits(rng=rng()), digits(rng=rng(1))
    assert np.array_equal(first.X, again.X)
    assert np.array_equal(first.y, again.y)
    assert not np.array_equal(first.X, other.X)


def test_neither_size_changes_the_other_set():
    """Curves over the number of training rows are tested on the same rows, and the other way round."""
    few, few_tested = digits(n_train=50, n_test=400, rng=rng())
    many, many_tested = digits(n_train=500, n_test=700, rng=rng())
    assert np.array_equal(few.X, many.X[:50])
    assert np.array_equal(few_tested.X, many_tested.X[:400])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_train": 1000, "n_test": 798}, "at most 1797 rows together.*n_train=1000, n_test=798 came"),
        ({"n_train": 1797}, "at most 1797 rows together"),
        ({"n_train": 5000}, "at most 1797 rows together"),
        ({"n_test": 1797}, "at most 1797 rows together"),
        ({"classes": (7, 1), "n_test": 362}, "at most 361 rows together"),
        ({"n_train": 0}, "n_train: a positive int was expected, 0 came"),
        ({"n_test": 0.5}, "n_test: a positive int was expected, 0.5 came"),
        ({"classes": (7, 11)}, "11 came"),
    ],
)
def test_impossible_wishes_are_refused(arguments, message):
    """An empty or too large set is an error that says how many rows there are, never a smaller set."""
    with pytest.raises(ValueError, match=message) as caught:
        digits(**arguments, rng=rng())
    assert "\n" not in str(caught.value)


def test_a_seed_in_place_of_a_generator_is_refused():
    """A seed would be drawn from anew at each call."""
    with pytest.raises(TypeError, match="a numpy Generator was expected, int came"):
        digits(rng=0)
