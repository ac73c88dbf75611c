"""What holds of poisoned data whatever the rows, the labels and the rate."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from backdoor_curves import Attack, CleanLabel, Cover, PoisonedData, Samples, poison
from backdoor_curves.data.samples import join

QUICK = settings(max_examples=150, deadline=None)
CLASSES = st.sampled_from(
    [[0, 1], [1, 2, 5], [-1, 1], ["ham", "spam"], ["a", "b", "c", "d"], [0.5, 1.5], [False, True]]
)


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of `poison`: rows that tell their number, labels with every class twice or more, any policy."""
    classes = draw(CLASSES)
    labels = draw(st.permutations(2 * classes + draw(st.lists(st.sampled_from(classes), max_size=30))))
    policy = draw(
        st.one_of(
            st.just("next"),
            st.sampled_from(classes),
            st.dictionaries(st.sampled_from(classes), st.sampled_from(classes), min_size=1),
        )
    )
    assume(not isinstance(policy, dict) or any(true != label for true, label in policy.items()))
    return {
        "train": Samples(np.arange(1.0, len(labels) + 1)[:, np.newaxis], labels),
        "test": Samples(-np.arange(1.0, len(labels) + 1)[:, np.newaxis], labels),
        "trigger": lambda X, _y: X + 1000,
        "labels": policy,
    }


def changed(case: dict[str, Any]) -> dict:
    """The attacker's label of each class that it changes, from the words of the docstring."""
    classes, policy = sorted(set(case["train"].y.tolist())), case["labels"]
    if isinstance(policy, dict):
        wanted = policy
    elif policy == "next" and isinstance(policy, str):
        wanted = {label: classes[(k + 1) % len(classes)] for k, label in enumerate(classes)}
    else:
        wanted = dict.fromkeys(classes, policy)
    return {true: label for true, label in wanted.items() if true != label}


def poisoned(case: dict[str, Any], rate: float, injection: str, seed: int) -> PoisonedData:
    """Poison at the rate, or at the smallest or largest one that is possible where it is not."""
    y, mapping = case["train"].y.tolist(), changed(case)
    eligible = sum(label in mapping for label in y)
    rate = max(rate, 1 / eligible)
    rng = np.random.default_rng(seed)
    if injection == "replace":  # every class must keep a row
        drawn = np.random.default_rng(seed).permutation(np.flatnonzero([label in mapping for label in y]))
        gone = drawn[: int(rate * eligible + 1e-9)]
        assume(set(np.delete(case["train"].y, gone).tolist()) == set(y))
    return poison(**case, rate=rate, injection=injection, rng=rng)


RATES, SEEDS = st.floats(0.01, 1), st.integers(0, 2**32)
INJECTIONS = st.sampled_from(["replace", "append"])


@QUICK
@given(cases(), RATES, INJECTIONS, SEEDS)
def test_the_victims_rows_are_the_originals_but_for_the_poison(case, rate, injection, seed):
    """Row by row: where there is no poison, the original with its label; where there is, stamped and relabelled."""
    data = poisoned(case, rate, injection, seed)
    X, y = join(data.clean_train, data.poison_train, data.is_poison)
    mapping, train = changed(case), case["train"]
    number = np.where(data.is_poison, X[:, 0] - 1000, X[:, 0]).astype(int) - 1
    extra = data.poison_rows.tolist() if injection == "append" else []
    assert number.tolist() == [*range(len(train)), *extra]
    true = train.y[number].tolist()
    assert y.tolist() == [mapping[t] if bad else t for t, bad in zip(true, data.is_poison, strict=True)]
    assert sorted(number[data.is_poison].tolist()) == data.poison_rows.tolist()


@QUICK
@given(cases(), RATES, INJECTIONS, SEEDS)
def test_the_control_has_the_victims_labels_and_the_original_rows(case, rate, injection, seed):
    """Only the stamp is taken back."""
    data = poisoned(case, rate, injection, seed)
    control = data.control()
    (X, y), (Xc, yc) = (join(d.clean_train, d.poison_train, d.is_poison) for d in (data, control))
    assert yc.tolist() == y.tolist()
    assert Xc[:, 0].tolist() == np.where(data.is_poison, X[:, 0] - 1000, X[:, 0]).tolist()


@QUICK
@given(cases(), RATES, INJECTIONS, SEEDS)
def test_triggered_rows_never_have_their_true_class_as_label(case, rate, injection, seed):
    """All rows that an attack can win are there, once each, and no other."""
    data = poisoned(case, rate, injection, seed)
    mapping, test = changed(case), case["test"]
    assert Counter((data.triggered_test.X[:, 0] - 1000).tolist()) == Counter(
        x for x, label in zip(test.X[:, 0].tolist(), test.y.tolist(), strict=True) if label in mapping
    )
    assert data.triggered_test.y.tolist() == [mapping[label] for label in data.triggered_true.tolist()]
    assert not (data.triggered_test.y == data.triggered_true).any()


@QUICK
@given(cases(), st.tuples(RATES, RATES), SEEDS)
def test_smaller_rates_are_nested_in_larger_ones(case, rates, seed):
    """For one state of the generator."""
    smaller, larger = (set(poisoned(case, rate, "append", seed).poison_rows.tolist()) for rate in sorted(rates))
    assert smaller <= larger


@QUICK
@given(cases(), RATES, INJECTIONS, SEEDS)
def test_inputs_are_unchanged(case, rate, injection, seed):
    """Arrays belong to the caller."""
    before = [case[part].X.copy() for part in ("train", "test")] + [case[part].y.copy() for part in ("train", "test")]
    poisoned(case, rate, injection, seed)
    after = [case[part].X for part in ("train", "test")] + [case[part].y for part in ("train", "test")]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def stamp(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    return X + 1000


def cover_stamp(X: np.ndarray, _y: np.ndarray) -> np.ndarray:
    return X + 2000


@st.composite
def attacks(draw: st.DrawFn) -> tuple[dict[str, Any], Attack]:
    """Any attack on any rows; some cannot be carried out."""
    case = draw(cases())
    classes = sorted(set(case["train"].y.tolist()))
    clean = draw(st.booleans())
    cover = draw(
        st.none()
        | st.builds(
            Cover,
            rate=st.floats(0.01, 2.0),
            of=st.sampled_from(["poison", "base"]),
            classes=st.none() | st.lists(st.sampled_from(classes), min_size=1, unique=True).map(tuple),
            trigger=st.just(cover_stamp),
            weight=st.sampled_from(["beta", "one"]),
        )
    )
    return case, Attack(
        stamp,
        CleanLabel(draw(st.sampled_from(classes))) if clean else case["labels"],
        eligible="changed" if clean else draw(st.sampled_from(["changed", "all"])),
        rate_of=draw(st.sampled_from(["eligible", "all"])),
        rounding=draw(st.sampled_from(["floor", "nearest"])),
        injection=draw(INJECTIONS),
        cover=cover,
    )


@QUICK
@given(attacks(), RATES, SEEDS)
def test_an_attack_that_can_be_carried_out_is_carried_out_as_it_says(asked, rate, seed):
    """Every row of the victim is clean, poison or cover, and has the stamp and the label of that; none is two."""
    case, attack = asked
    train, test = case["train"], case["test"]
    try:
        data = poison(train, test, attack, rate=rate, rng=np.random.default_rng(seed))
    except ValueError:  # for its reasons see `tests/poisoning/test_attack.py`
        reject()
    X, y = join(data.clean_train, data.poison_train, data.is_poison)
    done = ((X[:, 0] - 0.5) // 1000).astype(int)
    number = (X[:, 0] - 1000 * done).astype(int) - 1
    is_poison = data.is_poison & ~data.is_cover
    assert done.tolist() == np.where(data.is_cover, 2, np.where(is_poison, 1, 0)).tolist()
    true = train.y[number]
    assert (true[~is_poison] == y[~is_poison]).all()
    if attack.is_clean_label:
        assert (y[is_poison] == attack.labels.target).all()
        assert (true[is_poison] == attack.labels.target).all()
    else:
        wanted = changed(case)
        assert y[is_poison].tolist() == [wanted.get(t, t) for t in true[is_poison].tolist()]
        assert attack.eligible == "all" or set(true[is_poison].tolist()) <= set(wanted)
    chosen, covered = number[is_poison], number[data.is_cover]
    assert not set(chosen.tolist()) & set(covered.tolist())
    assert covered.tolist() == ([] if data.cover_rows is None else data.cover_rows.tolist())
    if attack.cover is not None:
        assert attack.cover.classes is None or set(true[data.is_cover].tolist()) <= set(attack.cover.classes)
    own = len(chosen) + len(covered) if attack.injection == "append" else 0
    assert len(y) == len(train) + own
    assert len(set(number.tolist())) == len(train)
    assert not (data.triggered_test.y == data.triggered_true).any()
