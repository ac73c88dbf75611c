"""How few rows an attack needs, and which setting resists: told from records whose answers are known."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from backdoor_curves.search.exposure import Rates, chosen_of, exposures, resistances, sturdiest_of, worst_of
from backdoor_curves.search.safe_region import Bounds


@dataclass(frozen=True)
class Trial:
    attack: str
    setting: str
    rows: int
    seed: int
    rates: Rates | None


def rates_of(asr: float, clean: float) -> Rates:
    """Return rates of a victim that the poison costs one point of clean accuracy."""
    return Rates(asr, clean - 0.01, 0.02, clean)


def trials(asr: dict[tuple[str, str], dict[int, float]], clean: dict[str, float], seeds=(0, 1)) -> list[Trial]:
    """Return trials with these success rates, half a point to either side of them by seed."""
    return [
        Trial(attack, setting, rows, seed, rates_of(rate + (seed - 0.5) / 100, clean[setting]))
        for (attack, setting), doses in asr.items()
        for rows, rate in doses.items()
        for seed in seeds
    ]


ASR = {
    ("word", "weak"): {1: 0.1, 10: 0.9, 3: 0.6},
    ("sentence", "weak"): {1: 0.1, 3: 0.4, 10: 0.95},
    ("word", "strong"): {1: 0.02, 3: 0.05, 10: 0.1},
    ("sentence", "strong"): {1: 0.02, 3: 0.05, 10: 0.15},
}
CLEAN = {"weak": 0.98, "strong": 0.97}


def test_rows_are_those_tried_with_the_fewest_that_reach_the_rate():
    """Sorted by rows whatever the order of the trials, and never a number in between."""
    found = {(one.attack, one.setting): one for one in exposures(trials(ASR, CLEAN))}
    assert found["word", "weak"].to_reach(0.5).rows == 3
    assert found["sentence", "weak"].to_reach(0.5).rows == 10
    assert found["word", "strong"].to_reach(0.5) is None
    assert found["word", "weak"].to_reach(0.59).asr == pytest.approx(0.6)
    assert found["word", "weak"].to_reach(0.59).cost == pytest.approx(0.01)


def test_the_worst_attack_needs_the_fewest_rows_then_succeeds_most():
    """At weak the word is there first; at strong neither gets there, and the sentence gets farther."""
    found = exposures(trials(ASR, CLEAN))
    of = {setting: [one for one in found if one.setting == setting] for setting in CLEAN}
    assert worst_of(of["weak"]).attack == "word"
    assert worst_of(of["strong"]).attack == "sentence"


def test_a_setting_resists_if_its_worst_attack_with_any_rows_is_under_the_bound():
    """Strong costs a point and is under .2; under .1 there is none; with no margin there is none."""
    found = resistances(exposures(trials(ASR, CLEAN)))
    assert {one.setting: round(one.success, 3) for one in found} == {"weak": 0.949, "strong": 0.133}
    assert chosen_of(found).setting == "strong"
    assert chosen_of(found).clean_accuracy == pytest.approx(0.97)
    assert chosen_of(found, Bounds(asr=0.1)) is None
    assert chosen_of(found, Bounds(margin=0.005)) is None


def test_what_is_compared_has_the_same_seeds():
    """A run that was stopped has seeds that some cells lack: those that all have count, or what has the fullest one."""
    whole = trials(ASR, CLEAN)
    part = [one for one in whole if one.seed == 0 or one.setting == "weak"]
    assert {len(dose.found) for one in exposures(part) for dose in one.doses} == {1}
    apart = [one for one in whole if (one.seed == 0) == (one.setting == "weak" and one.attack == "word")]
    assert {one.setting for one in exposures(apart)} == {"weak", "strong"}
    assert all((one.attack, one.setting) != ("word", "weak") for one in exposures(apart))
    undone = [Trial(one.attack, one.setting, one.rows, one.seed, None) for one in whole]
    assert exposures(undone) == []


def test_a_setting_that_did_not_meet_all_attacks_resists_nothing():
    """Else the one that was spared the worst attack would be chosen."""
    spared = [one for one in trials(ASR, CLEAN) if (one.attack, one.setting) != ("sentence", "strong")]
    assert [one.setting for one in resistances(exposures(spared))] == ["weak"]


def test_a_setting_withstands_so_many_rows_that_neither_they_nor_fewer_are_too_many():
    """Weak is over .2 from 3 rows on whatever comes later; with a narrow margin strong is no choice."""
    found = {one.setting: one.rows for one in resistances(exposures(trials(ASR, CLEAN)))}
    assert found == {"weak": 1, "strong": 10}
    dips = ASR | {("word", "weak"): {1: 0.3, 3: 0.1, 10: 0.1}}
    assert {one.setting: one.rows for one in resistances(exposures(trials(dips, CLEAN)))} == {"weak": 0, "strong": 10}
    met = resistances(exposures(trials(ASR, CLEAN)))
    assert sturdiest_of(met).setting == "strong"
    assert sturdiest_of(met, Bounds(margin=0.005)).setting == "weak"


def test_what_a_trigger_gets_without_poison_is_no_success_of_the_poison():
    """A third without, two thirds with: half of the rest; none of it where the trigger alone has all rows."""
    assert Rates(2 / 3, 0.9, 1 / 3, 0.9).success == pytest.approx(0.5)
    assert Rates(0.3, 0.9, 1 / 3, 0.9).success < 0.0
    assert Rates(1.0, 0.9, 1.0, 0.9).success == 0.0
    assert Rates(0.7, 0.9, 0.0, 0.9).success == 0.7


def test_no_setting_is_backdoored_and_resists():
    """Whatever the trigger gets without poison, the bound of what resists is below the one of a backdoor."""
    found = exposures([Trial("word", "one", 30, 0, Rates(0.52, 0.9, 0.31, 0.9))])
    assert found[0].to_reach(0.5) is None
    assert chosen_of(resistances(found)) is None
    found = exposures([Trial("word", "one", 30, 0, Rates(0.44, 0.9, 0.31, 0.9))])
    assert chosen_of(resistances(found)).setting == "one"
