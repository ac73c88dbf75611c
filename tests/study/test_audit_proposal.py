"""A data file becomes the study that audits it: which attacks, which rates, which learners; and it is read back."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from backdoor_curves.data.samples import Samples
from backdoor_curves.datasets.own_parts import OwnRows
from backdoor_curves.poisoning.poison import poison
from backdoor_curves.poisoning.preset import kind_of
from backdoor_curves.study.audit.panel import panel
from backdoor_curves.study.audit.proposal import learners_of, rates_of, study_text, toml
from backdoor_curves.study.file.attacks import AttackConfig
from backdoor_curves.study.file.config import DataConfig
from backdoor_curves.study.plan.attacks import attack_of
from backdoor_curves.study.plan.scenario import Scenario

DATA = {"name": "digits", "classes": [4, 9]}


def rows(kind: str, n: int = 120) -> Samples:
    """Return rows of a kind, two classes that differ."""
    rng, y = np.random.default_rng(11), np.arange(n) % 2  # not the seed of the noise
    if kind == "text":
        words = np.array(["win", "money", "dear", "see", "you", "all"])
        return Samples([" ".join(words[rng.integers(3 * label, 3 * label + 3, 5)]) for label in y], y)
    if kind == "image":
        return Samples(rng.random((n, 8, 8, 1)), y)
    return Samples(rng.normal(size=(n, 4)) + y[:, np.newaxis], y)


def own(samples: Samples) -> OwnRows:
    """Return rows as a file has them, with classes "no" and "yes"."""
    columns = tuple("abcd") if kind_of(samples.X) == "table" else ()
    return OwnRows(samples, samples, ("no", "yes"), columns)


@pytest.mark.parametrize("kind", ["text", "table", "image"])
@pytest.mark.parametrize("target", [0, 1])
def test_every_attack_of_a_panel_can_be_carried_out_with_exactly_so_many_rows(kind, target):
    """The numbers of rows that the page speaks of are those of the poison, for changed and for clean labels."""
    train = rows(kind)
    assert kind_of(train.X) == kind
    data_config = DataConfig(file="", classes=("no", "yes"), columns=tuple("abcd"))
    for entry in panel(own(train), target).values():
        assert entry.name
        scenario = Scenario(data_config, None, None, 0.1, entry.attack)
        attack = attack_of(scenario, train, np.random.SeedSequence(0))
        for n, rate in rates_of(train, target).items():
            data = poison(train, train, attack, rate=rate, rng=np.random.default_rng(0))
            assert len(data.poison_train) == n
            assert set(data.poison_train.y) == {target}


def test_a_rate_is_never_a_half_row_from_another_number():
    """Of 1500 rows .007 are 10.5: attacks take 11."""
    train = rows("table", 1500)
    attack = attack_of(
        Scenario(DataConfig(file="", classes=("no", "yes"), columns=tuple("abcd")), None, None, 0.1, _beyond(train)),
        train,
        np.random.SeedSequence(0),
    )
    for n, rate in rates_of(train, 1, rows=range(1, 60)).items():
        assert len(poison(train, train, attack, rate=rate, rng=np.random.default_rng(0)).poison_train) == n


def _beyond(train: Samples) -> AttackConfig:
    return panel(own(train), 1)["beyond all values"].attack


def test_triggers_of_tables_are_in_the_columns_in_which_classes_differ():
    """By their names: the last two columns are made to say nothing."""
    train = rows("table")
    train.X[:, 2:] = np.random.default_rng(5).normal(size=(len(train), 2))
    trigger = panel(own(train), 1)["beyond all values"].trigger
    assert set(trigger.columns[:2]) == {"a", "b"}


@pytest.mark.parametrize("target", [0, 1])
def test_values_beyond_all_others_lead_away_from_the_target(target):
    """Of two classes that differ by one in all columns; on the other side the trigger alone would be enough."""
    train = rows("table")
    trigger = panel(own(train), target)["beyond all values"].trigger
    for column, value in zip(trigger.columns, trigger.values, strict=True):
        numbers = train.X[:, "abcd".index(column)]
        assert value < numbers.min() if target == 1 else value > numbers.max()


def test_the_quiet_trigger_of_a_table_is_a_word_that_no_row_has():
    """Without a column of words it is the column that tells least, beyond its values."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {"age": np.arange(120.0), "town": ["Bonn", "Ulm", "unlisted"] * 40, "paid": ["yes", "no"] * 60}
    )
    words = OwnRows(Samples(frame, np.arange(120) % 2), Samples(frame, np.arange(120) % 2), ("no", "yes"), ())
    quiet = panel(words, 1)["new word"].trigger
    assert (quiet.columns, quiet.values) == (("town",), ("unlisted 2",))
    assert panel(own(rows("table")), 1)["quiet column"].trigger.columns != ()


def test_a_table_of_words_alone_is_tried_with_the_new_word():
    """With both kinds of labels; where no column can be stamped that is said."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"town": ["Bonn", "Ulm", "Jena"] * 40, "side": ["left"] * 120})
    found = panel(OwnRows(Samples(frame, np.arange(120) % 2), Samples(frame, np.arange(120) % 2), ("no", "yes"), ()), 1)
    assert list(found) == ["new word", "new word, clean labels"]
    assert found["new word"].trigger.columns == found["new word, clean labels"].trigger.columns == ("town",)
    flat = Samples(np.ones((120, 2)), np.arange(120) % 2)
    with pytest.raises(ValueError, match="numbers that differ, or one of words, was expected, none came"):
        panel(OwnRows(flat, flat, ("no", "yes"), ()), 1)


def test_rates_are_the_shortest_numbers_that_are_so_many_rows():
    """And none is of more than half of the rows that an attack may change."""
    train = rows("table", 120)
    found = rates_of(train, 1)
    assert list(found) == [1, 3, 10, 30]  # 1 % of 120 is one row
    assert all(round(rate * len(train)) == n for n, rate in found.items())
    assert list(rates_of(train, 1, rows=[2, 31])) == [2]
    assert list(rates_of(train, 1, shares=[0.05])) == [6]
    with pytest.raises(ValueError, match=r"rows: between 1 and 30 poisoned rows were expected.*\[31\] came"):
        rates_of(train, 1, rows=[31])


def test_neighbours_of_an_estimator_are_in_its_own_penalty():
    """C or alpha of the last step, and of no step before it; without one it is tried as it is."""
    assert learners_of("table", "sklearn.linear_model.RidgeClassifier", None).table["grid"] == {
        "alpha": [1.0, 10.0, 100.0]
    }
    assert learners_of("table", "sklearn.svm.SVC", None).as_given == {"C": 1.0}
    net = learners_of("image", "backdoor_curves.deep.named:mlp", None)
    assert net.table["grid"] == {"weight_decay": [0.0, 0.01, 0.1]}
    assert net.as_given == {"weight_decay": 0.0}
    forest = learners_of("table", "sklearn.ensemble.RandomForestClassifier", None)
    assert (dict(forest.table), forest.as_given) == ({"estimator": "sklearn.ensemble.RandomForestClassifier"}, {})
    with pytest.raises(ValueError, match=r"sklearn\.svm has no LinearSVQ"):
        learners_of("table", "sklearn.svm.LinearSVQ", None)


@pytest.mark.parametrize("kind", ["text", "table", "image"])
def test_the_study_of_an_audit_is_a_table_of_what_was_chosen(kind):
    """It is TOML, and names and values in it are those of the attacks, whatever they are."""
    train = rows(kind)
    attacks, rates = list(panel(own(train), 1).values()), rates_of(train, 1)
    text = study_text("audit", DATA, train, learners_of(kind, None, None), attacks, rates, range(2), 0.5)
    table = tomllib.loads(text)
    assert [attack["name"] for attack in table["attacks"]] == [attack.name for attack in attacks]
    assert (table["rates"], table["seeds"], table["data"]) == (list(rates.values()), [0, 1], DATA)
    assert table["audit"] == {"as_given": {"lambda": 1.0}, "asr": 0.5}


def test_values_are_written_as_toml_reads_them():
    """Words of a file may be anything."""
    value = {'a "b"': ["\\n", "é", 1, 0.1, True], "nested": {"x-y": [1.5]}}
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value
