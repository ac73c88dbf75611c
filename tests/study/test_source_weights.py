"""Rows of a source with weight beta: no attack is made, and what the source teaches is the loss on watched rows."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from small_study import WISHES, tree

import backdoor_curves as bc
from backdoor_curves.data.marked import MarkedSamples
from backdoor_curves.data.on_disk import content_hash, read_samples, write_samples
from backdoor_curves.datasets.condition import Condition
from backdoor_curves.datasets.files.table import Table
from backdoor_curves.learners.preparation import table as table_step
from backdoor_curves.report import write_report
from backdoor_curves.report.figures.run_figures import figures_for_print
from backdoor_curves.report.page.provenance import as_toml
from backdoor_curves.report.summary import write_summary
from backdoor_curves.report.tables.sources import Gain
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.run_study import run_study
from backdoor_curves.study.store.run import load_run

STUDY = """
name = "source"
seeds = [0, 1]
learners = [{kind = "ridge", lambda = [1, 10]}, {kind = "logistic", lambda = [1]}]
"""
LOANS = "[data]\nfile = 'loans.csv'\nlabel = 'paid'\n"


def loans(n=300, banks="aab", seed=0, wrong="b"):
    """Loans of several banks, of which one labels its rows at random."""
    rng = np.random.default_rng(seed)
    lines = ["age,job,bank,paid"]
    for i in range(n):
        age, bank = int(rng.integers(20, 70)), banks[i % len(banks)]
        paid = rng.random() < 0.5 if bank == wrong else age + rng.normal(0, 6) > 45
        lines.append(f"{age},{rng.choice(['cook', 'smith'])},{bank},{'yes' if paid else 'no'}")
    return "\n".join(lines) + "\n"


def study(folder, data):
    path = folder / "source.toml"
    path.write_text(STUDY + data, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("source")
    (found / "loans.csv").write_text(loans())
    (found / "more.csv").write_text(loans(80, "c", seed=1, wrong="c"))
    path = study(
        found, "[data]\nfile = 'loans.csv'\nlabel = 'paid'\nsuspect = \"bank == 'b'\"\nwatch = \"bank == 'a'\"\n"
    )
    list(run_study(read_study(path), found / "run", WISHES, home=found))
    return found


def by_hand(folder, seed, suspect):
    """The split of a seed by the documented function, and the source by the frame's own column."""
    train, test = bc.datasets.from_file(folder / "loans.csv", label="paid", rng=np.random.default_rng(seed))
    is_source, is_watched = (train.X["bank"] == suspect).to_numpy(), (test.X["bank"] == "a").to_numpy()
    drop = [bc.Samples(part.X.drop(columns="bank"), part.y) for part in (train, test)]
    return drop[0], drop[1], is_source, is_watched


def test_its_curve_is_that_of_the_rows_weighted_by_hand(folder):
    """Bit for bit; at beta = 0 and 1 it is scikit-learn's fit without the source and with it."""
    run = load_run(folder / "run")
    assert [cell.reason for cell in run.failed] == []
    for cell in run.cells:
        if cell.setting.learner.kind != "ridge":
            continue
        train, test, is_source, is_watched = by_hand(folder, cell.seed, "b")
        watched = test.take(np.flatnonzero(is_watched))
        data = bc.PoisonedData(
            clean_train=train.take(np.flatnonzero(~is_source)),
            poison_train=train.take(np.flatnonzero(is_source)),
            clean_test=test,
            triggered_test=watched,
        )
        learner = RidgeClassifier(alpha=cell.setting.lam / 2)
        curve = bc.backdoor_learning_curve(make_pipeline(table_step(), learner), data)
        assert run.curve(cell).loss("triggered", [0, 0.5, 1]).tolist() == curve.loss("triggered", [0, 0.5, 1]).tolist()
        steps = table_step().fit(train.X)
        for beta, rows in ((0, np.flatnonzero(~is_source)), (1, np.arange(len(train)))):
            fitted = RidgeClassifier(alpha=cell.setting.lam / 2).fit(steps.transform(train.take(rows).X), train.y[rows])
            right = accuracy_score(watched.y, fitted.predict(steps.transform(watched.X)))
            assert cell.numbers[f"asr_at_{beta}"] == pytest.approx(right)


def test_a_source_that_labels_at_random_would_not_be_missed(folder):
    """Its rows teach nothing, and the watched loss is less without them, on every seed."""
    run = load_run(folder / "run")
    for cell in run.cells:
        assert cell.numbers["triggered_loss_at_1"] > cell.numbers["triggered_loss_at_0"]
    write_summary(run, folder)
    text = (folder / "table.txt").read_text(encoding="utf-8")
    assert text.count("would not be missed: without it the loss is less on every seed") == 3


def test_rows_of_a_file_are_a_source_and_all_test_rows_are_watched(folder):
    """`poison` names rows that are not in the data; what is not said is all."""
    path = study(folder, f"{LOANS}drop = ['bank']\npoison = 'more.csv'\n")
    list(run_study(read_study(path), folder / "file", WISHES, home=folder))
    run = load_run(folder / "file")
    assert [cell.reason for cell in run.failed] == []
    cell = run.cells[0]
    assert run.curve(cell).info.n_poison == 80
    assert cell.numbers["triggered_loss_at_0"] == run.curve(cell).loss("clean", 0.0)


WRONG_WORDS = re.compile(r"attack|trigger|poison|backdoor|\bASR\b|\bsafe\b", re.IGNORECASE)


def test_words_on_page_table_and_pictures_are_of_a_source(folder):
    """Nobody has attacked; who reads of an attack asks for the attacker."""
    run = load_run(folder / "run")
    write_report(run, folder / "report.html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    body = page[page.index("<body>") : page.index('<section class="made"')]
    assert not WRONG_WORDS.findall(re.sub(r"<[^>]*>", " ", body))
    assert not WRONG_WORDS.findall(" ".join(re.findall(r'aria-label="([^"]*)"', body)))
    assert "source bank == &#39;b&#39;, watched bank == &#39;a&#39;" in page
    write_summary(run, folder)
    assert not WRONG_WORDS.findall((folder / "table.txt").read_text(encoding="utf-8"))
    for name, figure in figures_for_print(run):
        assert name.startswith("curves")
        texts = [text.get_text() for ax in figure.axes for text in ax.findobj(lambda one: hasattr(one, "get_text"))]
        texts += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        texts += [figure.get_suptitle(), figure.get_supxlabel()]
        assert not [text for text in texts if WRONG_WORDS.search(text)]
    first = next(iter(figures_for_print(run)))[1]
    assert first.get_supxlabel() == "β, weight of the source's rows"


def test_the_study_on_the_page_is_the_study(folder, tmp_path):
    """Who saves it runs the same: no rates, no attack."""
    asked = load_run(folder / "run").study
    (tmp_path / "again.toml").write_text(as_toml(asked), encoding="utf-8")
    assert read_study(tmp_path / "again.toml") == asked


def test_what_is_weighted_and_what_is_watched_are_part_of_the_key(folder):
    """The same rows with another source are other cells."""
    keys = []
    banks = ("suspect = \"bank == 'b'\"", "suspect = \"bank != 'b'\"")
    for more in (*banks, f"{banks[0]}\nwatch = \"bank == 'b'\""):
        path = study(folder, f"{LOANS}{more}\n")
        keys.append({planned.key for planned in make_plan(read_study(path), home=folder).cells})
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("suspect = \"bnak == 'b'\"", "suspect: a column of it was expected, 'bnak' came; did you mean 'bank'"),
        ("suspect = \"bank == 'd'\"", "suspect: a part of the rows was expected, no row came; it has 'a', 'b'"),
        ('suspect = "age == 999"', "no row came; it has '[0-9]+', .* and [0-9]+ more$"),
        ("suspect = \"bank in ['a', 'b']\"", "suspect: a part of the rows was expected, all rows came"),
        ('suspect = "bank == 3"', "suspect: words were expected of 'bank', 3 came"),
        ("suspect = \"age == 'old'\"", "suspect: numbers were expected of 'age', 'old' came"),
        ("suspect = \"bank == 'b'\"\nwatch = \"bank == 'x'\"", "watch: a part of the rows was expected, no row came"),
        ("suspect = \"paid == 'yes'\"", "two classes or more were expected"),
        ("poison = 'none.csv'", "no such file or folder"),
        ("poison = 'other.csv'", "a column of it was expected, 'age' came"),
        ("poison = 'strange.csv'", "labels of the training rows were expected, 'perhaps' came in line 2"),
        ("poison = 'words.csv'", "numbers were expected in column 'age', as in loans.csv, words came"),
    ],
)
def test_a_source_that_is_none_is_refused_in_a_sentence(folder, more, said):
    """A source of no rows would not be missed, and that means nothing."""
    (folder / "other.csv").write_text("x,bank,paid\n1,c,yes\n")
    (folder / "strange.csv").write_text("age,job,bank,paid\n30,cook,c,perhaps\n")
    (folder / "words.csv").write_text("age,job,bank,paid\nold,cook,c,yes\n")
    path = study(folder, f"{LOANS}{more}\n")
    before = tree(folder)
    with pytest.raises((ValueError, OSError), match=said):
        list(run_study(read_study(path), folder / "refused", WISHES, home=folder))
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("who == 'b'", [1]),
        ("who != 'b'", [0, 2, 3]),
        ('who in ["a", "b"]', [0, 1]),
        ("who not in ('a',)", [1, 2, 3]),
        ("`a col == 1` == 2", [1, 3]),
        ("n in {1, 2.0}", [0, 1, 3]),
        ("n == -1", [2]),
        ("t == True", [0]),
        ("who=='b'", [1]),
        ("who in ['a == b', 'b']", [1]),
    ],
)
def test_conditions_mean_what_they_say(text, rows):
    """A gap equals nothing, a truth is 1, and what stands in quotes is no operator."""
    table = Table(
        "a.csv",
        {
            "who": np.array(["a", "b", None, "<x>"], dtype=object),
            "n": np.array([1, 2, -1, 2]),
            "a col == 1": np.array([1.0, 2.0, np.nan, 2.0]),
            "t": np.array([1, 0, 0, 0]),
        },
    )
    assert np.flatnonzero(Condition.of(text).rows(table, "suspect")).tolist() == rows


def test_marks_go_with_their_rows(tmp_path):
    """Through draws, through files, and into the hash."""
    rows = MarkedSamples(np.eye(3), [0, 1, 0], is_marked=np.array([True, False, False]))
    assert rows.take(np.array([2, 0])).is_marked.tolist() == [False, True]
    write_samples(tmp_path / "rows", {"train": rows})
    again = read_samples(tmp_path / "rows", "train")
    assert isinstance(again, MarkedSamples)
    assert again.is_marked.tolist() == [True, False, False]
    others = [MarkedSamples(np.eye(3), [0, 1, 0]), bc.Samples(np.eye(3), [0, 1, 0])]
    assert len({content_hash(one) for one in (rows, *others)}) == 3


def test_a_source_that_changes_nothing_is_not_missed_by_rounding():
    """The sign of a difference in the last digit would be an answer, and a wrong one."""
    assert Gain(np.array([1e-15, 3e-16]), 0.0).answer == "no"
    assert Gain(np.array([0.01, 0.02]), 0.0).answer == "yes"
    assert Gain(np.array([0.01, -0.02]), 0.0).answer == "?"
    assert Gain(np.array([0.01]), 0.0).answer == "?"
