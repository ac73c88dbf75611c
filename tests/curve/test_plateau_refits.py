"""Refits whose scores are one plateau behind beta = 0: an SVM has it by right, and is not said to drop weights."""

import warnings

import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc


def test_an_svm_whose_path_is_a_plateau_is_refitted_without_a_warning():
    """Its margin takes the poison in at any weight: no dual is at its bound, and the margin is hard."""
    X, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
    poison = bc.Samples(np.array([[-0.5]]), [1])
    data = bc.PoisonedData((X, y), poison, (X, y), poison)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refits = bc.backdoor_learning_curve(SVC(kernel="linear", C=1e6), data, method="refit", betas=[0.0, 0.5, 1.0])
    exact = bc.backdoor_learning_curve(SVC(kernel="linear", C=1e6), data)
    betas = np.array([0.0, 0.5, 1.0])
    np.testing.assert_allclose(refits.scores("clean", betas), exact.scores("clean", betas), atol=1e-3)
    assert np.ptp(refits.scores("clean", betas)[1:], axis=0).max() == 0.0
