"""Draws of a row that hang on a seed and on the row's own content: not on its place, its company, or the call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int

from backdoor_curves.rows import Rows, as_csr, contents, is_frame, n_rows
from backdoor_curves.triggers.arguments import require_whole


def row_generators(X: Rows, seed: int) -> Iterator[np.random.Generator]:
    """Yield a generator for each row, keyed by (seed, content): equal rows of one type, and only they, draw alike.

    A row draws the same alone and among others, in any order, at each call, in each process. The same numbers in
    another precision are other rows.

    Parameters
    ----------
    X : rows
        Arrays, CSR matrices, DataFrames and their columns, lists of texts, lists of lists of words.
    seed : int
        At least 0; another seed, other draws.

    Raises
    ------
    ValueError
        If the seed is another thing.

    Examples
    --------
    >>> from backdoor_curves.triggers.keyed import row_generators
    >>> [int(rng.integers(100)) for rng in row_generators(["a mail", "another", "a mail"], seed=0)]
    [21, 98, 21]
    """
    check_seed(seed, "row_generators")
    for content in _contents(X):
        digest = int.from_bytes(blake2b(content, digest_size=16).digest(), "little")
        yield np.random.default_rng([seed, digest])


def drawn_subsets(X: Rows, n: int, k: int, seed: int) -> Int[np.ndarray, "rows k"]:
    """Return for each row k of the numbers 0, ..., n - 1, each subset as likely as another, ascending; keyed as above.

    Examples
    --------
    >>> from backdoor_curves.triggers.keyed import drawn_subsets
    >>> drawn_subsets(["a mail", "another", "a mail"], n=4, k=2, seed=0).tolist()
    [[0, 1], [1, 3], [0, 1]]
    """
    if k == n:
        return np.tile(np.arange(n), (n_rows(X), 1))
    drawn = [rng.permutation(n)[:k] for rng in row_generators(X, seed)]
    return np.sort(np.array(drawn, dtype=np.intp).reshape(-1, k), axis=1)


def check_seed(seed: Any, who: str) -> None:
    """Raise a ValueError unless `seed` is a whole number >= 0; `who` needs it.

    Examples
    --------
    >>> from backdoor_curves.triggers.keyed import check_seed
    >>> check_seed(0, "WarpTrigger")
    """
    require_whole(seed, who, "seed", least=0)


def _contents(X: Rows) -> Iterator[bytes]:
    """Yield the content of each row; text is spelled out, since an array of texts is as wide as its longest."""
    if sp.issparse(X):
        return contents(as_csr(X))
    if isinstance(X, np.ndarray) and X.dtype.kind in "biufc":
        return contents(X)
    if is_frame(X):
        items = X.itertuples(index=False, name=None) if hasattr(X, "iloc") else X.iter_rows()
    else:
        items = X.tolist() if hasattr(X, "tolist") else X.to_list() if hasattr(X, "to_list") else X
    return (json.dumps(item, default=str).encode() for item in items)
