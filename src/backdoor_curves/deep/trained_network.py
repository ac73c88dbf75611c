"""A network and how it is trained, as a scikit-learn classifier whose training is a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from numbers import Integral
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from backdoor_curves.deep.models import layers_for
from backdoor_curves.deep.recipe import Augment, Recipe, Schedule, require_count


class TrainedNetwork(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # they have no types
    """A torch module, trained by a recipe: initial weights, order of the rows, augmentation come from a seed alone.

        L(w; batch) = 1 / b sum_i weight_i loss_i(w) + weight_decay / 2 |w|^2        b rows of a batch

    with the cross entropy. The sum is over the number of rows of a batch and never over their weights, which would move
    the learning rate: a row of weight 0 keeps its place in the order and gives nothing. In `backdoor_learning_curve`
    the nets of all betas and seeds are trained at once, and beside each its exact derivative in beta.

    Parameters
    ----------
    make_module : callable (shape, n_classes) -> torch.nn.Module
        The shape of a row as the module gets it, (d,) or (channels, height, width), and the number of classes, for each
        of which it has an output. `deep.models` has some. Its weights are drawn from torch's random numbers. A row's
        outputs must hang on that row alone: no BatchNorm.
    epochs, batch_size : int
    lr : float
        Learning rate.
    momentum : float in [0, 1)
        Of SGD.
    nesterov : bool
    weight_decay : float, >= 0
        Of all parameters, as in torch.optim: the lambda of networks, in the mean loss of a batch.
    optimizer : {"sgd", "adam"}
    schedule : None, "cosine", or callable
        Of the learning rate, step by step: a factor of the share of the training that is done, in [0, 1).
    augment : callable (rows, rng) -> rows, optional
        What happens to the rows of a batch, shaped as the data have them, with a `numpy.random.Generator` of the seed
        and the step: it must draw the same numbers whatever the rows hold.
    seeds : int or sequence of int
        How many nets a curve has at each beta, or their seeds themselves. `fit` trains the first.
    random_state : int, optional
        The first seed where `seeds` is a number of them, 0 by default: nothing is ever drawn from elsewhere.
    device : str
        "auto" is CUDA where there is one, else the CPU.
    precision : {"single", "double"}
    verbose : bool
        Whether a bar counts the epochs of all nets.

    Attributes
    ----------
    classes_ : array of shape (K,)
    parameters_ : dict of str to array
        The trained parameters, and what of the module is not trained, by name.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> net = bc.TrainedNetwork(bc.deep.models.MLP(hidden=(8,)), epochs=10, batch_size=20, lr=0.1)
    >>> net.fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > 0.95
    True
    """

    def __init__(
        self,
        make_module: Callable[[tuple[int, ...], int], Any],
        *,
        epochs: int = 20,
        batch_size: int = 50,
        lr: float = 0.05,
        momentum: float = 0.9,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        optimizer: Literal["sgd", "adam"] = "sgd",
        schedule: Schedule = None,
        augment: Augment | None = None,
        seeds: int | Sequence[int] = 1,
        random_state: int | None = None,
        device: str = "auto",
        precision: Literal["single", "double"] = "single",
        verbose: bool = False,
    ) -> None:
        self.make_module = make_module
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.schedule = schedule
        self.augment = augment
        self.seeds = seeds
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.verbose = verbose

    def recipe(self) -> Recipe:
        """Return how it is trained, checked."""
        return Recipe(**{part.name: getattr(self, part.name) for part in fields(Recipe)})

    def seeds_used(self) -> tuple[int, ...]:
        """Return the seeds, checked."""
        first = 0 if self.random_state is None else self.random_state
        if not isinstance(first, Integral) or isinstance(first, bool) or first < 0:
            raise ValueError(f"random_state: None or a whole number >= 0 was expected, {first!r} came")
        if isinstance(self.seeds, Integral) and not isinstance(self.seeds, bool):
            require_count("seeds", self.seeds, "nets at each beta")
            return tuple(range(int(first), int(first) + int(self.seeds)))
        found = tuple(self.seeds) if isinstance(self.seeds, Sequence | np.ndarray) else ()
        are_seeds = all(isinstance(seed, Integral) and not isinstance(seed, bool) and seed >= 0 for seed in found)
        if not found or not are_seeds or len(set(found)) < len(found):
            raise ValueError(
                f"seeds: a number of nets, or different whole numbers >= 0, was expected, {self.seeds!r} came"
            )
        return tuple(int(seed) for seed in found)

    def fit(
        self, X: Any, y: Shaped[np.ndarray, " n"], sample_weight: Float[np.ndarray, " n"] | None = None
    ) -> TrainedNetwork:
        """Train the net of the first seed.

        Parameters
        ----------
        X : array of shape (n, d), or (n, height, width, channels)
        y : array of shape (n,)
            Labels of two classes or more.
        sample_weight : array of shape (n,), optional
            What multiplies each row's loss, >= 0; 1 by default.
        """
        layers_for("TrainedNetwork")
        from backdoor_curves.deep.fitting import fitted_parameters

        X, y = validate_data(self, X, y, dtype=np.float64, allow_nd=True, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"TrainedNetwork: two classes or more were expected, one class came, {self.classes_.tolist()}"
            )
        weight = np.asarray(_check_sample_weight(sample_weight, X, ensure_non_negative=True), dtype=float)
        self.parameters_ = fitted_parameters(self, X, places, weight, len(self.classes_))
        return self

    def decision_function(self, X: Any) -> Float[np.ndarray, ...]:
        """Return the module's outputs, one for each class; of two classes that of the second less that of the first."""
        check_is_fitted(self)
        layers_for("TrainedNetwork")
        from backdoor_curves.deep.fitting import fitted_scores

        X = validate_data(self, X, dtype=np.float64, allow_nd=True, reset=False)
        scores = fitted_scores(self, X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> Shaped[np.ndarray, " n"]:
        """Return the class of the largest output for each row."""
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True  # and images of three axes: rows come as they are
        tags.non_deterministic = False
        return tags
