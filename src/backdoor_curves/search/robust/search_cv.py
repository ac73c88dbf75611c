"""RobustSearchCV: scikit-learn's grid search, which attacks each training fold and takes a setting that resists."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import Bunch, check_random_state, indexable
from sklearn.utils.metadata_routing import process_routing

from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.on_kernel import KernelRows, NumberedMachine, are_rows_of_numbers, has_kernel_by_name
from backdoor_curves.search.robust.evaluation import RobustEvaluation, evaluated
from backdoor_curves.search.robust.folds import Folds, labelled_rows, require_flat
from backdoor_curves.search.robust.judged import (
    FrontPoint,
    NoSafeSettingError,
    best_of,
    columns_of,
    curve_columns,
    front_of,
    least_of,
    safe_settings,
)
from backdoor_curves.search.robust.page import search_page
from backdoor_curves.search.robust.panel import Threat, threats_of
from backdoor_curves.search.robust.words import verdict
from backdoor_curves.search.safe_region import ASR

SEEDS = 2**31 - 1
"""Seeds that `random_state` draws from."""
MOST_SHARED = 5000
"""Rows up to which matrices of all kernels of a grid are held at once: 200 MB each."""


class RobustSearchCV(GridSearchCV):  # type: ignore[misc]  # scikit-learn has no types
    """Search a grid for the best setting that resists attacks, by cross-validation; used as GridSearchCV is.

    The test scores are GridSearchCV's own, of fits without poison. Beside them each training fold is poisoned with each
    attack at each rate, each setting is fitted on it, and asked how many triggered rows of the test fold the attacker
    then gets. Of the settings whose worst attack success rate is at most `asr` (and, with a `margin`, whose score is
    within it of the best) the one with the best score is taken, and refitted on all rows. The setting taken is
    followed along beta, too, where it has an exact path (`curves`).

    It judges the rows given as if they were clean. Attacks that chose the setting do not judge it: `evaluate` does.

    Parameters
    ----------
    estimator : scikit-learn classifier
        Alone or at the end of a Pipeline. What it takes for the attacks is fit and predict.
    param_grid : dict or list of dicts
        As in GridSearchCV.
    attacks : Attack, preset, name of a preset, trigger, a list of these, or a mapping name: one of these
        What the setting is to resist. Presets are made for the rows of each training fold.
    rates : float or list of floats in (0, 1]
        At which each attack is carried out, of the rows that it says.
    asr : float in [0, 1], optional
        The largest attack success rate that a safe setting has under any attack. None with a margin: the least attacked
        setting within the margin is taken.
    margin : float >= 0, optional
        How far below the best test score a safe setting may be, in its units. None: whatever it costs.
    judge : {"mean", "high"}
        Whether the mean over folds is held to `asr`, or the upper end of its 95 % interval.
    on_none : {"raise", "least"}
        Where no setting is safe: an error, or a warning and the least attacked one.
    curves : {"taken", "front", "all", "none"}
        Of which settings the exact path is followed, where there is one, and the trigger tried without poison: how fast
        a backdoor is learned decides nothing, and takes longer to find than whether it is.
    image_shape : tuple (height, width, channels), optional
        That of the rows, where attacks stamp images and the estimator takes flat rows.
    random_state : int, RandomState or None
        Of the rows that are poisoned, and of patterns that presets draw.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As in GridSearchCV. With several metrics `refit` names the one that is held to be the accuracy.

    Attributes
    ----------
    cv_results_ : dict of arrays
        As GridSearchCV's, and for each attack and rate "name@rate" the columns `mean_asr_name@rate`, `std_`, `split0_`
        and so on, `low_` and `high_` (the 95 % interval of the share of all triggered rows); likewise
        `poisoned_accuracy_`, the clean accuracy with the poison; of settings that `curves` names `asr_without_poison_`,
        what the trigger alone gets, and `theta_` and `half_loss_beta_`, NaN where there is no curve or half of the loss
        is never reached; and `worst_asr`, `high_worst_asr`,
        `worst_attack`, `is_safe`.
    best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_, multimetric_
        As GridSearchCV's.
    is_safe_ : bool
        Whether the setting taken is safe.
    worst_attack_ : str
        Which attack, at which rate, does most to it: "name@rate".
    pareto_front_ : tuple of FrontPoint
        The settings that no other one beats in both, from the most accurate to the least attacked.
    verdict_ : str
        What was found, in a sentence.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> rng = np.random.default_rng(0)
    >>> train, test = bc.datasets.digits((4, 9), rng=rng)
    >>> X, y = train.X.reshape(len(train), -1), train.y
    >>> patch = bc.Attack(bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng), name="patch")
    >>> search = bc.RobustSearchCV(
    ...     SVC(gamma=0.05), {"C": [0.03, 0.3, 3.0]}, attacks=patch, rates=0.1, cv=3,
    ...     image_shape=(8, 8, 1), random_state=0)
    >>> search.fit(X, y).best_params_, search.is_safe_
    ({'C': 0.3}, True)
    >>> print(search.verdict_)  # doctest: +ELLIPSIS
    1 of 3 settings are safe, a worst ASR of at most 0.2: C=0.3 has test score 0.9..., under patch@0.1
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        attacks: Any,
        rates: Any,
        asr: float | None = ASR,
        margin: float | None = None,
        judge: Literal["mean", "high"] = "mean",
        on_none: Literal["raise", "least"] = "raise",
        curves: Literal["taken", "front", "all", "none"] = "taken",
        image_shape: tuple[int, ...] | None = None,
        random_state: Any = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: Any = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.attacks = attacks
        self.rates = rates
        self.asr = asr
        self.margin = margin
        self.judge = judge
        self.on_none = on_none
        self.curves = curves
        self.image_shape = image_shape
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Return the tags of the search without attacks; one label a row is what there is to attack."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output, tags.target_tags.single_output = False, True
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a setting, and an estimator where one is wanted: not after a search without any."""
        return hasattr(self, "cv_results_") and (self.refit is False or hasattr(self, "best_estimator_"))

    def fit(self, X: Any, y: Any = None, **params: Any) -> RobustSearchCV:
        """Search, and fit the setting that is taken on all rows.

        Parameters
        ----------
        X : rows
            As the estimator takes them.
        y : array-like of shape (n,)
            Labels.
        **params : dict
            `groups` for the splitter, `sample_weight`, and what else scikit-learn's metadata routing knows.

        Returns
        -------
        RobustSearchCV
            Itself.

        Raises
        ------
        NoSafeSettingError
            If no setting is safe and `on_none` is "raise"; a ValueError, and `cv_results_` is there all the same.
        TypeError, ValueError
            If a word is none of those expected, an attack or a rate does not fit the rows of a fold, or a class is
            absent from one; and what GridSearchCV raises.
        """
        threats = self._threats()
        X, y = indexable(X, y)
        require_flat(self.estimator, X)
        routed = self._routed(params)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(splitter.split(X, y, **routed.splitter.split))
        rest = {name: value for name, value in params.items() if name not in routed.splitter.split}
        clean = self._clean_search(X, splits)
        clean.fit(np.arange(len(y))[:, np.newaxis] if isinstance(clean.estimator, NumberedMachine) else X, y, **rest)
        self._machine(next(iter(ParameterGrid(self.param_grid)))).fit(X, y, **routed.estimator.fit)  # it takes the rows
        self.n_splits_, self.multimetric_, self.scorer_ = clean.n_splits_, clean.multimetric_, clean.scorer_
        self.cv_results_ = clean.cv_results_
        metric = self._metric()
        rows, seed = labelled_rows(X, y, routed.estimator.fit), check_random_state(self.random_state).randint(SEEDS)
        folds = Folds(self.estimator, rows, splits, threats, self.image_shape, int(seed))
        self._attack(folds, metric)
        self._choose(metric)
        if self.refit:
            self._refit(X, y, routed.estimator.fit)
        return self

    def _threats(self) -> list[Threat]:
        """Return every attack at every rate, once all words are known to be some."""
        for name in ("asr", "margin"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if value is not None and not (is_number and value >= 0.0 and (name == "margin" or value <= 1.0)):
                expected = "a share of rows in [0, 1]" if name == "asr" else "a number >= 0"
                raise ValueError(f"{name}: {expected}, or None, was expected, {value!r} came")
        if self.asr is None and self.margin is None:
            raise ValueError("asr: a bound, or a margin in its place, was expected, None came for both")
        for name, words in (
            ("judge", ("mean", "high")),
            ("on_none", ("raise", "least")),
            ("curves", ("taken", "front", "all", "none")),
        ):
            if getattr(self, name) not in words:
                raise ValueError(f"{name}: {' or '.join(map(repr, words))} was expected, {getattr(self, name)!r} came")
        return threats_of(self.attacks, self.rates)

    def _routed(self, params: Mapping[str, Any]) -> Any:
        """Return which parameters go to the splitter and the estimator's fit."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **params)
        groups, mine = ({k: v for k, v in params.items() if (k == "groups") is which} for which in (True, False))
        return Bunch(splitter=Bunch(split=groups), estimator=Bunch(fit=mine))

    def _clean_search(self, X: Any, splits: Sequence[Any]) -> GridSearchCV:
        """Return the search without attacks on the same folds; kernel machines share their matrices."""
        machine = clone(self.estimator)
        if self._shares_kernels(X):
            machine = NumberedMachine(machine, KernelRows(X))
        return GridSearchCV(
            machine,
            self.param_grid,
            scoring=self.scoring,
            n_jobs=self.n_jobs,
            refit=False,
            cv=splits,
            verbose=self.verbose,
            pre_dispatch=self.pre_dispatch,
            error_score=self.error_score,
            return_train_score=self.return_train_score,
        )

    def _shares_kernels(self, X: Any) -> bool:
        """Return whether all settings are kernel machines on these rows, and scorers ask them for answers alone."""
        metrics = self.scoring if isinstance(self.scoring, list | tuple | set) else [self.scoring]
        answers = {None, "accuracy", "balanced_accuracy", "f1", "f1_macro", "roc_auc"}
        if not all(isinstance(one, str | None) and one in answers for one in metrics) or not are_rows_of_numbers(X):
            return False
        return X.shape[0] <= MOST_SHARED and all(
            has_kernel_by_name(self._machine(setting)) for setting in ParameterGrid(self.param_grid)
        )

    def _attack(self, folds: Folds, metric: str) -> None:
        """Add the columns of what attacks do, and of curves, and say which settings are safe."""
        settings, labels = self.cv_results_["params"], [threat.label for threat in folds.threats]
        how = {"n_jobs": self.n_jobs, "pre_dispatch": self.pre_dispatch}
        self.cv_results_ |= columns_of(folds.victims(settings, **how), labels)
        self._judge(metric)
        self.best_index_ = self._best(metric)
        front = sorted(point.index for point in self.pareto_front_)
        asked = {"all": list(range(len(settings))), "front": front, "taken": [self.best_index_], "none": []}
        places = asked[self.curves]
        curves = folds.curves([settings[i] for i in places], **how) if places else [[] for _ in folds.splits]
        self.cv_results_ |= curve_columns(curves, places, len(settings), labels)

    # --- the choice --------------------------------------------------------------------------------------------------

    def _metric(self) -> str:
        """Return the metric that is the accuracy."""
        if not self.multimetric_:
            return "score"
        names = [name.removeprefix("mean_test_") for name in self.cv_results_ if name.startswith("mean_test_")]
        if self.refit in names:
            return str(self.refit)
        if self.refit is False or callable(self.refit):
            return names[0]
        raise ValueError(
            f"refit: with several metrics the name of the one that is the accuracy was expected, {self.refit!r} came"
        )

    def _judge(self, metric: str) -> None:
        """Add which settings are safe, and keep the front."""
        results = self.cv_results_
        scores, mean = results[f"mean_test_{metric}"], results["worst_asr"]
        judged = mean if self.judge == "mean" else results["high_worst_asr"]
        results["is_safe"] = safe_settings(scores, judged, 1.0 if self.asr is None else self.asr, self.margin)
        self.pareto_front_ = tuple(
            FrontPoint(int(i), results["params"][i], float(scores[i]), float(mean[i]), results["worst_attack"][i])
            for i in front_of(scores, mean)
        )

    def _best(self, metric: str) -> int:
        """Return the setting of a callable `refit`, the best that is safe, or the least attacked."""
        results = self.cv_results_
        scores, asr, safe = results[f"mean_test_{metric}"], results["worst_asr"], results["is_safe"]
        if callable(self.refit):
            return int(self.refit(results))
        if safe.any() and self.asr is not None:
            return best_of(scores, asr, safe)
        return least_of(scores, asr, self.margin)

    def _choose(self, metric: str) -> None:
        """Say which setting is taken and what it costs; where none is safe raise or warn."""
        results = self.cv_results_
        safe = results["is_safe"]
        self.best_params_ = results["params"][self.best_index_]
        self.worst_attack_ = str(results["worst_attack"][self.best_index_])
        self.is_safe_ = bool(safe[self.best_index_])
        if not callable(self.refit):
            self.best_score_ = float(results[f"mean_test_{metric}"][self.best_index_])
        self.verdict_ = verdict(self, metric)
        if callable(self.refit) or safe.any():
            return
        if self.on_none == "raise":
            self.__dict__.pop("best_estimator_", None)  # of a fit before: it is not this one's
            raise NoSafeSettingError(f'{self.verdict_}; raise asr, widen the grid, or pass on_none="least"')
        warnings.warn(self.verdict_, stacklevel=3)

    def _machine(self, params: Mapping[str, Any]) -> Any:
        """Return the estimator of a setting."""
        return clone(self.estimator).set_params(**clone(params, safe=False))

    def _refit(self, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
        taken, start = self._machine(self.best_params_), time.time()
        self.best_estimator_ = taken.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    def evaluate(
        self, X: Any, y: Any, *, attacks: Any, rates: Any = None, n_seeds: int = 5, test_size: float = 0.3
    ) -> RobustEvaluation:
        """Return what choices come to under attacks that had no part in them, beside other choices and defences.

        For each seed the rows are split; on the training part the whole search is run, with its own attacks; what it
        takes, and what rivals take or do, is then trained on the part poisoned by the attacks given here, and tested.

        Parameters
        ----------
        X : rows
        y : array-like of shape (n,)
        attacks, rates
            As in the search, others than its own; rates are its own by default.
        n_seeds : int, >= 1
            Of split and poison.
        test_size : float in (0, 1)
            Share of the rows that are tested.

        Returns
        -------
        RobustEvaluation

        Raises
        ------
        ValueError
            If one of the attacks is one of the search's own at one of its rates.
        """
        own = self._threats()
        held_out = threats_of(attacks, self.rates if rates is None else rates)
        for threat in held_out:
            if any(threat.attack == one.attack and threat.rate == one.rate for one in own):
                raise ValueError(
                    f"attacks: ones that had no part in the choice were expected, {threat.label} came, which chose; "
                    "pass another attack, rate or label policy"
                )
        return evaluated(self, Samples(X, y), held_out, n_seeds, test_size)

    def _repr_html_(self) -> str:
        """Return the estimator's diagram, and after a fit the front, the setting taken and what it costs."""
        return search_page(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": search_page(self)}
