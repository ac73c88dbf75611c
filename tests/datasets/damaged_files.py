"""Two hundred files and folders that are damaged, odd or made to harm: each is written, and named as a study would."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Case = Callable[[Path], str]
"""Writes into a folder, and returns the keys of [data]."""
CASES: dict[str, tuple[Case, str]] = {}
"""By name, with what is said."""
GOOD = "x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40))
KEYS = 'file = "a.csv", label = "y"'


def case(name: str, said: str) -> Callable[[Case], Case]:
    def add(make: Case) -> Case:
        assert name not in CASES
        CASES[name] = make, said
        return make

    return add


def text(name: str, content: str | bytes, said: str, keys: str = KEYS, file: str = "a.csv") -> None:
    """Add a file with this content."""

    def make(folder: Path) -> str:
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
        return keys

    case(name, said)(make)


# --- encodings -------------------------------------------------------------------------------------------------------

for codec in ("latin-1", "cp1252", "cp850", "mac-roman", "koi8-r", "shift-jis", "gb18030", "big5", "euc-kr", "utf-7"):
    word = "日本" if codec in ("shift-jis", "gb18030", "big5", "euc-kr") else "жук" if codec == "koi8-r" else "fähig"
    encoded = f"x,ÿname,y\n1,{word},1\n".replace("ÿ", "" if codec != "latin-1" else "ÿ").encode(codec)
    if codec != "utf-7":  # which is ASCII, and so it is UTF-8
        text(f"encoding {codec}", encoded, "text in UTF-8 was expected")
for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
    text(f"{codec} without a mark", GOOD.encode(codec), "a NUL byte came in line 1")
text("utf-16 that breaks off", GOOD.encode("utf-16")[:-1], "as its first bytes say, it breaks off or is damaged")
text("utf-16 with a lone half", b"\xff\xfe" + b"x\x00,\x00y\x00\n\x00\x00\xd8,\x00", "breaks off or is damaged")
text("utf-32 with a wrong mark", b"\xff\xfe\x00\x00" + b"abcdefg", "breaks off or is damaged")
text("utf-8 that breaks off", GOOD.encode() + "ä".encode()[:1], "byte 0xc3 in line 42 is none")
text("utf-8 of halves of characters", b"x,y\n\xed\xa0\x80,1\n", "byte 0xed in line 2 is none")
text("overlong utf-8", b"x,y\n\xc0\xaf,1\n", "byte 0xc0 in line 2 is none")
text("NUL in a cell", GOOD.replace("3,1", "3\0,1"), "a NUL byte came in line 5: another kind of file")
text("NULs alone", b"\0" * 100, "a NUL byte came in line 1")
text("bytes at random", np.random.default_rng(0).bytes(5000), "text in UTF-8 was expected")
for kind, magic in (
    ("spreadsheet", b"PK\x03\x04" + b"\x80" * 50),
    ("old spreadsheet", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("picture", b"\x89PNG\r\n\x1a\n"),
    ("pickle", b"\x80\x04\x95\x10"),
    ("bzip2", b"BZh91AY&SY\x90"),
    ("zstandard", b"\x28\xb5\x2f\xfd"),
    ("program", b"\x7fELF\x02\x01\x01\x00"),
    ("database", b"SQLite format 3\x00"),
):
    text(f"a {kind} called .csv", magic, "text in UTF-8 was expected|a NUL byte came")

# --- shape -----------------------------------------------------------------------------------------------------------

text("empty", b"", "a file with rows was expected, an empty one came")
text("a mark alone", b"\xef\xbb\xbf", "a table was expected, blank lines came")
text("blank lines alone", "\n\n\r\n", "a table was expected, blank lines came")
text("names alone", "x,y\n", "rows below the names of columns were expected, none came")
text("names alone, without an end", "x,y", "rows below the names of columns were expected, none came")
text("one cell", "x", "rows below the names of columns were expected, none came")
for k, row in (("short", "3"), ("long", "3,1,4"), ("very long", ",".join("7" * 5000)), ("trailing", "3,1,")):
    text(
        f"ragged, {k}",
        GOOD.replace("\n3,1", f"\n{row}"),
        "2 cells in each line were expected, as in the first, [0-9]+ came in line 5",
    )
text("ragged at the end", GOOD + "1\n", "1 came in line 42")
text("ragged names", "x\n" + GOOD, "1 cells in each line were expected|names of columns")
text("separators in two ways", "x,y\n1;1\n2,0\n", "cells in each line were expected")
text(
    "decimal commas between commas",
    "x,y\n1,5,1\n2,5,0\n",
    "2 cells in each line were expected, as in the first, 3 came in line 2",
)
text("pipes", GOOD.replace(",", "|"), "label: a column of it was expected, 'y' came")
text("spaces", GOOD.replace(",", " "), "label: a column of it was expected, 'y' came")
text("a quote that never ends", GOOD + '"5,1\n6,0', "a table was expected: unexpected end of data")
text("a quote that never ends, first", '"x,y\n1,0\n', "a table was expected: unexpected end of data")
text("text behind a quote", 'x,y\n"a"b,1\n', "a table was expected: .* expected after")
text("no names", "1,2\n3,4\n", "names of columns were expected in the first line, '1' came")
text("no names, fractions", "0.5,1\n0.25,0\n", "names of columns were expected in the first line, '0.5' came")
text("one name twice", "x,x,y\n1,2,1\n", "each name of a column once was expected, 'x' came 2 times")
text("one name thrice", "x,y,x,x\n1,2,1,0\n", "'x' came 3 times")
text("names that differ in spaces", "x, x ,y\n1,2,1\n", "'x' came 2 times")
text("a column without a name", "x,,y\n1,2,1\n", "column 2 has none; name it in the first line")
text("a first column without a name", ",x,y\n7,2,1\n9,1,0\n", "column 1 has none")
text("a last column without a name", "x,y,\n1,1,\n2,0,\n", "column 3 has none")
text("a name with a control character", "x,a\x07b,y\n1,2,1\n2,1,0\n", "printable characters were expected")
text("a name with an escape", "x,\x1b[31mred,y\n1,2,1\n2,1,0\n", "printable characters were expected")
text("a name that turns the writing", "x,\u202eb,y\n1,2,1\n2,1,0\n", "printable characters were expected")
text("a name with a line break", 'x,"a\nb",y\n1,2,1\n2,1,0\n', "printable characters were expected")
text("a name of a page's length", f"x,{'n' * 5000},y\n1,2,1\n2,1,0\n", "at most 200 printable characters")
text("JSON", '{"x": [1, 2], "y": [0, 1]}', "rows below the names|a column of it was expected|cells in each line")
text("HTML", "<html><body><table><tr><td>1</td></tr></table></body></html>\n<p>x</p>", "a column of it was expected")
text("a table of LaTeX", "x & y \\\\\n1 & 2 \\\\\n", "a column of it was expected")
text("one row", "x,y\n1,1\n", "labels of two classes or more were expected, 1 alone came")
text("two rows", "x,y\n1,1\n2,0\n", "2 rows of each class or more were expected, 0 has one")

# --- labels ----------------------------------------------------------------------------------------------------------

text(
    "no label", GOOD, "label: a column of it was expected, 'z' came; there are 'x', 'y'", 'file = "a.csv", label = "z"'
)
text(
    "label misspelt",
    GOOD.replace("y\n", "paid\n"),
    "'payed' came; did you mean 'paid'",
    'file = "a.csv", label = "payed"',
)
text("label left out", GOOD, "label: a column of it was expected, 'label' came", 'file = "a.csv"')
text("label in capitals", GOOD, "label: a column of it was expected, 'Y' came", 'file = "a.csv", label = "Y"')
text("one class", "x,y\n" + "1,a\n" * 30, "labels of two classes or more were expected, 'a' alone came")
text("one class of numbers", "x,y\n" + "1,0\n" * 30, "labels of two classes or more were expected, 0 alone came")
text("a missing label", GOOD.replace("\n3,1", "\n3,"), "1 of 40 is missing, the first in line 5;")
text("missing labels", "x,y\n" + "1,a\n2,\n" * 20, "20 of 40 are missing, the first in line 3;")
text("labels all missing", "x,y\n" + "1,\n" * 20, "20 of 20 are missing, the first in line 2;")
text("NA for a label of numbers", GOOD.replace("\n3,1", "\n3,NA"), "1 of 40 is missing, the first in line 5;")
text(
    "fractions for labels",
    "x,y\n" + "".join(f"{i},{i / 7}\n" for i in range(30)),
    "classes were expected in 'y', 0.142857 came in line 3;",
)
text("infinite labels", "x,y\n1,inf\n2,1\n3,1\n", "classes were expected in 'y', inf came in line 2;")
text(
    "a label for each row",
    "x,y\n" + "".join(f"{i},n{i}\n" for i in range(30)),
    "2 rows of each class or more were expected",
)
text(
    "too many classes",
    "x,y\n" + "".join(f"{i},n{i // 2}\n" for i in range(3000)),
    "2 to 1000 classes were expected, 1500 came",
)
text("a class with one row", GOOD + "9,rare\n", "2 rows of each class or more were expected, 'rare' has one")
text(
    "a label with an escape",
    "x,y\n" + "1,\x1b[2J\n2,b\n" * 5,
    "labels of at most 200 printable characters were expected",
)
text("a label of a page's length", "x,y\n" + f"1,{'l' * 999}\n2,b\n" * 5, "labels of at most 200 printable characters")
text(
    "dates for labels",
    "x,y\n" + "".join(f"{i},2024-01-{i + 1:02}\n" for i in range(28)),
    "2 rows of each class or more",
)
text("the label alone", "y\n" + "a\nb\n" * 9, "a column beside the label was expected, none is left")
text(
    "the label among the features",
    GOOD,
    "features beside the label were expected, 'y' came",
    f'{KEYS}, columns = ["x", "y"]',
)
text("the label as text", GOOD, "features beside the label were expected, 'y' came", f'{KEYS}, text = "y"')
text(
    "a class that is none",
    GOOD,
    "a class out of its labels was expected, 2 came; there are 0, 1",
    f"{KEYS}, classes = [0, 2]",
)
text(
    "a class as a word",
    GOOD,
    "a class out of its labels was expected, '1' came; there are 0, 1",
    f'{KEYS}, classes = [0, "1"]',
)
text("one class chosen", GOOD, "2 to 1000 classes were expected, 1 came", f"{KEYS}, classes = [0]")
text("a class twice", GOOD, "classes: each label once was expected, 0 came twice", f"{KEYS}, classes = [0, 1, 0]")
text("an empty group of classes", GOOD, "classes were expected", f"{KEYS}, classes = [0, []]")
text("a positive that is none", GOOD, "a class out of its labels was expected, 'yes' came", f'{KEYS}, positive = "yes"')

# --- columns ---------------------------------------------------------------------------------------------------------

text("a column that is not there", GOOD, "columns: a column of it was expected, 'z' came", f'{KEYS}, columns = ["z"]')
text("a dropped column that is not there", GOOD, "drop: a column of it was expected, 'z' came", f'{KEYS}, drop = ["z"]')
text("all columns dropped", GOOD, "a column beside the label was expected, none is left", f'{KEYS}, drop = ["x"]')
text("a column twice", GOOD, "each column once was expected|came twice", f'{KEYS}, columns = ["x", "x"]')
text("text that is not there", GOOD, "text: a column of it was expected, 'body' came", f'{KEYS}, text = "body"')
text("numbers for texts", GOOD, "texts were expected in column 'x', numbers came", f'{KEYS}, text = "x"')
text("a group that is not there", GOOD, "group: a column of it was expected, 'who' came", f'{KEYS}, group = "who"')
text(
    "a group with gaps",
    "x,g,y\n" + "1,a,0\n2,,1\n" * 9,
    "a group for each row was expected in 'g', 9 are missing, the first in line [0-9]+;",
    f'{KEYS}, group = "g"',
)
text(
    "one group",
    "x,g,y\n" + "1,a,0\n2,a,1\n" * 9,
    "rows of each class to (train on|test) were expected",
    f'{KEYS}, group = "g"',
)
text(
    "a group for each class",
    "x,g,y\n" + "1,a,0\n2,b,1\n" * 9,
    "rows of each class to (train on|test) were expected",
    f'{KEYS}, group = "g"',
)
for k, number in enumerate(("1,234", "12,345,678", "1.234,5", "1 234,5", "1'234.5", "1 234", "-1,000")):
    text(
        f"thousands, {k}",
        "x;y\n" + f"{number};0\n{number};1\n" * 9,
        "numbers with a decimal point were expected, .* which may be read in two ways",
    )
text("thousands in quotes", 'x,y\n"1,000",0\n"2,000",1\n"3,000",1\n', "which may be read in two ways")
text(
    "more training rows than there are",
    GOOD,
    "n_train: at most 30 rows were expected, there are no more, 31 came",
    f"{KEYS}, n_train = 31",
)
text(
    "more test rows than there are",
    GOOD,
    "n_test: at most 10 rows were expected, there are no more, 11 came",
    f"{KEYS}, n_test = 11",
)
text(
    "infinity for a learner that takes none",
    "x,y\n" + "".join(f"{i if i % 5 else 'inf'},{i % 2}\n" for i in range(40)),
    "finite features were expected",
)

# --- names of files --------------------------------------------------------------------------------------------------


@case("no such file", "no such file or folder")
def _(_: Path) -> str:
    return KEYS


@case("a file below a file", "no such file or folder")
def _(folder: Path) -> str:
    (folder / "a.csv").write_text(GOOD)
    return 'file = "a.csv/b.csv", label = "y"'


@case("a name of a path's length", "a file was expected|no such file")
def _(_: Path) -> str:
    return f'file = "{"n" * 5000}.csv", label = "y"'


@case("a NUL in the name", "a file was expected: .*embedded null|no such file")
def _(_: Path) -> str:
    return 'file = "a\\u0000.csv", label = "y"'


@case("no name", "a folder for each class")
def _(_: Path) -> str:
    return 'file = "", label = "y"'


@case("a link in a circle", "a file was expected")
def _(folder: Path) -> str:
    (folder / "a.csv").symlink_to(folder / "a.csv")
    return KEYS


@case("a link to nothing", "no such file or folder")
def _(folder: Path) -> str:
    (folder / "a.csv").symlink_to(folder / "b.csv")
    return KEYS


@case("a device", "a file was expected, a device or a pipe came")
def _(_: Path) -> str:
    return 'file = "/dev/zero", label = "y"'


@case("a device by a link", "a file was expected, a device or a pipe came")
def _(folder: Path) -> str:
    (folder / "a.csv").symlink_to("/dev/zero")
    return KEYS


@case("a pipe", "a file was expected, a device or a pipe came")
def _(folder: Path) -> str:
    os.mkfifo(folder / "a.csv")
    return KEYS


@case(
    "a folder called .csv", "a folder for each class with images, or with .txt or .eml files, was expected, none came"
)
def _(folder: Path) -> str:
    (folder / "a.csv").mkdir()
    return KEYS


@case("a test file that is not there", "no such file or folder")
def _(folder: Path) -> str:
    (folder / "a.csv").write_text(GOOD)
    return f'{KEYS}, test_file = "b.csv"'


def with_test(name: str, content: str, said: str) -> None:
    def make(folder: Path) -> str:
        (folder / "a.csv").write_text(GOOD)
        (folder / "b.csv").write_text(content)
        return f'{KEYS}, test_file = "b.csv"'

    case(f"test file, {name}", said)(make)


with_test("empty", "", "b.csv: a file with rows was expected")
with_test("another column", "z,y\n1,1\n2,0\n", "b.csv: column: a column of it was expected, 'x' came")
with_test("without labels", "x\n1\n2\n", "b.csv: label: a column of it was expected, 'y' came")
with_test("another class", "x,y\n1,1\n2,7\n", "b.csv: labels of the training rows were expected, 7 came in line 3;")
with_test("words for numbers", "x,y\na,1\nb,0\n", "were expected|was expected")
for ending in (
    ".xlsx",
    ".xls",
    ".json",
    ".txt",
    ".pkl",
    ".npy",
    ".feather",
    ".zip",
    ".gz",
    ".csv.bz2",
    ".CSV.ZIP",
    ".sqlite",
    "",
):
    text(
        f"the ending {ending or 'none'}",
        GOOD,
        "a file that ends in .csv, .tsv, .* was expected",
        f'file = "a{ending}", label = "y"',
        f"a{ending}",
    )

# --- packed ----------------------------------------------------------------------------------------------------------

PACKED = 'file = "a.csv.gz", label = "y"'
text("gzip that breaks off", gzip.compress(GOOD.encode())[:-9], "a whole gzip file was expected", PACKED, "a.csv.gz")
text("gzip of nothing", gzip.compress(b""), "a file with rows was expected, an empty one came", PACKED, "a.csv.gz")
text(
    "gzip with a wrong sum",
    gzip.compress(GOOD.encode())[:-8] + b"\0" * 8,
    "a whole gzip file was expected",
    PACKED,
    "a.csv.gz",
)
text(
    "gzip with rubbish behind",
    gzip.compress(GOOD.encode()) + b"rubbish",
    "a whole gzip file was expected",
    PACKED,
    "a.csv.gz",
)
text("gzip's first bytes alone", b"\x1f\x8b", "a whole gzip file was expected", PACKED, "a.csv.gz")
text("gzip in gzip", gzip.compress(gzip.compress(GOOD.encode())), "text in UTF-8 was expected", PACKED, "a.csv.gz")
text("gzip of bytes", gzip.compress(bytes(range(256))), "text in UTF-8 was expected|a NUL byte", PACKED, "a.csv.gz")
text(
    "a bomb of gzip",
    gzip.compress(b"0" * (2**26 + 2**21)),
    "at most 200 times its .* bytes were expected, unpacked, more came",
    PACKED,
    "a.csv.gz",
)
text(
    "a bomb of gzips",
    gzip.compress(b"1,0\n" * 2**20) * 20,
    "at most 200 times its .* bytes were expected",
    PACKED,
    "a.csv.gz",
)

# --- parquet ---------------------------------------------------------------------------------------------------------

PARQUET = 'file = "a.parquet", label = "y"'
text("parquet that is text", GOOD, "a Parquet file was expected", PARQUET, "a.parquet")
text("parquet that is empty", b"", "a Parquet file was expected", PARQUET, "a.parquet")
text("parquet of first bytes", b"PAR1" + b"\0" * 20 + b"PAR1", "a Parquet file was expected", PARQUET, "a.parquet")


def parquet(name: str, said: str, columns: Callable[[], dict[str, object]], cut: int | None = None) -> None:
    def make(folder: Path) -> str:
        import pyarrow as pa
        import pyarrow.parquet as pq

        stream = io.BytesIO()
        pq.write_table(pa.table(columns()), stream)
        (folder / "a.parquet").write_bytes(stream.getvalue()[:cut])
        return PARQUET

    case(f"parquet, {name}", said)(make)


def labelled(**columns: object) -> dict[str, object]:
    return {**columns, "y": [0, 1] * 10}


parquet("that breaks off", "a Parquet file was expected", lambda: labelled(x=[1.0] * 20), cut=-20)
parquet("lists", "column 'x': numbers or text were expected, list", lambda: labelled(x=[[1, 2]] * 20))
parquet("records", "column 'x': numbers or text were expected, struct", lambda: labelled(x=[{"a": 1}] * 20))
parquet("bytes", "column 'x': numbers or text were expected, binary", lambda: labelled(x=[b"a"] * 20))
parquet("no rows", "rows were expected, none came", lambda: {"x": [], "y": []})
parquet("missing labels", "20 of 20 are missing", lambda: {"x": [1] * 20, "y": [None] * 20})
parquet("a name that is none", "a column of it was expected, 'y' came", lambda: {"x": [1, 2], "z": [0, 1]})

# --- archives of arrays ----------------------------------------------------------------------------------------------

NPZ = 'file = "a.npz", label = "y"'
Y = np.arange(20) % 2
text("npz that is text", GOOD, "an .npz file was expected", NPZ, "a.npz")
text("npz that is empty", b"", "an .npz file was expected", NPZ, "a.npz")


def arrays(name: str, said: str, keys: str = NPZ, cut: int | None = None, **columns: np.ndarray) -> None:
    def make(folder: Path) -> str:
        stream = io.BytesIO()
        np.savez_compressed(stream, **columns)
        (folder / "a.npz").write_bytes(stream.getvalue()[:cut])
        return keys

    case(f"npz, {name}", said)(make)


def members(name: str, said: str, **files: bytes) -> None:
    def make(folder: Path) -> str:
        with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in files.items():
                archive.writestr(f"{member}.npy", content)
        return NPZ

    case(f"npz, {name}", said)(make)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(shape: str, dtype: str = "<f8") -> bytes:
    said = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    said += b" " * (63 - (len(said) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(said)) + said


X = np.random.default_rng(0).normal(size=(20, 3))
arrays("that breaks off", "an .npz file was expected", cut=-30, X=X, y=Y)
arrays("objects", "'X' has objects, and nothing is unpickled", X=np.array([[1], [1, 2]] * 10, dtype=object), y=Y)
arrays("words as objects", "'X' has objects, and nothing is unpickled", X=np.array(["a"] * 20, dtype=object), y=Y)
arrays("records", "'X' has records", X=np.zeros(20, dtype=[("a", float), ("b", int)]), y=Y)
arrays("complex numbers", "'X' is of complex128", X=X + 1j, y=Y)
arrays("dates", "'X' is of datetime64", X=np.zeros(20, dtype="M8[s]"), y=Y)
arrays("another number of rows", "as many rows in each column were expected, 'X' has 20 and 'y' 19", X=X, y=Y[:-1])
arrays("no label", "a column of it was expected, 'y' came", X=X, z=Y)
arrays("no arrays", "rows were expected, none came")
arrays("no rows", "rows were expected, none came", X=X[:0], y=Y[:0])
arrays("a single value", "'n' is a single value", X=X, y=Y, n=np.array(3))
arrays("labels in two columns", "one label a row was expected in 'y'", X=X, y=np.stack([Y, Y], axis=1))
arrays(
    "two arrays of several numbers",
    "'X' alone, or columns of one value a row, were expected as features",
    X=X,
    Z=X,
    y=Y,
)
arrays("words of two axes", "numbers were expected in 'X', which is no column, text came", X=np.full((20, 2), "a"), y=Y)
arrays("labels of fractions", "classes were expected in 'y'", X=X, y=Y + 0.5)
arrays("missing labels", "1 of 20 is missing", X=X, y=np.where(np.arange(20) == 4, np.nan, Y))
CSR = {"data": np.ones(20), "indices": np.zeros(20, np.int32), "indptr": np.arange(21), "shape": np.array([20, 3])}
for part, wrong in (
    ("indices", np.full(20, 7, np.int32)),
    ("indices", np.full(20, -1, np.int32)),
    ("indptr", np.arange(21)[::-1]),
    ("indptr", np.arange(21) * 5),
    ("shape", np.array([20])),
    ("data", np.full(20, "a")),
    ("shape", np.array([-20, 3])),
):
    arrays(
        f"a sparse matrix with wrong {part}, {len(CASES)}",
        "CSR|numbers were expected|as many rows|rows were",
        y=Y,
        **(CSR | {part: wrong}),
    )
arrays("another sparse matrix", "format 'csr' was expected", y=Y, **CSR, format=np.array("csc"))
members("no array", "'X' is none", X=b"rubbish", y=npy(Y))
members("a pickle", "'X' is none", X=b"\x80\x04\x95\x10\x00", y=npy(Y))
members("an array that breaks off", "'X' breaks off", X=npy(X)[:-50], y=npy(Y))
members("a bomb of zeros", "fit into half of the free memory", X=header("(1000000000000, 4)") + bytes(10**6), y=npy(Y))
members("a negative length", "has the shape|'X' is none", X=header("(-5, 4)") + bytes(100), y=npy(Y))
members("a header that is code", "'X' is none", X=header("__import__('os')") + bytes(100), y=npy(Y))
members("an unknown type", "'X' is none", X=header("(20, 3)", "<q9") + bytes(480), y=npy(Y))

# --- folders ---------------------------------------------------------------------------------------------------------

PETS = 'file = "pets"'


def png(size: tuple[int, int] = (4, 4), mode: str = "RGB") -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, "PNG")
    return stream.getvalue()


def huge_png() -> bytes:
    """A picture of 60,000 x 60,000 pixels, by its header."""
    content = bytearray(png())
    content[16:24] = struct.pack(">II", 60000, 60000)
    import zlib

    content[29:33] = struct.pack(">I", zlib.crc32(bytes(content[12:29])))
    return bytes(content)


def frames() -> bytes:
    stream = io.BytesIO()
    first = Image.fromarray(np.zeros((4, 4), np.uint8))
    first.save(stream, "GIF", save_all=True, append_images=[Image.fromarray(np.full((4, 4), 200, np.uint8))])
    return stream.getvalue()


def glass() -> bytes:
    stream = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 100)).save(stream, "PNG")
    return stream.getvalue()


def tiff_of_fractions() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(stream, "TIFF")
    return stream.getvalue()


def pets(name: str, said: str, **files: bytes) -> None:
    """Add a folder of images with more files; "/" stands for "__" and a point for "_" before the ending."""

    def make(folder: Path) -> str:
        for label in ("cat", "dog"):
            (folder / "pets" / label).mkdir(parents=True)
            for i in range(4):
                (folder / "pets" / label / f"{i}.png").write_bytes(png())
        for place, content in files.items():
            path = folder / "pets" / ".".join(place.replace("__", "/").rsplit("_", 1))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return PETS

    case(f"images, {name}", said)(make)


pets("one that is none", "a whole image was expected, 'cat/x.png' is none", cat__x_png=b"no image")
pets("one that is empty", "a whole image was expected, 'cat/x.png' is none", cat__x_png=b"")
pets("one that breaks off", "a whole image was expected, 'cat/x.png' is none", cat__x_png=png((64, 64))[:-30])
pets(
    "one with a wrong sum",
    "a whole image was expected, 'cat/x.png' is none",
    cat__x_png=png()[:45] + b"zzzz" + png()[49:],
)
pets(
    "one of another size",
    "images of one size were expected, 4 x 4 as the first, 'dog/x.png' is 5 x 6",
    dog__x_png=png((6, 5)),
)
pets("one that moves", "still images were expected, 'cat/x.gif' has several frames", cat__x_gif=frames())
pets("glass", "without transparent pixels were expected, 'cat/x.png'", cat__x_png=glass())
pets("fractions", "pixels of one or two bytes were expected, 'cat/x.tif' has fractions", cat__x_tif=tiff_of_fractions())
pets("a bomb", "images of a usual size were expected, 'cat/x.png' is huge", cat__x_png=huge_png())
pets("a program called .png", "a whole image was expected, 'dog/x.png' is none", dog__x_png=b"\x7fELF" + bytes(100))
pets(
    "a PostScript called .jpg",
    "a whole image was expected, 'dog/x.jpg' is none",
    dog__x_jpg=b"%!PS-Adobe-3.0 EPSF-3.0\n",
)
pets("a note among them", "files that end in .* were expected, 'cat/note.md' came", cat__note_md=b"hi")
pets("a text among them", "with images and texts|images and texts came", cat__note_txt=b"hi")
pets("a file beside the classes", "'list.png' lies beside them", list_png=png())
pets("an array among them", "files that end in .* were expected, 'cat/x.npy' came", cat__x_npy=npy(X))
pets("a third class of one", "2 rows of each class or more were expected, 'eel' has one", eel__x_png=png())


@case("images, an empty class", "files were expected in 'eel', none are there")
def _(folder: Path) -> str:
    CASES["images, a third class of one"][0](folder)
    (folder / "pets" / "eel" / "x.png").unlink()
    return PETS


@case("images, a link out of the folder", "the link 'x.png' leads out of it")
def _(folder: Path) -> str:
    CASES["images, a third class of one"][0](folder)
    (folder / "secret.png").write_bytes(png())
    (folder / "pets" / "cat" / "x.png").symlink_to(folder / "secret.png")
    return PETS


@case("images, a class that is a link out of the folder", "the link 'eel' leads out of it")
def _(folder: Path) -> str:
    CASES["images, a third class of one"][0](folder)
    (folder / "pets" / "eel" / "x.png").unlink()
    (folder / "pets" / "eel").rmdir()
    (folder / "secret").mkdir()
    (folder / "secret" / "x.png").write_bytes(png())
    (folder / "pets" / "eel").symlink_to(folder / "secret")
    return PETS


@case("images, a folder in itself", "leads to a folder that it lies in")
def _(folder: Path) -> str:
    CASES["images, a third class of one"][0](folder)
    (folder / "pets" / "eel" / "again").symlink_to(folder / "pets" / "eel")
    return PETS


@case("images, a device", "a device or a pipe came")
def _(folder: Path) -> str:
    CASES["images, a third class of one"][0](folder)
    os.mkfifo(folder / "pets" / "cat" / "x.png")
    return PETS


@case("images, one class", "labels of two classes or more were expected, 'cat' alone came")
def _(folder: Path) -> str:
    (folder / "pets" / "cat").mkdir(parents=True)
    for i in range(4):
        (folder / "pets" / "cat" / f"{i}.png").write_bytes(png())
    return PETS


@case(
    "a folder with nothing in it", "a folder for each class with images, or with .txt or .eml files, was expected, none"
)
def _(folder: Path) -> str:
    (folder / "pets").mkdir()
    return PETS


@case("a folder of tables", "a folder for each class with images, or with .txt or .eml files, was expected, none")
def _(folder: Path) -> str:
    (folder / "pets" / "a").mkdir(parents=True)
    (folder / "pets" / "a" / "a.csv").write_text(GOOD)
    return PETS


def mail(name: str, said: str, content: bytes, file: str = "x.txt") -> None:
    def make(folder: Path) -> str:
        for label in ("ham", "spam"):
            (folder / "mail" / label).mkdir(parents=True)
            for i in range(4):
                (folder / "mail" / label / f"{i}.txt").write_text(f"{label} {i} hello")
        (folder / "mail" / "ham" / file).write_bytes(content)
        return 'file = "mail"'

    case(f"texts, {name}", said)(make)


mail("in another encoding", "ham/x.txt: text in UTF-8 was expected", "fähig".encode("latin-1"))
mail("with NULs", "ham/x.txt: text was expected, a NUL byte", b"a\0b")
mail("a document among them", "files that end in .eml, .txt were expected, 'ham/x.doc' came", b"x", "x.doc")
mail("an archive of mails", "files that end in .eml, .txt were expected, 'ham/x.mbox' came", b"From ", "x.mbox")
