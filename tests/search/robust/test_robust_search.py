"""RobustSearchCV is a search of scikit-learn's: its scores are GridSearchCV's, its rates those of fits by hand."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from clouds import clouds, on_the_column
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.estimator_checks import check_estimator

import backdoor_curves as bc
from backdoor_curves.search.robust.folds import Folds
from backdoor_curves.search.robust.panel import threats_of


@pytest.fixture
def rows():
    return clouds


@pytest.fixture
def attack() -> bc.Attack:
    return on_the_column()


ALPHAS = {"alpha": [0.1, 10.0, 300.0]}


def seed_of(search: bc.RobustSearchCV) -> int:
    """The seed that a search draws for its folds."""
    return int(np.random.RandomState(search.random_state).randint(2**31 - 1))


def search_of(estimator, grid, attack, **words) -> bc.RobustSearchCV:
    words = {"rates": 0.1, "asr": 1.0, "cv": 3, "on_none": "least", "random_state": 0} | words
    return bc.RobustSearchCV(estimator, grid, attacks=attack, **words)


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (RidgeClassifier(), {"alpha": [1.0, 10.0]}),
        (SVC(), {"C": [0.1, 1.0]}),
        (make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}),
    ],
    ids=["ridge", "svc", "pipeline"],
)
def test_scikit_learn_finds_no_fault(estimator, grid):
    """All of its checks pass, none is excused; those that need another library are not run."""
    attack = bc.Attack(bc.FeatureTrigger((0,), (5.0,)), name="first column")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what scikit-learn feeds it: columns without a name, few rows of a class
        found = check_estimator(search_of(estimator, grid, attack, rates=0.2, cv=2, curves="none"), on_fail=None)
    assert [(one["check_name"], one["exception"]) for one in found if one["status"] not in ("passed", "skipped")] == []
    assert sum(one["status"] == "passed" for one in found) > 40


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (RidgeClassifier(), ALPHAS),
        (SVC(), [{"C": [0.1, 1.0], "gamma": [0.1, "scale"]}, {"kernel": ["linear"], "C": [1.0]}]),
        (make_pipeline(StandardScaler(), SVC()), {"svc__C": [0.1, 1.0]}),
    ],
    ids=["ridge", "svc", "pipeline"],
)
def test_scores_are_those_of_grid_search(rows, attack, estimator, grid):
    """Kernels that are shared change none, and columns come in the same form."""
    X, y = rows()
    ours = search_of(estimator, grid, attack, return_train_score=True).fit(X, y)
    theirs = GridSearchCV(estimator, grid, cv=3, return_train_score=True).fit(X, y)
    assert theirs.cv_results_.keys() <= ours.cv_results_.keys()
    for name, column in theirs.cv_results_.items():
        if "time" not in name and name != "params":
            np.testing.assert_array_equal(np.asarray(ours.cv_results_[name]), np.asarray(column), err_msg=name)
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    assert ours.best_score_ == theirs.best_score_  # with a bound of 1 all are safe, and equals go to the less attacked
    fitted = clone(estimator).set_params(**ours.best_params_).fit(X, y)
    np.testing.assert_array_equal(ours.predict(X), fitted.predict(X))
    assert ours.score(X, y) == fitted.score(X, y)


@pytest.mark.parametrize(
    ("estimator", "grid", "n_classes"),
    [
        (SVC(), {"C": [0.1, 10.0], "gamma": [0.1, "scale"]}, 2),
        (SVC(break_ties=True), {"C": [0.1, 10.0], "kernel": ["rbf", "poly"]}, 3),
        (make_pipeline(StandardScaler(), SVC(class_weight="balanced")), {"svc__C": [0.1, 10.0]}, 3),
        (LinearSVC(), {"C": [0.1, 10.0]}, 2),
        (KNeighborsClassifier(), {"n_neighbors": [1, 9]}, 3),
        (RandomForestClassifier(n_estimators=5, random_state=0), {"max_depth": [2, 5]}, 2),
    ],
    ids=["svc", "svc, three classes", "pipeline", "linear", "neighbours, without weights", "forest"],
)
def test_rates_are_those_of_fits_by_hand(rows, attack, estimator, grid, n_classes):
    """Each training fold is poisoned, each setting fitted on it by scikit-learn alone, and asked for triggered rows."""
    X, y = rows(150, n_classes)
    search = search_of(estimator, grid, attack, rates=[0.05, 0.2]).fit(X, y)
    splits = list(StratifiedKFold(3).split(X, y))
    folds = Folds(estimator, bc.Samples(X, y), splits, threats_of(attack, [0.05, 0.2]), None, seed_of(search))
    for fold in range(3):
        for threat, data in zip(folds.threats, folds._attacked(fold), strict=True):
            order = np.argsort(np.append(np.flatnonzero(~data.is_poison), np.flatnonzero(data.is_poison)))
            train = np.vstack([data.clean_train.X, data.poison_train.X])[order]
            labels = np.append(data.clean_train.y, data.poison_train.y)[order]
            assert (train[data.is_poison, 3] == 1.5).all()
            for place, params in enumerate(search.cv_results_["params"]):
                fitted = clone(estimator).set_params(**params).fit(train, labels)
                asr = (fitted.predict(data.triggered_test.X) == data.triggered_test.y).mean()
                assert search.cv_results_[f"split{fold}_asr_{threat.label}"][place] == pytest.approx(asr, abs=1e-12)


def test_the_best_safe_setting_is_taken(rows, attack):
    """Of the settings under the bound the most accurate one; without a bound accuracy alone would choose."""
    X, y = rows(seed=3)
    search = search_of(RidgeClassifier(), {"alpha": np.geomspace(0.1, 3000, 8).tolist()}, attack, asr=0.3).fit(X, y)
    results = search.cv_results_
    assert 0 < results["is_safe"].sum() < 8
    np.testing.assert_array_equal(results["is_safe"], results["worst_asr"] <= 0.3)
    assert search.is_safe_
    assert search.best_score_ == results["mean_test_score"][results["is_safe"]].max()
    assert "of 8 settings are safe" in search.verdict_
    assert search.worst_attack_ == "column@0.1"
    front = search.pareto_front_
    assert [point.asr for point in front] == sorted((point.asr for point in front), reverse=True)
    assert [point.score for point in front] == sorted((point.score for point in front), reverse=True)
    for index in range(8):  # none outside of the front beats one of it in both
        others = [
            p for p in front if p.score >= results["mean_test_score"][index] and p.asr <= results["worst_asr"][index]
        ]
        assert others


def test_a_margin_bounds_what_safety_may_cost(rows, attack):
    """With a margin alone the least attacked setting within it is taken; with both, one that keeps both."""
    X, y = rows(seed=3)
    grid = {"alpha": np.geomspace(0.1, 3000, 8).tolist()}
    search = search_of(RidgeClassifier(), grid, attack, asr=None, margin=0.05).fit(X, y)
    scores, asr = search.cv_results_["mean_test_score"], search.cv_results_["worst_asr"]
    within = scores >= scores.max() - 0.05
    assert asr[search.best_index_] == asr[within].min()
    none = search_of(RidgeClassifier(), grid, attack, asr=float(asr.min()) / 2, margin=0.0)
    with pytest.warns(
        UserWarning, match="no setting of 8 has a worst ASR of at most .* and a score within 0 of the best"
    ):
        none.fit(X, y)
    assert not none.is_safe_


def test_where_no_setting_is_safe_it_says_so(rows, attack):
    """An error that names the least attacked one, with the columns there; or a warning, and that one."""
    X, y = rows()
    search = search_of(RidgeClassifier(), {"alpha": [0.01, 0.1]}, attack, rates=0.4, asr=0.0, on_none="raise")
    with pytest.raises(
        bc.NoSafeSettingError, match=r'no setting of 2 has .*: the least attacked, alpha=.*on_none="least"'
    ):
        search.fit(X, y)
    assert search.cv_results_["worst_asr"].min() > 0.0
    with pytest.raises(NotFittedError):
        search.predict(X)
    with pytest.warns(UserWarning, match="no setting of 2"):
        search.set_params(on_none="least").fit(X, y)
    assert search.worst_attack_ == "column@0.4"


def test_any_setting_may_be_safe(rows, attack):
    """That is an answer, too."""
    assert "all 3 settings are safe" in search_of(RidgeClassifier(), ALPHAS, attack).fit(*rows()).verdict_


def test_the_upper_end_of_the_interval_may_judge(rows, attack):
    """Few rows leave room for more: fewer settings are safe."""
    X, y = rows(seed=3)
    grid = {"alpha": np.geomspace(0.1, 3000, 8).tolist()}
    mean, high = (
        search_of(RidgeClassifier(), grid, attack, asr=0.3, judge=judge).fit(X, y) for judge in ("mean", "high")
    )
    assert high.cv_results_["is_safe"].sum() < mean.cv_results_["is_safe"].sum()
    assert (mean.cv_results_["high_worst_asr"] > mean.cv_results_["worst_asr"]).all()


def test_curves_are_followed_where_they_are_asked(rows, attack):
    """Theta and half-loss beta are of the exact path on each fold; a learner without one has none."""
    X, y = rows()
    search = search_of(RidgeClassifier(), ALPHAS, attack, curves="all").fit(X, y)
    folds = Folds(
        RidgeClassifier(),
        bc.Samples(X, y),
        list(StratifiedKFold(3).split(X, y)),
        threats_of(attack, 0.1),
        None,
        seed_of(search),
    )
    for fold in range(3):
        curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=10.0), folds._attacked(fold)[0])
        assert search.cv_results_[f"split{fold}_theta_column@0.1"][1] == pytest.approx(curve.theta, abs=1e-12)
        data = folds._attacked(fold)[0]
        alone = RidgeClassifier(alpha=10.0).fit(data.original_train.X, data.original_train.y)
        share = (alone.predict(data.triggered_test.X) == data.triggered_test.y).mean()
        assert search.cv_results_[f"split{fold}_asr_without_poison_column@0.1"][1] == pytest.approx(share, abs=1e-12)
    low, mean, high = (search.cv_results_[f"{which}_theta_column@0.1"] for which in ("low", "mean", "high"))
    assert (low < mean).all()
    assert (mean < high).all()
    taken = search_of(RidgeClassifier(), ALPHAS, attack).fit(X, y)
    assert np.flatnonzero(np.isfinite(taken.cv_results_["mean_theta_column@0.1"])).tolist() == [taken.best_index_]
    trees = search_of(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, attack, curves="all").fit(X, y)
    assert np.isnan(trees.cv_results_["mean_theta_column@0.1"]).all()


def test_refit_may_be_a_callable_or_none(rows, attack):
    """As in GridSearchCV."""
    X, y = rows()
    last = search_of(RidgeClassifier(), ALPHAS, attack, refit=lambda results: len(results["params"]) - 1).fit(X, y)
    assert last.best_params_ == {"alpha": 300.0}
    assert not hasattr(last, "best_score_")
    without = search_of(RidgeClassifier(), ALPHAS, attack, refit=False).fit(X, y)
    assert not hasattr(without, "best_estimator_")
    assert without.best_params_ in without.cv_results_["params"]


def test_several_metrics_have_one_that_is_the_accuracy(rows, attack):
    """Its name is `refit`."""
    X, y = rows()
    scoring = ["accuracy", "roc_auc"]
    search = search_of(SVC(), {"C": [0.1, 1.0]}, attack, scoring=scoring, refit="roc_auc").fit(X, y)
    theirs = GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=3, scoring=scoring, refit="roc_auc").fit(X, y)
    assert search.best_score_ == theirs.best_score_
    assert search.score(X, y) == theirs.score(X, y)
    with pytest.raises(ValueError, match="refit: with several metrics the name"):
        search_of(SVC(), {"C": [0.1]}, attack, scoring=scoring).fit(X, y)


def test_it_is_cloned_pickled_nested_and_put_into_a_pipeline(rows, attack):
    """What users do with searches."""
    X, y = rows()
    search = search_of(RidgeClassifier(), ALPHAS, attack).fit(X, y)
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert again.verdict_ == search.verdict_
    twin = clone(search).fit(X, y)
    np.testing.assert_array_equal(twin.cv_results_["worst_asr"], search.cv_results_["worst_asr"])  # one random_state
    assert clone(search).set_params(estimator__fit_intercept=False, asr=0.1).asr == 0.1
    assert cross_val_score(clone(search), X, y, cv=2).mean() > 0.8
    assert make_pipeline(StandardScaler(), clone(search)).fit(X, y).score(X, y) > 0.8


def test_several_processes_find_the_same(rows, attack):
    """Poisoned rows hang on seed, fold and attack, and on nothing else."""
    X, y = rows()
    words = {"rates": [0.1, 0.2], "curves": "none"}
    one, two = (search_of(SVC(), {"C": [0.1, 1.0]}, attack, n_jobs=n, **words).fit(X, y) for n in (1, 2))
    for name in one.cv_results_:
        if "asr" in name:
            np.testing.assert_array_equal(one.cv_results_[name], two.cv_results_[name])


def test_groups_and_weights_go_where_they_belong(rows, attack):
    """Groups to the splitter; weights to fits, scores of scikit-learn's aside, and to the victims."""
    X, y = rows()
    groups = np.arange(len(y)) // 4
    search = search_of(RidgeClassifier(), ALPHAS, attack, cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert search.n_splits_ == 3
    weight = np.where(y == 0, 20.0, 1.0)
    heavy = search_of(RidgeClassifier(), ALPHAS, attack).fit(X, y, sample_weight=weight)
    light = search_of(RidgeClassifier(), ALPHAS, attack).fit(X, y)
    assert (heavy.cv_results_["worst_asr"] != light.cv_results_["worst_asr"]).any()
    fitted = RidgeClassifier(**heavy.best_params_).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(heavy.decision_function(X), fitted.decision_function(X))
    pipe = make_pipeline(StandardScaler(), RidgeClassifier())
    grid = {"ridgeclassifier__alpha": [0.1, 10.0]}
    piped = search_of(pipe, grid, attack).fit(X, y, ridgeclassifier__sample_weight=weight)
    assert np.isfinite(piped.cv_results_["mean_asr_without_poison_column@0.1"][piped.best_index_])
    with pytest.raises(ValueError, match="sample_weight: weight: finite numbers > 0"):
        light.fit(X, y, sample_weight=np.append(0.0, np.ones(len(y) - 1)))


def test_metadata_is_routed(rows, attack):
    """With scikit-learn's routing what is asked for arrives, and the rest is refused."""
    X, y = rows()
    with sklearn.config_context(enable_metadata_routing=True):
        ridge = RidgeClassifier().set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=False)
        search = search_of(ridge, ALPHAS, attack, cv=GroupKFold(3), scoring=scorer)
        search.fit(X, y, groups=np.arange(len(y)) // 4, sample_weight=np.where(y == 0, 2.0, 1.0))
        with pytest.raises(TypeError, match="colour"):
            search.fit(X, y, colour="red")


def test_texts_frames_and_classes_of_any_name_are_searched():
    """What the estimator takes, the search takes."""
    texts = [f"win {word} now" for word in "abcdefghij"] + [f"see you {word}" for word in "abcdefghij"]
    texts, y = texts * 4, ["spam"] * 10 + ["ham"] * 10
    mails = make_pipeline(TfidfVectorizer(), LinearSVC())
    word = bc.Attack(bc.WordTrigger(("zebra",)), labels="ham", name="word")
    search = search_of(mails, {"linearsvc__C": [0.01, 10.0]}, word, rates=0.3).fit(texts, y * 4)
    assert search.cv_results_["worst_asr"].max() > 0.5
    assert set(search.classes_) == {"ham", "spam"}
    frame = pd.DataFrame({"a": np.arange(80.0), "b": np.tile([0.0, 1.0], 40)})
    value = bc.Attack(bc.FeatureTrigger(("a",), (500.0,)), labels=1, name="value")
    table = make_pipeline(StandardScaler(), RidgeClassifier())
    found = search_of(table, {"ridgeclassifier__alpha": [1.0]}, value).fit(frame, np.tile([0, 1], 40))
    assert found.feature_names_in_.tolist() == ["a", "b"]


def test_images_may_be_flat_rows_of_a_shape(rows):  # noqa: ARG001
    """The estimator sees flat rows, the attack images."""
    train, _ = bc.datasets.digits((4, 9), rng=np.random.default_rng(0))
    X, y = train.X.reshape(len(train), -1), train.y
    search = search_of(SVC(), {"C": [0.1, 1.0]}, ["badnets@backdoorbench"], image_shape=(8, 8, 1)).fit(X, y)
    assert search.worst_attack_ == "badnets@backdoorbench@0.1"
    with pytest.raises(ValueError, match=r"badnets@backdoorbench.*image rows were expected.*image_shape=\(height"):
        search_of(SVC(), {"C": [0.1, 1.0]}, ["badnets@backdoorbench"]).fit(X, y)


def test_images_of_another_shape_are_refused(rows, attack):
    """Whoever forgets to flatten them, or says another shape, reads what to do."""
    X, y = rows()
    with pytest.raises(ValueError, match=r"shape \(120, 2, 2\) came; pass X.reshape.*image_shape=\(2, 2\)"):
        search_of(make_pipeline(StandardScaler(), SVC()), {"svc__C": [1.0]}, attack).fit(X.reshape(-1, 2, 2), y)
    for shape in ((3, 3), (2, 2, 1, 1), 4, (2.0, 2.0)):
        with pytest.raises(ValueError, match=r"image_shape: \(height, width, channels\) of flat rows"):
            search_of(SVC(), {"C": [1.0]}, attack, image_shape=shape).fit(X, y)


def test_settings_may_replace_steps(rows, attack):
    """A grid over whole steps: each is fitted on the rows of its own."""
    X, y = rows()
    pipe = Pipeline([("before", StandardScaler()), ("last", RidgeClassifier())])
    grid = [{"before": ["passthrough", StandardScaler()], "last": [RidgeClassifier(), SVC()]}]
    search = search_of(pipe, grid, attack).fit(X, y)
    assert len({*search.cv_results_["worst_asr"]}) > 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"asr": 2.0}, r"asr: a share of rows in \[0, 1\], or None, was expected, 2.0 came"),
        ({"asr": None}, "asr: a bound, or a margin in its place"),
        ({"margin": -1.0}, "margin: a number >= 0"),
        ({"judge": "low"}, "judge: 'mean' or 'high' was expected, 'low' came"),
        ({"on_none": "any"}, "on_none: 'raise' or 'least' was expected"),
        ({"curves": "some"}, "curves: 'taken' or 'front'"),
        ({"rates": []}, r"rates: shares of rows in \(0, 1\] were expected, \[\] came"),
        ({"rates": [0.1, 0.1]}, "rates: each once was expected"),
        ({"rates": 1e-6}, "attacks: column@1e-06: .*rate"),
        ({"cv": KFold(4)}, "cv: every class in each training fold was expected, 1 is absent from fold 3"),
        ({"attacks": []}, "attacks: one or more were expected, none came"),
        ({"attacks": ["nobody@nowhere"]}, "presets: a name of an attack was expected"),
        (
            {"attacks": [bc.FeatureTrigger((0,), (1.0,)), bc.Attack(bc.FeatureTrigger((9,), (1.0,)), name="nine")]},
            "nine@0.1",
        ),
    ],
)
def test_bad_input_gets_a_sentence(rows, attack, words, said):
    """What was expected, what came."""
    X, y = rows()
    if "cv" in words:
        y = np.repeat([0, 1], [90, 30])
    with pytest.raises(ValueError, match=said):
        search_of(RidgeClassifier(), ALPHAS, **{"attack": words.pop("attacks", attack)} | words).fit(X, y)


def test_an_attack_that_is_none_is_refused(rows, attack):
    """By its type; and two of one name."""
    with pytest.raises(TypeError, match="an Attack, a preset, the name of one or a trigger was expected, float came"):
        search_of(RidgeClassifier(), ALPHAS, [0.5]).fit(*rows())
    with pytest.raises(ValueError, match="two are called 'column'"):
        search_of(RidgeClassifier(), ALPHAS, [attack, attack]).fit(*rows())
    with pytest.raises(ValueError, match="fit: sample_weight and groups alone were expected, 'sample_colour' came"):
        search_of(Coloured(), {"alpha": [1.0]}, attack).fit(*rows(), sample_colour=np.zeros(120))


class Coloured(RidgeClassifier):
    """One that takes something else, too."""

    def fit(self, X, y, sample_weight=None, sample_colour=None):  # noqa: ARG002
        return super().fit(X, y, sample_weight)


def test_a_notebook_shows_the_front_and_the_verdict(rows, attack):
    """And before a fit the diagram."""
    search = search_of(RidgeClassifier(), ALPHAS, attack)
    assert "verdict" not in search._repr_html_()
    page = search.fit(*rows())._repr_html_()
    assert "on the front" in page
    assert "as if they were clean" in page
    assert search._repr_mimebundle_()["text/html"].endswith("</small></p>")
