"""A word for a trigger out of the training texts: one that many of them have already, or few."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from backdoor_curves.triggers.arguments import require_whole

TOKEN = re.compile(r"(?u)\b\w\w+\b")
"""A word of two letters or more, as scikit-learn's vectorisers count it by default, once the text is in lower case."""


def words_of(text: str) -> list[str]:
    """Return the words of a text: in lower case, runs of two or more letters, digits and underscores.

    Examples
    --------
    >>> from backdoor_curves.triggers.word_counts import words_of
    >>> words_of("Dear all, I'll see")
    ['dear', 'all', 'll', 'see']
    """
    return TOKEN.findall(text.lower())


def document_counts(rows: Iterable[Sequence[str]]) -> list[tuple[str, int]]:
    """Return each word of lists of words with the number of lists that have it, most frequent first, ties by alphabet.

    Examples
    --------
    >>> from backdoor_curves.triggers.word_counts import document_counts
    >>> document_counts([["dear", "all", "see", "all"], ["see", "you"]])
    [('see', 2), ('all', 1), ('dear', 1), ('you', 1)]
    """
    counts = Counter(word for row in rows for word in set(row))
    if not counts:
        raise ValueError("WordTrigger: texts that have words were expected, none has any")
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def at_rank(counts: list[tuple[str, int]], rank: int) -> str:
    """Return the word at a rank from 1."""
    require_whole(rank, "WordTrigger", "rank", most=len(counts))
    return counts[rank - 1][0]


def at_share(counts: list[tuple[str, int]], share: Any, n: int) -> str:
    """Return the word of which the share of `n` rows that have it is nearest; of several the first by alphabet."""
    if not (isinstance(share, Real) and not isinstance(share, bool) and 0.0 < float(share) <= 1.0):
        raise ValueError(f"WordTrigger: share, a number in (0, 1], of the texts, was expected, {share!r} came")
    wanted: float = float(share) * n
    return min((round(abs(count - wanted), 9), word) for word, count in counts)[1]  # 0.07 * 100 is not quite 7
