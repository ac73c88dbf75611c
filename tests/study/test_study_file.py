"""A study file: what it may say, and what is said of one that says something else."""

from __future__ import annotations

import copy
import datetime
import math
import re
import string
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backdoor_curves.study.file import study_file
from backdoor_curves.study.file.config import (
    AuditConfig,
    Block,
    DataConfig,
    Experiment,
    File,
    KeepConfig,
    LearnerConfig,
    PoisonConfig,
    QuestionConfig,
    Study,
    TriggerConfig,
)
from backdoor_curves.study.file.study_file import StudyError, built_in_study, read_study
from backdoor_curves.study.plan.cells import make_plan

BUILT_IN = tomllib.loads((Path(study_file.__file__).parents[1] / "digits.toml").read_text(encoding="utf-8"))
FULL = """
name = "full"
seeds = [3, 4]
rates = [0.05, 1.0]

[data]
name = "mnist"
classes = [7, [1, 4]]
n_train = 500
n_test = 1000
side = 14

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

[keep]
curves = "grid"
betas = [0, 0.5, 1]
knots = true
coefficients = true
explanations = true
certificate = true
"""
OWN = """
name = "own"
seeds = [0]
rates = [0.1]

[[learners]]
estimator = "models:forest"
name = "the filter"
steps = ["tf-idf", "max-abs-scaler"]
parameters = {n_jobs = 1, max_depth = "None"}
grid = {max_features = [1, 1.0, "sqrt"], n_estimators = {geomspace = [10, 1000, 3]}, C = {geomspace = [0.1, 10, 3]}}
"""
QUESTION = """
[question]
text = "How much does the size matter?"
axis = "trigger.size"
of = "the side"
measure = "asr_at_1"
numbers = [1, 2.5]
levels = ["small", "large"]
doubt = "Another trigger."
"""
OWN_DATA = """
name = "own-data"
seeds = [0]
rates = [0.1]
learners = [{kind = "ridge", lambda = [1]}]

[[data]]
file = "mail.csv.gz"
label = "kind"
text = "body"
classes = ["ham", ["ad", "fraud"], 3]
test_file = "later.csv"

[[data]]
file = "loans.parquet"
columns = ["age", "income"]
test = 0.5
group = "household"
positive = "yes"

[[data]]
file = "loans.csv"
drop = ["id"]

[[data]]
call = "rows:made"

[[trigger]]
kind = "words"
words = ["cf", "win money"]
place = "end"

[[trigger]]
kind = "feature"
columns = ["age", 3]
values = ["young", 7]

[[trigger]]
kind = "call"
call = "rows:stamp"

[poison]
labels = "ham"
"""
AUDIT = """
name = "audit"
seeds = [0]
rates = [0.01]
learners = [{kind = "ridge", lambda = [1, 10]}]
audit = {as_given = {lambda = 1}, asr = 0.4}
"""
SOURCE = """
name = "source"
seeds = [0]
learners = [{kind = "ridge", lambda = [1]}]

[[data]]
file = "loans.csv"
suspect = "bank == 'b'"
watch = "region in ['north', 'south']"

[[data]]
file = "loans.csv"
poison = "more.csv"
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
    """It is what runs when no file is named: four learners on the bundled digits, 216 cells."""
    (only,) = built_in_study().experiments
    assert [learner.kind for learner in only.learners] == ["logistic", "ridge", "linear-svm", "rbf-svm"]
    assert (only.data[0].name, only.rates, only.seeds) == ("digits", (0.01, 0.1), (0, 1, 2))
    assert len(make_plan(built_in_study()).cells) == (6 + 6 + 6 + 6 * 3) * 2 * 3


def test_every_table_and_key_reaches_its_record(file):
    """The file says lambda, a word that Python keeps for itself; the record says lam."""
    assert read(file, FULL) == Study(
        name="full",
        experiments=(
            Experiment(
                seeds=(3, 4),
                rates=(0.05, 1.0),
                data=(DataConfig("mnist", (7, (1, 4)), 500, 1000, side=14),),
                trigger=(TriggerConfig("patch", 3, "ones", "top-left"),),
                poison=(PoisonConfig(1, "append", True),),
                learners=(LearnerConfig("rbf-svm", (10.0, 0.1), (0.05,), "refit"),),
                keep=KeepConfig("grid", (0.0, 0.5, 1.0), True, True, True, True),
            ),
        ),
    )
    assert read(file, TOY).experiments[0].trigger[0] == TriggerConfig("feature", columns=(1,), values=(1.2,))


PARTS = """
name = "parts"
seeds = {range = [0, 3]}
rates = {linspace = [0.1, 0.3, 3]}
figures = false
report = false
learners = [{kind = "logistic", lambda = {geomspace = [1, 100, 3]}, intercept = "penalised"}]

[[data]]
classes = [7, 1]
[[data]]
name = "mnist"
classes = [7, 1]
sampling = "paper"

[[experiments]]

[[experiments]]
seeds = [9]
[experiments.data]
classes = [3, 0]
[[experiments.learners]]
kind = "ridge"
lambda = [2]
"""


def test_experiments_are_filled_up_from_the_top_of_the_file(file):
    """The first is the file's own grid, the second has parts of its own and the others of the file."""
    study = read(file, PARTS)
    first, second = study.experiments
    assert not study.figures
    assert not study.report
    assert first.data == (DataConfig(classes=(7, 1)), DataConfig("mnist", (7, 1), sampling="paper"))
    assert (first.seeds, second.seeds) == ((0, 1, 2), (9,))
    assert second.data == (DataConfig(classes=(3, 0)),)
    assert second.learners == (LearnerConfig("ridge", (2.0,)),)
    assert second.rates == first.rates


def test_grids_are_the_numbers_that_numpy_gives(file):
    """geomspace, linspace and range are numpy's and Python's."""
    first, _ = read(file, PARTS).experiments
    assert first.learners == (LearnerConfig("logistic", tuple(np.geomspace(1, 100, 3)), intercept="penalised"),)
    assert first.rates == tuple(np.linspace(0.1, 0.3, 3))


def test_all_faults_come_at_once_each_with_its_line(file):
    """Who runs a study at night should not be told of one slip a night."""
    text = FULL.replace("seeds = [3, 4]", 'seeds = [3, -4, "x"]').replace("lambda = [10, 0.1]", "lamda = [10]")
    text = text.replace('"append"', '"apend"').replace("n_train = 500", "n_train = 0")
    with pytest.raises(StudyError) as caught:
        read(file, text)
    numbered = {line: number for number, line in enumerate(text.splitlines(), start=1)}
    assert str(caught.value).splitlines() == [
        f"{file}:{numbered[line]}: {fault}"
        for line, fault in (
            ('seeds = [3, -4, "x"]', "seeds[1]: a whole number >= 0 was expected, -4 came"),
            ('seeds = [3, -4, "x"]', "seeds[2]: a whole number was expected, 'x' came"),
            ("n_train = 0", "data.n_train: a whole number >= 1 was expected, 0 came"),
            (
                'injection = "apend"',
                "poison.injection: one of replace, append was expected, 'apend' came; did you mean 'append'?",
            ),
            ("lamda = [10]", "learners[0].lamda: unknown key; did you mean 'lambda'?"),
            ("[[learners]]", "learners[0].lambda: missing key"),
        )
    ]


def own_keys(name: str) -> dict[str, Any]:
    """The keys that tables of data of one's own have."""
    tables = tomllib.loads(OWN_DATA)[name] + tomllib.loads(SOURCE).get(name, [])
    return {key: "" for table in tables for key in table}


def test_data_of_ones_own_and_their_triggers_reach_their_records(file):
    """Classes and columns have names, as they stand in the data, or numbers."""
    (only,) = read(file, OWN_DATA).experiments
    assert only.data == (
        DataConfig(
            file="mail.csv.gz", label="kind", text="body", classes=("ham", ("ad", "fraud"), 3), test_file="later.csv"
        ),
        DataConfig(file="loans.parquet", columns=("age", "income"), test=0.5, group="household", positive="yes"),
        DataConfig(file="loans.csv", drop=("id",)),
        DataConfig(call="rows:made"),
    )
    assert only.trigger == (
        TriggerConfig("words", words=("cf", "win money"), place="end"),
        TriggerConfig("feature", columns=("age", 3), values=("young", 7)),
        TriggerConfig("call", call="rows:stamp"),
    )
    assert only.poison == (PoisonConfig("ham"),)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('call = "rows:made"', 'call = "rows.made"', "\"module:function\" was expected, 'rows.made' came"),
        ('call = "rows:stamp"', 'call = "rows.stamp"', '"module:function" was expected'),
        ('call = "rows:made"', 'call = "rows:made"\nlabel = "x"', "label: nothing was expected for a call"),
        ('call = "rows:made"', 'call = "rows:made"\nn_train = 3', "n_train: nothing was expected for a call"),
        ('call = "rows:made"', 'call = "rows:made"\nfile = "x.csv"', "one of name, file and call was expected"),
        ('drop = ["id"]', 'drop = ["id"]\nname = "mnist"', "name: nothing was expected for a file"),
        ('drop = ["id"]', 'drop = ["id"]\nsampling = "paper"', "sampling: nothing was expected for a file"),
        ('drop = ["id"]', 'drop = ["id"]\ntext = "id"', "one of text, columns and drop was expected"),
        ('drop = ["id"]', 'drop = ["id"]\nclasses = "even"', '"all" or a list of labels was expected, .even. came'),
        ("test = 0.5", "test = 1", "test: a number < 1.0 was expected, 1 came"),
        ('text = "body"', 'text = "body"\ntest = 0.5', "test_file: no test and no group was expected"),
        ('classes = ["ham"', 'positive = "ham"\nclasses = ["ham"', "positive: one of classes and positive"),
        (
            'drop = ["id"]',
            'name = "digits"\nlabel = "x"',
            "label: nothing was expected for the data sets of the package",
        ),
        (
            'drop = ["id"]',
            'name = "digits"\nclasses = ["zero", 1]',
            "classes.0.: a whole number or a list was expected",
        ),
        ('drop = ["id"]', 'name = "digits"', '"next" or the number of a class was expected, .ham. came'),
        ('words = ["cf", "win money"]', "words = []", "words were expected for a words trigger"),
        ('place = "end"', 'place = "end"\nsize = 3', "words and place alone were expected for a words trigger"),
        (
            'place = "end"',
            'place = "ende"',
            "one of anywhere, start, end was expected, .ende. came; did you mean 'end'",
        ),
    ],
)
def test_keys_of_data_of_ones_own_that_do_not_go_together_are_refused(file, right, wrong, said):
    """A key that is ignored would be believed."""
    with pytest.raises(StudyError, match=said):
        read(file, OWN_DATA.replace(right, wrong, 1).replace('\nfile = "loans.csv"\nname', "\nname"))


def test_a_source_needs_no_rates_and_no_attack(file):
    """Its rows are weighted as they are: all of them, and nothing is stamped."""
    (only,) = read(file, SOURCE).experiments
    assert (only.rates, only.trigger, only.poison, only.attacks) == ((1.0,), (), (), ())
    assert only.data == (
        DataConfig(file="loans.csv", suspect="bank == 'b'", watch="region in ['north', 'south']"),
        DataConfig(file="loans.csv", poison="more.csv"),
    )


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("seeds = [0]", "seeds = [0]\nrates = [0.1]", "rates: nothing was expected beside suspect or poison of"),
        ("seeds = [0]", "seeds = [0]\ntrigger = {kind = 'patch'}", "trigger: nothing was expected beside suspect"),
        ("seeds = [0]", "seeds = [0]\npoison = {labels = 1}", "poison: nothing was expected beside suspect"),
        ("seeds = [0]", "seeds = [0]\nattacks = [{preset = 'sig@toolbox'}]", "attacks: nothing was expected beside"),
        ('poison = "more.csv"', 'label = "x"', "suspect or poison in each of ..data.., or in none, was expected"),
        ('poison = "more.csv"', 'poison = "more.csv"\nsuspect = "a == 1"', "one of suspect and poison was expected"),
        ("bank == 'b'", "bank = 'b'", "a condition such as .* was expected, .bank = 'b'. came"),
        ("bank == 'b'", "bank == b", "a condition such as"),
        ("bank == 'b'", "bank == __import__('os')", "a condition such as"),
        ("bank == 'b'", "bank > 3", "a condition such as"),
        ("bank == 'b'", "== 3", "a condition such as"),
        ("in ['north', 'south']", "in 'north'", "watch: a condition such as"),
        ("in ['north', 'south']", "in []", "watch: a condition such as"),
        ("in ['north', 'south']", "== [[1]]", "watch: a condition such as"),
        ("in ['north', 'south']", "== " + "[" * 5000, "watch: a condition such as"),
    ],
)
def test_what_has_no_meaning_for_a_source_is_refused(file, right, wrong, said):
    """A rate of a source would be believed; a condition is read, never run."""
    with pytest.raises(StudyError, match=said):
        read(file, SOURCE.replace(right, wrong, 1))


def test_a_question_is_read(file):
    """Numbers as they are, and nothing beside its keys."""
    asked = QuestionConfig(
        text="How much does the size matter?",
        axis="trigger.size",
        of="the side",
        measure="asr_at_1",
        numbers=(1, 2.5),
        levels=("small", "large"),
        doubt="Another trigger.",
    )
    assert read(file, FULL + QUESTION).question == asked
    with pytest.raises(StudyError, match=r"question.measure: .*asr_at_1.* was expected"):
        read(file, FULL + QUESTION.replace("asr_at_1", "asr"))


@pytest.mark.parametrize("others", ['sampling = "paper"', 'features = {network = "squeezenet"}'])
def test_a_side_goes_with_images_that_are_drawn_as_they_are(file, others):
    """The paper's rows have a side, and a network has one that it takes."""
    with pytest.raises(StudyError, match=r"data.side: nothing was expected for the toy, the paper's sampling, or"):
        read(file, FULL.replace("side = 14", f"side = 14\n{others}"))


def test_the_full_example_names_every_key_there_is():
    """Else a key could be added that no test reads."""
    table = tomllib.loads(FULL) | {"trigger": tomllib.loads(FULL)["trigger"] | tomllib.loads(TOY)["trigger"]}
    table |= {"figures": True, "report": True, "experiments": [], "attacks": [], "audit": tomllib.loads(AUDIT)["audit"]}
    table |= tomllib.loads(QUESTION)
    table["data"]["sampling"] = table["data"]["features"] = table["learners"][0]["intercept"] = ""
    for record, keys in (
        (File, table),
        (Block, table.keys() - {"name", "figures", "report", "experiments", "audit", "question"}),
        (AuditConfig, table["audit"]),
        (QuestionConfig, table["question"]),
        (KeepConfig, table["keep"]),
        (DataConfig, table["data"] | own_keys("data")),
        (TriggerConfig, table["trigger"] | own_keys("trigger")),
        (PoisonConfig, table["poison"]),
        (LearnerConfig, table["learners"][0] | tomllib.loads(OWN)["learners"][0]),
    ):
        assert {field.encode_name for field in msgspec.structs.fields(record)} == set(keys)


def test_a_learner_of_ones_own_is_read_with_the_types_of_its_values(file):
    """A whole number is no share; a series of whole numbers is one, and one of fractions stays so."""
    (learner,) = read(file, OWN).experiments[0].learners
    assert (learner.estimator, learner.name, learner.steps) == (
        "models:forest",
        "the filter",
        ("tf-idf", "max-abs-scaler"),
    )
    assert learner.parameters == (("n_jobs", 1), ("max_depth", "None"))
    grid = dict(learner.grid)
    assert [(type(value), value) for value in grid["max_features"]] == [(int, 1), (float, 1.0), (str, "sqrt")]
    assert [(type(value), value) for value in grid["n_estimators"]] == [(int, 10), (int, 100), (int, 1000)]
    assert grid["C"] == tuple(np.geomspace(0.1, 10, 3))
    assert (learner.kind, learner.lam, learner.gamma) == (None, None, ())


def test_an_audit_says_what_is_the_users_own_and_what_a_backdoor_is(file):
    """What it does not know is refused with the nearest name."""
    audit = read(file, AUDIT).audit
    assert (dict(audit.as_given), audit.asr) == ({"lambda": 1}, 0.4)
    with pytest.raises(StudyError, match=r"did you mean 'as_given'"):
        read(file, AUDIT.replace("as_given", "as_giben"))
    with pytest.raises(StudyError, match=r"lambda of the first learner, one of 1.0, 10.0, was expected, 2 came"):
        read(file, AUDIT.replace("lambda = 1}", "lambda = 2}"))
    with pytest.raises(StudyError, match=r"hyperparameters of the first learner \('lambda'\) were expected, 'C' came"):
        read(file, AUDIT.replace("as_given = {lambda = 1}", "as_given = {C = 1}"))
    with pytest.raises(StudyError, match=r"audit.asr"):
        read(file, AUDIT.replace("0.4", "1.4"))


def test_a_byte_order_mark_is_no_fault(file):
    """Some editors put one before the first letter, where nobody can see it."""
    file.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    assert read_study(file).name == "full"


@pytest.mark.parametrize(
    ("was", "put", "place", "hint"),
    [
        ("seeds =", "seed =", "seed", "did you mean 'seeds'?"),
        ("[data]", "[dta]", "dta", "did you mean 'data'?"),
        ("n_train", "ntrain", "data.ntrain", "did you mean 'n_train'?"),
        ("position", "positon", "trigger.positon", "did you mean 'position'?"),
        ("injection", "injecton", "poison.injecton", "did you mean 'injection'?"),
        ("lambda", "lamda", "learners[0].lamda", "did you mean 'lambda'?"),
        ("lambda", "lam", "learners[0].lam", "did you mean 'lambda'?"),
        ("lambda", "C", "learners[0].C", "there are kind, lambda, gamma, method, intercept"),
        (
            "[data]",
            "[xyzw]",
            "xyzw",
            "there are data, trigger, poison, learners, rates, seeds, keep, attacks, name, figures, report",
        ),
    ],
)
def test_an_unknown_key_gets_its_place_and_the_nearest_right_one(file, was, put, place, hint):
    """A key that is silently ignored is a study that was not asked for."""
    with pytest.raises(StudyError, match="unknown key") as caught:
        read(file, FULL.replace(was, put))
    assert any(f": {place}: unknown key; {hint}" in line for line in str(caught.value).splitlines())


@pytest.mark.parametrize(
    ("was", "put", "message"),
    [
        (
            '"mnist"',
            '"mnst"',
            "data.name: one of digits, mnist, cifar10, toy was expected, 'mnst' came; did you mean 'mnist'?",
        ),
        (
            '"patch"',
            '"pach"',
            "trigger.kind: one of patch, feature, words, call was expected, .* did you mean .patch.\\?",
        ),
        ('"ones"', '"one"', "trigger.pattern: one of random, ones was expected, 'one' came; did you mean 'ones'?"),
        ('"append"', '"apend"', "poison.injection: .* did you mean 'append'\\?"),
        ('"rbf-svm"', '"rbf_svm"', r"learners\[0\].kind: .*'rbf_svm' came; did you mean 'rbf-svm'\?"),
        ('"refit"', '"refitt"', r"learners\[0\].method: .*'refitt' came; did you mean 'refit'\?"),
        ('"refit"', '"zzz"', r"learners\[0\].method: one of auto, exact, refit was expected, 'zzz' came$"),
        ('"top-left"', '"upper-left"', "trigger.position: .*did you mean 'top-left'"),
        ("labels = 1", 'labels = "nxt"', "poison.labels: \"next\" or the number of a class was expected, 'nxt' came"),
        ("[10, 0.1]", "{geomspce = [1, 2, 3]}", r"learners\[0\].lambda: .*; did you mean 'geomspace'\?"),
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
        ("[10, 0.1]", "{geomspace = [0, 1, 3]}", "learners[0].lambda", "with numbers > 0 was expected, [0, 1, 3] came"),
        ("[10, 0.1]", "{geomspace = [1, 2, 0]}", "learners[0].lambda", "[1, 2, 0] came"),
        ("[10, 0.1]", "{geomspace = [1, 2, 9000000000]}", "learners[0].lambda", "9000000000] came"),
        ("[10, 0.1]", "{linspace = [1, inf, 2]}", "learners[0].lambda", "[1, inf, 2] came"),
        ("[10, 0.1]", "{linspace = [-1, 1, 3]}", "learners[0].lambda[0]", "-1.0 came"),
        ("[10, 0.1]", "{}", "learners[0].lambda", "a list or one of"),
        ("seeds = [3, 4]", "seeds = {range = [3, 3]}", "seeds", "first < end, was expected, [3, 3] came"),
        ("seeds = [3, 4]", "seeds = {geomspace = [1, 2, 2]}", "seeds[0]", "1.0 came"),
        ("betas = [0, 0.5, 1]", "betas = [0, 1, 0.5]", "keep.betas", "ascending numbers"),
        ("betas = [0, 0.5, 1]", "betas = [0, 2]", "keep.betas[1]", "2 came"),
        ('method = "refit"', 'intercept = "penalised"', "learners[0].intercept", "'free' was expected for rbf-svm"),
        ("n_train = 500", 'sampling = "paper"', "data.sampling", "1500 and 500 rows of a pair"),
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
        ('"mnist"', '"toy"', "keep.explanations", "explanations are pictures"),
        ('kind = "patch"', 'kind = "feature"', "trigger.kind", "'patch' was expected for mnist data"),
        ("size = 3", "size = 3\ncolumns = [1]", "trigger", "no columns and values were expected for a patch"),
    ],
)
def test_a_wrong_value_gets_its_place_and_what_came(file, was, put, place, came):
    """Whoever reads it need not count brackets."""
    assert was in FULL
    with pytest.raises(ValueError, match=r".") as caught:
        read(file, FULL.replace(was, put))
    message = next(line for line in str(caught.value).splitlines() if f": {place}: " in line)
    assert re.match(rf"{re.escape(str(file))}:\d+: ", message)
    assert came in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "name: missing key"),
        ('name = "x"', "learners: missing key"),
        (FULL.replace('kind = "rbf-svm"', ""), r"learners\[0\].kind: missing key"),
        (FULL.replace("lambda = [10, 0.1]", ""), r"learners\[0\].lambda: missing key"),
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
    assert all(line.startswith(f"{file}:") for line in str(caught.value).splitlines())


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
KEYS = (
    "name learners rates seeds data trigger poison kind lambda gamma labels columns experiments keep betas geomspace "
    "linspace range estimator steps parameters grid"
)
keys = words | st.sampled_from(KEYS.split())
scalars = (
    words
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.sampled_from(["ridge", "rbf-svm", "digits", "toy", "patch", "feature", "next", "even-odd", "m:f", 1, 0.5])
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
    except StudyError as error:
        message = str(error)
    for line in message.split("\n"):
        assert line.startswith(f"{file}:")
        assert line.isprintable()  # so it is one line, on every terminal
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
        assert all(experiment.learners for experiment in study.experiments)
        assert all(math.isfinite(lam) for e in study.experiments for learner in e.learners for lam in learner.lam or ())
