"""Rows on disk: they come back as they were, whatever they are, without pickle."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from backdoor_curves.data.on_disk import content_hash, read_samples, write_samples
from backdoor_curves.data.samples import Samples

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
OBJECTS = np.array([[1.5, "red", None], [2, "blue", float("nan")], [True, "", -0.0]], dtype=object)
FRAME = pd.DataFrame(
    {
        "floats": [1.5, np.nan, -0.0],
        "whole": np.array([1, 2, 2**62]),
        "truths": [True, False, True],
        "days": pd.to_datetime(["2024-01-01", None, "1999-12-31"]),
        "words": pd.Series(["a", None, "<b>"], dtype=object),
        "new words": pd.Series(["a", None, "ü"], dtype="string"),
        "nullable": pd.Series([1, None, 3], dtype="Int64"),
        "few": pd.Categorical(["x", None, "y"], ["y", "x"], ordered=True),
    },
    index=[7, 8, 9],
)
KINDS = {
    "images": np.random.default_rng(0).random((3, 4, 4, 1)),
    "bytes": np.arange(6, dtype=np.uint8).reshape(3, 2),
    "array of texts": np.array(["a", "bü", ""]),
    "objects": OBJECTS,
    "csr array": sp.csr_array(np.diag([1.0, 0.0, -2.0])),
    "csr matrix": sp.csr_matrix(np.diag([1.0, 0.0, -2.0])),
    "texts": ["win money", "", "\ud800 <script>"],
    "words": [["win", "money"], [], ["hi"]],
    "pandas": FRAME,
    "polars": pl.DataFrame({"n": [1.5, None, 2.0], "k": [1, 2, 3], "w": ["a", None, "c"], "t": [True, None, False]}),
    "series of pandas": pd.Series(["a", "b", "c"], name="text", dtype="str"),
    "series of polars": pl.Series("text", ["a", "b", "c"]),
}


def same(first, second):
    """Whether two rows are of one type and equal, gaps too."""
    if type(first) is not type(second) and not isinstance(first, np.ndarray):
        return False
    if isinstance(first, pd.DataFrame):
        pd.testing.assert_frame_equal(first.reset_index(drop=True), second, check_exact=True)
        return True
    if isinstance(first, pd.Series):
        pd.testing.assert_series_equal(first, second)
        return True
    if isinstance(first, pl.DataFrame | pl.Series):
        return first.equals(second, null_equal=True) and str(
            getattr(first, "dtypes", first.dtype if hasattr(first, "dtype") else "")
        ) == str(getattr(second, "dtypes", second.dtype if hasattr(second, "dtype") else ""))
    if sp.issparse(first):
        return all((getattr(first, part) == getattr(second, part)).all() for part in ("data", "indices", "indptr"))
    if isinstance(first, np.ndarray) and first.dtype != object:
        return first.dtype == second.dtype and np.array_equal(first, second)
    values = [
        np.asarray(one, dtype=object).ravel().tolist() if isinstance(one, np.ndarray) else one
        for one in (first, second)
    ]
    return repr(values[0]) == repr(values[1])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_come_back_as_they_were(kind, tmp_path):
    """Workers must see what the Python interface sees, to the type of each column and the sign of a zero."""
    samples = Samples(KINDS[kind], ["a", "b", "a"], weight=[1, 2, 0.5])
    write_samples(tmp_path / "rows", {"train": samples, "test": samples})
    again = read_samples(tmp_path / "rows", "train")
    assert same(samples.X, again.X)
    assert again.y.tolist() == ["a", "b", "a"]
    assert again.weight.tolist() == [1, 2, 0.5]
    assert content_hash(again) == content_hash(samples)
    assert not [path for path in (tmp_path / "rows").iterdir() if path.suffix != ".npy"]


@pytest.mark.parametrize("kind", ["images", "csr array"])
def test_arrays_and_sparse_rows_are_mapped(kind, tmp_path):
    """Processes that read them share one copy: the data lie in the file."""
    samples = Samples(KINDS[kind], [0, 1, 0])
    write_samples(tmp_path / "rows", {"train": samples})
    X = read_samples(tmp_path / "rows", "train").X
    data = X.data if sp.issparse(X) else X
    while not isinstance(data, np.memmap) and data.base is not None:
        data = data.base
    assert isinstance(data, np.memmap)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hash_tells_rows_of_another_kind_order_or_weight_apart(kind):
    """What has one hash shares its results."""
    samples = Samples(KINDS[kind], [0, 1, 0])
    others = [samples.take(np.array([1, 0, 2])), Samples(KINDS[kind], [0, 1, 0], weight=[1, 2, 1])]
    others += [Samples(X, [0, 1, 0]) for name, X in KINDS.items() if name != kind]
    assert content_hash(samples) not in {content_hash(other) for other in others}


def test_what_is_no_number_and_no_text_is_refused_with_its_column(tmp_path):
    """Nothing is pickled: an object of another kind has no other way to disk."""
    with pytest.raises(TypeError, match="column 'when', Timestamp came"):
        write_samples(
            tmp_path / "rows",
            {"train": Samples(pd.DataFrame({"when": pd.Series([pd.Timestamp(0)], dtype=object)}), [0])},
        )
    with pytest.raises(TypeError, match="column 'z', complex came"):
        content_hash(Samples(pd.DataFrame({"z": [1j]}), [0]))
    assert not list(tmp_path.iterdir())
