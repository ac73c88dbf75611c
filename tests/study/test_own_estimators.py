"""An estimator that a study names is looked at before anything is computed, and known by what it is."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from msgspec.structs import replace
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from backdoor_curves.study.file.config import LearnerConfig
from backdoor_curves.study.plan.estimators import learner_of
from backdoor_curves.study.plan.own_estimators import content_of, description, own_estimator, with_parameters

MODULE = """
import random
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

class Bare(ClassifierMixin, BaseEstimator):
    def __init__(self, thing=None):
        self.thing = thing
    def fit(self, X, y, sample_weight=None):
        return self
    def predict(self, X):
        return X
    def decision_function(self, X):
        return X

class Uncloneable(Bare):
    def __init__(self, thing=1):
        self.thing = [thing]

class Endless:
    def __init__(self):
        self.me = self

value = 3
fine = LogisticRegression
def raises(): raise KeyError("no such file")
def exits(): raise SystemExit(3)
def nothing(): return None
def needs(depth): return RandomForestClassifier(max_depth=depth)
def draws(): return RandomForestClassifier(n_estimators=random.randrange(10**9))
def regressor(): return RandomForestRegressor()
def neighbours(): return make_pipeline(StandardScaler(), KNeighborsClassifier())
def search(): return GridSearchCV(LogisticRegression(), {})
def a_class(): return LogisticRegression
def opaque(): return Bare(iter([1]))
def endless(): return Bare(Endless())
"""


@pytest.fixture
def home(tmp_path):
    """A folder with a module."""
    (tmp_path / "ours_made.py").write_text(MODULE)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("value", "a function or a class was expected, int came"),
        ("raises", "an estimator was expected of raises(), it raises KeyError: 'no such file'"),
        ("exits", "it raises SystemExit: 3"),
        ("nothing", "an unfitted scikit-learn classifier was expected, None came"),
        ("needs", "it is called without arguments: write a function that gives them"),
        ("draws", "another came the second time, which differs in .n_estimators"),
        ("regressor", "a classifier was expected, RandomForestRegressor is none"),
        ("neighbours", "KNeighborsClassifier.fit has none; beta is the weight of the poison rows; of scikit-learn's"),
        ("search", "GridSearchCV would choose its hyperparameters anew at every beta"),
        ("a_class", "an unfitted scikit-learn classifier was expected"),
        ("Uncloneable", "an estimator that sklearn.base.clone can copy was expected"),
        ("opaque", "parts that can be told from their like were expected"),
        ("endless", "one that holds itself came"),
    ],
)
def test_what_is_no_estimator_for_a_study_is_a_sentence(home, name, said):
    """It begins with the reference."""
    with pytest.raises(ValueError, match=r".") as caught:
        content_of(f"ours_made:{name}", (), home)
    message = str(caught.value)
    assert message.startswith(f"'ours_made:{name}': ")
    assert said in message
    assert message.isprintable()


def test_a_function_is_named_with_a_colon_and_a_class_with_a_dot(home):
    """Either may be a class; a function behind a dot is taken for a slip."""
    assert isinstance(own_estimator("ours_made:fine", (), home), LogisticRegression)
    with pytest.raises(ValueError, match='a class was expected, draws is none; name a function as "ours_made:draws"'):
        own_estimator("ours_made.draws", (), home)


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ((("c", (1,)),), "LogisticRegression has no parameter 'c'; did you mean 'C'?"),
        ((("solvr", ("lbfgs",)),), "did you mean 'solver'?"),
        ((("C", (1.0, -1.0)),), "The 'C' parameter of LogisticRegression must be"),
        ((("C", (1.0, "big")),), "Got 'big' instead"),
        ((("solver", ("lbfg",)),), "The 'solver' parameter of LogisticRegression must be"),
        ((("xyz", (1,)),), "it has 'C', 'class_weight'"),
    ],
)
def test_a_grid_that_the_estimator_does_not_take_is_refused_before_anything_is_computed(grid, said):
    """In its own words, or with the nearest right name."""
    config = LearnerConfig(estimator="sklearn.linear_model.LogisticRegression", grid=grid)
    with pytest.raises(ValueError, match=r".") as caught:
        learner_of(config, (), None)
    assert said in str(caught.value)
    assert str(caught.value).startswith("'sklearn.linear_model.LogisticRegression': ")


def test_parameters_of_steps_are_known_by_their_own_names_too():
    """C for logisticregression__C is the commonest slip."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    with pytest.raises(ValueError, match="did you mean 'logisticregression__C'"):
        with_parameters(pipeline, (("C", 1.0),))
    assert with_parameters(pipeline, (("logisticregression__C", 3.0),)).get_params()["logisticregression__C"] == 3.0


def test_the_word_none_is_pythons_none_and_lists_are_tuples():
    """TOML has no word for it."""
    forest = own_estimator(
        "sklearn.ensemble.RandomForestClassifier", (("max_depth", "None"), ("max_features", 0.5)), None
    )
    assert (forest.max_depth, forest.max_features) == (None, 0.5)
    vectoriser = make_pipeline(FunctionTransformer(), LogisticRegression())
    assert with_parameters(vectoriser, (("functiontransformer__validate", True),)).steps[0][1].validate is True


class Own(ClassifierMixin, BaseEstimator):
    """An estimator of this module."""

    def __init__(self, part=None):
        self.part = part


def double(X):
    """Return twice the rows."""
    return 2 * X


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LogisticRegression(C=1.0), LogisticRegression(C=1)),
        (LogisticRegression(), RandomForestClassifier()),
        (Own(np.arange(3)), Own(np.arange(4))),
        (Own(np.zeros(3)), Own(np.zeros(3, dtype=int))),
        (Own({"a": 1}), Own({"a": 2})),
        (Own([1, 2]), Own((1, 2))),
        (Own({1, 2}), Own({1, 3})),
        (Own(LogisticRegression()), Own(LogisticRegression(C=2.0))),
        (Own(functools.partial(double, 1)), Own(functools.partial(double, 2))),
        (Own(np.random.RandomState(0)), Own(np.random.RandomState(1))),
        (Own(double), Own(len)),
        (Own(True), Own(1)),
    ],
    ids=[
        "whole",
        "class",
        "array",
        "type of array",
        "mapping",
        "tuple",
        "set",
        "inside",
        "partial",
        "state",
        "function",
        "truth",
    ],
)
def test_what_differs_is_described_differently_and_what_does_not_is_not(one, other):
    """By values, never by where they lie."""
    assert list(description(one)) != list(description(other))
    assert list(description(one)) == list(description(one))
    assert not any(" at 0x" in line for line in description(one))


def test_a_default_that_is_said_is_the_default():
    """As elsewhere in keys."""
    assert list(description(LogisticRegression(C=1.0))) == list(description(LogisticRegression()))


def test_a_learner_is_the_same_value_each_time():
    """Parameters in whatever order."""
    config = LearnerConfig(
        estimator="sklearn.ensemble.RandomForestClassifier", parameters=(("max_depth", 2), ("n_estimators", 3))
    )
    turned = replace(config, parameters=tuple(reversed(config.parameters)))
    assert learner_of(config, ("table",), None) == learner_of(turned, ("table",), None)
    assert learner_of(config, ("table",), None).steps == ("table",)
    assert learner_of(replace(config, steps=()), ("table",), None).steps == ()
