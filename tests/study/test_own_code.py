"""What a study names is found beside its file first, and every way in which it is not there is a sentence."""

from __future__ import annotations

import sys

import pytest

from backdoor_curves.study.plan.own_code import found_by_name, source_of


def test_a_module_beside_the_study_comes_before_an_installed_one(tmp_path):
    """And may import what lies beside it."""
    (tmp_path / "ours_beside.py").write_text("import helper_beside\ndef f(): return helper_beside.WORD\n")
    (tmp_path / "helper_beside.py").write_text("WORD = 'beside'\n")
    assert found_by_name("ours_beside:f", tmp_path)() == "beside"
    assert found_by_name("json:dumps", tmp_path)([1]) == "[1]"


def test_a_package_beside_the_study_has_its_modules(tmp_path):
    """By their dotted names."""
    (tmp_path / "own_package").mkdir()
    (tmp_path / "own_package" / "__init__.py").write_text("")
    (tmp_path / "own_package" / "models.py").write_text("from . import __name__ as name\n")
    assert found_by_name("own_package.models:name", tmp_path) == "own_package"


def test_a_module_that_changed_is_read_anew_and_nothing_is_written(tmp_path):
    """Of the same size and within the same second, where a cached file would pass for it."""
    file = tmp_path / "ours_changing.py"
    for word in ("one", "two"):
        file.write_text(f"WORD = '{word}'\n")
        assert found_by_name("ours_changing:WORD", tmp_path) == word
    assert [path.name for path in tmp_path.iterdir()] == ["ours_changing.py"]


def test_two_studies_may_each_have_a_module_of_one_name(tmp_path):
    """The one beside the study that is asked."""
    for word in ("one", "two"):
        (tmp_path / word).mkdir()
        (tmp_path / word / "ours_twice.py").write_text(f"WORD = '{word}'\n")
    found = [found_by_name("ours_twice:WORD", tmp_path / word) for word in ("one", "two", "one")]
    assert found == ["one", "two", "one"]


@pytest.mark.parametrize("name", ["random", "json", "sklearn", "numpy"])
def test_a_module_that_shadows_a_standard_or_a_loaded_one_is_refused(tmp_path, name):
    """Whatever imports it later would get the wrong one."""
    (tmp_path / f"{name}.py").write_text("def f(): return 0\n")
    before = sys.modules.get(name)
    with pytest.raises(ValueError, match=rf"{name}\.py beside the study has the name of a module of Python's"):
        found_by_name(f"{name}:f", tmp_path)
    assert sys.modules.get(name) is before


def test_a_file_beside_the_study_stands_in_for_none_of_pythons_own(tmp_path):
    """The study's folder is looked into last."""
    (tmp_path / "ours_careful.py").write_text("import colorsys\nPLACE = colorsys.__file__\n")
    (tmp_path / "colorsys.py").write_text("")
    assert str(tmp_path) not in found_by_name("ours_careful:PLACE", tmp_path)


@pytest.mark.parametrize(
    ("code", "reference", "said"),
    [
        ("", "ours_bad:f", "ours_bad has no f; write a function or a class of this name there"),
        (
            "from math import sin\nclass Forest: pass\ndef knn(): return 0\n_mine = knn",
            "ours_bad:nope",
            "ours_bad has no nope; it has 'Forest', 'knn': name one of them, or write it there",
        ),
        ("forest = 1", "ours_bad:forrest", "did you mean 'forest'"),
        ("def f(:", "ours_bad:f", "ours_bad cannot be imported: SyntaxError"),
        ("1 / 0", "ours_bad:f", "ours_bad cannot be imported: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(3)", "ours_bad:f", "ours_bad cannot be imported: SystemExit: 3"),
        ("import not_there_at_all", "ours_bad:f", "No module named 'not_there_at_all'"),
        ("", "not_there_at_all:f", "a module not_there_at_all was expected beside the study's file or installed"),
        ("", "sklearn.svn:SVC", "a module sklearn.svn was expected"),
        ("", "sklearn.ensemble.RandomForest", "did you mean 'RandomForestClassifier'"),
    ],
)
def test_what_cannot_be_had_is_a_sentence(tmp_path, code, reference, said):
    """It names the reference, and what helps."""
    (tmp_path / "ours_bad.py").write_text(code)
    with pytest.raises(ValueError, match=r".") as caught:
        found_by_name(reference, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{reference!r}: ")
    assert said in message
    assert len(message.splitlines()) == 1


def test_the_source_of_ones_own_modules_is_known_and_that_of_installed_ones_means_nothing(tmp_path):
    """An update of a library renames no cell."""
    (tmp_path / "ours_source.py").write_text("WORD = 1\n")
    found_by_name("ours_source:WORD", tmp_path)
    first = source_of("ours_source")
    (tmp_path / "ours_source.py").write_text("WORD = 2\n")
    assert first is not None
    assert source_of("ours_source") != first
    assert [source_of(name) for name in ("sklearn.svm", "json", "backdoor_curves.rows", "builtins", "")] == [None] * 5
