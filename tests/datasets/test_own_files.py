"""Files and folders of one's own: what can be read rightly is read, to the last digit, whatever wrote it."""

from __future__ import annotations

import gzip
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from PIL import Image
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline

import backdoor_curves as bc
from backdoor_curves.datasets import ReadingWarning, from_file, own_rows, read_table
from backdoor_curves.learners.preparation import table
from backdoor_curves.rows import is_frame

TEXT = 'age,job,paid,note\n20,cook,yes,"a, ""b""\nc"\n31.5,,no,ä\n,smith,no,\n'
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le with mark", "utf-16-be with mark", "utf-32")


def encoded(text: str, encoding: str) -> bytes:
    name, _, mark = encoding.partition(" with ")
    return ("\ufeff" + text if mark else text).encode(name)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_is_the_same_in_any_encoding_with_a_mark_and_any_separator(tmp_path, encoding, separator):
    """Spreadsheets write all of these, packed or not; quotes hold separators, line breaks and quotes."""
    text = (
        TEXT
        if separator == ","
        else TEXT.replace('"a, ""b""\nc"', "\0").replace(",", separator).replace("\0", '"a, ""b""\nc"')
    )
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(encoded(text.replace("\n", "\r\n"), encoding))
    packed.write_bytes(gzip.compress(encoded(text, encoding)))
    for path in (plain, packed):
        table = read_table(path)
        assert table.names == ["age", "job", "paid", "note"]
        np.testing.assert_array_equal(table.column("age"), [20.0, 31.5, np.nan])
        assert table.column("job").tolist() == ["cook", None, "smith"]
        assert [str(note).split() for note in table.column("note")] == [["a,", '"b"', "c"], ["ä"], ["None"]]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2", "+3"], [1, -2, 3]),
        (["1", "", "3"], [1.0, np.nan, 3.0]),
        (["1", "NA", "null", "?"], [1.0, np.nan, np.nan, np.nan]),
        (["0.1", "1e-3", ".5", "5."], [0.1, 1e-3, 0.5, 5.0]),
        (["0.30000000000000004", "5e-324", "1.7976931348623157e308"], [0.1 + 0.2, 5e-324, sys.float_info.max]),
        (["9007199254740993", "1"], [9007199254740992.0, 1.0]),
        (["007", "08"], [7, 8]),
        (["1,5", "2", "0,25"], [1.5, 2.0, 0.25]),
        (["1,5", "1,500"], [1.5, 1.5]),
        (["true", "False", "TRUE"], [1, 0, 1]),
        (["true", "", "false"], [1.0, np.nan, 0.0]),
        (["inf", "-Infinity", "1"], [np.inf, -np.inf, 1.0]),
        ([" 1 ", "2"], [1, 2]),
        (["", "", ""], [np.nan] * 3),
    ],
)
def test_numbers_are_numbers(tmp_path, cells, expected):
    """As Python reads them, to the last bit; decimal commas where they can mean nothing else; truths as 0 and 1."""
    path = tmp_path / "a.csv"
    path.write_text("x;y\n" + "".join(f"{cell};0\n" for cell in cells))
    found = read_table(path).column("x")
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.array(expected).dtype


@pytest.mark.parametrize(
    "cells",
    [
        ["yes", "no"],
        ["NA", "DE"],
        ["1_000", "2"],
        ["0x1f", "a"],
        ["1.2.3", "a"],
        ["٣", "a"],
        ["<b>", "&amp;"],
        ["nan", "None"],
    ],
)
def test_words_are_words(tmp_path, cells):
    """Namibia is no gap, and what Python alone takes for a number is none in a table."""
    path = tmp_path / "a.csv"
    path.write_text("x;y\n" + "".join(f'"{cell}";0\n' for cell in cells), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingWarning)
        assert read_table(path).column("x").tolist() == cells


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["2024-01-31", "2024-02-01"], "column 'x' has dates such as '2024-01-31', which are read as words"),
        (["31.1.2024", "1.2.2024"], "column 'x' has dates"),
        (
            ["$79.35", "$1,234.50", "n/a", "-$5"],
            "column 'x' has numbers with signs such as '\\$79.35', which are",
        ),
        (["2.459,50 €", "n/a", "46,27 €"], "column 'x' has numbers with signs such as '2.459,50 €'"),
        (["12 kg", "7", "30 kg", "unknown"], "column 'x' has numbers with signs such as '12 kg'"),
        (["1", "n/a", "2", "x"], "column 'x' has numbers in 2 of 4 cells and 'x' in line 5: all are read as words"),
        (["1", "2", "3+"], "column 'x' has numbers in 2 of 3 cells and '3\\+' in line 4: all are read as words"),
    ],
)
def test_what_its_owner_may_not_mean_is_said(tmp_path, cells, said):
    """Dates, and a fault among numbers, become words, not silently."""
    path = tmp_path / "a.csv"
    path.write_text("x;y\n" + "".join(f"{cell};0\n" for cell in cells))
    with pytest.warns(ReadingWarning, match=said):
        assert read_table(path).column("x").tolist() == cells


def test_codes_and_houses_are_no_numbers_with_signs(tmp_path):
    """A letter before the digits, or a word that has some, is a name."""
    for cells in (
        ["C-100", "C-101"],
        ["A1", "B2"],
        ["2nd floor left", "3rd floor"],
        ["18-25", "26-40"],
        ["10:30", "11:45"],
    ):
        (tmp_path / "a.csv").write_text("x;y\n" + "".join(f"{cell};0\n" for cell in cells))
        assert read_table(tmp_path / "a.csv").column("x").tolist() == cells


def test_a_column_that_is_left_out_is_neither_refused_nor_warned_of(tmp_path):
    """Dates, an id and 1,234 in columns that are dropped; each is said where it becomes a feature."""
    lines = [f'{i},2024-01-{i % 28 + 1:02d},C-{i},"1,{i % 9}34",{i % 2}' for i in range(60)]
    (tmp_path / "a.csv").write_text("x,day,id,fee,y\n" + "\n".join(lines))

    def rows(*dropped):
        return from_file(tmp_path / "a.csv", label="y", drop=dropped, rng=np.random.default_rng(0))[0]

    assert rows("day", "id", "fee").X.shape[1:] == (1,)
    with pytest.warns(ReadingWarning, match="column 'day' has dates"):
        rows("id", "fee")
    with pytest.raises(ValueError, match="column 'fee': numbers with a decimal point were expected, '1,034' came"):
        rows("id", "day")


def test_words_that_tell_rows_apart_are_said(tmp_path):
    """An id is a feature for each row; a word that ten rows share is none, and few rows are not looked at."""
    (tmp_path / "a.csv").write_text("id,job,y\n" + "".join(f"C-{i},job {i // 10},{i % 2}\n" for i in range(60)))
    (tmp_path / "few.csv").write_text("id,y\n" + "".join(f"C-{i},{i % 2}\n" for i in range(48)))
    with pytest.warns(ReadingWarning, match="column 'id' has 60 different words in 60 rows, and each becomes") as said:
        from_file(tmp_path / "a.csv", label="y", rng=np.random.default_rng(0))
    assert len(said) == 1
    from_file(tmp_path / "few.csv", label="y", rng=np.random.default_rng(0))
    from_file(tmp_path / "a.csv", label="y", text="id", rng=np.random.default_rng(0))  # one text is no feature


def test_rows_are_named_by_their_line_in_the_file(tmp_path):
    """The header is line 1; blank lines and line breaks in quotes count, as an editor counts them."""
    (tmp_path / "a.csv").write_text('note,x,y\n"a\nb",1,0\n\n"c",inf,1\nd,2,0\n"e\n\nf",3,1\ng,4,\n')
    with pytest.raises(ValueError, match="1 of 5 is missing, the first in line 10;"):
        from_file(tmp_path / "a.csv", label="y", rng=np.random.default_rng(0))
    assert read_table(tmp_path / "a.csv").lines.tolist() == [2, 5, 6, 7, 10]


@pytest.mark.parametrize("kind", ["csv", "npz", "sparse"])
def test_an_infinite_feature_is_said_with_its_column_and_row(tmp_path, kind):
    """The learner that refuses it no longer knows where it was; in a column that is left out it does no harm."""
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    X[17, 1] = -np.inf
    lines = [f"{a},{b},{c}" for (a, b), c in zip(X.tolist(), y.tolist(), strict=True)]
    (tmp_path / "a.csv").write_text("a,b,y\n" + "\n".join(lines))
    sparse = sp.csr_array(X)
    parts = {part: getattr(sparse, part) for part in ("data", "indices", "indptr", "shape")}
    np.savez(tmp_path / "a.npz", y=y, **(parts if kind == "sparse" else {"wide": X}))
    where = {
        "csv": "column 'b' has -inf in line 19, which hardly any learner takes",
        "npz": r"column 'wide' has -inf in row 18 \(counted from 1\)",
        "sparse": "column 'X' has -inf in row 18",
    }
    with pytest.warns(ReadingWarning, match=where[kind]):
        from_file(tmp_path / f"a.{'csv' if kind == 'csv' else 'npz'}", label="y", rng=np.random.default_rng(0))
    from_file(tmp_path / "a.csv", label="y", drop=["b"], rng=np.random.default_rng(0))


def test_a_column_of_row_numbers_without_a_name_is_left_out(tmp_path):
    """pandas writes it unless told otherwise, and a learner must not see it."""
    pd = pytest.importorskip("pandas")
    pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}).to_csv(tmp_path / "a.csv")
    with pytest.warns(ReadingWarning, match="its first column has no name and numbers the rows; it is left out"):
        assert read_table(tmp_path / "a.csv").names == ["a", "b"]


def test_numbers_come_back_as_they_were_written(tmp_path):
    """2000 of all sizes, in the fewest digits that tell them apart and in more: to the last bit."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000) * 10.0 ** rng.integers(-300, 300, size=2000)
    written = [repr(value) if i % 2 else f"{value:.25e}" for i, value in enumerate(values.tolist())]
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{one},1\n" for one in written))
    assert np.array_equal(read_table(tmp_path / "a.csv").column("x"), values)


def test_parquet_is_the_table_that_csv_is(tmp_path):
    """Types say what cells of text have to be looked at for; the table is one."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "floats": [1.5, np.nan, 3.0],
            "whole": [1, 2, 3],
            "small": pd.Series([1, None, 3], dtype="Int8"),
            "truths": [True, False, True],
            "words": ["a", None, "c"],
            "kinds": pd.Categorical(["x", "y", None]),
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False)
    first, second = read_table(tmp_path / "a.parquet"), read_table(tmp_path / "a.csv")
    assert first.names == second.names
    for name in first.names:
        assert first.column(name).dtype == second.column(name).dtype
        np.testing.assert_array_equal(first.column(name), second.column(name))


def test_arrays_of_an_archive_are_columns(tmp_path):
    """Embeddings, images or one column a name; labels beside them."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 5)), np.array(["ham", "spam", "ham"] * 4)
    np.savez_compressed(tmp_path / "a.npz", embedding=X, y=y, weightless=np.arange(12))
    train, test = from_file(tmp_path / "a.npz", label="y", columns=["embedding"], rng=np.random.default_rng(0))
    assert {tuple(row) for row in np.vstack([train.X, test.X])} == {tuple(row) for row in X}
    np.savez(tmp_path / "b.npz", images=rng.random((12, 4, 4, 3)), y=y)
    assert from_file(tmp_path / "b.npz", label="y", rng=np.random.default_rng(0))[0].X.shape == (9, 4, 4, 3)
    counts = sp.csr_array(rng.poisson(0.5, size=(12, 6)))
    np.savez(
        tmp_path / "c.npz", y=y, **{part: getattr(counts, part) for part in ("data", "indices", "indptr", "shape")}
    )
    train, test = from_file(tmp_path / "c.npz", label="y", rng=np.random.default_rng(0))
    assert sorted(map(tuple, sp.vstack([train.X, test.X]).toarray())) == sorted(map(tuple, counts.toarray()))


def test_images_of_a_folder_are_in_0_to_1_with_channels(tmp_path):
    """Grey beside colour is colour; two bytes a pixel, a palette and bits become shares of white."""
    pixels = np.random.default_rng(0).integers(0, 256, size=(5, 4, 3), dtype=np.uint8)
    grey = pixels[..., 0]
    made = {
        "cat/colour.png": (Image.fromarray(pixels), pixels / 255),
        "cat/grey.png": (Image.fromarray(grey), np.repeat(grey[..., np.newaxis], 3, axis=2) / 255),
        "dog/deep.png": (
            Image.fromarray(grey.astype(np.uint16) * 257),
            np.repeat(grey[..., np.newaxis], 3, axis=2) / 255,
        ),
        "dog/deeper/palette.gif": (
            Image.fromarray(grey).convert("P"),
            np.repeat(grey[..., np.newaxis], 3, axis=2) / 255,
        ),
        "dog/opaque.png": (Image.fromarray(np.dstack([pixels, np.full((5, 4), 255, np.uint8)])), pixels / 255),
    }
    for name, (image, _) in made.items():
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "pets" / name)
    (tmp_path / "pets" / ".DS_Store").write_bytes(b"x")
    table = read_table(tmp_path / "pets")
    assert table.names == ["image", "label", "file"]
    assert table.column("label").tolist() == ["cat", "cat", "dog", "dog", "dog"]
    for name, image in zip(table.column("file"), table.column("image"), strict=True):
        np.testing.assert_allclose(image, made[name][1], atol=1e-12)  # 257 k / 65535 is k / 255
    train, test = from_file(tmp_path / "pets", rng=np.random.default_rng(0))
    assert train.X.shape[1:] == test.X.shape[1:] == (5, 4, 3)


MAIL = (
    b"From: a@b.c\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative; boundary="x"\r\n\r\n--x\r\n%s\r\n--x--\r\n'
)
PLAIN = (
    b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nf=E4hig =3D 1"
)
HTML = (
    b"Content-Type: text/html\r\n\r\n<html><style>p {}</style><p>win <b>money</b> &amp; more<script>x()</script></html>"
)


def test_mails_are_their_subject_and_what_there_is_to_read(tmp_path):
    """Encoded headers, parts, and HTML without its tags; the sender and the attachments are no text."""
    for name, content in (
        ("ham/1.eml", MAIL % PLAIN),
        ("ham/2.eml", b"Subject: hi\n\njust text\n"),
        ("spam/1.eml", MAIL % HTML),
        ("spam/2.txt", "plain ü".encode()),
        ("spam/3.eml", b"Content-Type: text/plain; charset=no-such\n\nbody"),
    ):
        (tmp_path / "mail" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mail" / name).write_bytes(content)
    texts = [text.strip() for text in read_table(tmp_path / "mail").column("text")]
    assert texts == ["Grüße\nfähig = 1", "hi\njust text", "Grüße\nwin money & more", "plain ü", "body"]


# --- rows, classes, split --------------------------------------------------------------------------------------------


def table_file(tmp_path, n=200):
    rng = np.random.default_rng(0)
    jobs, lines = ["cook", "smith", ""], ["age,job,home,paid"]
    for i in range(n):
        paid = "yes" if i % 10 == 0 else "no"
        lines += [f"{rng.integers(20, 70)},{rng.choice(jobs)},{i // 4},{paid}"]
    path = tmp_path / "loans.csv"
    path.write_text("\n".join(lines))
    return path


def test_each_class_is_tested_in_its_share_and_smaller_draws_are_first_of_larger(tmp_path):
    """A tenth are yes: in both parts, and in the beginning of every draw."""
    path = table_file(tmp_path)

    def drawn(n_train=None, n_test=None):
        return from_file(
            path, label="paid", columns=["age"], n_train=n_train, n_test=n_test, rng=np.random.default_rng(3)
        )

    train, test = drawn()
    assert (len(train), len(test), int(train.y.sum()), int(test.y.sum())) == (150, 50, 15, 5)
    few, some = drawn(20, 10), drawn(60, 30)
    assert np.array_equal(few[0].X, some[0].X[:20])
    assert np.array_equal(few[1].X, some[1].X[:10])
    for part in (*few, *some):
        assert abs(part.y.sum() - len(part) / 10) <= 1


def test_rows_of_a_group_stay_on_one_side(tmp_path):
    """A household in both parts would be tested on what was trained on; shares hold to about a group."""
    path = table_file(tmp_path)
    for seed in range(10):
        train, test = from_file(path, label="paid", columns=["home"], group="home", rng=np.random.default_rng(seed))
        assert not set(train.X.ravel()) & set(test.X.ravel())
        assert 40 <= len(test) <= 60
        assert test.y.any()


def test_classes_are_chosen_ordered_and_merged(tmp_path):
    """Labels are places in what was asked for; that rows of others are left out is said."""
    path = tmp_path / "a.csv"
    path.write_text("x,cut\n" + "".join(f"{i},{'ABCD'[i % 4]}\n" for i in range(80)))
    rng = np.random.default_rng
    with pytest.warns(ReadingWarning, match="20 of 80 rows are of other classes than C, A\\+B, and left out"):
        train, test = from_file(path, label="cut", classes=["C", ["A", "B"]], rng=rng(0))
    assert {(int(x) % 4, y) for X, ys in (train, test) for x, y in zip(X.ravel(), ys.tolist(), strict=True)} == {
        (2, 0),
        (0, 1),
        (1, 1),
    }
    train, _ = from_file(path, label="cut", positive="B", rng=rng(0))
    assert {(int(x) % 4 == 1, y) for x, y in zip(train.X.ravel(), train.y.tolist(), strict=True)} == {
        (True, 1),
        (False, 0),
    }


def test_a_test_file_has_the_test_rows(tmp_path):
    """All of one file are trained on, all of the other tested, in their order."""
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(8)))
    (tmp_path / "b.csv").write_text("y,x\n1,9\n0,8\n")
    train, test = from_file(tmp_path / "a.csv", label="y", test_file=tmp_path / "b.csv")
    assert train.X.ravel().tolist() == list(range(8))
    assert (test.X.ravel().tolist(), test.y.tolist()) == ([9, 8], [1, 0])


def test_values_do_not_depend_on_which_library_of_frames_is_there(tmp_path, monkeypatch):
    """A mixed table is a frame or an array of the same values; a curve on it is the same to the last bit."""
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    path, found = table_file(tmp_path), []
    for known in (("pandas", "polars"), ("polars",), ()):
        monkeypatch.setattr(own_rows, "find_spec", lambda name, known=known: True if name in known else None)
        train, test = from_file(path, label="paid", drop=["home"], rng=np.random.default_rng(0))
        assert is_frame(train.X) == bool(known)
        trigger = bc.FeatureTrigger(("age",) if known else (0,), (99,))
        data = bc.poison(train, test, trigger=trigger, labels=0, rate=0.5, rng=np.random.default_rng(1))
        curve = bc.backdoor_learning_curve(make_pipeline(table(), RidgeClassifier()), data)
        rows = train.X.rows() if hasattr(train.X, "rows") else np.asarray(train.X, dtype=object).tolist()
        found.append((curve.loss("triggered", [0, 0.5, 1]).tolist(), list(map(list, rows))))
    assert found[0] == found[1] == found[2]
