"""Random small SVMs of K classes: columns are optima, predictions and sums are those of their scores."""

import numpy as np
import pytest

import backdoor_curves as bc
from reference.class_cases import failures, random_case


@pytest.mark.parametrize("seed", range(40))
def test_a_random_curve_of_k_classes_has_no_counterexample(seed):
    """`benchmarks/class_counterexamples.py` looks at thousands; C beyond what doubles prove is refused there."""
    assert failures(random_case(seed)) == []


def test_a_class_without_clean_rows_is_refused_before_anything_is_computed():
    """At beta = 0 there is no model of it; scikit-learn's own SVC of such weights ends in an IndexError."""
    X, y = np.random.default_rng(0).normal(size=(12, 2)), np.arange(12) % 3
    with pytest.raises(ValueError, match=r"poison_train: labels out of the training classes \[0, 1, 2\] were expected"):
        bc.PoisonedData((X, y), (X[:2], [3, 3]), (X, y), (X, y))
