"""What a curve is a curve of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding

Split = Literal["triggered", "clean"]
"""The test rows that a quantity is of."""


@dataclass(frozen=True)
class CurveInfo:
    """What a curve is a curve of.

    Parameters
    ----------
    estimator : str
        The last step of the estimator, with its frozen parameters.
    method : str
        How the path was followed: "ridge", "svm", "logistic", "squared hinge", "refit" or "network".
    exact : bool
        Whether the curve answers at every beta.
    loss, encoding : str
        The learner's own loss (see `losses`), and what its score columns stand for (see `losses.score_encodings`).
    hyperparameters : dict
        `lambda`, and `gamma` for kernels that have it.
    freeze : str
        What the frozen parts were fitted on.
    n_clean, n_poison : int
        Training rows of weight 1 and of weight beta, cover rows among them: numbers of rows, whatever they weigh.
    rate : float
        The rate that the data were poisoned at, `data.rate`: of rows, whatever they weigh.
    flattened : str
        The shape of images that were flattened, and before which step or classifier, which take rows of two dimensions;
        empty where none were.
    zero_weight_share : float
        Share of what poison rows do at weight 1 that they do at weight 0 already: 0 for a learner whose fit goes by
        the weights. For one that counts rows whatever their weight, in leaves or bins, the curve jumps behind beta = 0.
    weighted_train, weighted_test : bool
        Whether training rows have weights of their own, and whether means and shares of test rows are weighted.
    n_cover : int
        Cover rows, of either weight.
    n_seeds : int
        Of a network: the nets at each beta. A test row then counts once for each, and `curve.seeds` are their curves.
    """

    estimator: str
    method: str
    exact: bool
    loss: Loss
    encoding: ScoreEncoding
    hyperparameters: dict[str, float]
    freeze: str
    n_clean: int
    n_poison: int
    rate: float
    flattened: str = ""
    zero_weight_share: float = 0.0
    weighted_train: bool = False
    weighted_test: bool = False
    n_cover: int = 0
    n_seeds: int = 1
