"""The 8 x 8 digits that scikit-learn brings along: no files, no download."""

from __future__ import annotations

import numpy as np

from backdoor_curves.data.rng import check_rng
from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.sampling import (
    DIGIT_GROUPINGS,
    Classes,
    check_count,
    class_groups,
    grouped_rows,
)


def digits(
    classes: Classes = "even-odd",
    *,
    n_train: int | None = None,
    n_test: int | None = None,
    rng: np.random.Generator,
) -> tuple[Samples, Samples]:
    """Return a random split of scikit-learn's 1797 handwritten digits into training and test rows.

    Parameters
    ----------
    classes : "even-odd", "all" or a sequence of K >= 2 digits
        "even-odd" merges the even digits into class 0 and the odd ones into class 1; "all" keeps ten classes. In a
        sequence an entry is a digit or a tuple of digits merged into one class, and labels are places in it: in
        `(7, 1)` digit 7 is class 0 and digit 1 is class 1.
    n_train : int, optional
        Training rows. All that the test set leaves, if None.
    n_test : int, optional
        Test rows. A third of the rows of these classes (rounded down), or fewer where `n_train` leaves fewer, if None.
    rng : numpy Generator
        Source of the split. For one state of it, the training rows depend on `n_train` alone and the test rows on
        `n_test` alone, and smaller sets are the first rows of larger ones.

    Returns
    -------
    train, test : Samples
        Disjoint, in random order. X is float64 of shape (n, 8, 8, 1) in [0, 1] (the 17 levels over 16), y int64 of
        shape (n,) in [0, K).

    Raises
    ------
    ValueError
        If a class is unknown, comes twice or stands alone, if a number of rows is not a positive int, or if both
        together are more than there are.
    TypeError
        If `rng` is not a numpy Generator.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.datasets import digits
    >>> train, test = digits((7, 1), n_train=100, n_test=50, rng=np.random.default_rng(0))
    >>> train.X.shape, test.X.shape
    ((100, 8, 8, 1), (50, 8, 8, 1))
    """
    groups = class_groups(classes, range(10), DIGIT_GROUPINGS)
    for name, n in (("n_train", n_train), ("n_test", n_test)):
        if n is not None:
            check_count(name, n)
    check_rng(rng)

    from sklearn.datasets import load_digits  # here, as scikit-learn takes half a second to import

    bunch = load_digits()
    rows, y = grouped_rows(bunch.target, groups)
    n_train, n_test = _split_sizes(len(rows), n_train, n_test)
    X = bunch.images[rows, :, :, np.newaxis] / 16.0
    # Training rows from the front and test rows from the back: neither size changes what the other set starts with.
    order = rng.permutation(len(rows))
    front, back = order[:n_train], order[::-1][:n_test]
    return Samples(X[front], y[front]), Samples(X[back], y[back])


def _split_sizes(available: int, n_train: int | None, n_test: int | None) -> tuple[int, int]:
    """Return both sizes, the ones left out filled in."""
    tested = min(available // 3, available - (n_train or 0)) if n_test is None else n_test
    trained = available - tested if n_train is None else n_train
    if trained < 1 or tested < 1 or trained + tested > available:
        asked = f"n_train={n_train}, n_test={n_test}"
        raise ValueError(
            f"n_train and n_test: at most {available} rows together, at least one each, were expected, as there are "
            f"no more of these classes; {asked} came; ask for fewer"
        )
    return trained, tested
