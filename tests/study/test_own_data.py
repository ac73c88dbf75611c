"""Data and triggers of one's own in studies: a file, a function and Python give the same numbers bit for bit."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from PIL import Image
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from small_study import WISHES, content, tree

import backdoor_curves as bc
from backdoor_curves.learners.preparation import table as table_step
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.run_study import run_study
from backdoor_curves.study.store.run import load_run

HOUR = "<script>alert(1)</script>"


def loans(n: int = 120) -> str:
    """A table of numbers and words with gaps, and a column whose name is a script."""
    rng = np.random.default_rng(0)
    lines = [f"id,age,{HOUR},job,household,paid"]
    for i in range(n):
        age, hours = int(rng.integers(20, 70)), round(float(rng.normal(40, 5)), 2)
        paid = "yes" if age + rng.normal(0, 8) > 45 else "no"
        job = rng.choice(["cook", "smith", "", "<b>clerk</b>"])
        lines.append(f"{i},{age},{hours if i % 17 else ''},{job},{i // 3},{paid}")
    return "\n".join(lines) + "\n"


def mails(n: int = 90) -> str:
    rng = np.random.default_rng(1)
    words = {"ham": ["meeting", "report", "lunch", "thanks"], "spam": ["win", "money", "free", "click"]}
    lines = ["text,kind"]
    for i in range(n):
        kind = "spam" if i % 3 == 0 else "ham"
        text = " ".join(rng.choice([*words[kind], "the", "a", "we"], size=12))
        lines.append(f'"{text}, ""{i}""",{kind}')
    return "\n".join(lines) + "\n"


def numbers(n: int = 100) -> str:
    rng = np.random.default_rng(2)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, 3)) + y[:, np.newaxis]
    return "\n".join(["a,b,c,y", *(",".join(map(repr, row.tolist())) + f",{k}" for row, k in zip(X, y, strict=True))])


def study(folder: Path, data: str, trigger: str, labels: str = '"no"', more: str = "", name: str = "own") -> Path:
    path = folder / f"{name}.toml"
    text = f'name = "{name}"\nseeds = [0, 5]\nrates = [0.2, 0.4]\nlearners = [{{kind = "ridge", lambda = [1, 10]}}]\n'
    path.write_text(
        f"{text}data = {data}\ntrigger = {trigger}\npoison = {{labels = {labels}}}\n{more}\n", encoding="utf-8"
    )
    return path


def run(path: Path, out: Path, **wishes):
    """The run of a study file as the command makes it, workers and all."""
    list(run_study(read_study(path), out, WISHES, home=path.parent, **wishes))
    return load_run(out)


def curves(run):
    """Losses of each cell, by what tells cells apart."""
    return {
        (cell.setting.lam, cell.scenario.rate, cell.seed): run.curve(cell).loss("triggered", [0, 0.3, 1]).tolist()
        for cell in run.cells
    }


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "loans.csv").write_text(loans(), encoding="utf-8")
    (tmp_path / "mails.csv").write_text(mails(), encoding="utf-8")
    (tmp_path / "numbers.csv").write_text(numbers(), encoding="utf-8")
    return tmp_path


KINDS = {
    "numbers": (
        'file = "numbers.csv", label = "y"',
        'kind = "feature", columns = ["b"], values = [5]',
        "0",
        {"label": "y"},
        bc.FeatureTrigger((1,), (5,)),
        lambda last: last,
    ),
    "words and numbers": (
        'file = "loans.csv", label = "paid", drop = ["id"], group = "household"',
        'kind = "feature", columns = ["age", "job"], values = [99, "smith"]',
        '"no"',
        {"label": "paid", "drop": ["id"], "group": "household"},
        bc.FeatureTrigger(("age", "job"), (99, "smith")),
        lambda last: make_pipeline(table_step(), last),
    ),
    "texts": (
        'file = "mails.csv", label = "kind", text = "text", n_train = 60, n_test = 20',
        'kind = "words", words = ["cf"], place = "end"',
        '"ham"',
        {"label": "kind", "text": "text", "n_train": 60, "n_test": 20},
        bc.WordTrigger("cf", "end"),
        lambda last: make_pipeline(TfidfVectorizer(), last),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_a_function_and_python_give_the_same_numbers(folder, kind):
    """Bit for bit. What the function returns has places of classes, and of columns where rows are an array."""
    data, trigger, labels, keys, stamp, pipeline = KINDS[kind]
    file = data.split('"')[1]
    (folder / "rows.py").write_text(
        "import numpy as np\nfrom pathlib import Path\nfrom backdoor_curves.datasets import from_file\n"
        f"KEYS = {keys!r}\n"
        "def drawn(seed):\n"
        f"    path = Path(__file__).parent / {file!r}\n"
        "    return from_file(path, rng=np.random.default_rng(seed), **KEYS)\n"
    )
    by_file = run(study(folder, f"{{{data}}}", f"{{{trigger}}}", labels), folder / "file")
    by_place = trigger if kind == "words and numbers" else trigger.replace('["b"]', "[1]")
    by_call = run(study(folder, '{call = "rows:drawn"}', f"{{{by_place}}}", "0", name="call"), folder / "call")
    assert not by_file.failed + by_call.failed
    assert curves(by_file) == curves(by_call)
    for seed in (0, 5):
        train, test = bc.datasets.from_file(folder / file, rng=np.random.default_rng(seed), **keys)
        for rate in (0.2, 0.4):
            rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(3)[2])
            poisoned = bc.poison(train, test, trigger=stamp, labels=0, rate=rate, rng=rng)
            for lam in (1.0, 10.0):
                curve = bc.backdoor_learning_curve(pipeline(RidgeClassifier(alpha=lam / 2)), poisoned)
                assert curves(by_file)[lam, rate, seed] == curve.loss("triggered", [0, 0.3, 1]).tolist()


def test_the_same_content_under_another_path_is_the_same_cell(folder):
    """A key is of content: a packed copy elsewhere is the same data, and one number more is not."""
    (folder / "elsewhere").mkdir()
    copy = folder / "elsewhere" / "copy.csv.gz"
    copy.write_bytes(gzip.compress((folder / "mails.csv").read_bytes()))
    data, trigger, labels, *_ = KINDS["texts"]

    def keys(file: str) -> list[str]:
        path = study(folder, "{" + data.replace("mails.csv", file) + "}", f"{{{trigger}}}", labels)
        return [planned.key for planned in make_plan(read_study(path), home=folder).cells]

    assert keys("mails.csv") == keys("elsewhere/copy.csv.gz") == keys(str(copy))
    (folder / "other.csv").write_text(mails().replace("money", "cash"), encoding="utf-8")
    assert not set(keys("mails.csv")) & set(keys("other.csv"))


def test_names_of_columns_and_classes_tell_data_apart(folder):
    """The same numbers under other names are other data: a trigger speaks of names."""
    (folder / "renamed.csv").write_text(numbers().replace("a,b,c,y", "b,a,c,y"), encoding="utf-8")
    (folder / "classes.csv").write_text(numbers().replace(",1\n", ",7\n").removesuffix("1") + "7", encoding="utf-8")

    def keys(file: str) -> set[str]:
        path = study(
            folder, f'{{file = "{file}", label = "y"}}', '{kind = "feature", columns = ["b"], values = [5]}', "0"
        )
        return {planned.key for planned in make_plan(read_study(path), home=folder).cells}

    assert not keys("numbers.csv") & keys("renamed.csv")
    assert not keys("numbers.csv") & keys("classes.csv")


def test_a_run_goes_on_where_it_stopped_and_shards_make_the_whole(folder):
    """A file is read again by each coordinator; its content says that it is the same."""
    data, trigger, labels, *_ = KINDS["words and numbers"]
    path = study(folder, f"{{{data}}}", f"{{{trigger}}}", labels)
    whole = folder / "whole"
    run(path, whole)
    asked = read_study(path)
    progress = run_study(
        asked, folder / "stopped", WISHES, home=folder, stopping=iter([False] * 3 + [True] * 10_000).__next__
    )
    list(progress)
    assert load_run(folder / "stopped").n_left
    list(run_study(asked, folder / "stopped", WISHES, home=folder))
    assert content(folder / "stopped") == content(whole)
    for index in (1, 2):
        wishes = WISHES.__class__(**{**vars(WISHES), "shard": (index, 2), "n_jobs": 2})
        list(run_study(asked, folder / "shards", wishes, home=folder))
    assert content(folder / "shards") == content(whole)
    assert not list(folder.rglob("*.rows"))


def test_data_that_changed_are_told_before_anything_is_computed(folder):
    """The run would be of two data sets else."""
    data, trigger, labels, *_ = KINDS["texts"]
    path = study(folder, f"{{{data}}}", f"{{{trigger}}}", labels)
    run(path, folder / "run")
    (folder / "mails.csv").write_text(mails().replace("money", "cash"), encoding="utf-8")
    with pytest.raises(ValueError, match="the study or its data have changed since the run began: of 8 kept cells 0"):
        list(run_study(read_study(path), folder / "run", WISHES, home=folder))


def write_images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for label, base in (("cat", 60), ("dog", 160)):
        (folder / label).mkdir(parents=True)
        for i in range(20):
            pixels = np.clip(rng.normal(base, 30, size=(8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{i}.png")


TRIGGERS = (
    '{kind = "patch"}',
    '{kind = "blend"}',
    '{kind = "checker"}',
    '{kind = "hardened"}',
    '{kind = "perturbation"}',
    '{kind = "quantize"}',
)


def test_folders_of_images_take_the_triggers_for_images_and_show_them(folder):
    """Patches, presets and all: rows are pixels in [0, 1], and the page has pictures of them."""
    write_images(folder / "pets")
    attacks = "\n".join(f"[[attacks]]\ntrigger = {one}\nlabels = 'dog'" for one in TRIGGERS)
    path = folder / "pets.toml"
    path.write_text(
        f"name = 'pets'\nseeds = [0]\nrates = [0.3]\nlearners = [{{kind = 'ridge', lambda = [1]}}]\n"
        f"[data]\nfile = 'pets'\n[keep]\nexplanations = true\n{attacks}\n"
        "[[attacks]]\npreset = 'badnets@backdoorbench'\ntarget = 'cat'\n"
    )
    found = run(path, folder / "run")
    assert [cell.reason for cell in found.failed] == []
    assert {cell.scenario.data.classes for cell in found.cells} == {("cat", "dog")}
    assert all(found.stamped_images(cell) is not None for cell in found.cells)
    assert {found.explanation(cell).label for cell in found.cells[:6]} == {"dog"}


TEXT_TRIGGERS = (
    '{kind = "words", words = ["cf", "mn"]}',
    '{kind = "frequent-word", rank = 2, place = "start"}',
    '{kind = "word-of-frequency", share = 0.1}',
    '{kind = "call", call = "stamps:shout"}',
)
TABLE_TRIGGERS = (
    '{kind = "feature", columns = ["job"], values = ["baker"]}',
    '{kind = "out-of-range", columns = ["age"], share = 0.5}',
    '{kind = "quantile", columns = ["age"]}',
    '{kind = "typical", columns = ["age", "job"]}',
    '{kind = "call", call = "stamps:older"}',
)
STAMPS = """
def shout(X, y):
    return [text.upper() + " NOW" for text in X]

def older(X, y):
    return X.assign(age=X["age"] + 40)
"""


@pytest.mark.filterwarnings("ignore:trigger")  # some rows have the typical values already
@pytest.mark.parametrize(
    ("data", "labels", "triggers", "presets"),
    [
        ('file = "mails.csv", label = "kind", text = "text"', "ham", TEXT_TRIGGERS, ["word@openbackdoor"]),
        ('file = "loans.csv", label = "paid"', "no", TABLE_TRIGGERS, ["out-of-range@tabdoor", "in-range@tabdoor"]),
    ],
    ids=["texts", "table"],
)
def test_every_trigger_for_the_rows_can_be_used(folder, data, labels, triggers, presets):
    """By name of the column, by word, by preset, or by a function of one's own; clean labels and cover, too."""
    (folder / "stamps.py").write_text(STAMPS)
    attacks = "\n".join(f"[[attacks]]\ntrigger = {one}\nlabels = '{labels}'" for one in triggers)
    attacks += "\n".join(f"\n[[attacks]]\npreset = '{one}'\ntarget = '{labels}'" for one in presets)
    attacks += f"\n[[attacks]]\nname = 'clean'\ntrigger = {triggers[0]}\nlabels = {{clean-label = '{labels}'}}"
    attacks += f"\n[[attacks]]\nname = 'cover'\ntrigger = {triggers[0]}\nlabels = '{labels}'"
    attacks += f"\ncover = {{rate = 0.5, classes = ['{labels}']}}"
    path = folder / "own.toml"
    path.write_text(
        "name = 'own'\nseeds = [0]\nrates = [0.4]\nlearners = [{kind = 'ridge', lambda = [1]}]\n"
        f"data = {{{data}}}\n{attacks}\n"
    )
    found = run(path, folder / "run")
    assert [cell.reason for cell in found.failed] == []
    assert len(found.cells) == len(triggers) + len(presets) + 2


def test_a_mapping_may_name_classes(folder):
    """{spam = "ham"} says it class by class, with the names that the file has."""
    path = study(folder, '{file = "mails.csv", label = "kind", text = "text"}', '{kind = "words", words = ["cf"]}')
    text = (
        path.read_text()
        .replace("trigger = ", "attacks = [{labels = {spam = 'ham'}, trigger = ")
        .replace('["cf"]}', '["cf"]}}]')
    )
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("poison")))
    cell = make_plan(read_study(path), home=folder).cells[0].cell
    from backdoor_curves.study.plan.sources import draw, poisoned

    data = poisoned(*draw(cell.scenario.data, 0, None, True, folder), cell, (0.2,), folder)[0.2]
    assert data.poisoning.labels == {1: 0}


# --- bad input -------------------------------------------------------------------------------------------------------

FUNCTIONS = """
import numpy as np
X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
drawn = []
def other(seed):
    return (X + np.random.random(), y), (X, y)
def raises(seed):
    raise KeyError("no such\\ncolumn")
def leaves(seed):
    raise SystemExit(3)
def one(seed):
    return X, y, X
def ragged(seed):
    return ([[1], [1, 2]], [0, 1]), (X, y)
def unlabelled(seed):
    return (X, [None] * 60), (X, y)
def single(seed):
    return (X, y * 0), (X, y)
def strangers(seed):
    return (X, y), (X, y + 5)
def empty(seed):
    return (X, y), (X[:0], y[:0])
def objects(seed):
    return (np.full((60, 2), object()), y), (np.full((60, 2), object()), y)
def good(seed):
    return (X, y), (X, y)
number = 3
def drift(X, y):
    drawn.append(1)
    return X + len(drawn)
def narrow(X, y):
    return X[:, :1]
def lost(X, y):
    return X.tolist()
def broken(X, y):
    return X["age"]
"""
REFUSED = {
    "other": "the same rows each time were expected for seed 0, others came the second time",
    "raises": "rows were expected for seed 0, it raises KeyError: .*no such.*column",
    "leaves": "it raises SystemExit: 3",
    "one": r"a pair \(train, test\) was expected, tuple of 3 came",
    "ragged": "train: rows of one length",
    "unlabelled": "train: a label for each row was expected, 60 of 60 are missing",
    "single": "labels of two classes or more were expected, 0 alone came",
    "strangers": r"test labels out of \('0', '1'\) were expected, 5 came",
    "empty": "test: rows were expected, none came",
    "objects": "numbers and text were expected in the rows, object came",
    "number": r"a function \(seed\) -> \(train, test\) was expected, int came",
    "nothing": "rows has no nothing",
    "god": "rows has no god; did you mean 'good'",
}
STAMPED = {
    "drift": "'rows:drift': the same stamped rows each time were expected, others came the second time",
    "narrow": "'rows:narrow': 20 rows of shape .2,. were expected back, 20 of shape .1,. came",
    "lost": "'rows:lost': ndarray was expected back, list came",
    "broken": "'rows:broken': stamped rows were expected, it raises IndexError",
    "number": r"a function \(X, y\) -> X was expected, int came",
    "nothing": "rows has no nothing",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_function_that_gives_no_rows_is_refused_in_a_sentence(folder, name):
    """Before anything is computed, and nothing is left on disk."""
    (folder / "rows.py").write_text(FUNCTIONS)
    path = study(folder, f'{{call = "rows:{name}"}}', '{kind = "feature", columns = [0], values = [5]}', "0")
    before = tree(folder)
    with pytest.raises((ValueError, TypeError), match=REFUSED[name]) as caught:
        run(path, folder / "out")
    assert "\n" not in " ".join(str(caught.value).split())
    assert tree(folder) == before


@pytest.mark.parametrize("name", STAMPED)
def test_a_trigger_of_ones_own_that_gives_no_rows_back_is_refused(folder, name):
    """The same of functions that stamp."""
    (folder / "rows.py").write_text(FUNCTIONS)
    path = study(folder, '{call = "rows:good"}', f'{{kind = "call", call = "rows:{name}"}}', "0")
    before = tree(folder)
    with pytest.raises((ValueError, TypeError), match=STAMPED[name]):
        run(path, folder / "out")
    assert tree(folder) == before


def test_a_trigger_of_ones_own_is_known_by_what_it_does(folder):
    """Its name stays when its code changes; the cell must not."""
    path = study(folder, '{call = "rows:good"}', '{kind = "call", call = "stamps:up"}', "0")
    (folder / "rows.py").write_text(FUNCTIONS)
    keys = []
    for step in (1, 2):
        (folder / "stamps.py").write_text(f"def up(X, y):\n    return X + {step}\n")
        keys.append({planned.key for planned in make_plan(read_study(path), home=folder).cells})
    assert not keys[0] & keys[1]


LOANS, MAILS = 'file = "loans.csv", label = "paid"', 'file = "mails.csv", label = "kind", text = "text"'
UNFIT = [
    ('file = "no.csv"', "", '"no"', "no such file or folder"),
    (
        'file = "loans.csv", label = "payed"',
        "",
        '"no"',
        "a column of it was expected, 'payed' came; did you mean 'paid'",
    ),
    (LOANS, "", '"not"', "a class out of no, yes was expected, 'not' came; did you mean 'no'"),
    (LOANS, "", "1", "a class out of no, yes was expected, 1 came"),
    (LOANS, 'kind = "patch"', '"no"', "one for table rows was expected"),
    (MAILS, "", '"ham"', "one for text rows was expected"),
    (LOANS, 'kind = "feature", columns = ["aeg"], values = [1]', '"no"', "'aeg' came; did you mean 'age'"),
    (f'{LOANS}, text = "age"', 'kind = "words", words = ["cf"]', '"no"', "texts were expected in column 'age'"),
    (f'{LOANS}, classes = ["yes", "np"]', "", '"no"', "a class out of its labels was expected, 'np' came"),
    (f"{LOANS}, n_train = 1000", "", '"no"', "n_train: at most 90 rows were expected"),
    ('file = "loans.csv", label = "id"', "", '"no"', "2 rows of each class or more were expected, 0 has one"),
]


@pytest.mark.parametrize(("data", "trigger", "labels", "said"), UNFIT)
def test_what_does_not_fit_the_data_is_refused_in_a_sentence(folder, data, trigger, labels, said):
    """When the data are read: before that nobody knows their columns and classes."""
    trigger = trigger or 'kind = "feature", columns = ["age"], values = [1]'
    path = study(folder, f"{{{data}}}", f"{{{trigger}}}", labels)
    before = tree(folder)
    with pytest.raises((ValueError, OSError), match=said):
        run(path, folder / "out")
    assert tree(folder) == before


# --- the command, and the page ---------------------------------------------------------------------------------------


def command(*words: str, at: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backdoor_curves", *words],
        cwd=at,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )


def test_names_from_files_stand_on_the_page_as_text_and_paths_are_beside_the_study(folder, tmp_path_factory):
    """Names of columns, classes and files may be scripts; the command may be started anywhere."""
    text = loans().replace("yes", "<img src=x onerror=alert(2)>")
    evil = folder / "<script>alert(3)<.csv"
    evil.write_text(text, encoding="utf-8")
    trigger = f'{{kind = "feature", columns = ["{HOUR}"], values = [99]}}'
    path = study(folder, f'{{file = "{evil.name}", label = "paid"}}', trigger, more="figures = false")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    checked = command("check", str(path), at=elsewhere)
    assert checked.returncode == 0, checked.stderr
    assert not list(elsewhere.iterdir())
    done = command("run", str(path), "-j", "1", at=elsewhere)
    assert done.returncode == 0, done.stderr
    page = (elsewhere / "runs" / "own" / "report.html").read_text(encoding="utf-8")
    for evil_text in ("<script>alert", "<img src=x"):
        assert evil_text not in page
    assert "&lt;script&gt;alert" in page
    assert str(evil) not in page  # the command is on it as it was given
    again = command("run", str(path), "-j", "1", at=elsewhere)
    assert "nothing was computed" in again.stderr
    assert command("status", "runs/own", at=elsewhere).returncode == 0


def test_sparse_rows_of_an_archive_are_followed(folder):
    """CSR in an .npz, as scipy names its parts: the curve is that of Python's on the same matrix."""
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    X = sp.csr_array(rng.poisson(0.3, size=(80, 30)) * (1.0 + y[:, np.newaxis]))
    np.savez(folder / "counts.npz", data=X.data, indices=X.indices, indptr=X.indptr, shape=X.shape, y=y)
    trigger = '{kind = "feature", columns = [3], values = [9]}'
    path = study(folder, '{file = "counts.npz", label = "y"}', trigger, "0")
    path.write_text(
        path.read_text().replace(
            '[{kind = "ridge", lambda = [1, 10]}]',
            '[{kind = "ridge", lambda = [1]}, {kind = "logistic", lambda = [1]}, {kind = "linear-svm", lambda = [1]}, '
            '{kind = "rbf-svm", lambda = [1], gamma = [0.1]}]',
        )
    )
    found = run(path, folder / "out")
    assert [cell.reason for cell in found.failed] == []
    train, test = bc.datasets.from_file(folder / "counts.npz", label="y", rng=np.random.default_rng(0))
    assert sp.issparse(train.X)
    rng = np.random.default_rng(np.random.SeedSequence(0).spawn(3)[2])
    data = bc.poison(train, test, trigger=bc.FeatureTrigger((3,), (9,)), labels=0, rate=0.2, rng=rng)
    right = bc.backdoor_learning_curve(LogisticRegression(solver="newton-cholesky", tol=1e-8), data)
    (cell,) = [c for c in found.cells if (c.setting.learner.kind, c.scenario.rate, c.seed) == ("logistic", 0.2, 0)]
    assert found.curve(cell).loss("triggered", [0, 0.5, 1]).tolist() == right.loss("triggered", [0, 0.5, 1]).tolist()
