"""RobustSearchCV: scikit-learn's grid search, which attacks each training fold and takes a setting that resists."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from joblib import effective_n_jobs
from sklearn import get_config
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import Bunch, check_random_state, indexable
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.parallel import Parallel, delayed

from backdoor_curves.data.samples import Samples
from backdoor_curves.search.robust.evaluation import RobustEvaluation, evaluated
from backdoor_curves.search.robust.judged import (
    FrontPoint,
    NoSafeSettingError,
    best_of,
    columns_of,
    front_of,
    least_of,
    safe_settings,
)
from backdoor_curves.search.robust.page import search_page
from backdoor_curves.search.robust.panel import Threat, threats_of
from backdoor_curves.search.robust.victims import Victim, victims
from backdoor_curves.search.robust.words import verdict
from backdoor_curves.search.safe_region import ASR

SEEDS = 2**31 - 1
"""Seeds that `random_state` draws from."""


class RobustSearchCV(GridSearchCV):
    """Search a grid for the best setting that resists attacks, by cross-validation; used as GridSearchCV is.

    The test scores are GridSearchCV's own, of fits without poison. Beside them each training fold is poisoned with each
    attack at each rate, and each setting is asked how many triggered rows of the test fold the attacker then gets: by
    its exact path where it has one, with the slope of the curve (theta) and the beta at which it is half learned, by a
    fit and its predictions otherwise. Of the settings whose worst attack success rate is at most `asr` (and, with a
    `margin`, whose score is within it of the best) the one with the best score is taken, and refitted on all rows.

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
        and so on, `low_` and `high_` (the 95 % interval); likewise `theta_`, `half_loss_beta_` (NaN where there is no
        curve) and `poisoned_accuracy_`, the clean accuracy with the poison; and `worst_asr`, `high_worst_asr`,
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
    >>> [point.params["C"] for point in search.pareto_front_]
    [3.0, 0.3, 0.03]
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
        self.image_shape = image_shape
        self.random_state = random_state

    # --- fit ---------------------------------------------------------------------------------------------------------

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
        routed = self._routed(params)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(splitter.split(X, y, **routed.splitter.split))
        rest = {name: value for name, value in params.items() if name not in routed.splitter.split}
        clean = self._clean_search(splits).fit(X, y, **rest)
        found = self._under_attack(X, y, splits, threats, routed.estimator.fit)
        self.n_splits_, self.multimetric_, self.scorer_ = clean.n_splits_, clean.multimetric_, clean.scorer_
        self.cv_results_ = clean.cv_results_ | columns_of(found, [threat.label for threat in threats])
        metric = self._metric()
        self._judge(metric)
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
        for name, words in (("judge", ("mean", "high")), ("on_none", ("raise", "least"))):
            if getattr(self, name) not in words:
                raise ValueError(f"{name}: {' or '.join(map(repr, words))} was expected, {getattr(self, name)!r} came")
        return threats_of(self.attacks, self.rates)

    def _routed(self, params: Mapping[str, Any]) -> Any:
        """Return which parameters go to the splitter, the estimator's fit and the scorer."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self, "fit", **params)
        mine = {name: value for name, value in params.items() if name != "groups"}
        groups = {"groups": params["groups"]} if "groups" in params else {}
        return Bunch(splitter=Bunch(split=groups), estimator=Bunch(fit=mine), scorer=Bunch(score={}))

    def _clean_search(self, splits: Sequence[Any]) -> GridSearchCV:
        """Return the search without attacks on the same folds."""
        return GridSearchCV(
            clone(self.estimator),
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

    def _under_attack(
        self, X: Any, y: Any, splits: Sequence[Any], threats: Sequence[Threat], fit_params: Mapping[str, Any]
    ) -> list[list[list[Victim]]]:
        """Return what becomes of each setting, by fold."""
        rows = Samples(X, y, _weight_of(fit_params))
        _require_classes(rows.y, splits)
        settings = list(ParameterGrid(self.param_grid))
        seed = int(check_random_state(self.random_state).randint(SEEDS))
        blocks = _blocks(settings, -(-effective_n_jobs(self.n_jobs) // len(splits)))
        tasks = [(fold, block) for fold in range(len(splits)) for block in blocks]
        done = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)(
            delayed(_of_fold)(
                self.estimator,
                [settings[i] for i in block],
                rows,
                splits[fold],
                threats,
                self.image_shape,
                (seed, fold),
            )
            for fold, block in tasks
        )
        found: list[list[Any]] = [[None] * len(settings) for _ in splits]
        for (fold, block), part in zip(tasks, done, strict=True):
            for place, victim in zip(block, part, strict=True):
                found[fold][place] = victim
        return found

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

    def _choose(self, metric: str) -> None:
        """Take a setting: that of a callable `refit`, the best that is safe, or the least attacked."""
        results = self.cv_results_
        scores, asr, safe = results[f"mean_test_{metric}"], results["worst_asr"], results["is_safe"]
        if callable(self.refit):
            self.best_index_ = int(self.refit(results))
        elif safe.any() and self.asr is not None:
            self.best_index_ = best_of(scores, asr, safe)
        else:
            self.best_index_ = least_of(scores, asr, self.margin)
        self.best_params_ = results["params"][self.best_index_]
        self.worst_attack_ = str(results["worst_attack"][self.best_index_])
        self.is_safe_ = bool(safe[self.best_index_])
        if not callable(self.refit):
            self.best_score_ = float(scores[self.best_index_])
        self.verdict_ = verdict(self, metric)
        if callable(self.refit) or safe.any():
            return
        if self.on_none == "raise":
            raise NoSafeSettingError(f'{self.verdict_}; raise asr, widen the grid, or pass on_none="least"')
        warnings.warn(self.verdict_, stacklevel=3)

    def _refit(self, X: Any, y: Any, fit_params: Mapping[str, Any]) -> None:
        taken = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        start = time.time()
        self.best_estimator_ = taken.fit(X, y, **fit_params)
        self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_

    # --- what is asked of it -----------------------------------------------------------------------------------------

    def evaluate(
        self, X: Any, y: Any, *, attacks: Any, rates: Any = None, n_seeds: int = 5, test_size: float = 0.3
    ) -> RobustEvaluation:
        """Return what choices come to under attacks that had no part in them, beside other ways to choose and to defend.

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


def _of_fold(
    estimator: Any,
    settings: Sequence[Mapping[str, Any]],
    rows: Samples,
    split: tuple[np.ndarray, np.ndarray],
    threats: Sequence[Threat],
    image_shape: tuple[int, ...] | None,
    seed: tuple[int, int],
) -> list[list[Victim]]:
    """Return what becomes of settings on one fold."""
    train, test = (rows.take(np.asarray(part)) for part in split)
    names = list(dict.fromkeys(threat.name for threat in threats))
    attacked = [threat.on(train, test, image_shape, [*seed, names.index(threat.name)]) for threat in threats]
    return victims(estimator, settings, attacked)


def _blocks(settings: Sequence[Mapping[str, Any]], count: int) -> list[list[int]]:
    """Return settings by number in so many blocks, in each those that differ in their penalty alone, which share."""

    def rest(place: int) -> str:
        return repr([(k, v) for k, v in settings[place].items() if k.rpartition("__")[2] not in ("C", "alpha")])

    ordered = sorted(range(len(settings)), key=rest)
    return [part.tolist() for part in np.array_split(ordered, min(count, len(settings))) if len(part)]


def _weight_of(fit_params: Mapping[str, Any]) -> Any:
    """Return the weights of the rows among fit parameters; refuse others, which a fit under attack would not get."""
    weights = {name: value for name, value in fit_params.items() if name.rpartition("__")[2] == "sample_weight"}
    if others := sorted(fit_params.keys() - weights.keys()):
        raise ValueError(
            f"fit: sample_weight and groups alone were expected, {others[0]!r} came, which has no meaning for poisoned "
            "rows; set it on the estimator"
        )
    return next(iter(weights.values()), None)


def _require_classes(y: np.ndarray, splits: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
    """Refuse training folds that lack a class."""
    for fold, (train, _) in enumerate(splits):
        if (absent := np.setdiff1d(y, y[train])).size:
            raise ValueError(
                f"cv: every class in each training fold was expected, {absent.tolist()[0]!r} is absent from fold "
                f"{fold}; pass fewer folds, StratifiedKFold, or more rows of it"
            )
