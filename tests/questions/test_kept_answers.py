"""The answers that come with the package are those of its questions, and come out again."""

import pytest

from backdoor_curves.questions.answer import evidence_of
from backdoor_curves.questions.ask import Asked, ask, kept_answers, parts_by_data, question_files, read_answer
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.run_study import Wishes, run_study
from backdoor_curves.study.store.run import load_run

GIGABYTE = 1e9


def test_each_question_has_an_answer():
    """And no answer is without its question."""
    assert list(kept_answers()) == list(question_files())
    assert len(kept_answers()) >= 12


@pytest.mark.parametrize("name", question_files())
def test_an_answer_is_of_the_question_as_it_is_asked(name):
    """On all its data sets, with ten seeds, and as many cells as its study has."""
    study, answer = read_study(question_files()[name]), read_answer(kept_answers()[name])
    assert (answer.name, answer.question) == (study.name, study.question) == (name, study.question)
    assert [one.data for one in answer.evidence] == list(parts_by_data(study)) == ["digits", "mnist"]
    for evidence in answer.evidence:
        assert evidence.seeds == 10
        assert evidence.cells == 10 * len(evidence.levels) * len(evidence.settings)
        assert evidence.seconds < 1200  # twenty minutes, on one core


def test_an_answer_comes_out_again_from_nothing(tmp_path):
    """The kernel's width on digits: every effect and every mean, to the six digits that are kept."""
    study = read_study(question_files()["width-of-kernel"])
    part = parts_by_data(study)["digits"]
    list(run_study(part, tmp_path / "run", Wishes(1, GIGABYTE)))
    found = evidence_of(load_run(tmp_path / "run"), study.question)
    kept = read_answer(kept_answers()["width-of-kernel"]).first
    assert (found.levels, found.settings, found.numbers) == (kept.levels, kept.settings, kept.numbers)
    for one, other in zip(found.contrasts, kept.contrasts, strict=True):
        numbers = (one.effect.estimate, one.effect.low, one.effect.high)
        assert numbers == pytest.approx(
            (other.effect.estimate, other.effect.low, other.effect.high), rel=1e-4, abs=1e-6
        )
    for mean, kept_mean in zip(found.means, kept.means, strict=True):
        assert (mean.setting, mean.level, mean.quantity) == (kept_mean.setting, kept_mean.level, kept_mean.quantity)
        assert mean.mean == pytest.approx(kept_mean.mean, rel=1e-4, abs=1e-6)


def test_a_stop_is_no_answer(tmp_path):
    """What was asked to stop has no part counted for the whole."""
    asked = Asked(question_files()["width-of-kernel"], tmp_path, Wishes(1, GIGABYTE))
    assert ask(asked, list, stopping=lambda: True) is None
    assert not (tmp_path / "width-of-kernel.json").exists()
