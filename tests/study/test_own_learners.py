"""Estimators of one's own in a study: the numbers of the Python interface, from file to page, cell by cell."""

from __future__ import annotations

import dataclasses
import os
import textwrap

import msgspec
import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from small_study import WISHES, cell_of, done_here, small

import backdoor_curves as bc
from backdoor_curves.data.samples import Samples
from backdoor_curves.learners.preparation import table
from backdoor_curves.study.compute.cell import compute, curve_from_bytes, prepare
from backdoor_curves.study.compute.quantities import numbers
from backdoor_curves.study.file.config import DataConfig, KeepConfig, LearnerConfig, PoisonConfig
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.plan.cells import Group, make_plan
from backdoor_curves.study.plan.estimators import estimator, followed_as, learner_of
from backdoor_curves.study.plan.keys import canonical
from backdoor_curves.study.plan.scenario import OWN, Setting
from backdoor_curves.study.plan.sources import draw, poisoned
from backdoor_curves.study.run_study import run_study
from backdoor_curves.study.store.run import load_run

FOREST = LearnerConfig(
    estimator="sklearn.ensemble.RandomForestClassifier",
    parameters=(("n_estimators", 5), ("random_state", 0)),
    grid=(("max_depth", (2, "None")),),
)
MODELS = """
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

def flat(X):
    return X.reshape(len(X), -1)

def scaled():
    return Pipeline([("flat", FunctionTransformer(flat)), ("scale", StandardScaler()), ("classifier", SVC())])
"""
STUDY = """
name = "own"
seeds = [0]
rates = [0.1, 0.3]
data = {n_train = 90, n_test = 40}

[[learners]]
estimator = "models:scaled"
grid = {classifier__C = [0.1, 1.0, 10.0]}
"""


@pytest.fixture
def study(tmp_path):
    """A study's file with a module beside it."""
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path / "study.toml"


def own(*learners, **changes):
    """Learners on a few digits, one seed."""
    parts = {"learners": learners, "poison": (PoisonConfig(),), "seeds": (0,), "rates": (0.1, 0.3)}
    parts["data"] = (DataConfig(n_train=90, n_test=40),)  # fewer have too few kernel values to remember
    return small(**parts | changes)


def of_python(planned, made, betas=None):
    """The curve of the Python interface: the same estimator on the same data."""
    cell = planned.cell
    train, test = draw(cell.scenario.data, cell.seed, None, offline=True)
    data = poisoned(train, test, cell, (0.1, 0.3))[cell.scenario.rate]
    return bc.backdoor_learning_curve(made, data, betas=betas)


def same_bits(outcome, curve):
    """Whether a cell kept the numbers of a curve to the last bit, and its losses at every beta."""
    small = curve.condensed()  # as a study keeps it
    theirs, ours = numbers(small), outcome.numbers
    kept = curve_from_bytes(outcome.records["curve"])
    betas = np.linspace(0, 1, 23) if curve.exact else curve.betas
    losses = [
        np.array_equal(kept.loss(rows, betas), curve.condensed().loss(rows, betas)) for rows in ("clean", "triggered")
    ]
    return all(ours[name] == value for name, value in theirs.items() if name[:5] != "moved") and all(losses)


# --- the numbers -----------------------------------------------------------------------------------------------------


def test_a_forest_in_a_study_has_the_numbers_of_the_python_interface():
    """To the last bit: the study asks the same of the same estimator."""
    plan, outcomes = done_here(own(FOREST, keep=KeepConfig(betas=(0.0, 0.2, 1.0))))
    assert len(plan.cells) == 4
    for planned in plan.cells:
        depth = {2: 2, "None": None}[planned.cell.setting.values["max_depth"]]
        made = RandomForestClassifier(5, max_depth=depth, random_state=0)
        assert same_bits(outcomes[planned.key], of_python(planned, made, (0.0, 0.2, 1.0)))


@pytest.mark.parametrize(
    ("reference", "made"),
    [
        ("sklearn.svm.SVC", lambda C: SVC(C=C)),
        ("sklearn.linear_model.LogisticRegression", lambda C: LogisticRegression(C=C)),
    ],
)
def test_followed_learners_that_share_kernels_have_the_bits_of_those_that_are_alone(reference, made):
    """A kernel matrix is remembered whole, so that who asked for it first is in no digit."""
    plan, outcomes = done_here(own(LearnerConfig(estimator=reference, grid=(("C", (0.1, 1.0, 10.0)),))))
    assert len(plan.groups) == 1
    for planned in plan.cells:
        curve = of_python(planned, made(planned.cell.setting.values["C"]))
        assert curve.exact
        assert same_bits(outcomes[planned.key], curve)


def test_cells_that_differ_in_c_alone_compute_one_kernel_matrix_a_rate():
    """Of which the second C finds the first's."""
    plan = make_plan(own(LearnerConfig(estimator="sklearn.svm.SVC", grid=(("C", (0.1, 1.0, 10.0)),))))
    (group,) = plan.groups
    train, test = draw(group.first.scenario.data, 0, None, offline=True)
    bench = prepare(group, train, test)
    for rate in group.rates:
        for planned in plan.cells:
            if planned.cell.scenario.rate == rate:
                assert compute(planned.key, planned.cell, bench).reason == ""
        assert [len(kernel._whole) for kernel in bench.shared[rate].kernels.values()] == [1]


def test_a_pipeline_beside_the_study_has_the_numbers_of_the_python_interface(study):
    """From the file to the kept curve, through worker processes, which find the module too."""
    folder = study.parent / "run"
    list(run_study(read_study(study), folder, WISHES, home=study.parent))
    run = load_run(folder)
    assert (run.n_done, len(run.failed)) == (6, 0)
    for cell in run.cells:
        made = make_pipeline(StandardScaler(), SVC(C=cell.hyperparameters["classifier__C"]))
        train, test = draw(cell.scenario.data, cell.seed, None, offline=True)
        data = poisoned(train, test, cell.cell, (0.1, 0.3))[cell.scenario.rate]
        curve = bc.backdoor_learning_curve(made, data).condensed()  # as a study keeps it
        assert np.array_equal(run.curve(cell).loss("triggered", [0, 0.1, 1]), curve.loss("triggered", [0, 0.1, 1]))
        assert cell.numbers["area"] == curve.area("triggered")


def test_steps_stand_before_a_kind_and_are_part_of_its_name_and_key():
    """As a Pipeline with the same steps, to the last bit."""
    plain, scaled = LearnerConfig("ridge", (1.0,)), LearnerConfig("ridge", (1.0,), steps=("standard-scaler",))
    plan, outcomes = done_here(own(plain, scaled, rates=(0.1,)))
    assert [planned.cell.setting.learner.steps for planned in plan.cells] == [(), ("standard-scaler",)]
    assert plan.cells[0].key != plan.cells[1].key
    made = make_pipeline(StandardScaler(), RidgeClassifier(alpha=0.5))
    assert same_bits(outcomes[plan.cells[1].key], of_python(plan.cells[1], made))


# --- rows of other kinds ---------------------------------------------------------------------------------------------


def bench_of(monkeypatch, parts, data, config):
    """The plan and the bench of a study on rows that are no built-in data."""
    monkeypatch.setattr("backdoor_curves.study.plan.known_sources.draw", lambda *_: tuple(parts))
    monkeypatch.setattr("backdoor_curves.study.plan.known_sources.content_hash", lambda *_: "0" * 32)
    monkeypatch.setattr("backdoor_curves.study.compute.cell.poisoned", lambda *_: {0.1: data})
    plan = make_plan(own(config, rates=(0.1,)))
    return plan, prepare(plan.groups[0], *parts)


def frame(n=120):
    """Numbers, words with a gap, and truths."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    X = pd.DataFrame({"income": rng.normal(size=n) + y, "town": rng.choice(["a", "b"], n), "own": rng.random(n) < 0.5})
    X.loc[3, "income"] = np.nan
    X.loc[4, "town"] = None
    return X, y


def test_a_table_gets_its_steps_by_default_and_its_learner_says_so(monkeypatch):
    """Numbers scaled, words one-hot, gaps filled: the curve is that of the same steps in a Pipeline."""
    X, y = frame()
    trigger = bc.FeatureTrigger(columns=("income",), values=(9.0,))
    parts = [Samples(X.iloc[:60], y[:60]), Samples(X.iloc[60:], y[60:])]
    data = bc.poison(*parts, trigger=trigger, labels=1, rate=0.2, rng=np.random.default_rng(0))
    for config, made in (
        (LearnerConfig("ridge", (2.0,)), RidgeClassifier(alpha=1.0)),
        (LearnerConfig(estimator="sklearn.svm.SVC"), SVC()),
    ):
        plan, bench = bench_of(monkeypatch, parts, data, config)
        assert plan.cells[0].cell.setting.learner.steps == ("table",)
        outcome = compute(plan.cells[0].key, plan.cells[0].cell, bench)
        assert outcome.reason == ""
        assert same_bits(outcome, bc.backdoor_learning_curve(make_pipeline(table(), made), data))


def test_texts_get_tf_idf_by_default(monkeypatch):
    """As the vectoriser in a Pipeline, to the last bit; what a function returns gets nothing."""
    rng, y = np.random.default_rng(0), np.arange(200) % 2
    X = [
        " ".join([*rng.choice(["win", "cash"] if spam else ["tea", "note"], 3), *rng.choice(list("abcdef"), 5)])
        for spam in y
    ]
    parts = [Samples(X[:120], y[:120]), Samples(X[120:], y[120:])]

    def word(X, y):  # noqa: ARG001
        return [f"{text} quokka" for text in X]

    data = bc.poison(*parts, trigger=word, labels=0, rate=0.2, rng=np.random.default_rng(0))
    plan, bench = bench_of(monkeypatch, parts, data, LearnerConfig("ridge", (2.0,)))
    assert plan.cells[0].cell.setting.learner.steps == ("tf-idf",)
    outcome = compute(plan.cells[0].key, plan.cells[0].cell, bench)
    made = make_pipeline(TfidfVectorizer(), RidgeClassifier(alpha=1.0))
    assert same_bits(outcome, bc.backdoor_learning_curve(made, data))
    assert outcome.numbers["moved_l2"] is None
    function = LearnerConfig(estimator="sklearn.svm:SVC")
    assert bench_of(monkeypatch, parts, data, function)[0].cells[0].cell.setting.learner.steps == ()


# --- identity --------------------------------------------------------------------------------------------------------


def keys(file):
    """The keys of the cells of a study's file."""
    return [planned.key for planned in make_plan(read_study(file), home=file.parent).cells]


def test_the_key_depends_on_what_the_function_returns_and_on_its_own_code(study):
    """Not on where the file lies; another default of a step, or other code of a function in it, is another cell."""
    first = keys(study)
    assert keys(study) == first
    models = study.parent / "models.py"
    models.write_text(MODELS.replace("SVC()", "SVC(C=1.0)"))
    assert keys(study) != first  # `flat` is of this module, and its source is another
    models.write_text(MODELS.replace("SVC()", "SVC(kernel='linear')"))
    assert keys(study) != first
    models.write_text(MODELS)
    assert keys(study) == first


def test_of_installed_parts_the_source_of_the_function_means_nothing(study):
    """A comment, another name of a variable: the same estimator, the same cell."""
    text = "from sklearn.svm import SVC\ndef scaled():\n    return SVC({})\n"
    study.write_text(STUDY.replace("classifier__C", "C"))
    models = study.parent / "models.py"
    models.write_text(text.format(""))
    first = keys(study)
    models.write_text("# a comment\n" + text.format("kernel='rbf'"))  # the default, said
    assert keys(study) == first
    models.write_text(text.format("kernel='linear'"))
    assert keys(study) != first


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0.5, 0.25), ("gini", "entropy"), ((1, 2), (1.0, 2))])
def test_values_that_python_takes_for_equal_are_two_settings(one, other):
    """A whole number of features is no share of them."""
    config = LearnerConfig(estimator="sklearn.dummy.DummyClassifier")  # which is asked nothing here
    first, second = (Setting.of(learner_of(config, (), None), {"value": value}) for value in (one, other))
    assert first != second
    assert canonical(first) != canonical(second)
    assert msgspec.json.decode(msgspec.json.encode(first), type=Setting) == first


def test_parameters_are_told_apart_by_type_too():
    """They are in what the estimator is."""
    configs = [replace(FOREST, parameters=(("max_features", value),)) for value in (1, 1.0)]
    first, second = (cell_of(own(config)).cell.setting for config in configs)
    assert first != second


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_learner_that_draws_has_random_states_of_its_cell():
    """Wherever one is not said, in a step too; another seed has others."""
    config = replace(FOREST, parameters=(("n_estimators", 5),))
    cells = [planned.cell for planned in make_plan(own(config, seeds=(0, 1))).cells]
    states = [estimator(cell).random_state for cell in cells]
    assert len(set(states)) == len(cells)
    assert [estimator(cell).random_state for cell in cells] == states
    said = replace(config, parameters=(("random_state", 7),))
    assert {estimator(planned.cell).random_state for planned in make_plan(own(said)).cells} == {7}


def test_a_run_goes_on_where_it_stopped_and_pages_tables_and_figures_are_written(study):
    """Shards first, then the whole: nothing is computed twice."""
    from backdoor_curves.report import write_report
    from backdoor_curves.report.summary import write_summary

    folder = study.parent / "run"
    asked = read_study(study)
    for shard in ((1, 2), (2, 2)):
        progress = list(run_study(asked, folder, dataclasses.replace(WISHES, shard=shard), home=study.parent))[-1]
        assert progress.left == 0
    run = load_run(folder)
    assert (run.n_done, run.n_left) == (6, 0)
    again = list(run_study(asked, folder, WISHES, home=study.parent))
    assert again[0].left == 0
    page = write_report(run, folder / "report.html").read_text()
    assert "classifier__C" in page
    write_summary(run, folder)
    assert "classifier__C" in (folder / "table.txt").read_text()
    assert "models:scaled" in (folder / "results.csv").read_text()


def test_an_estimator_that_is_another_one_in_the_worker_fails_its_cells_in_a_sentence(study):
    """Whatever the machine has it depend on: no number is kept of what was not planned."""
    code = textwrap.dedent(f"""
        import os
        from sklearn.svm import SVC
        def scaled():
            return SVC(gamma=0.1 if os.getpid() == {os.getpid()} else 0.2)
    """)
    (study.parent / "models.py").write_text(code)
    study.write_text(STUDY.replace("classifier__C", "C"))
    folder = study.parent / "run"
    list(run_study(read_study(study), folder, WISHES, home=study.parent))
    run = load_run(folder)
    assert {cell.status for cell in run.cells} == {"failed"}
    assert "the estimator that the study was planned with was expected, another came" in run.cells[0].reason


def test_an_error_of_ones_own_code_is_said_with_its_place(study):
    """And is not said to be a bug of this package."""
    (study.parent / "models.py").write_text(
        "from sklearn.svm import SVC\n"
        "class Own(SVC):\n"
        "    def fit(self, X, y, sample_weight=None):\n"
        "        raise AttributeError('oops')\n"
        "def scaled():\n"
        "    return Own()\n"
    )
    study.write_text(STUDY.replace("classifier__C", "C"))
    list(run_study(read_study(study), study.parent / "run", WISHES, home=study.parent))
    assert load_run(study.parent / "run").cells[0].reason == "AttributeError: oops (at models.py:4)"


def test_an_own_learner_is_none_of_the_four_kinds():
    """Its group has no lambdas, and its cells none."""
    (group, *_) = make_plan(own(FOREST)).groups
    assert isinstance(group, Group)
    assert (group.lams, group.first.setting.learner.kind, group.first.setting.gamma) == ((), OWN, None)


def test_an_estimator_around_another_is_followed_as_a_kind_of_its_inside(tmp_path):
    """What it takes is planned by that kind, in a study of all ten digits."""
    (tmp_path / "around.py").write_text(
        "from sklearn.linear_model import RidgeClassifier\nfrom sklearn.multiclass import OneVsRestClassifier\n"
        "def columns():\n    return OneVsRestClassifier(RidgeClassifier())\n"
    )
    (tmp_path / "study.toml").write_text(
        'name = "around"\nseeds = [0]\nrates = [0.1]\n'
        'data = {classes = "all", n_train = 120, n_test = 40}\n[[learners]]\nestimator = "around:columns"\n'
    )
    (planned,) = make_plan(read_study(tmp_path / "study.toml"), home=tmp_path).cells
    assert followed_as(planned.cell, 10, tmp_path) == "ridge"
