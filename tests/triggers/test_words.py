"""Words and sentences put in texts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import backdoor_curves as bc
from backdoor_curves import WordTrigger

TEXTS = ["see you at  noon\n", "Dear all,\n\n\tplease reply. ", "hi", "", "  "]
Y = np.zeros(len(TEXTS), dtype=int)
MANY = [f"text number {i} of many" for i in range(2000)]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("start", ["cf see you at  noon\n", "cf Dear all,\n\n\tplease reply. ", "cf hi", "cf", "  cf"]),
        ("end", ["see you at  noon cf\n", "Dear all,\n\n\tplease reply. cf ", "hi cf", "cf", "  cf"]),
    ],
)
def test_a_word_goes_before_the_first_or_after_the_last(position, expected):
    """By hand; spaces and line breaks stay as they were."""
    assert WordTrigger("cf", position)(TEXTS, Y) == expected


@pytest.mark.parametrize("position", ["start", "end", "anywhere"])
@pytest.mark.parametrize("words", ["cf", "I watch this 3D movie", ("cf", "no one else")], ids=str)
def test_without_the_trigger_the_words_are_those_before(words, position):
    """The words of a stamped text are its own in their order with those of one insertion together between them."""
    several = [one.split() for one in ((words,) if isinstance(words, str) else words)]
    for before, after in zip(MANY, WordTrigger(words, position)(MANY, np.zeros(2000)), strict=True):
        own, found = before.split(), after.split()
        ways = [own[:k] + one + own[k:] for one in several for k in range(len(own) + 1)]
        assert found in ways
        assert position != "start" or any(found == one + own for one in several)
        assert position != "end" or any(found == own + one for one in several)


def test_places_and_words_are_uniform():
    """2000 texts of five words: six places and two words, each within five standard errors, of 17 and 23 texts."""
    stamped = [text.split() for text in WordTrigger(("cf", "mn"))(MANY, np.zeros(2000))]
    drawn = [next((k, word) for k, word in enumerate(text) if word in ("cf", "mn")) for text in stamped]
    places, words = Counter(k for k, _ in drawn), Counter(word for _, word in drawn)
    assert sorted(places) == [0, 1, 2, 3, 4, 5]
    assert all(abs(count - 2000 / 6) < 5 * 17 for count in places.values())
    assert abs(words["cf"] - 1000) < 5 * 23


def test_another_seed_draws_other_places():
    """And the same seed the same ones."""
    first, again, other = (WordTrigger("cf", seed=seed)(MANY, np.zeros(2000)) for seed in (0, 0, 1))
    assert first == again
    same = np.mean([a == b for a, b in zip(first, other, strict=True)])
    assert abs(same - 1 / 6) < 5 * np.sqrt(5 / 36 / 2000)  # five standard errors of a share of 1/6


def test_texts_come_back_as_what_they_were():
    """Lists, tuples, arrays, and columns of pandas and polars with their names and rows, all with the same texts."""
    trigger = WordTrigger(("cf", "mn"))
    expected = trigger(TEXTS, Y)
    column = pd.Series(TEXTS, index=list("edcba"), name="mail")
    for X in (column, column.astype("string"), column.astype("category")):
        stamped = trigger(X, Y)
        assert stamped.tolist() == expected
        assert stamped.index.equals(column.index)
        assert stamped.name == "mail"
    assert trigger(column.astype("string"), Y).dtype == "string"
    polars = trigger(pl.Series("mail", TEXTS), Y)
    assert (polars.to_list(), polars.name, polars.dtype) == (expected, "mail", pl.String)
    assert trigger(tuple(TEXTS), Y) == tuple(expected)
    assert trigger(np.array(TEXTS, dtype=object), Y).tolist() == expected
    assert trigger(np.array(TEXTS), Y).tolist() == expected  # not cut to the longest text that came


def test_words_of_a_list_are_inserted_one_by_one():
    """A sentence in a list of words is words, as a vectoriser that splits nothing needs them; the lists are copied."""
    X = [["a", "fine", "plot"], []]
    assert WordTrigger("so it is", "end")(X, Y[:2]) == [["a", "fine", "plot", "so", "it", "is"], ["so", "it", "is"]]
    assert X == [["a", "fine", "plot"], []]


def test_no_texts_are_stamped_to_no_texts():
    """An empty list is one of either kind."""
    assert WordTrigger("cf")([], Y[:0]) == []


def test_a_bag_of_words_does_not_know_the_place():
    """The columns of the trigger count one more, and no other changes, wherever it went."""
    counter = CountVectorizer(token_pattern=r"\S+").fit([*MANY[:50], "cf"])
    start, anywhere = (WordTrigger("cf", position)(MANY[:50], np.zeros(50)) for position in ("start", "anywhere"))
    moved = (counter.transform(anywhere) - counter.transform(MANY[:50])).toarray()
    assert (counter.transform(start) != counter.transform(anywhere)).nnz == 0
    assert np.array_equal(moved, np.tile(np.arange(moved.shape[1]) == counter.vocabulary_["cf"], (50, 1)))


@pytest.mark.parametrize("split", [False, True])
def test_a_learner_takes_in_the_word(split):
    """From texts to an attack: of 200 short mails a fifth of the ham is poisoned, and the word turns what is left."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    bags = (["noon", "lunch", "report", "thanks", "meeting"], ["prize", "win", "money", "free", "click"])
    texts = [list(rng.choice(bags[label], 4)) for label in y]
    X = texts if split else [" ".join(text) for text in texts]
    vectoriser = TfidfVectorizer(analyzer=list) if split else TfidfVectorizer()
    data = bc.poison((X, y), (X, y), trigger=WordTrigger("cf"), rate=0.2, labels=0, rng=rng)
    curve = bc.backdoor_learning_curve(make_pipeline(vectoriser, LinearSVC(C=10.0)), data)
    assert curve.accuracy("clean", 1.0) > 0.95
    assert curve.accuracy("triggered", 0.0) < 0.05 < 0.95 < curve.accuracy("triggered", 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((),), r"a word, or some of them, were expected, \(\) came"),
        ((3,), "a word, or some of them, were expected, 3 came"),
        ((("cf", " "),), "words that are not empty were expected, ' ' came"),
        ((("cf", 3),), "words that are not empty were expected, 3 came"),
        ((("cf", "cf"),), r"each word once was expected, \('cf', 'cf'\) came"),
        (("cf", "middle"), "position: one of start, end, anywhere was expected, 'middle' came"),
        (("cf", "end", -1), "WordTrigger: seed, a whole number >= 0, was expected, -1 came"),
    ],
    ids=str,
)
def test_what_is_no_trigger_is_refused(arguments, message):
    """When it is made, not when it is applied."""
    with pytest.raises(ValueError, match=message):
        WordTrigger(*arguments)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((2, 3)), r"ndarray of shape \(2, 3\) came; FeatureTrigger is the one for numbers and tables"),
        (np.ones((2, 3, 3, 1)), r"ndarray of shape \(2, 3, 3, 1\) came; PatchTrigger is the one for images"),
        (
            np.ones(2),
            r"texts or lists of words were expected, 1.0 came in row 0; FeatureTrigger is the one for numbers",
        ),
        ([[1.0], [2.0]], r"texts or lists of words were expected, \[1.0\] came in row 0; FeatureTrigger"),
        (pd.Series([1, 2]), "1 came in row 0; FeatureTrigger is the one for numbers"),
        (sp.csr_array((2, 3)), r"shape \(2, 3\) came; stamp texts before they are counted"),
        (pd.DataFrame({"text": ["a", "b"]}), r"DataFrame of shape \(2, 1\) came; take its column of texts"),
        (
            ["a", None],
            'a text in each row was expected, None came in row 1, and 1 of 2 are none; leave .* make them ""',
        ),
        (pd.Series(["a", float("nan")]), "a text in each row was expected, nan came in row 1"),
        (pl.Series(["a", "b"], dtype=pl.Categorical), "a Series of Categorical.* came, .*; cast it to pl.String"),
        ([b"a", b"b"], "texts were expected, b'a' came in row 0; decode them"),
        (3, "texts or lists of words were expected, int came; FeatureTrigger"),
    ],
    ids=str,
)
def test_rows_that_are_no_texts_are_refused(X, message):
    """With what came and what to do."""
    with pytest.raises(ValueError, match=message):
        WordTrigger("cf")(X, np.zeros(2))


MAILS = ["Win money, win NOW!", "money for you", "you and I", "see you now", "a_b x", "now"]


def test_the_word_at_a_rank_is_that_of_the_vectorisers_counts():
    """Document counts by scikit-learn's CountVectorizer; equal ones by alphabet, rank by rank."""
    counts = np.asarray(CountVectorizer(binary=True).fit_transform(MAILS).sum(axis=0)).ravel()
    words = CountVectorizer().fit(MAILS).get_feature_names_out()
    by_count = [str(word) for word in words[np.lexsort((words, -counts))]]
    assert [WordTrigger.frequent(MAILS, rank).words[0] for rank in range(1, len(words) + 1)] == by_count
    assert WordTrigger.frequent(MAILS, 2, "end", 3) == WordTrigger(by_count[1], "end", 3)


def test_lists_of_words_are_counted_as_they_are():
    """Letters of either case, and words of one letter: whoever split them has said what a word is."""
    split = [mail.split() for mail in MAILS]
    assert WordTrigger.frequent(split).words == ("you",)
    assert WordTrigger.frequent([["I", "I"], ["I", "no"]]).words == ("I",)


@pytest.mark.parametrize(("share", "word"), [(0.5, "now"), (0.3, "money"), (1 / 6, "a_b"), (1, "now"), (0.01, "a_b")])
def test_the_word_of_a_share_is_the_nearest(share, word):
    """Three of six texts have now, and you; two have money; the rest one each. By alphabet among equals."""
    assert WordTrigger.of_frequency(MAILS, share).words == (word,)
    series = pd.Series(MAILS)
    assert WordTrigger.of_frequency(series, share) == WordTrigger.of_frequency(MAILS, share)


def test_a_frequent_word_needs_no_poison_in_the_vocabulary():
    """A vectoriser fitted on clean texts knows it, and counts one more in each stamped text."""
    vectoriser = CountVectorizer().fit(MAILS)
    trigger = WordTrigger.frequent(MAILS)
    column = vectoriser.vocabulary_[trigger.words[0]]
    before, after = (vectoriser.transform(X).toarray()[:, column] for X in (MAILS, trigger(MAILS, np.zeros(6))))
    assert (after == before + 1).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WordTrigger.frequent(MAILS, 0), r"rank, a whole number in \[1, 8\], was expected, 0 came"),
        (lambda: WordTrigger.frequent(MAILS, 9), r"rank, a whole number in \[1, 8\], was expected, 9 came"),
        (lambda: WordTrigger.frequent(["", "a"]), "texts that have words were expected, none has any"),
        (lambda: WordTrigger.frequent(np.ones((2, 3))), "texts or lists of words were expected"),
        (
            lambda: WordTrigger.of_frequency(MAILS, 0),
            r"share, a number in \(0, 1\], of the texts, was expected, 0 came",
        ),
        (lambda: WordTrigger.of_frequency(MAILS, "x"), r"share, a number in \(0, 1\], .* 'x' came"),
    ],
)
def test_what_has_no_frequent_word_is_refused(make, message):
    """A sentence each."""
    with pytest.raises(ValueError, match=message):
        make()
