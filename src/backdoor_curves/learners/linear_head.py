"""A fitted linear classifier of scikit-learn becomes the head that triggers with a closed form are made for."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from backdoor_curves.triggers.linear_head import LinearHead


def linear_head(fitted: Any) -> LinearHead:
    """Return the weights of a fitted linear classifier, for `PerturbationTrigger.worst_case` and `HardenedTrigger`.

    Parameters
    ----------
    fitted : classifier
        With `coef_`, `intercept_` and `classes_`, and a score for each class, or one for two classes: scikit-learn's
        LogisticRegression, RidgeClassifier, LinearSVC, SGDClassifier and so on; SVC(kernel="linear") for two classes.
        It must have been fitted on the rows that are stamped, flattened, without steps before it.

    Returns
    -------
    LinearHead
        In the units of the rows that the classifier was fitted on.

    Raises
    ------
    ValueError
        If it is not fitted or not linear, is a Pipeline, or scores pairs of classes.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> train, _ = bc.datasets.digits((4, 9), rng=np.random.default_rng(0))
    >>> bc.linear_head(RidgeClassifier().fit(train.X.reshape(len(train), -1), train.y))
    LinearHead(2 classes, 64 entries)
    """
    name = type(fitted).__name__
    if hasattr(fitted, "steps"):
        raise ValueError(
            f"linear_head: a classifier without steps before it was expected, {name} came; stamp its rows after the "
            "steps, or give LinearHead weights in the units before them: for a StandardScaler coef_ / scale_"
        )
    if any(not hasattr(fitted, part) for part in ("coef_", "intercept_", "classes_")):
        raise ValueError(f"linear_head: a fitted linear classifier, with coef_, was expected, {name} came")
    coef = fitted.coef_.toarray() if sp.issparse(fitted.coef_) else np.asarray(fitted.coef_)
    classes = np.asarray(fitted.classes_).tolist()
    pairs = len(classes) * (len(classes) - 1) // 2
    if len(classes) > 2 and hasattr(fitted, "dual_coef_") and len(coef) == pairs:
        raise ValueError(
            f"linear_head: a score for each class was expected, {name} with scores of pairs of {len(classes)} classes "
            "came; take LinearSVC, say"
        )
    if len(np.atleast_2d(coef)) == 1 and len(classes) == 2:
        return LinearHead(coef, np.ravel(fitted.intercept_)[0], tuple(classes))
    intercept = np.broadcast_to(np.ravel(fitted.intercept_), (len(classes),))  # without one it is 0.0
    return LinearHead(coef, intercept, tuple(classes))
