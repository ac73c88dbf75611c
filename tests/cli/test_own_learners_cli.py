"""Learners of one's own through the command: what cannot be is a sentence, exit code 2, and leaves nothing."""

from __future__ import annotations

import pytest

STUDY = """
name = "own"
seeds = [0]
rates = [0.1]
data = {{n_train = 60, n_test = 40}}
keep = {{betas = [0, 1]}}

[[learners]]
{}
"""
MODULE = """
import random
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.neighbors import KNeighborsClassifier

def forest(): return RandomForestClassifier(3)
def regressor(): return RandomForestRegressor()
def neighbours(): return KNeighborsClassifier()
def raises(): raise OSError("weights.bin is not there")
def draws(): return RandomForestClassifier(random.randrange(10**9))
"""
FINE = 'estimator = "ours_cli:forest"\n'


@pytest.fixture
def call(tmp_path, monkeypatch, run_command):
    """A function that runs the command on a study with these learners; it returns exit code, stdout and stderr."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "ours_cli.py").write_text(MODULE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    def run(learners: str, command: str = "run", *more: str) -> tuple[int, str, str]:
        (tmp_path / "study.toml").write_text(STUDY.format(learners))
        return run_command(command, str(tmp_path / "study.toml"), *more)

    return run


@pytest.mark.parametrize(
    ("learners", "said"),
    [
        ('estimator = "ours_cli:forrest"', "did you mean 'forest'"),
        ('estimator = "ours_cli:raises"', "it raises OSError: weights.bin is not there"),
        ('estimator = "ours_cli:draws"', "another came the second time"),
        ('estimator = "ours_cli:regressor"', "a classifier was expected"),
        ('estimator = "ours_cli:neighbours"', "of scikit-learn's, linear models, SVMs, naive Bayes, trees"),
        ('estimator = "not_there:f"', "a module not_there was expected"),
        ('estimator = "sklearn.ensemble.RandomForest"', "did you mean 'RandomForestClassifier'"),
        ('estimator = "sklearn.linear_model.Ridge"', "for ridge take RidgeClassifier"),
        ('estimator = "ours_cli"', '"module:function", or a class such as "sklearn.svm.SVC", was expected'),
        (FINE + "grid = {max_dept = [2]}", "did you mean 'max_depth'"),
        (FINE + "grid = {max_depth = [2, 0]}", "The 'max_depth' parameter of RandomForestClassifier must be"),
        (FINE + "grid = {max_depth = []}", "learners[0].grid.max_depth: at least one value was expected"),
        (FINE + "grid = {max_depth = 2}", "learners[0].grid.max_depth: a list of values was expected, 2 came"),
        (FINE + "grid = {max_depth = {geomspce = [1, 2, 3]}}", "did you mean 'geomspace'"),
        (FINE + "grid = {max_depth = [2, 2]}", "each value once was expected, 2 came twice"),
        (FINE + "grid = {max_samples = [nan]}", "finite numbers were expected"),
        (FINE + "grid = {max_depth = [{}]}", "a list of values was expected"),
        (FINE + "grid = 3", "a table such as {C = 1.0} was expected, 3 came"),
        (FINE + "grid = {max_depth = [2]}\nparameters = {max_depth = 3}", "that is not in parameters too"),
        (FINE + "parameters = {max_dept = 3}", "did you mean 'max_depth'"),
        (FINE + "parameters = {max_depth = 2021-01-01}", "a number, a word, true, false or a list was expected"),
        (FINE + "lambda = [1]", "nothing was expected beside estimator"),
        (FINE + 'kind = "ridge"', "exactly one of kind and estimator was expected"),
        (FINE + 'steps = ["standard-scalr"]', "did you mean 'standard-scaler'"),
        (FINE + 'steps = ["impute", "tf-idf"]', "'tf-idf' first was expected"),
        (FINE + 'name = "a\\nb"', "printable characters were expected"),
        (FINE + "[[learners]]\n" + FINE, "each setting once was expected"),
        ('kind = "ridge"\nlambda = [1]\nsteps = ["tf-idf"]', "ridge, tf-idf: AttributeError"),
        ('kind = "ridge"\nlambda = [1]\ngrid = {C = [1]}', "nothing was expected for the kind ridge"),
        ('kind = "ridge"\nlambda = []', "learners[0].lambda"),
    ],
)
def test_a_learner_that_cannot_be_is_a_sentence_and_nothing_is_written(call, tmp_path, learners, said):
    """By run and by check; each line is one of ours, without a traceback."""
    for command, *more in (("run", "-j", "1"), ("check",)):
        code, out, err = call(learners, command, *more)
        assert (code, out) == (2, "")
        assert said in err
        assert all(line.startswith("backdoor-curves: ") for line in err.splitlines())
        assert "Traceback" not in err
        assert sorted(path.name for path in tmp_path.rglob("*")) == ["elsewhere", "ours_cli.py", "study.toml"]


def test_a_module_that_shadows_a_standard_one_is_refused(call, tmp_path):
    """Whatever imports it later would get the wrong one."""
    (tmp_path / "random.py").write_text("def f(): return None\n")
    code, _, err = call('estimator = "random:f"')
    assert code == 2
    assert "random.py beside the study has the name of a module of Python's" in err


def test_check_says_how_many_fits_a_cell_has_and_how_long_one_takes(call):
    """Measured, on rows of the study."""
    code, out, _ = call(FINE + "grid = {max_depth = [1, 2]}", "check")
    assert code == 0
    assert "ours_cli:forest: 6 fits a cell of " in out
    assert "s each, measured" in out


def test_a_study_is_run_from_another_folder_and_its_module_is_found_in_workers(call, tmp_path):
    """Beside the file, not where the command was given."""
    code, out, _ = call(FINE + "grid = {max_depth = [1, 2]}", "run", "-j", "2")
    assert code == 0
    assert "ours_cli:forest" in out
    assert (tmp_path / "elsewhere" / "runs" / "own" / "report.html").is_file()
    assert not (tmp_path / "__pycache__").exists()
