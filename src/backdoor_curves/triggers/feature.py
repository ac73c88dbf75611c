"""A trigger for rows of plain features: some columns take given values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class FeatureTrigger:
    """Set given columns of every row to given values: the patch of tabular data.

    Parameters
    ----------
    columns : tuple of int
        Columns to set, in [0, d).
    values : tuple of float
        Their values, one a column, in the units of the data.

    Raises
    ------
    ValueError
        If the two differ in length; when applied, if X is not of shape (n, d) or lacks a column.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import FeatureTrigger
    >>> FeatureTrigger(columns=(1,), values=(9.0,))(np.zeros((2, 3)), np.array([0, 1]))
    array([[0., 9., 0.],
           [0., 9., 0.]])
    """

    columns: tuple[int, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.columns) != len(self.values) or len(self.columns) == 0:
            raise ValueError(f"one value a column was expected: {len(self.columns)} columns, {len(self.values)} values")

    def __call__(self, X: Float[np.ndarray, "n d"], _y: np.ndarray, /) -> Float[np.ndarray, "n d"]:
        """Return a copy of `X` with the columns set; the labels play no part."""
        if getattr(X, "ndim", None) != 2 or not isinstance(X, np.ndarray):
            raise ValueError(
                "FeatureTrigger: an array of shape (n, d) was expected, "
                f"{type(X).__name__} of shape {getattr(X, 'shape', None)} came; PatchTrigger is the one for images"
            )
        if min(self.columns) < 0 or max(self.columns) >= X.shape[1]:
            raise ValueError(f"FeatureTrigger: columns in [0, {X.shape[1]}) were expected, {self.columns} came")
        stamped = X.astype(np.result_type(X, *self.values))  # .5 in a column of integers would become 0
        stamped[:, self.columns] = self.values
        return stamped
