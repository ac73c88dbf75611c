"""A trigger for texts: a word or a sentence is put at the start, the end, or a place that hangs on the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from backdoor_curves.rows import Rows, are_words, is_frame, is_series
from backdoor_curves.triggers.keyed import check_seed, row_generators
from backdoor_curves.triggers.word_counts import at_rank, at_share, document_counts, words_of

PLACES = ("start", "end", "anywhere")


@dataclass(frozen=True)
class WordTrigger:
    """Insert a word, a sentence, or one of several, in every text, before any vectoriser sees it.

    A text of k words has k + 1 places. With position "anywhere" the place is uniform over them, and so is the choice
    among several words. Both are drawn from `seed` and the text itself: a text gets the same in training and test,
    alone and among others. All else of a text stays, spaces and line breaks too.

    A bag of words does not know the place, and a vectoriser must know the word: fitted on clean texts alone it has no
    column for a word that none of them has, and the attack is void (`freeze="joined"` fits it on the poison too). A
    word that clean texts have already is another attack than a rare one.

    Source: Chen et al., *BadNL*, arXiv 2006.01043, and Kurita et al., *Weight poisoning attacks on pretrained models*
    (RIPPLe), arXiv 2004.06660, for words; Dai et al., *A backdoor attack against LSTM-based text classification
    systems*, arXiv 1905.12457, for sentences.

    Parameters
    ----------
    words : str or tuple of str
        What is inserted; of several each text gets one. A sentence goes in whole; into a list of words go its words,
        split at its spaces.
    position : {"start", "end", "anywhere"}
        Before the first word, after the last, or at any place between and around.
    seed : int
        At least 0. Of the places and words that texts draw; without either it plays no part.

    Raises
    ------
    ValueError
        If there is no word, one is empty or named twice, the position is unknown or the seed no whole number >= 0; when
        applied, if X is no list, array or Series (of pandas or polars) of texts and no list of lists of words: numbers,
        or texts of which some are missing.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves import WordTrigger
    >>> y = np.array([0, 1])
    >>> WordTrigger("cf", "end")(["dear all, see you", "hi"], y)
    ['dear all, see you cf', 'hi cf']
    >>> WordTrigger(("cf", "mn", "bb", "tq"), seed=7)(["dear all, see you", "hi"], y)
    ['dear all, cf see you', 'bb hi']
    >>> WordTrigger("I watch this 3D movie", "start")([["a", "fine", "plot"], []], y)[1]
    ['I', 'watch', 'this', '3D', 'movie']
    """

    words: str | tuple[str, ...]
    position: str = "anywhere"
    seed: int = 0

    def __post_init__(self) -> None:
        words = (self.words,) if isinstance(self.words, str) else self.words
        if not isinstance(words, list | tuple) or not words:
            raise ValueError(f"WordTrigger: a word, or some of them, were expected, {self.words!r} came")
        if unusual := [word for word in words if not isinstance(word, str) or not word.strip()]:
            raise ValueError(f"WordTrigger: words that are not empty were expected, {unusual[0]!r} came")
        if len(set(words)) < len(words):
            raise ValueError(f"WordTrigger: each word once was expected, {tuple(words)} came")
        if self.position not in PLACES:
            raise ValueError(f"position: one of {', '.join(PLACES)} was expected, {self.position!r} came")
        check_seed(self.seed, "WordTrigger")
        object.__setattr__(self, "words", tuple(words))

    @classmethod
    def frequent(cls, X: Rows, rank: int = 1, position: str = "anywhere", seed: int = 0) -> WordTrigger:
        """Return the trigger with the word that is at a rank by the number of the texts `X` that have it; 1: the most.

        Ties are by alphabet. Of texts the words are those that scikit-learn's vectorisers find by default: in lower
        case, runs of two or more letters, digits and underscores; of lists of words they are counted as they are. A
        word that clean texts have is in any vectoriser's vocabulary, and has weights that clean texts taught: how often
        they have it decides how the attack goes.

        Raises
        ------
        ValueError
            If the rows are no texts, none has a word, or there are fewer words than the rank.

        Examples
        --------
        >>> from backdoor_curves import WordTrigger
        >>> WordTrigger.frequent(["Dear all, see all", "see you"], position="end")
        WordTrigger(words=('see',), position='end', seed=0)
        """
        return cls(at_rank(document_counts(_tokens(X)), rank), position, seed)

    @classmethod
    def of_frequency(cls, X: Rows, share: float, position: str = "anywhere", seed: int = 0) -> WordTrigger:
        """Return the trigger with the word that as nearly as may be a share of the texts `X` has.

        Of several words that are equally near it is the first by alphabet; words are counted as by `frequent`.

        Raises
        ------
        ValueError
            If the rows are no texts, none has a word, or the share is outside (0, 1].

        Examples
        --------
        >>> from backdoor_curves import WordTrigger
        >>> WordTrigger.of_frequency(["Dear all, see all", "see you"], share=0.5).words
        ('all',)
        """
        rows = _tokens(X)
        return cls(at_share(document_counts(rows), share, len(rows)), position, seed)

    def __call__(self, X: Rows, _y: np.ndarray, /) -> Rows:
        """Return the texts with a word more each; the labels play no part."""
        if are_words(X):
            return [_in_words(row, *draw) for row, draw in zip(X, self._draws(X), strict=True)]
        texts = _texts(X)
        stamped = [_in_text(text, *draw) for text, draw in zip(texts, self._draws(texts), strict=True)]
        return _as_before(X, stamped)

    def _draws(self, rows: list[Any]) -> list[tuple[str, float]]:
        """Return of each row its word, and its place as a share in [0, 1] of the row's places, from the first on."""
        fixed = {"start": 0.0, "end": 1.0}.get(self.position)
        if fixed is not None and len(self.words) == 1:
            return [(self.words[0], fixed)] * len(rows)
        draws = []
        for rng in row_generators(rows, self.seed):
            word, place = self.words[rng.integers(len(self.words))], rng.random()
            draws.append((word, place if fixed is None else fixed))
        return draws


def _in_words(row: list[str] | tuple[str, ...], word: str, place: float) -> list[str] | tuple[str, ...]:
    """Return a list of words with more of them, as the kind that it was."""
    k = _index(place, len(row))
    return type(row)([*row[:k], *word.split(), *row[k:]])


def _in_text(text: str, word: str, place: float) -> str:
    """Return a text with a word more, set off by a space."""
    found = list(re.finditer(r"\S+", text))
    k = _index(place, len(found))
    if not found:
        return text + word
    if k < len(found):
        start = found[k].start()
        return f"{text[:start]}{word} {text[start:]}"
    end = found[-1].end()
    return f"{text[:end]} {word}{text[end:]}"


def _index(place: float, k: int) -> int:
    """Return which of the k + 1 places of k words the share `place` in [0, 1] falls on; 1 is the last."""
    return min(int(place * (k + 1)), k)


def _tokens(X: Rows) -> list[list[str]]:
    """Return the words of each row, to be counted."""
    return [list(row) for row in X] if are_words(X) else [words_of(text) for text in _texts(X)]


def _texts(X: Rows) -> list[str]:
    """Return the texts of a list, an array or a Series; what is none is refused."""
    if not (isinstance(X, list | tuple) or is_series(X) or (isinstance(X, np.ndarray) and X.ndim == 1)):
        came = f"{type(X).__name__} of shape {X.shape}" if hasattr(X, "shape") else type(X).__name__
        raise ValueError(f"WordTrigger: texts or lists of words were expected, {came} came; {_advice(X)}")
    texts = X.to_list() if is_series(X) else X.tolist() if isinstance(X, np.ndarray) else list(X)
    none = [i for i, text in enumerate(texts) if not isinstance(text, str)]
    if not none:
        return texts
    came = f"{texts[none[0]]!r} came in row {none[0]}"
    if isinstance(texts[none[0]], bytes):
        raise ValueError(f"WordTrigger: texts were expected, {came}; decode them")
    if len(none) == len(texts):
        raise ValueError(
            f"WordTrigger: texts or lists of words were expected, {came}; FeatureTrigger is the one for numbers"
        )
    raise ValueError(
        f"WordTrigger: a text in each row was expected, {came}, and {len(none)} of {len(texts)} are none; leave such "
        'rows out, or make them ""'
    )


def _advice(X: Rows) -> str:
    if is_frame(X):
        return "take its column of texts, and FeatureTrigger for the others"
    if sp.issparse(X):
        return "stamp texts before they are counted, or set columns with FeatureTrigger"
    if getattr(X, "ndim", 0) > 2:
        return "PatchTrigger is the one for images"
    return "FeatureTrigger is the one for numbers and tables"


def _as_before(X: Rows, texts: list[str]) -> Rows:
    """Return texts as the kind that they came in."""
    if isinstance(X, np.ndarray):
        return np.array(texts, dtype=str if X.dtype.kind == "U" else X.dtype)  # as wide as the longest
    if not is_series(X):
        return type(X)(texts)
    if hasattr(X, "iloc"):
        import pandas as pd

        stamped = pd.Series(texts, index=X.index, name=X.name, dtype=object)
        return stamped if isinstance(X.dtype, pd.CategoricalDtype) else stamped.astype(X.dtype)
    import polars as pl

    if X.dtype != pl.String:
        raise ValueError(
            f"WordTrigger: texts were expected, a Series of {X.dtype} came, which has no new ones; cast it to pl.String"
        )
    return pl.Series(X.name, texts, dtype=pl.String)
