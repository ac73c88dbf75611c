"""An answer follows from the numbers of its cells, and from nothing else."""

import numpy as np
import pytest
from made_runs import QUESTION, halving, run_of
from msgspec.structs import replace

from backdoor_curves.questions.answer import LEVEL, Answer, evidence_of
from backdoor_curves.questions.ask import as_json, parts_by_data, read_answer
from backdoor_curves.questions.words import answer_sentences, held_in_a_word, held_words
from backdoor_curves.study.file.config import DataConfig

ASR = replace(QUESTION, measure="asr_at_1")


def answer_of(*runs, question=QUESTION):
    return Answer("made", question, tuple(evidence_of(run, question) for run in runs))


def swapped(kind, size, seed):
    """The same, but a larger side is harder for ridge."""
    found = halving(kind, size, seed)
    return found | ({"half_loss_beta": 1 / (64 * found["half_loss_beta"])} if kind == "ridge" else {})


def test_a_doubling_halves_what_it_halves():
    """Also where seeds differ by much more than levels do, for each learner by itself."""
    ridge, logistic = evidence_of(run_of(halving), QUESTION).of("half_loss_beta")
    assert (ridge.setting, ridge.level, logistic.setting) == ("Ridge", "", "Logistic regression")
    assert ridge.effect.estimate == pytest.approx(0.5, rel=1e-9)
    assert logistic.effect.estimate == pytest.approx(0.25, rel=1e-9)


def test_intervals_hold_together():
    """Two settings, one contrast and three measures: each interval at 1 - .05 / 6."""
    from scipy import stats

    (contrast, *_) = evidence_of(run_of(halving), QUESTION).of("asr_at_1")
    values = np.array([[halving("ridge", size, seed)["asr_at_1"] for size in (1, 2, 4)] for seed in range(10)])
    slopes = [stats.linregress([0, 1, 2], row).slope for row in values]
    low, high = stats.t.interval(1 - (1 - LEVEL) / 6, 9, np.mean(slopes), stats.sem(slopes))
    assert (contrast.effect.low, contrast.effect.high) == pytest.approx((low, high), rel=1e-9)


def test_words_follow_the_numbers():
    """The same cells with the numbers turned round say the opposite."""
    first, second = answer_sentences(answer_of(run_of(halving)))
    assert first.startswith(
        "Doubling the side makes the backdoor easier, for all 2 learners: the half-loss β changes by × 0.5 ("
    )
    assert second.startswith("The attack success rate moves by +")
    turned, _ = answer_sentences(answer_of(run_of(swapped)))
    assert "easier for 1 of 2 learners, harder for 1" in turned


def test_without_an_effect_the_words_leave_it_open():
    """Noise alone is no answer."""
    rng = np.random.default_rng(3)
    run = run_of(lambda *_: {"half_loss_beta": float(np.exp(rng.normal())), "asr_at_1": 0.5}, kinds=("ridge",))
    assert "neither easier nor harder, as far as is decided" in answer_sentences(answer_of(run))[0]


def test_levels_without_numbers_are_held_against_the_first():
    """A contrast for each other level, named by the question."""
    question = replace(QUESTION, axis="trigger.position", levels=("here", "there"))
    run = run_of(halving, sizes=(1, 2))
    moved = tuple(
        replace_cell(cell, position="bottom-right" if cell.scenario.trigger.size == 1 else "center")
        for cell in run.cells
    )
    found = evidence_of(run_with(run, moved), question)
    assert [one.level for one in found.of("half_loss_beta")] == ["there", "there"]
    assert found.numbers == ()
    said, _ = answer_sentences(Answer("made", question, (found,)))
    assert said.startswith("Against here, by the half-loss β, there is easier, for all 2 learners: × 0.2")


def replace_cell(stored, position):
    import dataclasses

    trigger = replace(stored.scenario.trigger, position=position, size=2)
    cell = replace(stored.cell, scenario=replace(stored.scenario, trigger=trigger))
    return dataclasses.replace(stored, cell=cell)


def run_with(run, cells):
    import dataclasses

    return dataclasses.replace(run, cells=cells, n_cells=len(cells))


def test_a_half_loss_that_is_never_reached_counts_as_one_and_is_said():
    """Leaving such seeds out would make a learner that resists look easy."""

    def numbers(kind, size, seed):
        found = halving(kind, size, seed)
        return found | ({"half_loss_beta": None} if size == 1 and seed < 4 else {})

    answer = answer_of(run_of(numbers, kinds=("ridge",)))
    (contrast,) = answer.first.of("half_loss_beta")
    assert contrast.n_never == 4
    assert contrast.effect.n == 10
    assert "4 of 30 curves never fall to half and count as β = 1" in answer_sentences(answer)[0]


def test_what_goes_up_and_down_is_said():
    """A slope through it would hide that."""

    def numbers(_, size, seed):
        return {"half_loss_beta": {1: 0.1, 2: 0.4, 4: 0.05}[size] * (1 + 0.01 * seed)}

    assert (
        "(up and down along the axis, easiest at 4)"
        in answer_sentences(answer_of(run_of(numbers, kinds=("ridge",))))[0]
    )


def test_without_what_decides_nothing_is_sure():
    """A learner that has no such number in some cells is not compared by it."""
    answer = answer_of(run_of(lambda *_: {"half_loss_beta": 0.1}, kinds=("ridge",)), question=ASR)
    assert answer.p == 1.0
    assert answer_sentences(answer)[0] == "The attack success rate cannot be compared: some cells have none."


def test_an_effect_holds_elsewhere_if_it_is_decided_there_with_the_same_sign():
    """One that is open there, or turned round, does not."""
    other = DataConfig("mnist", (7, 1))
    same, turned = run_of(halving, data=other), run_of(swapped, data=other)
    assert held_in_a_word(answer_of(run_of(halving), same)) == "yes"
    assert held_in_a_word(answer_of(run_of(halving), turned)) == "1 of 2"
    assert held_words(answer_of(run_of(halving), turned)) == "on mnist 1 of 2 effects hold"
    assert held_words(answer_of(run_of(halving), same)) == "on mnist both effects hold"
    alone = answer_of(run_of(halving))
    assert (held_in_a_word(alone), held_words(alone)) == ("not asked", "there is no second data set")


def test_an_answer_comes_back_from_its_file(tmp_path):
    """Numbers in six digits."""
    answer = answer_of(run_of(halving))
    (tmp_path / "made.json").write_text(as_json(answer), encoding="utf-8")
    back = read_answer(tmp_path / "made.json")
    assert answer_sentences(back) == answer_sentences(answer)
    found = zip(back.first.contrasts, answer.first.contrasts, strict=True)
    assert all(one.effect.low == pytest.approx(other.effect.low, rel=1e-5) for one, other in found)


def test_a_run_that_is_not_whole_is_no_answer():
    """Of a part nobody knows what is missing."""
    with pytest.raises(ValueError, match="a whole run was expected, but of 60 cells out of memory"):
        evidence_of(run_of(halving, failed="out of memory"), QUESTION)


def test_cells_that_differ_in_something_else_are_refused():
    """Two cells for one place would be compared as if they were one."""
    run = run_of(halving)
    more = run_of(halving, data=DataConfig("digits", n_train=100))
    with pytest.raises(ValueError, match=r"120 came; something else differs than question.axis"):
        evidence_of(run_with(run, run.cells + more.cells), QUESTION)


def test_an_axis_that_no_cell_has_is_refused():
    """With what there is."""
    with pytest.raises(ValueError, match=r"question.axis: one of learner, attack, rate, lambda, or .*, 'siez' came"):
        evidence_of(run_of(halving), replace(QUESTION, axis="siez"))


def test_what_differs_is_no_part_of_the_name_of_the_data():
    """A figure of 100 to 400 rows is not called one of 100."""
    few, many = (run_of(halving, kinds=("ridge",), sizes=(1,), data=DataConfig("digits", n_train=n)) for n in (9, 90))
    found = evidence_of(run_with(few, few.cells + many.cells), replace(QUESTION, axis="data.n_train"))
    assert (found.about, found.levels, found.numbers) == ("digits even-odd", ("9", "90"), (9.0, 90.0))


def test_more_names_than_levels_are_refused():
    """Else one level would be called like another."""
    with pytest.raises(ValueError, match=r"question.levels: one for each of 3 levels was expected, 2 came"):
        evidence_of(run_of(halving), replace(QUESTION, levels=("a", "b")))


def test_each_data_set_becomes_a_study_of_its_own():
    """So that one that cannot be had takes nothing away from the other."""
    from backdoor_curves.questions.ask import question_files
    from backdoor_curves.study.file.study_file import read_study

    study = read_study(question_files()["patch-size"])
    parts = parts_by_data(study)
    assert list(parts) == ["digits", "mnist"]
    assert [part.name for part in parts.values()] == ["patch-size-digits", "patch-size-mnist"]
    assert sum(len(part.experiments) for part in parts.values()) == len(study.experiments)
