"""What a file says of its estimator: the facts of any that can be used, and the way to its path where it has one."""

from __future__ import annotations

from typing import Any, Protocol

from backdoor_curves.kernels.functions import Kernel
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.shared import Shared
from backdoor_curves.losses.row_losses import Loss
from backdoor_curves.losses.score_encodings import ScoreEncoding
from backdoor_curves.paths.base import BetaPath
from backdoor_curves.paths.intercept import Intercept


class Facts(Protocol):
    """What is true of an unfitted estimator; a module that has these functions."""

    def require_usable(self, estimator: Any) -> None:
        """Refuse hyperparameters that neither a path nor a fit can take, before anything is computed."""
        ...

    def loss(self, estimator: Any) -> Loss:
        """Return the loss of a row that it minimises."""
        ...

    def encoding(self, estimator: Any, n_classes: int) -> ScoreEncoding:
        """Return what its score columns stand for."""
        ...

    def hyperparameters(self, estimator: Any) -> dict[str, float]:
        """Return `lambda`, where its penalty has one, and `gamma`, where its kernel has one."""
        ...

    def kernel(self, estimator: Any) -> Kernel | None:
        """Return its kernel between rows of features; None where it has none, or is given the matrix alone."""
        ...

    def balances_weights(self, estimator: Any) -> bool:
        """Return whether its class_weight="balanced" adds up the weights of a class's rows, and does not count them."""
        ...


class ExactEstimator(Facts, Protocol):
    """The facts of an estimator with an exact path, and the way to it; a file of this folder."""

    ESTIMATOR: Any
    """The class of scikit-learn."""
    PARAMETERS: frozenset[str]
    """The parameters that the file knows; any other one must have its default value."""

    def refusal(self, estimator: Any, n_classes: int) -> str | None:
        """Return why it is not followed exactly, as the end of "... has no exact path ..."; None where it is."""
        ...

    def follow(self, learner: Learner, tolerance: float, shared: Shared | None) -> BetaPath:
        """Return the exact path of a learner; `tolerance` is for paths that are followed to one."""
        ...


class OfTwoClasses(ExactEstimator, Protocol):
    """One that may stand inside OneVsRestClassifier and OneVsOneClassifier, a fit for each score column."""

    TOGETHER: frozenset[ScoreEncoding]
    """Encodings whose columns `follow` takes all at once, each a problem of two classes of its own."""

    def intercept(self, estimator: Any) -> Intercept:
        """Return how its intercept enters the objective."""
        ...
