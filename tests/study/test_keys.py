"""Keys hash values: a field that is added with a default, or another order of fields, renames no cell."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from msgspec import Struct
from small_study import a_cell, changed

from backdoor_curves.study.file.attacks import AttackConfig, Blend, CleanLabels, Patches, Warp
from backdoor_curves.study.file.config import (
    DataConfig,
    FeaturesConfig,
    KeepConfig,
    LabelPolicy,
    TriggerConfig,
)
from backdoor_curves.study.plan.keys import canonical, key_of, random_state_of
from backdoor_curves.study.plan.scenario import Cell, Learner, Scenario, Setting

CELL = changed(
    a_cell(lam=0.1, gamma=0.5, kind="rbf-svm"),
    data=DataConfig("cifar10", (0, (6, 3)), features=FeaturesConfig("alexnet")),
    trigger=TriggerConfig(size=3, position="center"),
    policy=LabelPolicy(1),
    keep=KeepConfig(betas=(0.0, 0.5)),
)
RECORDS = (DataConfig, FeaturesConfig, TriggerConfig, LabelPolicy, KeepConfig, Scenario, Learner, Setting)


def grown(record: type[Struct]) -> type[Struct]:
    """The record with more fields, which have defaults and names that sort anywhere, and its own fields reversed."""
    own = [
        (field.name, field.type) if field.required else (field.name, field.type, field.default)
        for field in msgspec.structs.fields(record)
    ]
    more = [("blend", float, 0.25), ("mode", str, "plain"), ("own", tuple, ())]
    return msgspec.defstruct(record.__name__, [*more, *reversed(own)], frozen=True, kw_only=True)


def as_later(value, records):
    """A value with the records of some types in it replaced by those of a later version."""
    if isinstance(value, Struct):
        parts = {name: as_later(getattr(value, name), records) for name in value.__struct_fields__}
        return records.get(type(value), type(value))(**parts)
    return tuple(as_later(one, records) for one in value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_a_field_that_is_added_with_a_default_renames_no_cell(record):
    """Nor does another order of fields; where the field is used, the cell is another one."""
    later = grown(record)
    again = as_later(CELL, {record: later})
    assert type(again) is Cell
    assert again != CELL
    assert key_of(again, "rows") == key_of(CELL, "rows")
    using = as_later(CELL, {record: lambda **parts: later(**parts, mode="clean-label")})
    assert key_of(using, "rows") != key_of(CELL, "rows")


def test_a_field_of_the_cell_itself_may_be_added_too():
    """As `method` and `keep` are: how it is computed, and what is kept."""
    names = {name: getattr(CELL, name) for name in Cell.__struct_fields__}
    fields = [(name, object) for name in reversed(Cell.__struct_fields__)]
    later = msgspec.defstruct("Cell", [("folds", int, 0), *fields], frozen=True, kw_only=True)
    plain = msgspec.defstruct("Cell", fields, frozen=True, kw_only=True)
    assert canonical(later(**names)) == canonical(plain(**names))


def test_the_text_that_is_hashed_is_json_with_sorted_names_and_without_defaults():
    """Written down once: who changes it renames every cell that is kept anywhere, and raises ALGORITHM."""
    assert json.loads(canonical(CELL)) == {
        "keep": {"betas": [0, 0.5]},
        "scenario": {
            "data": {"classes": [0, [6, 3]], "features": {"network": "alexnet"}, "name": "cifar10"},
            "policy": {"labels": 1},
            "rate": 0.1,
            "trigger": {"position": "center", "size": 3},
        },
        "seed": 0,
        "setting": {"hyperparameters": [["lambda", 0.1], ["gamma", 0.5]], "learner": {"kind": "rbf-svm"}},
    }
    assert list(json.loads(canonical(CELL))) == ["keep", "scenario", "seed", "setting"]
    assert key_of(CELL, "rows") == "7f0d787eaab398687ffbedca92122beb"


def test_equal_cells_have_equal_keys_whatever_made_them():
    """A whole number in the place of a float, hyperparameters in another order."""
    one, other = a_cell(lam=1, gamma=2, rate=1), a_cell(gamma=2.0, lam=1.0, rate=1.0)
    assert one == other
    assert key_of(one, "rows") == key_of(other, "rows")
    assert canonical(1e300) == "1e+300"
    assert key_of(a_cell(lam=0.1), "rows") != key_of(a_cell(lam=math.nextafter(0.1, 1.0)), "rows")


def test_what_a_learner_draws_depends_on_which_cell_it_is_and_not_on_what_is_kept():
    """The same fits, whether curves are kept or not; others for another seed."""
    assert random_state_of(CELL) == random_state_of(changed(CELL, keep=KeepConfig("none"), control=True))
    assert random_state_of(CELL) != random_state_of(changed(CELL, seed=1))
    assert 0 <= random_state_of(CELL) < 2**31


OLD_SHAPES = {
    "a patch": (a_cell(), "79dc95b6086f854b5b93b497db704cf0"),
    "white in a corner": (
        a_cell(trigger=TriggerConfig("patch", 3, "ones", "top-left")),
        "c3ccbc32acb91f36d3a59159da771f3c",
    ),
    "columns of the toy": (
        a_cell(data=DataConfig("toy"), trigger=TriggerConfig("feature", columns=(1,), values=(1.2,))),
        "a0ffb9eb38480d3858f835e5a44d1cac",
    ),
    "one target, appended": (a_cell(policy=LabelPolicy(1, "append")), "f9b6238046a3d57e1c1d88087269cd0f"),
    "with a control": (a_cell(control=True), "8ebb31159a65053d3e850481cf1819ec"),
    "the paper's": (
        a_cell(data=DataConfig("mnist", (7, 1), sampling="paper"), trigger=TriggerConfig(size=6), seed=10),
        "d405cf750a8df18d52ec58ccb1a93b4e",
    ),
    "features": (
        a_cell(data=DataConfig("cifar10", (0, 6), features=FeaturesConfig("squeezenet"))),
        "2f95785fa9f0efeeb2a612487f1f753c",
    ),
    "an RBF kernel": (
        a_cell(kind="rbf-svm", lam=0.1, gamma=0.05, keep=KeepConfig("grid", (0.0, 1.0))),
        "1fbfa12244ae3c4d0a8f8cdfbc2f9fff",
    ),
    "refitted": (
        a_cell(kind="logistic", intercept="penalised", method="refit", rate=1.0),
        "831d94fffa8501facb347d12472a4c4a",
    ),
}
"""Cells of each shape that a study had before there were `[[attacks]]`, with the keys that they had then."""


@pytest.mark.parametrize(("cell", "key"), OLD_SHAPES.values(), ids=OLD_SHAPES)
def test_cells_of_before_there_were_attacks_keep_their_keys(cell, key):
    """Runs that are kept go on: nothing of them is computed again."""
    assert key_of(cell, "rows") == key


def test_an_attack_is_hashed_by_its_values_without_defaults():
    """Written down once; the kind of a trigger, which is no field, is part of it, and a cover that is given too."""
    attack = AttackConfig(trigger=Blend(0.1), test_trigger=Blend(), labels=CleanLabels(1))
    scenario = Scenario(DataConfig(), None, None, 0.1, attack)
    assert json.loads(canonical(scenario)) == {
        "attack": {
            "labels": {"clean-label": 1},
            "test_trigger": {"kind": "blend"},
            "trigger": {"kind": "blend", "opacity": 0.1},
        },
        "data": {},
        "policy": None,
        "rate": 0.1,
        "trigger": None,
    }
    assert key_of(a_cell(trigger=None, policy=None, attack=attack), "rows") == "56f56c9a3cbe2120d21705969b42bfbd"


def test_triggers_of_two_kinds_with_the_same_parameters_have_two_keys():
    """The tag tells them apart: else a cell would be taken for one of another attack."""
    texts = [canonical(AttackConfig(trigger=kind)) for kind in (Blend(0.3), Patches(opacity=0.3), Warp(0.3), Warp())]
    assert len(set(texts)) == len(texts)
