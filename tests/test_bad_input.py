"""What is asked wrongly is refused in one sentence that says what to do, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves import cli

STUDY = """
name = "tiny"
seeds = [0]
rates = [0.1]

[data]
n_train = 60
n_test = 40

[trigger]
size = 2

[poison]
labels = "next"

[[learners]]
kind = "ridge"
lambda = [1]
"""
TOY = 'kind = "feature"\ncolumns = [1]\nvalues = [1.2]\n[poison]'
OTHER_RUN = (
    b'{"study": {"name": "tiny", "learners": [{"kind": "ridge", "lambda": [2.0]}], "rates": [0.1], "seeds": [0]}}'
)
RUN = ("run", "study.toml", "-j", "1")
MNIST = {"[data]": '[data]\nname = "mnist"'}


class Case(NamedTuple):
    """A wrong wish: a study with some parts replaced, arguments, files that lie about, and what must be said."""

    id: str
    fragment: str
    change: dict[str, str] = {}  # noqa: RUF012 - never changed
    args: tuple[str, ...] = RUN
    files: dict[str, bytes] = {}  # noqa: RUF012


CASES = (
    Case("missing file", "absent.toml: no such file", args=("run", "absent.toml")),
    Case("a folder in place of a file", "a folder came", args=("run", "folder"), files={"folder/x": b""}),
    Case("a path below a file", "Not a directory", args=("run", "study.toml/study.toml")),
    Case("not TOML", "TOML was expected", {"name =": "name"}),
    Case("not UTF-8", "TOML was expected", args=("run", "latin.toml"), files={"latin.toml": b'name = "\xe9"'}),
    Case("empty file", "name: missing key", args=("run", "empty.toml"), files={"empty.toml": b""}),
    Case("wrong key", "seed: unknown key; did you mean 'seeds'?", {"seeds": "seed"}),
    Case("wrong table", "dat: unknown key; did you mean 'data'?", {"[data]": "[dat]"}),
    Case("wrong key in a table", "data.n_trian: unknown key; did you mean 'n_train'?", {"n_train": "n_trian"}),
    Case("wrong key in a learner", "learners[0].lamda: unknown key; did you mean 'lambda'?", {"lambda": "lamda"}),
    Case("missing key", "learners[0].lambda: missing key", {"lambda = [1]": ""}),
    Case("wrong type", "seeds: a list was expected, 3 came", {"[0]": "3"}),
    Case("wrong type in a table", "data.n_train: a whole number was expected, '60' came", {"60": '"60"'}),
    Case("rate 0", "rates[0]: a number > 0.0 was expected, 0 came", {"[0.1]": "[0]"}),
    Case("rate above 1", "rates[0]: a number <= 1.0 was expected, 1.5 came", {"[0.1]": "[1.5]"}),
    Case("no rate", "rates: a list of length >= 1 was expected, [] came", {"[0.1]": "[]"}),
    Case("no seed", "seeds: a list of length >= 1 was expected, [] came", {"[0]": "[]"}),
    Case("no lambda", "learners[0].lambda: a list of length >= 1 was expected", {"[1]": "[]"}),
    Case("lambda 0", "learners[0].lambda[0]: a number > 0.0 was expected, 0 came", {"[1]": "[0]"}),
    Case("negative lambda", "learners[0].lambda[1]: a number > 0.0 was expected, -2 came", {"[1]": "[1, -2]"}),
    Case("infinite lambda", "learners[0].lambda: finite numbers were expected", {"[1]": "[inf]"}),
    Case("lambda twice", "learners[0].lambda: each value once was expected, 1.0 came twice", {"[1]": "[1, 1]"}),
    Case("learner twice", "ridge at lambda 1 came twice", {"[1]": '[1]\n[[learners]]\nkind = "ridge"\nlambda = [1]'}),
    Case("gamma for ridge", "no gamma was expected for ridge", {"[1]": "[1]\ngamma = [1]"}),
    Case("no gamma for rbf", "at least one gamma was expected for rbf-svm", {'"ridge"': '"rbf-svm"'}),
    Case("misspelt learner", "did you mean 'ridge'?", {'"ridge"': '"rigde"'}),
    Case("size 0", "trigger.size: a whole number >= 1 was expected, 0 came", {"size = 2": "size = 0"}),
    Case("seeds twice", "seeds: each value once was expected, 0 came twice", {"[0]": "[0, 0]"}),
    Case("name with a slash", "digits, '.', '_' and '-' were expected, '../tiny' came", {'"tiny"': '"../tiny"'}),
    Case("unknown data set", "did you mean 'mnist'?", {"[data]": '[data]\nname = "mnits"'}),
    Case("unknown class", "11 came; choose among these", {"[data]": "[data]\nclasses = [7, 11]"}),
    Case("unknown grouping", "'odd-even' came", {"[data]": '[data]\nclasses = "odd-even"'}),
    Case("one class", "two classes or more were expected, 1 came", {"[data]": "[data]\nclasses = [7]"}),
    Case("class twice", "7 came twice", {"[data]": "[data]\nclasses = [7, [1, 7]]"}),
    Case("more rows than there are", "at most 1797 rows", {"60": "1790"}),
    Case("0 rows", "data.n_train: a whole number >= 1 was expected, 0 came", {"60": "0"}),
    Case("one training row", "two classes or more were expected", {"60": "1"}),
    Case("rate of no row", "is not one row; take at least 1/60", {"[0.1]": "[0.01]"}),
    Case("all rows poisoned", "would be replaced", {"[0.1]": "[1.0]"}),
    Case("trigger larger than the image", "9 x 9 at 'bottom-right' came; take a smaller one", {"size = 2": "size = 9"}),
    Case("target that is no class", "labels: \"next\", a class of [0, 1]", {'"next"': "7"}),
    Case("misspelt policy", 'poison.labels: "next" or the number of a class', {'"next"': '"nxt"'}),
    Case("toy with a patch", "'feature' was expected for toy data", {"[data]": '[data]\nname = "toy"'}),
    Case("digits with a feature trigger", "'patch' was expected for digits data", {"size = 2\n\n[poison]": TOY}),
    Case("columns of a patch", "no columns and values were expected for a patch", {"size = 2": "columns = [1]"}),
    Case("column that toy lacks", "columns in [0, 2) were expected, 5 came", {
        "[data]": '[data]\nname = "toy"', "size = 2\n\n[poison]": TOY.replace("[1]", "[5]")
    }),
    Case("more columns than values", "one value a column was expected: 2 columns, 1 values", {
        "[data]": '[data]\nname = "toy"', "size = 2\n\n[poison]": TOY.replace("[1]", "[0, 1]")
    }),
    Case("mnist offline and absent", "data fetch mnist", MNIST, (*RUN, "--offline")),
    Case("altered mnist", "delete it, then: backdoor-curves data fetch mnist", MNIST,
         (*RUN, "--offline", "--data-dir", "mine"), {"mine/train-images-idx3-ubyte.gz": b"garbage"}),
    Case("truncated mnist", "that are no whole gzip file came", MNIST, (*RUN, "--offline", "--data-dir", "mine"),
         {"mine/mnist/train-images-idx3-ubyte.gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03cbd"}),
    Case("output below a file", "a folder to write to was expected", args=(*RUN, "--out", "file"), files={"file": b""}),
    Case("run of an older version", "a run of an older version came", files={"runs/tiny/study.json": OTHER_RUN}),
    Case("no shard", "--shard: I/N with 1 <= I <= N, such as 2/8, was expected", args=(*RUN, "--shard=3/2")),
    Case("no size", "--max-memory: a size such as 8GB", args=(*RUN, "--max-memory", "much")),
    Case("too little memory", "raise --max-memory", args=(*RUN, "--max-memory", "10MB")),
    Case("no scheduler", "a dask scheduler was expected there", args=(*RUN, "--scheduler", "tcp://127.0.0.1:1")),
    Case("two faults", "data.n_test: a whole number >= 1 was expected", {"60": "0", "40": "0"}),
    Case("check of a wrong study", "seed: unknown key", {"seeds": "seed"}, ("check", "study.toml")),
    Case("check of a large trigger", "take a smaller one", {"size = 2": "size = 9"}, ("check", "study.toml")),
    Case("status of no run", "no run is there; start one with", args=("status", "runs/tiny")),
    Case("export of no run", "no run is there; start one with", args=("export", "runs/tiny")),
    Case("scheduler of another kind", "'nonsense' came; dask scheduler prints", args=(*RUN, "--scheduler", "nonsense")),
    Case("folder of something else", "pass another --out", files={"runs/tiny/thesis.tex": b"mine"}),
    Case("where of an unknown data set", 'did you mean "mnist"?', args=("data", "where", "mnst")),
    Case("verify of an unknown data set", 'did you mean "digits"?', args=("data", "verify", "Digit")),
    Case("fetch of an unknown data set", "choose one of these", args=("data", "fetch", "imagenet")),
    Case("fetch to below a file", "a folder that can be written was expected",
         args=("data", "fetch", "mnist", "--data-dir", "study.toml")),
)  # fmt: skip


def state(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_the_command_refuses_in_one_line_and_leaves_nothing(case, tmp_path, monkeypatch, capsys):
    """Exit code 2, one line on stderr that says what to do, nothing on stdout, and the folder as it was."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path.parent))  # matplotlib looks for fonts when it is first loaded
    monkeypatch.delenv("BACKDOOR_CURVES_DATA", raising=False)
    folder = tmp_path / "work"
    text = STUDY
    for was, put in case.change.items():
        assert was in text
        text = text.replace(was, put, 1)
    for name, content in {"study.toml": text.encode(), **case.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    monkeypatch.chdir(folder)
    before = state(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        cli.main.main(list(case.args), prog_name="backdoor-curves")
    out, err = capsys.readouterr()
    assert exit_.value.code == 2
    assert case.fragment in err
    assert err.endswith("\n")
    for line in err.splitlines():  # one, or one for each fault of a study
        assert line.startswith("backdoor-curves: ")
        assert line.isprintable()
    assert out == ""
    assert state(tmp_path) == before


def rows(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).normal(size=(n, 3)), np.arange(n) % 2


def data(X: Any = None, y: Any = None) -> bc.PoisonedData:
    own = rows()
    pair = (own[0] if X is None else X, own[1] if y is None else y)
    return bc.poison(pair, pair, trigger=lambda X, _: X + 1, rate=0.1, rng=np.random.default_rng(1))


def curve(estimator: Any = None, of: Any = None, **options: Any) -> bc.BackdoorLearningCurve:
    return bc.backdoor_learning_curve(RidgeClassifier() if estimator is None else estimator, of or data(), **options)


def with_one(value: float) -> np.ndarray:
    X, _ = rows()
    X[3, 1] = value
    return X


CALLS = {
    "NaN features": (lambda: curve(of=data(with_one(np.nan))), "drop these rows or put an imputer before"),
    "infinite features": (lambda: curve(of=data(with_one(np.inf))), "clean_train: finite features were expected"),
    "one class": (lambda: curve(of=data(y=np.zeros(40, int))), "two classes or more were expected, [0] came"),
    "texts without a vectoriser": (lambda: curve(of=bc.PoisonedData(
        (["a", "b"], [0, 1]), (["c"], [1]), (["a"], [0]), (["c"], [1]))), "put the transformer that makes numbers"),
    "betas above 1": (lambda: curve(betas=[0, 1.5]), "betas: numbers in [0, 1] were expected, 1.5 came"),
    "betas below 0": (lambda: curve(betas=[-0.1, 1]), "betas: numbers in [0, 1] were expected, -0.1 came"),
    "betas unsorted": (lambda: curve(betas=[0.5, 0.1]), "pass numpy.unique(betas)"),
    "betas twice": (lambda: curve(betas=[0.5, 0.5]), "pass numpy.unique(betas)"),
    "no betas": (lambda: curve(betas=[]), "betas: at least one number"),
    "betas NaN": (lambda: curve(betas=[0, np.nan]), "betas: numbers in [0, 1] were expected, nan came"),
    "betas words": (lambda: curve(betas=["a", "b"]), "betas: numbers in [0, 1] were expected, ['a', 'b'] came"),
    "betas in a table": (lambda: curve(betas=[[0.1, 0.2]]), "in a flat list was expected"),
    "no sample_weight": (lambda: curve(KNeighborsClassifier()), "fit takes sample_weight was expected"),
    "a regressor": (lambda: curve(Ridge()), "for ridge take RidgeClassifier"),
    "a class": (lambda: curve(RidgeClassifier), "an unfitted scikit-learn classifier was expected"),
    "a word": (lambda: curve("ridge"), "an unfitted scikit-learn classifier was expected, 'ridge' came"),
    "C = 0": (lambda: curve(SVC(C=0)), "C: a number > 0 was expected, 0 came"),
    "C < 0": (lambda: curve(LogisticRegression(C=-1)), "C: a number > 0 was expected, -1 came"),
    "C = NaN": (lambda: curve(SVC(C=np.nan)), "C: a number > 0 was expected, nan came"),
    "alpha = 0": (lambda: curve(RidgeClassifier(alpha=0)), "alpha: a number > 0 was expected, 0 came"),
    "method": (lambda: curve(method="exakt"), 'method: "auto", "exact" or "refit" was expected'),
    "no exact path": (lambda: curve(GaussianNB(), method="exact"), "has no exact path"),
    "freeze": (lambda: curve(freeze="join"), 'freeze: "joined" or "clean" was expected'),
    "on_miss": (lambda: curve(on_miss="warn"), 'on_miss: "raise" or "flag" was expected'),
    "tolerance": (lambda: curve(tolerance=0), "tolerance: a number > 0 was expected, 0 came"),
    "precomputed kernel": (lambda: curve(SVC(kernel="precomputed")), "was expected as its kernel with all"),
    "a pair in place of data": (lambda: curve(of=rows()), "make it with poison(...)"),
    "split": (lambda: curve().loss("trigered"), 'split: "triggered" or "clean" was expected'),
    "a list of estimators": (lambda: bc.backdoor_learning_curves([SVC()], data()), "a mapping {name: estimator}"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "fragment"), CALLS.values(), ids=CALLS.keys())
def test_a_call_is_refused_in_one_line(call, fragment):
    """ValueError or TypeError, with what was expected, what came, or what to do."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert fragment in str(caught.value)
    assert str(caught.value).isprintable()
