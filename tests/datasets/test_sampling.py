"""Which classes and rows are taken."""

from __future__ import annotations

import numpy as np
import pytest

from backdoor_curves.data.rng import check_rng
from backdoor_curves.datasets.sampling import DIGIT_GROUPINGS, check_count, class_groups, sample_rows

LABELS = np.array([1, 5, 7, 1, 7, 7, 0])


@pytest.mark.parametrize(
    ("classes", "groups"),
    [
        ((7, 1), ((7,), (1,))),
        ([7, [1, 4]], ((7,), (1, 4))),
        (((0, 2), 1, (3,)), ((0, 2), (1,), (3,))),
        (np.array([7, 1]), ((7,), (1,))),
        (range(2), ((0,), (1,))),
        ("even-odd", ((0, 2, 4, 6, 8), (1, 3, 5, 7, 9))),
        ("all", tuple((digit,) for digit in range(10))),
    ],
)
def test_classes_become_groups_in_the_order_asked(classes, groups):
    """A label is a place in what the caller wrote, also when it came from a file as nested lists."""
    assert class_groups(classes, range(10), DIGIT_GROUPINGS) == groups


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((7, 10), "classes out of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 were expected, 10 came"),
        ((7, -1), "classes out of 0, .* were expected, -1 came"),
        ((7, 1.0), "classes out of 0, .* were expected, 1.0 came"),
        ((7, True), "classes out of 0, .* were expected, True came"),
        ((7, "1"), "classes out of 0, .* were expected, '1' came"),
        ((7, ((1, 2), 3)), "were expected, \\(1, 2\\) came"),
        ((7, 1, 7), "each class once was expected, 7 came twice"),
        ((7, (1, 7)), "each class once was expected, 7 came twice"),
        (((1, 1), 2), "each class once was expected, 1 came twice"),
        ((7,), "two classes or more were expected, 1 came"),
        (((1, 2),), "two classes or more were expected, 1 came"),
        ((), "two classes or more were expected, 0 came"),
        ((7, ()), "at least one class in a group was expected"),
        ("odd-even", '"all" or "even-odd" or a sequence of classes was expected, \'odd-even\' came'),
        (7, "a name or a sequence of classes, as \\(7, 1\\), was expected, 7 came"),
        ({7, 1}, "a name or a sequence of classes, as \\(7, 1\\), was expected, {"),
        (None, "a name or a sequence of classes, as \\(7, 1\\), was expected, None came"),
    ],
)
def test_wrong_classes_are_refused_in_one_line(classes, message):
    """Who asks for classes that do not make a task learns what was expected, what came and what to do."""
    with pytest.raises(ValueError, match=message) as caught:
        class_groups(classes, range(10), DIGIT_GROUPINGS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("count", [0, -3, 2.0, "5", True, None])
def test_a_number_of_rows_is_a_positive_int(count):
    """A rate or a string in place of a number of rows must not be rounded into one."""
    with pytest.raises(ValueError, match=f"n_train: a positive int was expected, {count!r} came"):
        check_count("n_train", count)


@pytest.mark.parametrize("rng", [0, None, np.random.default_rng])
def test_a_seed_is_not_a_generator(rng):
    """Randomness comes in as a Generator; the error says how to make one."""
    with pytest.raises(TypeError, match=r"numpy\.random\.default_rng"):
        check_rng(rng)


def test_all_rows_come_in_file_order():
    """Nothing is drawn when everything is taken."""
    rows, y = sample_rows(LABELS, ((7,), (1, 0)), None, name="n", rng=np.random.default_rng(0))
    assert rows.tolist() == [0, 2, 3, 4, 5, 6]
    assert y.tolist() == [1, 0, 1, 0, 0, 1]


def test_drawn_rows_are_distinct_rows_of_the_classes():
    """Sampling is without replacement, and a row keeps its own label."""
    rows, y = sample_rows(LABELS, ((7,), (1,)), 5, name="n", rng=np.random.default_rng(0))
    assert sorted(rows.tolist()) == [0, 2, 3, 4, 5]
    assert np.array_equal(np.array([7, 1])[y], LABELS[rows])


def test_drawn_rows_come_in_random_order():
    """The first rows of a sample are a sample too, so the order must not be the file's."""
    labels = np.arange(1000) % 2
    rows, _ = sample_rows(labels, ((0,), (1,)), 1000, name="n", rng=np.random.default_rng(0))
    assert not np.array_equal(rows, np.sort(rows))


def test_smaller_samples_begin_larger_ones():
    """A learning curve over the number of rows adds rows and never exchanges them."""
    few, many = (
        sample_rows(LABELS, ((7,), (1,)), n, name="n", rng=np.random.default_rng(4))[0].tolist() for n in (2, 5)
    )
    assert few == many[:2]


@pytest.mark.parametrize("n", [None, 1, 5])
def test_the_generator_advances_alike_for_every_number_of_rows(n):
    """What is drawn next, the test rows, must not change with the number of training rows."""
    rng, other = np.random.default_rng(0), np.random.default_rng(0)
    sample_rows(LABELS, ((7,), (1,)), n, name="n", rng=rng)
    sample_rows(LABELS, ((7,), (1,)), 3, name="n", rng=other)
    assert rng.integers(1 << 30) == other.integers(1 << 30)


def test_asking_for_more_rows_than_there_are_tells_how_many_there_are():
    """The caller can then ask for a number that exists."""
    with pytest.raises(ValueError, match=r"n_train: at most 5 rows were expected, .* 6 came"):
        sample_rows(LABELS, ((7,), (1,)), 6, name="n_train", rng=np.random.default_rng(0))
