"""What a choice comes to where it did not choose, beside other choices and defences."""

from __future__ import annotations

import numpy as np
import pytest
from clouds import clouds, on_the_column
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import backdoor_curves as bc
from backdoor_curves.search.robust.judged import best_of, front_of, least_of, safe_settings, share_interval
from backdoor_curves.search.robust.rivals import (
    SANITISERS,
    by_accuracy,
    by_loss,
    by_neighbours,
    by_spectrum,
    one_standard_error,
    strongest,
)


@pytest.fixture
def rows():
    return clouds


@pytest.fixture
def attack() -> bc.Attack:
    return on_the_column()


GRID = {"alpha": [0.1, 10.0, 300.0]}
RESULTS = {
    "params": [{"C": 10.0}, {"C": 1.0}, {"C": 0.1}, {"C": 0.01}],
    "mean_test_score": np.array([0.95, 0.96, 0.95, 0.80]),
    "std_test_score": np.array([0.02, 0.04, 0.02, 0.02]),
}


def test_held_out_attacks_judge_each_choice(rows, attack):
    """A table of seven contenders, with intervals over seeds; the clean accuracy is that of a fit without poison."""
    X, y = rows(150)
    search = bc.RobustSearchCV(RidgeClassifier(), GRID, attacks=attack, rates=0.1, asr=0.6, cv=3, random_state=0)
    other = bc.Attack(bc.FeatureTrigger((2,), (1.5,)), labels=1, name="other column")
    found = search.evaluate(X, y, attacks=[other, attack], rates=0.2, n_seeds=2)
    assert found.attacks == ("other column@0.2", "column@0.2")
    names = [row["choice"] for row in found.rows]
    assert names[:4] == ["robust search", "accuracy alone", "one standard error", "strongest in the margin"]
    assert names[4:] == list(SANITISERS)
    for one in found.contenders:
        assert one.asr.shape == (2, 2)
        assert ((one.asr >= 0.0) & (one.asr <= 1.0)).all()
        assert one.worst_asr.tolist() == one.asr.max(axis=1).tolist()
    assert "worst ASR" in repr(found)
    assert found._repr_html_().count("<tr>") == 8
    assert not hasattr(search, "cv_results_")  # it is run anew for each seed, and stays as it was


def test_what_chose_may_not_judge(rows, attack):
    """The same attack at the same rate is refused; at another rate it is another one."""
    search = bc.RobustSearchCV(RidgeClassifier(), GRID, attacks=attack, rates=0.1, cv=3, random_state=0)
    with pytest.raises(ValueError, match=r"column@0.1 came, which chose"):
        search.evaluate(*rows(), attacks=attack)
    with pytest.raises(ValueError, match="n_seeds: a number of seeds >= 1 was expected, 0 came"):
        search.evaluate(*rows(), attacks=attack, rates=0.2, n_seeds=0)


def test_seeds_without_a_safe_setting_are_counted(rows, attack):
    """An impossible bound: no seed has one, and the table says so."""
    search = bc.RobustSearchCV(RidgeClassifier(), GRID, attacks=attack, rates=0.4, asr=0.0, cv=3, random_state=0)
    found = search.evaluate(*rows(), attacks=attack, rates=0.2, n_seeds=2)
    assert found.infeasible == 2
    assert "in 2 of 2 seeds no setting was safe" in found.said


def test_rules_choose_as_they_say():
    """Accuracy alone; the strongest penalty within a standard error, or within a margin."""
    assert by_accuracy(RESULTS, "score") == 1
    assert one_standard_error(RESULTS, "score", 4) == 2  # .96 - .04 / 2
    assert one_standard_error(RESULTS, "score", 10**6) == 1
    assert strongest(RESULTS, "score", 0.5) == 3
    assert strongest(RESULTS | {"params": [{"depth": 1}] * 4}, "score", 0.5) is None
    ridge = RESULTS | {"params": [{"alpha": one} for one in (1.0, 2.0, 3.0, 4.0)]}
    assert strongest(ridge, "score", 0.95) == 2


@pytest.mark.parametrize("sanitiser", [by_loss, by_neighbours, by_spectrum])
@pytest.mark.parametrize("machine", [SVC(), DecisionTreeClassifier(max_depth=2)], ids=["svc", "tree"])
def test_sanitisers_drop_poison_that_stands_out(machine, sanitiser):
    """Rows of one class in a place of their own, with the other's label; half as many again are dropped."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = rng.normal(scale=0.3, size=(200, 2)) + 3.0 * y[:, np.newaxis]
    poison = np.arange(0, 20, 2)
    y[poison] = 1
    kept = sanitiser(machine, X, y, len(poison))
    assert len(kept) >= 200 - 16
    assert (np.diff(kept) > 0).all()
    if sanitiser is not by_loss or isinstance(machine, SVC):
        assert len(np.intersect1d(kept, poison)) <= 2


def test_no_class_loses_its_last_row():
    """A sanitiser that is told of more poison than there are rows leaves one of each class."""
    X, y = np.arange(12.0)[:, np.newaxis], np.repeat([0, 1, 2], 4)
    for sanitiser in (by_loss, by_neighbours, by_spectrum):
        assert set(y[sanitiser(SVC(), X, y, 100)]) == {0, 1, 2}


def test_choices_among_settings():
    """Safe is under the bound, within the margin; ties go to the less attacked."""
    scores, asr = np.array([0.9, 0.95, 0.95, np.nan]), np.array([0.1, 0.3, 0.2, 0.0])
    assert safe_settings(scores, asr, 0.2, None).tolist() == [True, False, True, True]
    assert safe_settings(scores, asr, 0.2, 0.01).tolist() == [False, False, True, False]
    assert best_of(scores, asr, np.array([True, True, True, True])) == 2
    assert least_of(scores, asr, None) == 0
    assert least_of(scores, asr, 0.01) == 2
    assert front_of(scores, asr).tolist() == [2, 0]


def test_intervals_of_shares_cover_as_often_as_they_say():
    """Of binomial draws at least 95 of 100, whatever the share."""
    for share in (0.02, 0.3, 0.9):
        hits = np.random.default_rng(0).binomial(40, share, size=4000)
        low, high = share_interval(hits, np.full(4000, 40))
        assert ((low <= share) & (share <= high)).mean() > 0.95
