"""Estimators that questions ask about and scikit-learn has in parts: ridge on random Fourier features of images."""

from __future__ import annotations

from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import Pipeline, make_pipeline


def random_features() -> Pipeline:
    """Return ridge on random features whose inner products are, in the mean, an RBF kernel (Rahimi and Recht 2007).

    Examples
    --------
    >>> from backdoor_curves.questions.learners import random_features
    >>> [name for name, _ in random_features().steps]
    ['rbfsampler', 'ridgeclassifier']
    """
    return make_pipeline(RBFSampler(), RidgeClassifier())
