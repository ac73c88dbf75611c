"""The command on questions: the list, an answer from nothing and again from what is kept, and wrong names."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest

from backdoor_curves.questions.ask import question_files, read_answer
from backdoor_curves.questions.words import answer_sentences

SMALL = """
name = "small"
seeds = [0, 1, 2]
rates = [0.1]
poison = {labels = 1}
learners = [{kind = "ridge", lambda = [2]}, {kind = "linear-svm", lambda = [1]}]
trigger = [{size = 1, pattern = "ones"}, {size = 3, pattern = "ones"}]

[question]
text = "Does it matter?"
axis = "trigger.size"
of = "the side"
doubt = "Nothing & nobody."

[[data]]
name = "digits"
classes = [7, 1]
n_train = 100
n_test = 60

[[data]]
name = "mnist"
classes = [7, 1]
n_train = 100
n_test = 60
"""


@pytest.fixture
def call(tmp_path, monkeypatch, run_command):
    """A function that runs the command in an empty folder; it returns the exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    return partial(run_command, "questions")


def test_the_list_has_a_line_for_each_question(call):
    """Name and question; nothing is computed."""
    code, out, _ = call()
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(question_files())
    assert all(line.endswith("?") for line in out.splitlines())


def test_a_question_of_ones_own_is_answered_and_kept(call, tmp_path):
    """Sentence, page, figures, JSON; data that cannot be had are left out and said; again nothing is computed."""
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    again = ("small.toml", "--offline", "-j", "1", "--data-dir", str(tmp_path))
    code, out, err = call(*again)
    assert code == 0
    answer = read_answer(tmp_path / "questions" / "small.json")
    sentences = " ".join(answer_sentences(answer)).strip()
    assert sentences in out
    assert "left out, mnist: " in err
    page = (tmp_path / "questions" / "small.html").read_text(encoding="utf-8")
    assert sentences.split(". ")[0] in page
    assert "Nothing &amp; nobody." in page
    assert "Left out, since it could not be had where this was made: mnist" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert (tmp_path / "questions" / "small.svg").is_file()
    before = json.loads((tmp_path / "questions" / "small.json").read_text(encoding="utf-8"))
    _, out, err = call(*again)
    assert "cells done" not in err
    assert json.loads((tmp_path / "questions" / "small.json").read_text(encoding="utf-8")) == before


def test_a_question_whose_study_has_changed_goes_on(call, tmp_path):
    """What is kept and still asked for is not computed again; what is no longer asked for has no part in the answer."""
    (tmp_path / "small.toml").write_text(SMALL.split('[[data]]\nname = "mnist"')[0], encoding="utf-8")
    call("small.toml", "-j", "1")
    more = (tmp_path / "small.toml").read_text(encoding="utf-8").replace("seeds = [0, 1, 2]", "seeds = [1, 2, 3]")
    (tmp_path / "small.toml").write_text(more, encoding="utf-8")
    code, _, _ = call("small.toml", "-j", "1")
    assert code == 0
    assert read_answer(tmp_path / "questions" / "small.json").first.cells == 12


def test_a_study_without_a_question_is_refused(call, tmp_path):
    """There is nothing to compare."""
    text = re.sub(r"\[question\].*?\n\n", "", SMALL, flags=re.DOTALL)
    (tmp_path / "plain.toml").write_text(text, encoding="utf-8")
    code, _, err = call("plain.toml")
    assert (code, err) == (
        2,
        "backdoor-curves: plain.toml: a table [question] was expected, none came; `run` takes other studies\n",
    )


def test_a_name_that_is_no_question_has_the_nearest(call):
    """It is typed from memory."""
    code, _, err = call("patchsize")
    assert code == 2
    assert "did you mean 'patch-size'?" in err
