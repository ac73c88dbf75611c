"""Deep partition aggregation (Levine and Feizi, ICLR 2021) as an ensemble of scikit-learn's: the rival of certificates.

Rows go to one of k parts by their content, a learner is fitted on each, and the most votes win, of equals the first
class. A row that is appended or removed changes one part, and with it one vote.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone


class PartitionEnsemble(ClassifierMixin, BaseEstimator):
    """Fit one learner a part, and let them vote; `radius` says how many appended or removed rows a prediction holds.

    Parameters
    ----------
    estimator : classifier
    n_parts : int
    """

    def __init__(self, estimator: Any, n_parts: int = 50) -> None:
        self.estimator, self.n_parts = estimator, n_parts

    def fit(self, X: np.ndarray, y: np.ndarray) -> PartitionEnsemble:
        """Fit a clone on each part; one whose rows are of a single class votes for that."""
        self.classes_ = np.unique(y)
        part = np.array([int.from_bytes(blake2b(row.tobytes(), digest_size=8).digest()) % self.n_parts for row in X])
        self.members_ = []
        for k in range(self.n_parts):
            rows = np.flatnonzero(part == k)
            several = len(np.unique(y[rows])) > 1
            # A part without rows votes for the first class, whatever comes.
            one = y[rows[0]] if len(rows) else self.classes_[0]
            self.members_.append(clone(self.estimator).fit(X[rows], y[rows]) if several else one)
        return self

    def votes(self, X: np.ndarray) -> np.ndarray:
        """Return the votes for each class, shape (n, classes)."""
        said = [one.predict(X) if hasattr(one, "predict") else np.full(len(X), one) for one in self.members_]
        return np.stack([(np.array(said) == label).sum(axis=0) for label in self.classes_], axis=1)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the class of the most votes."""
        return self.classes_[self.votes(X).argmax(axis=1)]

    def radius(self, X: np.ndarray) -> np.ndarray:
        """Return how many appended or removed rows each prediction holds: half of its lead, ties counted."""
        votes = self.votes(X)
        own = votes.argmax(axis=1)
        rows = np.arange(len(X))
        others = votes + (np.arange(votes.shape[1]) < own[:, np.newaxis])
        others[rows, own] = -1
        return (votes[rows, own] - others.max(axis=1)) // 2
