"""Axes of any hyperparameters, and regions along them."""

from __future__ import annotations

import pytest

from backdoor_curves.report.region_words import region_words
from backdoor_curves.search.axes import Axis, axes_of, in_order
from backdoor_curves.search.safe_region import Trial, safe_regions


def region(found, **bounds):  # noqa: ARG001
    """The region of a learner, of settings with their ASR."""
    trials = [Trial("patch", "forest", setting, 0, 0.9, asr) for setting, asr in found]
    (made,) = safe_regions(trials)
    return made


def test_an_axis_is_a_hyperparameter_in_which_settings_differ():
    """In the order of their names; of a learner with a lambda all are."""
    assert axes_of([{"a": 1, "b": 2}, {"a": 3, "b": 2}]) == [Axis("a", (1, 3))]
    assert axes_of([{"a": 1}]) == []
    assert axes_of([]) == []
    assert axes_of([{"lambda": 1.0, "gamma": 0.1}]) == [Axis("lambda", (1.0,)), Axis("gamma", (0.1,))]


def test_values_that_python_takes_for_equal_have_places_of_their_own():
    """One feature, all features, and a truth."""
    axis = axes_of([{"max_features": 1}, {"max_features": 1.0}, {"max_features": True}])[0]
    assert len(axis.values) == 3
    assert [axis.place({"max_features": value}) for value in axis.values] == [0, 1, 2]


def test_numbers_ascend_and_words_keep_their_order():
    """So that no depth at all comes after the depths."""
    assert in_order([8, "None", 2, "sqrt", True, 0.5]) == (0.5, 2, 8, "None", "sqrt", True)


@pytest.mark.parametrize(
    ("values", "geometric"),
    [
        ((0.001, 0.01, 0.1), True),
        ((1, 3, 10, 30, 100), True),
        ((1, 2, 4, 8), True),
        ((1, 2, 3, 4), False),
        ((10, 20), False),
        ((1, 10), True),
        ((0.0, 0.5, 1.0), False),
        ((-1.0, 1.0), False),
        ((5,), False),
        ((1, 10, "None"), False),
        (("a", "b"), False),
        ((True, False), False),
    ],
)
def test_an_axis_is_logarithmic_where_its_values_are_geometric(values, geometric):
    """Rounded series too; words and truths never."""
    assert Axis("x", values).is_geometric == geometric


def test_a_region_is_said_along_each_hyperparameter():
    """Ends where values are side by side, else one by one."""
    found = region(
        [
            ({"depth": depth, "rule": rule}, 0.1 if depth in (2, 4, 16) and rule == "gini" else 0.9)
            for depth in (2, 4, 8, 16)
            for rule in ("gini", "entropy")
        ]
    )
    assert region_words(found) == ["depth 2, 4, 16 of 2 to 16", "rule gini of gini, entropy"]
    assert found.safe_along(found.axes[0]) == (2, 4, 16)
    assert region_words(region([({"depth": 2}, 0.9), ({"depth": 4}, 0.9)])) == []
    assert region_words(region([({"C": 0.1}, 0.1), ({"C": 1.0}, 0.1)])) == ["C any of 0.1 to 1"]


def test_settings_that_python_takes_for_equal_are_judged_apart():
    """As two settings of the region, each with its own numbers."""
    found = region([({"max_features": 1}, 0.1), ({"max_features": 1.0}, 0.9)])
    assert [(one.hyperparameters["max_features"], one.safe) for one in found.settings] == [(1, True), (1.0, False)]


def test_a_setting_chosen_by_the_other_seeds_keeps_its_values():
    """With their types, and whatever they are."""
    trials = [
        Trial("patch", "forest", {"rule": rule, "trees": 10}, seed, 0.9, asr)
        for rule, asr in (("gini", 0.1), ("entropy", 0.9))
        for seed in (0, 1)
    ]
    (found,) = safe_regions(trials)
    assert [one.chosen for one in found.left_out] == [{"rule": "gini", "trees": 10}] * 2
