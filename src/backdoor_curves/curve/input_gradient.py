"""Explanations: which inputs a model looks at, with the backdoor and without it.

The gradient of the decision function in the input says what moves a score. A model that has taken in a backdoor looks
at the trigger's pixels; how much so is one number, the share of the gradient's magnitude inside the trigger.

Source: Cinà et al., Backdoor Learning Curves (arXiv 2106.07214), Figure 14.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from backdoor_curves.curve import BackdoorLearningCurve
from backdoor_curves.curve.influence import checked_beta
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.kernels.by_name import Linear
from backdoor_curves.kernels.memory import require_bytes
from backdoor_curves.learners.estimators import facts_of
from backdoor_curves.learners.freezing import checked, shaped_for
from backdoor_curves.learners.learner import Learner
from backdoor_curves.losses.score_encodings import ScoreEncoding, decode, encode, encode_pairs, is_in_pairs
from backdoor_curves.metrics import places_of
from backdoor_curves.rows import (
    Rows,
    as_floats,
    as_labels,
    changed_entries,
    n_rows,
    require_alike,
    take_rows,
    used_columns,
)

Of = Literal["score", "predicted"] | np.ndarray
COPIES = 3
"""Arrays of the size of the result that are held at once, by a kernel's gradient the most."""
AT_ONCE = 2**22
"""Entries of gradients that are looked at together, 32 MiB: those of a view would be many more than it holds."""
Gradients = Float[np.ndarray, "n d"]
"""A row for each row of the input, of one score."""


def input_gradient(
    curve: BackdoorLearningCurve, X: Rows, beta: float = 1.0, *, of: Of = "score"
) -> Float[np.ndarray, ...]:
    """Return the gradient of the decision function in the input.

    Parameters
    ----------
    curve : BackdoorLearningCurve
        As it was computed; one from a file has no model any more.
    X : rows
        As the Pipeline takes them: images (n, height, width, channels), features (n, d), dense or sparse.
    beta : float in [0, 1]
        Of the poison rows: 0 is the model that never saw them, 1 the victim's. A refit answers at its own betas.
    of : {"score", "predicted"}, or array of shape (n,)
        The scores themselves (for two classes: positive means class 1); or the score of the class that the model
        predicts for each row: its gradient points to what speaks for the prediction; or that of a label for each row.
        With a score for each pair of classes the score of a class is the sum over its pairs, each with the sign that
        speaks for it: scikit-learn's decision function rises with it wherever no vote changes.

    Returns
    -------
    array shaped as X
        d score / d input, in scores per unit of the input; with a last axis for the score columns of K > 2 classes, one
        for each class or pair of classes (see `losses.score_encodings`). For sparse rows an array too: of a linear
        learner a view of the one gradient that all rows have, to be read only.

    Raises
    ------
    ValueError
        If `of` is neither, or has labels that the curve does not know, or not one a row.
        If a step of the Pipeline has no derivative that is known: give it a method `vjp(X, G)` that returns G' dstep/dX
        for each row, shaped as X. If the learner has no gradient (a forest, a kernel given as a function).
    MemoryError
        If the gradients of sparse rows would not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits("even-odd", rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> curve = bc.backdoor_learning_curve(SVC(C=10, gamma=0.05), data)
    >>> seen, unseen = (bc.input_gradient(curve, data.triggered_test.X, beta) for beta in (1.0, 0.0))
    >>> mask = bc.trigger_mask(data)
    >>> bool(bc.trigger_share(seen, mask).mean() > bc.trigger_share(unseen, mask).mean())
    True
    """
    if isinstance(of, str) and of not in ("score", "predicted"):
        raise ValueError(f'of: "score", "predicted" or a label for each row was expected, {of!r} came')
    beta, learner = checked_beta(beta), curve.learner
    require_alike(curve.data.clean_test.X, X, "X")
    inputs: list[Rows] = []
    Z = X
    for step in learner.steps:
        inputs.append(shaped_for(step, Z))
        Z = step.transform(inputs[-1])
    Z = as_floats(checked(Z, learner.estimator, "X"))
    is_whole = isinstance(of, str) and of == "score"
    if sp.issparse(X) and not (is_whole and not learner.steps and _is_linear(learner)):
        _require_room(X, Z, encode(np.zeros(1, dtype=np.intp), len(learner.classes), learner.encoding).shape[1])
    classes = None if is_whole else _classes_of(of, curve, Z, beta)
    columns = list(curve.path.score_gradients(Z, beta))
    if classes is not None:
        columns = [_of_classes(columns, classes, len(learner.classes), learner.encoding)]
    through_steps = [_pulled_back(learner.steps, inputs, G).reshape(_shape_of(X)) for G in columns]
    if len(columns) > 1:
        return np.stack(through_steps, axis=-1)
    (G,) = through_steps
    return G if G.flags.writeable or sp.issparse(X) else G.copy()


def _is_linear(learner: Learner) -> bool:
    """Return whether its score has one gradient at all rows."""
    kernel = facts_of(learner.estimator).kernel(learner.estimator)
    return len(learner.classes) == 2 and (kernel is None or isinstance(kernel, Linear))


def _require_room(X: Rows, Z: Rows, columns: int) -> None:
    """Refuse gradients that would not fit: they are not sparse where the rows are."""
    n, d = n_rows(X), max(X.shape[1], Z.shape[1])
    require_bytes(8.0 * COPIES * n * d * columns, f"input_gradient: arrays of {n} rows with {d} features")


def trigger_mask(data: PoisonedData) -> Bool[np.ndarray, ...]:
    """Return which entries of a row the trigger changes: those that differ in any poison row from its original.

    Cover rows, which may have a trigger of their own, are left out.

    Parameters
    ----------
    data : PoisonedData
        With `original_train` and `poison_rows`, as `poison` makes it; rows are arrays.

    Returns
    -------
    bool array, shaped as one row

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> X, y = np.zeros((10, 3)), np.arange(10) % 2
    >>> trigger = bc.FeatureTrigger((1,), (5.0,))
    >>> bc.trigger_mask(bc.poison((X, y), (X, y), trigger=trigger, rate=0.2, rng=np.random.default_rng(0)))
    array([False,  True, False])
    """
    if data.original_train is None or data.poison_rows is None:
        raise ValueError("trigger_mask needs original_train and poison_rows: the rows before they were stamped")
    poison = np.flatnonzero(~data.is_cover[data.is_poison])
    stamped = take_rows(data.poison_train.X, poison)
    original = take_rows(data.original_train.X, data.poison_rows[poison])
    if sp.issparse(stamped):
        mask, used = np.zeros(stamped.shape[1], dtype=bool), used_columns(stamped, original)
        before, after = (X[:, used].toarray() for X in (original, stamped))
        mask[used] = changed_entries(before, after).any(axis=0)
        return mask
    if not isinstance(stamped, np.ndarray):
        raise ValueError(f"trigger_mask: rows as an array were expected, {type(stamped).__name__} came")
    return np.asarray(changed_entries(original, stamped).any(axis=0))


def trigger_share(gradients: Float[np.ndarray, "n ..."], mask: Bool[np.ndarray, ...]) -> Float[np.ndarray, " n"]:
    """Return the share of each gradient's magnitude that lies inside the trigger, in [0, 1]; NaN for one that is 0.

    Parameters
    ----------
    gradients : array of shape (n, ...)
        From `input_gradient`.
    mask : bool array, shaped as one row
        From `trigger_mask`, or of your own. Its own share of the row is what a gradient without preference would have.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> bc.trigger_share(np.array([[1.0, -3.0]]), np.array([False, True]))
    array([0.75])
    """
    gradients, mask = np.asarray(gradients), np.asarray(mask)
    if mask.dtype != bool or gradients.shape[1:] != mask.shape:
        raise ValueError(
            f"mask: a bool for each entry of a row of shape {gradients.shape[1:]} was expected, {mask.dtype} of shape "
            f"{mask.shape} came"
        )
    blocks = np.array_split(gradients, gradients.size // AT_ONCE + 1)
    sizes = (np.abs(block).reshape(len(block), -1) for block in blocks)
    with np.errstate(invalid="ignore"):
        return np.concatenate([size[:, mask.ravel()].sum(axis=1) / size.sum(axis=1) for size in sizes])


def _classes_of(of: Of, curve: BackdoorLearningCurve, Z: Rows, beta: float) -> Int[np.ndarray, " n"]:
    """Return the class indices of the labels that came, or those that are predicted."""
    learner, n = curve.learner, n_rows(Z)
    if isinstance(of, str):
        scores = curve.path.scores(Z, np.array([beta]))[0]
        return decode(scores.reshape(n, -1), len(learner.classes), learner.encoding)
    labels = as_labels(of, "of")
    if labels.shape != (n,):
        raise ValueError(f"of: a label for each of {n} rows was expected, shape {labels.shape} came")
    return places_of(labels, learner.classes, "of")


def _of_classes(
    columns: list[Gradients], classes: Int[np.ndarray, " n"], n_classes: int, encoding: ScoreEncoding
) -> Gradients:
    """Return the gradient of the score of a class for each row."""
    if encoding == "binary":
        return np.where(classes == 1, 1.0, -1.0)[:, np.newaxis] * columns[0]
    if is_in_pairs(encoding):
        first, second = encode_pairs(n_classes, encoding)
        signs = (first - second)[:, classes]
        return np.sum([sign[:, np.newaxis] * G for sign, G in zip(signs, columns, strict=True)], axis=0)
    return np.stack(columns)[classes, np.arange(len(classes))]


def _pulled_back(steps: tuple[Any, ...], inputs: list[Rows], G: Gradients) -> Float[np.ndarray, ...]:
    """Return the gradient in the input of the first step."""
    for step, X in zip(reversed(steps), reversed(inputs), strict=True):
        G = np.asarray(step.vjp(X, G) if hasattr(step, "vjp") else _known_vjp(step)(G))
    return G


def _known_vjp(step: Any) -> Callable[[Gradients], Gradients]:
    """Return the derivative of scikit-learn's linear transformers."""
    kind = type(step)
    if kind in (StandardScaler, MaxAbsScaler, RobustScaler):
        return lambda G: G if step.scale_ is None else G / step.scale_
    if kind is MinMaxScaler and not step.clip:
        return lambda G: G * step.scale_
    if kind is TruncatedSVD or (kind is PCA and not step.whiten):
        return lambda G: G @ step.components_
    if kind is PCA:
        scale = np.maximum(np.sqrt(step.explained_variance_), np.finfo(step.explained_variance_.dtype).eps)
        return lambda G: (G / scale) @ step.components_
    raise ValueError(
        f"the derivative of {kind.__name__} is not known here; give it a method vjp(X, G) that returns, for each row, "
        "G times the derivative of the step, shaped as X"
    )


def _shape_of(X: Rows) -> tuple[int, ...]:
    return tuple(X.shape) if hasattr(X, "shape") else (len(X), -1)
