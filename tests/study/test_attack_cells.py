"""`[[attacks]]`: from a file to records, to an `Attack`, to cells; and what is refused."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import typing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from small_study import WISHES, a_cell, content, done_here, finished, small

import backdoor_curves as bc
from backdoor_curves.study.compute.movement import movement
from backdoor_curves.study.compute.stamped_images import StampedImages
from backdoor_curves.study.file import attacks as words
from backdoor_curves.study.file.attacks import AttackConfig, AttackEntry, CleanLabels, CoverConfig
from backdoor_curves.study.file.config import DataConfig, LearnerConfig, TriggerConfig
from backdoor_curves.study.file.reading import records_of
from backdoor_curves.study.file.study_file import StudyError, read_study
from backdoor_curves.study.plan.attacks import Given, attack_of, trigger_of
from backdoor_curves.study.plan.cells import make_plan, require_sense
from backdoor_curves.study.plan.names import attack_name, labels_name
from backdoor_curves.study.plan.scenario import Scenario
from backdoor_curves.study.plan.sources import draw, poisoned
from backdoor_curves.study.run_study import Progress, run_study
from backdoor_curves.study.store import sqlite as store
from backdoor_curves.study.store.run import load_run
from backdoor_curves.study.store.sqlite import read_cells
from backdoor_curves.triggers.signal import SignalTrigger

DIGITS = DataConfig(classes="all", n_train=200, n_test=60)
HEAD = """
name = "attacks"
seeds = [0]
rates = [0.2]
data = {name = "digits", classes = "all", n_train = 200, n_test = 60}
learners = [{kind = "ridge", lambda = [1]}]
"""
KINDS = {
    "patch": ("size = 3, pattern = 'ones', position = 'center', opacity = 0.5", words.Patch(3, "ones", "center", 0.5)),
    "patches": ("chosen = [0, 2], opacity = 0.9", words.Patches((0, 2), 0.9)),
    "pixels": ("drawn = 4", words.Pixels(4)),
    "blend": ("opacity = 0.3", words.Blend(0.3)),
    "pieces": ("opacity = 0.3, drawn = 16", words.Pieces(0.3, 16)),
    "signal": (
        "strength = 0.2, frequency = 2, form = 'ramp', direction = 'vertical'",
        words.Signal(0.2, 2.0, "ramp", "vertical"),
    ),
    "lattice": ("strength = 0.3", words.Lattice(0.3)),
    "warp": ("strength = 2, points = 3, noisy = true", words.Warp(2.0, 3, True)),
    "quantize": ("levels = 3, dithering = true", words.Quantize(3, True)),
    "residual": ("levels = 3, dithering = true", words.Residual(3, True)),
    "frequency": ("magnitude = 0.5, positions = [[3, 3]], window = 8", words.Frequency(0.5, ((3, 3),), 8)),
    "checker": ("amplitude = 0.5, corners = ['top-left']", words.Checker(0.5, ("top-left",))),
    "perturbation": ("eps = 0.1, strength = 2, lambda = 10", words.Perturbation(0.1, 2.0, 10.0)),
    "hardened": (
        "eps = 0.2, norm = '2', trigger = {kind = 'patch'}, lambda = 10",
        words.Hardened(0.2, "2", words.Patch(), 10.0),
    ),
    "hidden": ("eps = 0.2, trigger = {kind = 'checker'}", words.Hidden(0.2, words.Checker())),
}
"""Every kind for images, with all of its parameters off their defaults, in a file and as a record."""


def read(tmp_path: Path, text: str):
    path = tmp_path / "study.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return read_study(path)


def attacks_of(tmp_path: Path, text: str):
    return read(tmp_path, text).experiments[0].attacks


def faults_of(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(StudyError) as caught:
        read(tmp_path, text)
    return [line.split("study.toml:", 1)[1] for line in str(caught.value).splitlines()]


def with_attack(attack: AttackConfig, rate: float = 0.2) -> Scenario:
    return Scenario(DIGITS, None, None, rate, attack)


# --- from a file to a cell -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_from_a_file_to_a_cell(tmp_path, kind):
    """Record, store's text and back, attack, cell: the triggered test rows are those that the trigger stamps."""
    text, record = KINDS[kind]
    (entry,) = attacks_of(tmp_path, f"attacks = [{{labels = 1, trigger = {{kind = '{kind}', {text}}}}}]")
    assert entry == AttackEntry(trigger=record, labels=1)
    scenario = with_attack(entry.attack)
    assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario
    plan, outcomes = done_here(small(data=(DIGITS,), trigger=(), poison=(), attacks=(entry,), rates=(0.2,), seeds=(3,)))
    (planned,), (outcome,) = plan.cells, outcomes.values()
    assert not outcome.reason
    train, test = draw(DIGITS, 3, None, offline=True)
    data = poisoned(train, test, planned.cell, (0.2,))[0.2]
    stamp = trigger_of(record, Given(train, DIGITS), np.random.default_rng(np.random.SeedSequence(3).spawn(3)[1]), 1)
    counted = test.take(np.flatnonzero(test.y != 1))
    np.testing.assert_array_equal(data.triggered_test.X, stamp(counted.X, counted.y))
    curve = bc.backdoor_learning_curve(*ridge_on(data))
    np.testing.assert_allclose(outcome.numbers["asr_at_1"], curve.accuracy("triggered", 1.0), rtol=1e-12)


def ridge_on(data):
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier(alpha=0.5), data


def test_the_table_has_every_kind_and_every_parameter():
    """Else a kind, or a parameter of one, could be added that no test reads; words and columns are for other rows."""
    known = {record.__struct_config__.tag: record for record in records_of(words.AnyTrigger)}
    others = {str(record.__struct_config__.tag) for record in records_of(words.OfColumns | words.OfTexts | words.Call)}
    assert set(known) == {*KINDS, *others}
    for kind, (_, record) in KINDS.items():
        assert type(record) is known[kind]
        for field in msgspec.structs.fields(record):
            assert getattr(record, field.name) != field.default


def test_defaults_are_those_of_the_triggers():
    """They are written down a second time, for keys; a file that says nothing still means what the trigger means."""
    train, _ = draw(DIGITS, 0, None, offline=True)

    def made(config):
        return trigger_of(config, Given(train, DIGITS), np.random.default_rng(7), 1)

    shape, rng = (8, 8, 1), np.random.default_rng
    assert made(words.Signal()) == SignalTrigger()
    assert made(words.Lattice()) == bc.LatticeTrigger()
    assert made(words.Quantize()) == bc.QuantizeTrigger()
    assert made(words.Frequency()) == bc.FrequencyTrigger()
    assert made(words.Checker()) == bc.CheckerTrigger()
    for ours, theirs in (
        (words.Blend(), bc.BlendTrigger.random(shape, rng(7))),
        (words.Pieces(), bc.PiecesTrigger.random(shape, rng(7))),
        (words.Warp(), bc.WarpTrigger.random(rng(7))),
        (words.Patches(), bc.PatchesTrigger.random(shape, rng(7))),
    ):
        np.testing.assert_array_equal(made(ours)(train.X, train.y), theirs(train.X, train.y))


def test_a_feature_trigger_is_for_the_toy(tmp_path):
    """Its columns are set in training and test rows."""
    text = 'data = {name = "toy"}\ntrigger = {kind = "feature", columns = [1], values = [1.2]}'
    text = f"[[experiments]]\n{text.splitlines()[0]}\nattacks = [{{labels = 1, {text.splitlines()[1]}}}]"
    (entry,) = attacks_of(tmp_path, text)
    train, test = draw(DataConfig("toy"), 0, None, offline=True)
    cell = a_cell(data=DataConfig("toy"), trigger=None, policy=None, attack=entry.attack)
    data = poisoned(train, test, cell, (0.1,))[0.1]
    assert (data.triggered_test.X[:, 1] == 1.2).all()
    assert (data.poison_train.X[:, 1] == 1.2).all()


@pytest.mark.parametrize(
    ("text", "record", "made"),
    [
        ("'next'", "next", "next"),
        ("3", 3, 3),
        ("{4 = 9, 2 = 0}", ((2, 0), (4, 9)), {2: 0, 4: 9}),
        ("{clean-label = 3}", CleanLabels(3), bc.CleanLabel(3)),
    ],
)
def test_labels_are_those_of_an_attack(tmp_path, text, record, made):
    """All four policies, of which a mapping in a file is pairs in a record."""
    (entry,) = attacks_of(tmp_path, f"attacks = [{{labels = {text}, trigger = {{kind = 'lattice'}}}}]")
    assert entry.labels == record
    train, _ = draw(DIGITS, 0, None, offline=True)
    assert attack_of(with_attack(entry.attack), train, np.random.SeedSequence(0)).labels == made


def test_every_field_reaches_the_attack(tmp_path):
    """Each off its default, cover too; the noise of a kind is drawn once, at whatever strength it is stamped."""
    text = """
[[attacks]]
name = "all of it"
trigger = {kind = "blend"}
test_trigger = {kind = "blend", opacity = 0.6}
labels = 2
eligible = "all"
rate_of = "all"
rounding = "nearest"
injection = "append"
cover = {rate = 0.5, of = "base", classes = [1, 3], trigger = {kind = "blend", opacity = 0.1}, weight = "one"}
"""
    (entry,) = attacks_of(tmp_path, text)
    for record in (entry, entry.cover):
        for field in msgspec.structs.fields(record):
            plain = field.required or field.name in ("preset", "target", "control")
            assert plain or getattr(record, field.name) != field.default
    train, _ = draw(DIGITS, 0, None, offline=True)
    attack = attack_of(with_attack(entry.attack), train, np.random.SeedSequence(5))
    noise = np.random.default_rng(np.random.SeedSequence(5)).random((8, 8, 1))
    triggers = attack.trigger, attack.test_trigger, attack.cover.trigger
    assert [one.opacity for one in triggers] == [0.2, 0.6, 0.1]
    assert all(np.array_equal(one.pattern, noise) for one in triggers)
    plain = (attack.labels, attack.eligible, attack.rate_of, attack.rounding, attack.injection, attack.name)
    assert plain == (2, "all", "all", "nearest", "append", "all of it")
    assert dataclasses.replace(attack.cover, trigger=None) == bc.Cover(0.5, "base", (1, 3), None, "one")


def test_a_preset_is_the_presets_attack(tmp_path):
    """With the cell's seed, the target asked for and, where it needs one, a ridge classifier's weights."""
    text = 'attacks = [{preset = "blended@backdoorbench", target = 4}, {preset = "narcissus@original", name = "n"}]'
    blended, narcissus = (entry.attack for entry in attacks_of(tmp_path, text))
    train, _ = draw(DIGITS, 0, None, offline=True)
    seed = np.random.SeedSequence(5)
    made = attack_of(with_attack(blended), train, seed)
    theirs = bc.presets[blended.preset].attack(train, target=4, rng=np.random.default_rng(seed))
    assert np.array_equal(made.trigger.pattern, theirs.trigger.pattern)
    assert (made.labels, made.source, made.name) == (4, theirs.source, theirs.name)
    assert attack_of(with_attack(narcissus), train, seed).is_clean_label
    assert [attack_name(with_attack(one)) for one in (blended, narcissus)] == ["blended@backdoorbench", "n"]


def test_names_tell_attacks_by_their_values():
    """What is at its default is not said; labels have their own column."""
    attack = AttackConfig(
        trigger=words.Warp(2.0),
        test_trigger=words.Warp(1.0),
        labels=((2, 0), (4, 9)),
        cover=CoverConfig(2.0, trigger=words.Warp(2.0, noisy=True)),
    )
    scenario = with_attack(attack)
    said = "warp, strength 2, at test warp, strength 1, cover warp, strength 2, noisy true, 2 cover of poison"
    assert (attack_name(scenario), labels_name(scenario)) == (said, "2 as 0, 4 as 9")
    hardened = with_attack(AttackConfig(trigger=words.Hardened(trigger=words.Patch(3)), labels=CleanLabels(1)))
    assert attack_name(hardened) == "hardened, trigger patch, size 3"


def test_an_experiment_has_attacks_or_a_trigger_and_the_nearest_table_says_which(tmp_path):
    """The top's attacks are those of an experiment that says nothing; one with a trigger of its own has no others."""
    text = """
attacks = [{trigger = {kind = "blend"}, labels = 1}]
[[experiments]]
[[experiments]]
trigger = {size = 1}
[[experiments]]
attacks = [{trigger = {kind = "lattice"}, labels = 1}]
"""
    first, second, third = read(tmp_path, text).experiments
    assert (first.trigger, first.poison, first.attacks[0].trigger) == ((), (), words.Blend())
    assert (second.trigger, len(second.poison), second.attacks) == ((TriggerConfig(size=1),), 1, ())
    assert (third.trigger, third.attacks[0].trigger) == ((), words.Lattice())
    ways = [cell.cell.scenario.way for cell in make_plan(read(tmp_path, text)).cells]
    assert [way[2] is None for way in ways] == [False, True, False]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("trigger = {kind = 'ptch'}", "8: attacks[0].trigger.kind: one of patch, "),
        ("trigger = {size = 2}", "8: attacks[0].trigger.kind: missing key; one of patch, "),
        (
            "trigger = {kind = 'blend', opacty = 1}",
            "8: attacks[0].trigger.opacty: unknown key; did you mean 'opacity'?",
        ),
        (
            "trigger = {kind = 'blend', opacity = 2}",
            "8: attacks[0].trigger.opacity: a number <= 1.0 was expected, 2 came",
        ),
        ("trigger = 'blend'", "8: attacks[0].trigger: a table was expected, 'blend' came"),
        ("trigger = {kind = 'words', words = ['cf']}", "8: attacks[0].trigger: a trigger for images or columns was"),
        (
            "trigger = {kind = 'feature', columns = [1], values = [2]}",
            "8: attacks[0].trigger: a trigger for images was expected for digits data, feature came",
        ),
        ("labels = 1", "7: attacks[0]: exactly one of preset and trigger was expected, neither came"),
        (
            "preset = 'sig@toolbox'\ntrigger = {kind = 'blend'}",
            "7: attacks[0]: exactly one of preset and trigger was expected, both came",
        ),
        (
            "preset = 'sig@backdoorbox'",
            "8: attacks[0].preset: presets: a name of an attack was expected, 'sig@backdoorbox'",
        ),
        ("preset = 'word@openbackdoor'", "8: attacks[0].preset: a preset for image rows was expected for digits data"),
        ("preset = 'sig@toolbox'\nlabels = 1", "9: attacks[0].labels: nothing was expected beside a preset but name"),
        ("trigger = {kind = 'blend'}\ntarget = 1", "9: attacks[0].target: no target was expected without a preset"),
        (
            "trigger = {kind = 'blend'}\nlabels = 'nxt'",
            '9: attacks[0].labels: "next", a class, {true class = label} or ',
        ),
        (
            "trigger = {kind = 'blend'}\nlabels = {clean = 1}",
            "9: attacks[0].labels.clean: unknown key; did you mean 'clean-",
        ),
        (
            "trigger = {kind = 'blend'}\nlabels = {clean-label = 1}\neligible = 'all'",
            "10: attacks[0].eligible: 'changed' was expected with clean labels",
        ),
        (
            "trigger = {kind = 'blend'}\nlabels = {clean-label = 1}\ncontrol = true",
            "10: attacks[0].control: false was expected with clean labels",
        ),
        ("trigger = {kind = 'hidden'}", "7: attacks[0].labels: one target was expected for a hidden trigger"),
        ("trigger = {kind = 'blend'}\n[poison]\nlabels = 1", "9: poison: no [poison] beside [[attacks]] was expected"),
        (
            "trigger = {kind = 'blend'}\n[[attacks]]\ntrigger = {kind = 'blend'}",
            "7: attacks: each value once was expected",
        ),
        (
            "trigger = {kind = 'blend'}\nname = 'a'\n[[attacks]]\ntrigger = {kind = 'lattice'}\nname = 'a'",
            "7: attacks: each value once was expected, 'a' came twice",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_line_and_key(tmp_path, table, said):
    """Before anything is drawn or computed."""
    assert any(fault.startswith(said) for fault in faults_of(tmp_path, f"[[attacks]]\n{table}")), faults_of(
        tmp_path, f"[[attacks]]\n{table}"
    )


def test_an_image_trigger_is_refused_for_the_toy_and_attacks_for_the_papers_sampling(tmp_path):
    """Each with the sentence that says what is expected there."""
    attack = "attacks = [{labels = 1, trigger = {kind = 'blend'}}]"
    toy = faults_of(tmp_path, f"[[experiments]]\ndata = {{name = 'toy'}}\n{attack}")
    assert any("a feature trigger was expected for toy data, blend came" in fault for fault in toy)
    paper = "[[experiments]]\ndata = {name = 'mnist', classes = [7, 1], sampling = 'paper'}"
    assert any("no attacks were expected for the paper's" in one for one in faults_of(tmp_path, f"{paper}\n{attack}"))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (AttackEntry(trigger=words.Frequency(), name="f"), "attack 'f': FrequencyTrigger: images of whole blocks"),
        (AttackEntry(trigger=words.Lattice(), labels=12), "attack 'lattice': labels: \"next\", a class of "),
        (AttackEntry(preset="sig@backdoorbench", control=True), "attack 'sig@backdoorbench': control: labels that"),
        (
            AttackEntry(preset="badnets@paper", target=12),
            "attack 'badnets@paper': preset 'badnets@paper': target, a class",
        ),
        (
            AttackEntry(trigger=words.Lattice(), labels=1, cover=CoverConfig(90.0)),
            "attack 'lattice, 90 cover of poison': cover",
        ),
    ],
)
def test_what_does_not_fit_the_rows_is_said_before_anything_runs(entry, said):
    """`check` and `run` poison the first rows of each kind; the sentence names the attack."""
    study = small(data=(DIGITS,), trigger=(), poison=(), attacks=(entry,), rates=(0.05,))
    with pytest.raises(ValueError, match="attack") as caught:
        require_sense(make_plan(study), lambda group: draw(DIGITS, group.first.seed, None, offline=True))
    assert str(caught.value).startswith(said)


# --- runs ------------------------------------------------------------------------------------------------------------

SEVERAL = (
    AttackEntry(trigger=words.Blend(), labels=1, control=True),
    AttackEntry(trigger=words.Warp(2.0), labels=1, cover=CoverConfig(0.5, trigger=words.Warp(2.0, noisy=True))),
    AttackEntry(trigger=words.Lattice(0.3), labels=CleanLabels(1), rate_of="all"),
)


def several(**changes):
    learners = (LearnerConfig("ridge", (1.0, 10.0)), LearnerConfig("rbf-svm", (1.0,), (0.1,)))
    parts = {"data": (DataConfig("digits", (4, 9), 80, 60),), "learners": learners, "rates": (0.1, 0.2), "seeds": (0,)}
    return small(**parts | {"trigger": (), "poison": (), "attacks": SEVERAL} | changes)


def test_a_run_of_several_attacks_resumes_and_is_the_sum_of_its_shards(tmp_path, monkeypatch):
    """Whoever computes a cell, and when: the same bits. Each is committed at once here."""
    monkeypatch.setattr(store, "COMMIT_EVERY", 0.0)
    whole = finished(several(), tmp_path / "whole")
    assert (whole.done, whole.failed) == (18, 0)
    signs: list[Progress] = []
    for progress in run_study(several(), tmp_path / "resumed", WISHES, stopping=lambda: len(signs) > 5):
        signs.append(progress)  # noqa: PERF402 - the run looks at it
    assert 0 < signs[-1].done < 18
    finished(several(), tmp_path / "resumed")
    for index in (1, 2):
        finished(several(), tmp_path / "shards", shard=(index, 2))
    assert content(tmp_path / "whole") == content(tmp_path / "resumed") == content(tmp_path / "shards")
    assert finished(several(), tmp_path / "whole").done == 18  # nothing is left, and the study is the same
    run = load_run(tmp_path / "whole")
    assert run.study == several()
    assert len({cell.scenario.attack for cell in run.cells}) == 3
    controlled = [cell for cell in run.cells if cell.numbers["control_asr_at_1"] is not None]
    assert {cell.scenario.attack.trigger for cell in controlled} == {words.Blend()}


def test_a_store_of_before_there_were_attacks_is_read(tmp_path):
    """Its scenarios lack the field, and its cells the numbers that came later, which are None."""
    finished(small(), tmp_path / "old")
    path = tmp_path / "old" / "run.sqlite"
    before = [(cell.key, cell.cell) for cell in read_cells(path)]
    with sqlite3.connect(path) as connection:
        for key, scenario, kept in connection.execute("SELECT key, scenario, numbers FROM cells").fetchall():
            old, numbers = json.loads(scenario), json.loads(kept)
            del old["attack"]
            for name in [name for name in numbers if name.startswith("moved")] + ["elsewhere_at_1", "n_triggered"]:
                del numbers[name]
            values = json.dumps(old), json.dumps(numbers), key
            connection.execute("UPDATE cells SET scenario = ?, numbers = ? WHERE key = ?", values)
        (study,) = connection.execute("SELECT value FROM facts WHERE name = 'study'").fetchone()
        table = json.loads(study)
        del table["experiments"][0]["attacks"]
        connection.execute("UPDATE facts SET value = ? WHERE name = 'study'", (json.dumps(table),))
    connection.close()
    assert [(cell.key, cell.cell) for cell in read_cells(path)] == before
    run = load_run(tmp_path / "old")
    assert run.study == small()
    assert run.table()[0]["moved_l2"] is None
    assert finished(small(), tmp_path / "old").left == 0


# --- how far rows move, and what they look like ----------------------------------------------------------------------


def test_movement_is_that_of_each_row_computed_alone():
    """Row by row in plain loops; the kernel's distance from kernel values, |phi - phi'|^2 = k + k' - 2 k(x, x')."""
    train, test = draw(DIGITS, 0, None, offline=True)
    cell = a_cell(data=DIGITS, trigger=None, policy=None, attack=AttackConfig(trigger=words.Warp(2.0), labels=1))
    data = poisoned(train, test, cell, (0.2,))[0.2]
    before = [x.ravel() for x, label in zip(test.X, test.y, strict=True) if label != 1]
    after = [x.ravel() for x in data.triggered_test.X]
    found = movement(data, data, gamma=0.3)
    pairs = list(zip(before, after, strict=True))
    np.testing.assert_allclose(found.l2, np.mean([np.linalg.norm(b - a) for b, a in pairs]), rtol=1e-12)
    np.testing.assert_allclose(found.largest, np.mean([abs(b - a).max() for b, a in pairs]), rtol=1e-12)
    np.testing.assert_allclose(found.share, np.mean([np.mean(b != a) for b, a in pairs]), rtol=1e-12)
    kernel = [np.exp(-0.3 * np.sum((b - a) ** 2)) for b, a in pairs]
    np.testing.assert_allclose(found.seen, np.mean([np.sqrt(2 - 2 * k) for k in kernel]), rtol=1e-12)
    assert movement(data, data, gamma=None).seen == found.l2


def test_movement_of_rows_that_nobody_knows_is_none():
    """Data that `poison` did not make do not say which rows the triggered ones were."""
    X, y = np.zeros((8, 2)), np.arange(8) % 2
    data = bc.PoisonedData((X, y), (X[:2], y[:2]), (X, y), (X[:3] + 1, np.ones(3, dtype=int)))
    assert movement(data, data, gamma=None) is None


def test_shares_of_triggered_rows_are_those_of_predictions():
    """The third share counts rows by hand; all three add up to 1 over as many rows as are said."""
    entry = AttackEntry(trigger=words.Quantize(2), labels=1)
    study = small(data=(DIGITS,), trigger=(), poison=(), attacks=(entry,), rates=(0.05,), seeds=(0,))
    plan, outcomes = done_here(study)
    (numbers,) = (outcome.numbers for outcome in outcomes.values())
    data = poisoned(*draw(DIGITS, 0, None, offline=True), plan.cells[0].cell, (0.05,))[0.05]
    curve = bc.backdoor_learning_curve(*ridge_on(data))
    predicted = curve.predictions("triggered", 1.0)[0]
    elsewhere = (predicted != data.triggered_test.y) & (predicted != data.triggered_true)
    assert 0.0 < elsewhere.mean() < 1.0
    assert numbers["elsewhere_at_1"] == elsewhere.mean()
    assert numbers["n_triggered"] == len(data.triggered_test)


def test_stamped_images_are_the_test_rows_before_and_after(tmp_path):
    """The first of two true classes; the difference is stretched to 127, and its factor is kept."""
    entry = AttackEntry(trigger=words.Lattice(0.3), labels=1)
    finished(small(data=(DIGITS,), trigger=(), poison=(), attacks=(entry,), rates=(0.2,), seeds=(0,)), tmp_path / "run")
    run = load_run(tmp_path / "run")
    kept = run.stamped_images(run.cells[0])
    _, test = draw(DIGITS, 0, None, offline=True)
    counted = np.flatnonzero(test.y != 1)
    first = counted[0]
    second = next(row for row in counted if test.y[row] != test.y[first])
    stamp = bc.LatticeTrigger(0.3)
    for place, row in enumerate((first, second)):
        clean, after = test.X[row], stamp(test.X[[row]], test.y[[row]])[0]
        assert np.array_equal(kept.clean[place], np.round(255 * clean))
        assert np.array_equal(kept.triggered[place], np.round(255 * after))
        np.testing.assert_allclose(kept.largest[place], abs(after - clean).max(), rtol=1e-12)
        back = kept.difference[place] * kept.largest[place] / 127
        np.testing.assert_allclose(back, after - clean, atol=0.5 / 127)  # half a step
    again = StampedImages.from_bytes(kept.to_bytes())
    assert np.array_equal(again.difference, kept.difference)


def test_studies_without_attacks_keep_no_images():
    """Their runs are as large as they were."""
    _, outcomes = done_here(small(rates=(0.1,), seeds=(0,)))
    assert all("stamped images" not in outcome.records for outcome in outcomes.values())


def test_hints_of_records_are_found_in_unions():
    """A union of kinds yields each of them once; a literal none."""
    assert len(list(records_of(typing.Literal["next"] | int))) == 0
    assert len(set(records_of(words.AnyTrigger | None))) == len(list(records_of(words.AnyTrigger)))
