"""A study file: what it may say, and what is said of one that says something else."""

from __future__ import annotations

import copy
import datetime
import math
import string
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backdoor_curves.study import config
from backdoor_curves.study.config import (
    DataConfig,
    LearnerConfig,
    PoisonConfig,
    Study,
    TriggerConfig,
    built_in_study,
    read_study,
)
from backdoor_curves.study.work import cells

BUILT_IN = tomllib.loads((Path(config.__file__).parent / "digits.toml").read_text(encoding="utf-8"))
FULL = """
name = "full"
seeds = [3, 4]
rates = [0.05, 1.0]

[data]
name = "mnist"
classes = [7, [1, 4]]
n_train = 500
n_test = 1000

[trigger]
kind = "patch"
size = 3
pattern = "ones"
position = "top-left"

[poison]
labels = 1
injection = "append"
control = true

[[learners]]
kind = "rbf-svm"
lambda = [10, 0.1]
gamma = [0.05]
method = "refit"
"""
TOY = """
name = "toy"
seeds = [0]
rates = [0.1]
data = {name = "toy"}
trigger = {kind = "feature", columns = [1], values = [1.2]}
learners = [{kind = "ridge", lambda = [1]}]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("study") / "study.toml"


def read(file: Path, text: str) -> Study:
    file.write_text(text, encoding="utf-8")
    return read_study(file)


def as_toml(value: Any) -> str:
    """Any value that TOML has, as TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(str(key))} = {as_toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return value.isoformat() if isinstance(value, datetime.date) else repr(value)


def document(table: dict[str, Any]) -> str:
    return "\n".join(f"{as_toml(key)} = {as_toml(value)}" for key, value in table.items())


def test_the_built_in_study_is_read_and_has_what_its_file_says():
    """It is what runs when no file is named: four learners on the bundled digits, 72 cells."""
    study = built_in_study()
    assert [learner.kind for learner in study.learners] == ["logistic", "ridge", "linear-svm", "rbf-svm"]
    assert (study.data.name, study.rates, study.seeds) == ("digits", [0.01, 0.1, 0.2], [0, 1, 2])
    assert len(cells(study)) == (2 + 2 + 2 + 2) * 3 * 3


def test_every_table_and_key_reaches_its_record(file):
    """The file says lambda, a word that Python keeps for itself; the record says lam."""
    assert read(file, FULL) == Study(
        name="full",
        seeds=[3, 4],
        rates=[0.05, 1.0],
        data=DataConfig("mnist", [7, [1, 4]], 500, 1000),
        trigger=TriggerConfig("patch", 3, "ones", "top-left"),
        poison=PoisonConfig(1, "append", True),
        learners=[LearnerConfig("rbf-svm", [10.0, 0.1], [0.05], "refit")],
    )
    assert read(file, TOY).trigger == TriggerConfig("feature", columns=[1], values=[1.2])


def test_the_full_example_names_every_key_there_is():
    """Else a key could be added that no test reads."""
    table = tomllib.loads(FULL) | {"trigger": tomllib.loads(FULL)["trigger"] | tomllib.loads(TOY)["trigger"]}
    for record, keys in (
        (Study, table),
        (DataConfig, table["data"]),
        (TriggerConfig, table["trigger"]),
        (PoisonConfig, table["poison"]),
        (LearnerConfig, table["learners"][0]),
    ):
        assert {field.encode_name for field in msgspec.structs.fields(record)} == set(keys)


def test_a_byte_order_mark_is_no_fault(file):
    """Some editors put one before the first letter, where nobody can see it."""
    file.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    assert read_study(file).name == "full"


@pytest.mark.parametrize(
    ("was", "put", "place", "hint"),
    [
        ("seeds =", "seed =", "'seed'", "did you mean 'seeds'?"),
        ("[data]", "[dta]", "'dta'", "did you mean 'data'?"),
        ("n_train", "ntrain", "'data.ntrain'", "did you mean 'n_train'?"),
        ("position", "positon", "'trigger.positon'", "did you mean 'position'?"),
        ("injection", "injecton", "'poison.injecton'", "did you mean 'injection'?"),
        ("lambda", "lamda", "'learners[0].lamda'", "did you mean 'lambda'?"),
        ("lambda", "lam", "'learners[0].lam'", "did you mean 'lambda'?"),
        ("lambda", "C", "'learners[0].C'", "there are kind, lambda, gamma, method"),
        ("[data]", "[xyzw]", "'xyzw'", "there are name, learners, rates, seeds, data, trigger, poison"),
    ],
)
def test_an_unknown_key_gets_its_place_and_the_nearest_right_one(file, was, put, place, hint):
    """A key that is silently ignored is a study that was not asked for."""
    with pytest.raises(ValueError, match="unknown key") as caught:
        read(file, FULL.replace(was, put))
    assert str(caught.value) == f"{file}: unknown key {place}; {hint}"


@pytest.mark.parametrize(
    ("was", "put", "message"),
    [
        ('"mnist"', '"mnst"', "data.name: one of digits, mnist, toy was expected, 'mnst' came; did you mean 'mnist'?"),
        ('"patch"', '"pach"', "trigger.kind: one of patch, feature was expected, 'pach' came; did you mean 'patch'?"),
        ('"ones"', '"one"', "trigger.pattern: one of random, ones was expected, 'one' came; did you mean 'ones'?"),
        ('"append"', '"apend"', "poison.injection: .* did you mean 'append'\\?"),
        ('"rbf-svm"', '"rbf_svm"', r"learners\[0\].kind: .*'rbf_svm' came; did you mean 'rbf-svm'\?"),
        ('"refit"', '"refitt"', r"learners\[0\].method: .*'refitt' came; did you mean 'refit'\?"),
        ('"refit"', '"zzz"', r"learners\[0\].method: one of auto, exact, refit was expected, 'zzz' came$"),
        ('"top-left"', '"upper-left"', "trigger.position: .*did you mean 'top-left'"),
        ("labels = 1", 'labels = "nxt"', "poison.labels: \"next\" or the number of a class was expected, 'nxt' came"),
    ],
)
def test_a_misspelt_word_gets_the_right_ones(file, was, put, message):
    """The sentence ends the search."""
    with pytest.raises(ValueError, match=message):
        read(file, FULL.replace(was, put))


@pytest.mark.parametrize(
    ("was", "put", "place", "came"),
    [
        ("n_train = 500", "n_train = 0", "data.n_train", "0 came"),
        ("n_train = 500", "n_train = 60.0", "data.n_train", "60.0 came"),
        ("size = 3", 'size = "3"', "trigger.size", "'3' came"),
        ("control = true", "control = 1", "poison.control", "1 came"),
        ("labels = 1", "labels = true", "poison.labels", "True came"),
        ("rates = [0.05, 1.0]", "rates = [0.05, 0]", "rates[1]", "0 came"),
        ("rates = [0.05, 1.0]", "rates = [1.5]", "rates[0]", "1.5 came"),
        ("rates = [0.05, 1.0]", "rates = [nan]", "rates[0]", "nan came"),
        ("rates = [0.05, 1.0]", "rates = 0.1", "rates", "0.1 came"),
        ("rates = [0.05, 1.0]", "rates = []", "rates", "[] came"),
        ("rates = [0.05, 1.0]", "rates = [0.1, 0.1]", "rates", "0.1 came twice"),
        ("seeds = [3, 4]", "seeds = [-1]", "seeds[0]", "-1 came"),
        ("seeds = [3, 4]", "seeds = [3, 3]", "seeds", "3 came twice"),
        ("seeds = [3, 4]", "seeds = []", "seeds", "[] came"),
        ("[10, 0.1]", "[10, -0.1]", "learners[0].lambda[1]", "-0.1 came"),
        ("[10, 0.1]", "[inf]", "learners[0].lambda", "[inf] came"),
        ("[10, 0.1]", "[10, 10.0]", "learners[0].lambda", "10.0 came twice"),
        ("gamma = [0.05]", "gamma = [inf]", "learners[0].gamma", "[inf] came"),
        ("gamma = [0.05]", "gamma = []", "learners[0]", "at least one gamma was expected for rbf-svm"),
        ('"rbf-svm"', '"ridge"', "learners[0]", "no gamma was expected for ridge"),
        ("[7, [1, 4]]", "[7, 'x']", "data.classes[1]", "'x' came"),
        ("[7, [1, 4]]", "7", "data.classes", "7 came"),
        ('"full"', '"a/b"', "name", "'a/b' came"),
        ('"full"', '".."', "name", "'..' came"),
        ('"full"', '"full\\n"', "name", "'full\\n' came"),
        ('"full"', f'"{"a" * 101}"', "name", "a' came"),
        ('"mnist"', '"toy"', "trigger.kind", "'feature' was expected for toy data"),
        ('kind = "patch"', 'kind = "feature"', "trigger.kind", "'patch' was expected for mnist data"),
        ("size = 3", "size = 3\ncolumns = [1]", "trigger", "no columns and values were expected for a patch"),
    ],
)
def test_a_wrong_value_gets_its_place_and_what_came(file, was, put, place, came):
    """Whoever reads it need not count brackets."""
    assert was in FULL
    with pytest.raises(ValueError, match=r".") as caught:
        read(file, FULL.replace(was, put))
    message = str(caught.value)
    assert message.startswith(f"{file}: {place}: ")
    assert came in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "missing key `name`"),
        ('name = "x"', "missing key `learners`"),
        (FULL.replace('kind = "rbf-svm"', ""), r"learners\[0\]: missing key `kind`"),
        (FULL.replace("lambda = [10, 0.1]", ""), r"learners\[0\]: missing key `lambda`"),
        ("name =", "TOML was expected"),
        ("n = " + "9" * 5000, "TOML was expected"),
        ("n = " + "[" * 5000, "TOML was expected"),
        (TOY.replace("columns = [1], ", ""), "trigger: columns and values were expected"),
        (TOY.replace("1.2", "nan"), "trigger.values: finite numbers were expected"),
    ],
)
def test_a_file_that_is_no_study_is_refused(file, text, message):
    """Python's own limits on numbers and nesting are faults of the file too."""
    with pytest.raises(ValueError, match=message) as caught:
        read(file, text)
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_a_setting_twice_is_refused_across_tables(file):
    """Both curves would have one name, and one would overwrite the other."""
    table = BUILT_IN | {"learners": [*BUILT_IN["learners"], {"kind": "ridge", "lambda": [1], "method": "refit"}]}
    with pytest.raises(ValueError, match="each setting once was expected, ridge at lambda 1 came twice"):
        read(file, document(table))


def test_a_missing_file_a_folder_and_bytes_are_told_apart(tmp_path):
    """Three faults, three remedies."""
    with pytest.raises(FileNotFoundError, match=r"no\.toml: no such file"):
        read_study(tmp_path / "no.toml")
    with pytest.raises(ValueError, match="a study file was expected, a folder came"):
        read_study(tmp_path)
    (tmp_path / "latin.toml").write_bytes('name = "é"'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.toml: TOML was expected: 'utf-8'"):
        read_study(tmp_path / "latin.toml")


words = st.text(max_size=8) | st.text(string.ascii_letters + "-_.$[]`", max_size=8)
keys = words | st.sampled_from(
    ["name", "learners", "rates", "seeds", "data", "trigger", "poison", "kind", "lambda", "gamma", "labels", "columns"]
)
scalars = (
    words
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.sampled_from(["ridge", "rbf-svm", "digits", "toy", "patch", "feature", "next", "even-odd", 1, 0.5])
)
values = st.recursive(
    scalars, lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3), max_leaves=8
)


@st.composite
def mutants(draw: st.DrawFn) -> dict[str, Any]:
    """The built-in study with one to three keys dropped, renamed, or given another value."""
    table = copy.deepcopy(BUILT_IN)
    for _ in range(draw(st.integers(1, 3))):
        tables = [table, *(t for t in table.values() if isinstance(t, dict))]
        learners = table.get("learners")
        tables += [t for t in learners if isinstance(t, dict)] if isinstance(learners, list) else []
        chosen = draw(st.sampled_from([t for t in tables if t] or [{"": 0}]))
        key = draw(st.sampled_from(sorted(chosen)))
        what = draw(st.sampled_from(["drop", "rename", "replace", "shrink"]))
        if what == "shrink" and isinstance(chosen[key], list):
            chosen[key] = chosen[key][: draw(st.integers(0, 1))] + draw(st.lists(values, max_size=1))
        elif what == "replace":
            chosen[key] = draw(values)
        else:
            value = chosen.pop(key)
            if what == "rename":
                chosen[draw(keys)] = value
    return table


def accepted_or_one_sentence(file: Path, table: dict[str, Any]) -> Study | None:
    try:
        return read(file, document(table))
    except ValueError as error:
        message = str(error)
    assert message.startswith(f"{file}: ")
    assert message.isprintable()  # so it is one line, on every terminal
    return None


@settings(max_examples=100, deadline=None)
@given(table=st.dictionaries(keys, values, max_size=6))
def test_any_table_is_a_study_or_one_sentence(file, table):
    """Whatever is in the file, nobody sees a traceback."""
    accepted_or_one_sentence(file, table)


@settings(max_examples=200, deadline=None)
@given(table=mutants())
def test_a_study_with_a_slip_is_a_study_or_one_sentence(file, table):
    """Slips lie near a right file; what is accepted must be kept and named without loss."""
    study = accepted_or_one_sentence(file, table)
    if study is not None:
        assert msgspec.json.decode(msgspec.json.encode(study), type=Study) == study
        assert len({cell.key for cell in cells(study)}) == len(cells(study))
        assert all(math.isfinite(lam) for learner in study.learners for lam in learner.lam)
