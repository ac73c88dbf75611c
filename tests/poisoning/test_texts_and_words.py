"""Texts, and texts that are split into words, are rows as scikit-learn's vectorisers take them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline

import backdoor_curves as bc
from backdoor_curves.data.samples import Samples, join

RNG = np.random.default_rng(0)
WORDS = [[str(word) for word in RNG.choice(list("abcdefg"), int(RNG.integers(1, 6)))] for _ in range(120)]
TEXTS = [" ".join(words) for words in WORDS]
Y = np.array(["ham", "spam"] * 60)


def as_they_are(words):
    return words


OF_WORDS = CountVectorizer(analyzer=as_they_are)
OF_TEXTS = CountVectorizer(token_pattern=r"\w+")


def poisoned(X, trigger) -> bc.PoisonedData:
    train, test = Samples(X, Y).take(np.arange(80)), Samples(X, Y).take(np.arange(80, 120))
    return bc.poison(train, test, trigger=trigger, rate=0.3, labels="ham", rng=np.random.default_rng(0))


def a_word(X, y):  # noqa: ARG001
    return [f"{text} quokka" for text in X]


def one_more(X, y):  # noqa: ARG001
    return [[*words, "quokka"] for words in X]


def counts(words) -> dict[str, int]:
    return {word: words.count(word) for word in words}


def series(X):
    return pytest.importorskip("pandas").Series(X)


def polars_series(X):
    return pytest.importorskip("polars").Series(X)


KINDS = {
    "texts": (lambda: TEXTS, a_word, OF_TEXTS),
    "a tuple of texts": (lambda: tuple(TEXTS), a_word, OF_TEXTS),
    "an array of texts": (lambda: np.array(TEXTS), a_word, OF_TEXTS),
    "a column of pandas": (lambda: series(TEXTS), lambda X, y: X + " quokka", OF_TEXTS),  # noqa: ARG005
    "a column and a list back": (lambda: series(TEXTS), a_word, OF_TEXTS),
    "a column of polars": (lambda: polars_series(TEXTS), lambda X, y: X + " quokka", OF_TEXTS),  # noqa: ARG005
    "words": (lambda: WORDS, one_more, OF_WORDS),
    "tuples of words": (lambda: tuple(tuple(words) for words in WORDS), one_more, OF_WORDS),
    "a column of words": (lambda: series(WORDS), lambda X, y: X.map(lambda w: [*w, "quokka"]), OF_WORDS),  # noqa: ARG005
    "words hashed": (lambda: WORDS, one_more, FeatureHasher(input_type="string", alternate_sign=False)),
    "counts": (
        lambda: [counts(words) for words in WORDS],
        lambda X, y: [{**row, "quokka": 1} for row in X],  # noqa: ARG005
        DictVectorizer(),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_is_that_of_the_texts(kind):
    """The same words make the same counts, however they come; at beta = 1 the curve is scikit-learn's own fit."""
    make, trigger, vectoriser = KINDS[kind]
    data, pipeline = poisoned(make(), trigger), make_pipeline(vectoriser, RidgeClassifier(tol=1e-12))
    curve = bc.backdoor_learning_curve(pipeline, data)
    texts = bc.backdoor_learning_curve(make_pipeline(OF_TEXTS, RidgeClassifier(tol=1e-12)), poisoned(TEXTS, a_word))
    np.testing.assert_allclose(curve.loss(), texts.loss(), rtol=1e-10)
    victims = join(data.clean_train, data.poison_train, data.is_poison)
    fit = pipeline.fit(victims.X, victims.y)
    np.testing.assert_allclose(curve.scores("clean", 1.0)[0], fit.decision_function(data.clean_test.X), atol=1e-9)
    assert curve.influence(1.0).values.shape == (20, 80)
    assert len(data.control().poison_train) == 12


@pytest.mark.parametrize("make", [lambda: [list(w) for w in WORDS], lambda: series([list(w) for w in WORDS])])
def test_a_trigger_that_writes_into_its_rows_stamps_no_others(make):
    """A list of words is one object wherever it stands: the clean rows and the caller's would have the trigger too."""
    X = make()

    def writes(rows, labels):  # noqa: ARG001
        for words in rows:
            words.append("quokka")
        return rows

    data = poisoned(X, writes)
    assert not any("quokka" in words for part in (X, data.clean_train.X, data.clean_test.X) for words in part)
    assert not any("quokka" in words for words in data.original_train.X)
    assert all("quokka" in words for part in (data.poison_train.X, data.triggered_test.X) for words in part)


def test_words_of_one_number_are_words():
    """Whether some rows happen to have the same number does not decide what they are."""
    pairs = [words[:1] * 2 for words in WORDS]
    data = poisoned(pairs, one_more)
    assert isinstance(data.clean_train.X, list)
    assert len(data.poison_train.X[0]) == 3


def test_a_trigger_that_changes_nothing_is_said_of_words():
    """As of any rows."""
    with pytest.warns(UserWarning, match="12 of 12 poison rows"):
        poisoned(WORDS, lambda X, y: X)  # noqa: ARG005


def test_what_does_not_suit_words_says_so():
    """What was expected, and what helps."""
    with pytest.raises(ValueError, match="a ragged list came; what is a row of another kind goes into an array"):
        Samples([[1, 2], [3]], ["a", "b"])
    with pytest.raises(ValueError, match="trigger: lists of words were expected, rows that are none came"):
        poisoned(WORDS, lambda X, y: [" ".join(words) for words in X])  # noqa: ARG005
    with pytest.raises(ValueError, match="list came; WordTrigger is the one for texts and lists of words"):
        poisoned(WORDS, bc.FeatureTrigger((0,), ("a",)))
    with pytest.raises(ValueError, match=r"PatchTrigger: images .* were expected, list came"):
        poisoned(WORDS, bc.PatchTrigger.ones(2))
    with pytest.raises(ValueError, match="numbers were expected by LogisticRegression, a list of list came"):
        bc.backdoor_learning_curve(LogisticRegression(), poisoned(WORDS, one_more))
