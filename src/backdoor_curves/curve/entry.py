"""From an estimator and poisoned data to a curve: the path is followed, the test rows are scored along it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from backdoor_curves.curve.betas import check_betas
from backdoor_curves.curve.info import CurveInfo
from backdoor_curves.curve.live import Live
from backdoor_curves.curve.record import BackdoorLearningCurve
from backdoor_curves.curve.scored_columns import ScoredColumns
from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.data.samples import Samples
from backdoor_curves.kernels.memory import require_bytes
from backdoor_curves.learners.exact import is_known
from backdoor_curves.learners.follow import Method, betas_to_check, check_tolerance, follow, missed_betas
from backdoor_curves.learners.freezing import Freeze
from backdoor_curves.learners.learner import Learner
from backdoor_curves.learners.reading import read_learner
from backdoor_curves.learners.shared import Shared
from backdoor_curves.paths.base import BetaPath, Interpolant
from backdoor_curves.records.one_line import one_line


def backdoor_learning_curve(
    estimator: Any,
    data: PoisonedData,
    *,
    method: Method = "auto",
    betas: Any = None,
    tolerance: float = 1e-6,
    freeze: Freeze = "joined",
    on_miss: Literal["raise", "flag"] = "raise",
    n_jobs: int | None = None,
    shared: Shared | None = None,
) -> BackdoorLearningCurve:
    """Return the backdoor learning curve of a learner on poisoned data.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Unfitted; alone or at the end of a Pipeline. It states the learner and its hyperparameters and is not changed.
        `RidgeClassifier`, `LogisticRegression` (L2 penalty), `SVC` and `LinearSVC` are followed exactly, and
        `OneVsRestClassifier` and `OneVsOneClassifier` around one of them; any other classifier that takes
        `sample_weight` is refitted beta by beta.
    data : PoisonedData
        From `poison`, or built from own rows. For `SVC(kernel="precomputed")` a row is its kernel with all training
        rows, in the order of `data.is_poison`: the clean rows, then the poison, unless it replaced rows in between.
    method : {"auto", "exact", "refit"}
        "auto" takes the exact path where there is one, and never a refit in its place where that path fails. Which one
        served is `curve.method`.
    betas : array-like of shape (b,), optional
        Ascending, in [0, 1]. An exact curve answers at every beta, and reports these by default (101 even ones); a
        refitted curve answers at these only (by default 21, dense near 0).
    tolerance : float, > 0
        Largest distance of a score from the optimum's that an exact path may have, in the units of the scores.
    freeze : {"joined", "clean"}
        What the Pipeline's transformers, `gamma="scale"` and `class_weight="balanced"` are fitted on, once for all
        betas: clean and poison rows (beta = 1 is the victim's own fit) or clean rows only (beta = 0 never saw poison).
    on_miss : {"raise", "flag"}
        Whether a path that misses its tolerance is an error or a curve whose `missed` names the betas.
    n_jobs : int, optional
        Refits at once, as joblib counts them; None for one. Refits with `warm_start=True` run one after the other.
    shared : Shared, optional
        What curves on the same rows leave to each other: kernel matrices, for one. Pass the same to all of them.

    Returns
    -------
    BackdoorLearningCurve

    Raises
    ------
    TypeError
        If the estimator is no classifier, or its fit takes no `sample_weight`, or ignores it, wholly or in a part that
        says so.
    ValueError
        If C or alpha is not positive, a feature is NaN or infinite, betas are empty, unsorted or outside [0, 1],
        "exact" is asked of a learner that has no exact path, or the kernel of an SVM is not positive semidefinite on
        the training rows: sigmoid kernels seldom are. If a precomputed kernel has not a column for each training row.
    MemoryError
        If the kernel matrix of an exact path would not fit, before anything is computed, or the scores of the test rows
        at its nodes.
    PathError
        If rounding keeps an exact path from the optimum.
    ToleranceError
        If the path misses the tolerance and `on_miss` is "raise"; a PathError too.

    Notes
    -----
    A learner with `random_state=None` draws anew at every beta; fix it, or average the curves of several seeds.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If refits stopped before they converged; `curve.missed` names their betas.
    UserWarning
        If poison rows have a say at weight 0 already (`curve.info.zero_weight_share`), or count in full at any weight:
        the curve then jumps behind beta = 0.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits("even-odd", rng=rng)
    >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    >>> data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    >>> curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=1.0), data)
    >>> curve.exact, curve.loss("triggered", 0.0) > curve.loss("triggered", 1.0)
    (True, True)

    The matrix of a kernel of your own:

    >>> from sklearn.metrics.pairwise import laplacian_kernel
    >>> from sklearn.svm import SVC
    >>> parts = [data.clean_train, data.poison_train, data.clean_test, data.triggered_test]
    >>> rows = [part.X.reshape(len(part), -1) for part in parts]
    >>> training = np.vstack(rows[:2])
    >>> kernels = [(laplacian_kernel(X, training), part.y) for X, part in zip(rows, parts)]
    >>> bc.backdoor_learning_curve(SVC(kernel="precomputed"), bc.PoisonedData(*kernels)).method
    'svm'
    """
    if not isinstance(data, PoisonedData):
        raise TypeError(f"data: PoisonedData was expected, {type(data).__name__} came; make it with poison(...)")
    check_tolerance(tolerance)
    if n_jobs is not None and (not isinstance(n_jobs, Integral) or n_jobs == 0):
        raise ValueError(f"n_jobs: None or a number of processes, -1 for all cores, was expected, {n_jobs!r} came")
    if on_miss not in ("raise", "flag"):
        raise ValueError(f'on_miss: "raise" or "flag" was expected, {on_miss!r} came')
    grid = None if betas is None else check_betas(betas, ascending=True)
    learner = read_learner(estimator, data, freeze)
    path = follow(learner, method, grid, n_jobs, tolerance, shared)
    if grid is None:
        grid = np.linspace(0.0, 1.0, 101) if path.exact else path.interpolant.nodes
    triggered = learner.test_rows(data.triggered_test, "triggered_test")
    clean = learner.test_rows(data.clean_test, "clean_test")
    certificate = path.certificate(betas_to_check(path.proven_at, grid), (triggered.X, clean.X))
    both = [_scored(learner, path, rows) for rows in (triggered, clean)]
    if not path.exact and not is_known(learner.estimator):
        _warn_of_a_step(learner, path.interpolant.nodes, *both)
    return BackdoorLearningCurve(
        info=_describe(learner, data, path),
        betas=grid,
        classes=learner.classes,
        interpolants=tuple(column.interpolant for column in path.columns),
        triggered=both[0],
        clean=both[1],
        triggered_true=None
        if data.triggered_true is None
        else np.tile(learner.index(data.triggered_true), path.n_seeds),
        missed=missed_betas(learner, path, certificate, tolerance, on_miss),
        source=Live(path, learner, data, {"triggered": triggered.X, "clean": clean.X}, certificate),
    )


def _scored(learner: Learner, path: BetaPath, rows: Samples) -> ScoredRows | ScoredColumns:
    """Return test rows with their scores at the nodes of a path, or of each of its columns."""
    parts = [column.interpolant for column in path.columns]
    if len(parts) > 1 or not path.keeps_products:
        _require_room(parts, len(rows), len(learner.classes))
    nodal = path.nodal_scores_by_column(rows.X)
    y, weight = (np.tile(part, path.n_seeds) for part in (rows.y, rows.weight))
    how = y, weight, learner.loss, learner.encoding, len(learner.classes)
    if len(parts) == 1:
        return ScoredRows(parts[0], nodal[0], *how)
    return ScoredColumns(tuple(parts), tuple(np.asarray(scores)[..., 0] for scores in nodal), *how)


def _require_room(parts: Sequence[Interpolant], n: int, n_classes: int) -> None:
    """Refuse scores of test rows at the nodes of all columns that would not fit; of many classes they are many."""
    nodes = sum(len(part.nodes) for part in parts)
    at_each = n_classes if len(parts) == 1 and n_classes > 2 else 1
    require_bytes(
        8.0 * nodes * at_each * n,
        f"scores of {n} test rows at {nodes} nodes of {max(len(parts), at_each)} score columns",
        "ask of fewer test rows",
    )


def _warn_of_a_step(learner: Learner, betas: Float[np.ndarray, " k"], *both: ScoredRows | ScoredColumns) -> None:
    """Warn where fits at several betas > 0 give the same scores, and the fit without poison others."""
    if betas[0] > 0.0 or len(betas) < 3:
        return
    nodal = [rows.scores(betas) for rows in both]
    alike = all((scores[1:] == scores[1]).all() for scores in nodal)
    if alike and any((scores[0] != scores[1]).any() for scores in nodal):
        warnings.warn(
            f"estimator: {type(learner.estimator).__name__} scores all test rows alike at every beta > 0: it takes a "
            "row of any weight for a whole one (a tree whose leaves are pure does), or its fit ignores weights but "
            "those of 0; the curve is a step behind beta = 0",
            stacklevel=3,
        )


def backdoor_learning_curves(
    estimators: Mapping[str, Any],
    data: PoisonedData,
    *,
    method: Method = "auto",
    betas: Any = None,
    tolerance: float = 1e-6,
    freeze: Freeze = "joined",
    on_miss: Literal["raise", "flag"] = "raise",
    n_jobs: int | None = None,
    shared: Shared | None = None,
) -> dict[str, BackdoorLearningCurve]:
    """Return the curves of several learners on the same data, by name; they share kernel matrices.

    Parameters
    ----------
    estimators : mapping of str to scikit-learn classifier
        The learners. The other parameters are those of `backdoor_learning_curve`.

    Returns
    -------
    dict of str to BackdoorLearningCurve

    Raises
    ------
    TypeError, ValueError, MemoryError, PathError
        As `backdoor_learning_curve`.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> curves = bc.backdoor_learning_curves({"weak": RidgeClassifier(0.1), "strong": RidgeClassifier(10.0)}, data)
    >>> sorted(curves)
    ['strong', 'weak']
    """
    if not isinstance(estimators, Mapping):
        raise TypeError(f"estimators: a mapping {{name: estimator}} was expected, {type(estimators).__name__} came")
    shared = Shared() if shared is None else shared
    return {
        name: backdoor_learning_curve(
            estimator,
            data,
            method=method,
            betas=betas,
            tolerance=tolerance,
            freeze=freeze,
            on_miss=on_miss,
            n_jobs=n_jobs,
            shared=shared,
        )
        for name, estimator in estimators.items()
    }


def _describe(learner: Learner, data: PoisonedData, path: BetaPath) -> CurveInfo:
    return CurveInfo(
        estimator=one_line(repr(learner.estimator)),
        method=path.method,
        exact=path.exact,
        loss=learner.loss,
        encoding=learner.encoding,
        hyperparameters=learner.hyperparameters,
        freeze=learner.freeze,
        n_clean=len(learner.clean),
        n_poison=len(learner.poison),
        rate=float(data.rate),
        flattened=learner.flattened,
        zero_weight_share=path.zero_weight_share,
        weighted_train=data.clean_train.is_weighted or data.poison_train.is_weighted,
        weighted_test=data.clean_test.is_weighted or data.triggered_test.is_weighted,
        n_cover=int(data.is_cover.sum()),
        n_seeds=path.n_seeds,
    )
