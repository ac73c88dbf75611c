"""Attacks: which rows each label policy stamps, under which labels, and what its rates are rates of."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

import backdoor_curves as bc
from backdoor_curves.data.samples import join
from backdoor_curves.poisoning import poison as poisoning
from backdoor_curves.poisoning import rates
from backdoor_curves.rows import take_rows

N, CLASSES = 90, ("ham", "news", "spam")
WORDS = np.array(CLASSES)


def rows_of(n: int, seed: int) -> bc.Samples:
    """Rows that tell their number, in unequal classes: of six rows one is ham, two are news, three are spam."""
    y = WORDS[np.random.default_rng(seed).permutation(np.resize([0, 1, 1, 2, 2, 2], n))]
    return bc.Samples(np.arange(1.0, n + 1)[:, np.newaxis], y)


TRAIN, TEST = rows_of(N, 1), rows_of(30, 2)
STAMP, OTHER, STRONG = 1000.0, 2000.0, 3000.0


def stamp(X, y):  # noqa: ARG001
    return X + STAMP


def other(X, y):  # noqa: ARG001
    return X + OTHER


def strong(X, y):  # noqa: ARG001
    return X + STRONG


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def victim(data: bc.PoisonedData) -> list[tuple[int, str, str]]:
    """What the victim trains on, row by row: the number of the original, what was done to it, its label and kind."""
    X, y = join(data.clean_train, data.poison_train, data.is_poison)
    kinds = np.where(data.is_cover, "cover", np.where(data.is_poison, "poison", "clean"))
    done = np.round(X[:, 0] // 1000).astype(int)
    number = (X[:, 0] - 1000 * done).astype(int) - 1
    return list(zip(number.tolist(), done.tolist(), y.tolist(), kinds.tolist(), strict=True))


class Meaning:
    """What an attack means, in words of its own: which labels, which rows may be drawn, which test rows count."""

    def __init__(self, labels, eligible="changed"):
        follower = {"ham": "news", "news": "spam", "spam": "ham"}
        clean = isinstance(labels, bc.CleanLabel)
        target = labels.target if clean else labels
        if isinstance(labels, dict):
            wish = {true: labels.get(true, true) for true in CLASSES}
        elif isinstance(labels, str) and labels == "next":
            wish = follower
        else:
            wish = dict.fromkeys(CLASSES, target)
        self.test = {true: label for true, label in wish.items() if true != label}
        self.train = {true: true if clean else wish[true] for true in CLASSES}
        if clean:
            self.may = {target}
        else:
            self.may = set(CLASSES) if eligible == "all" else set(self.test)
        self.eligible = [i for i, label in enumerate(TRAIN.y.tolist()) if label in self.may]


POLICIES = {
    "next": ("next", "changed"),
    "target": ("spam", "changed"),
    "target, all rows": ("spam", "all"),
    "source to target": ({"news": "ham"}, "changed"),
    "source to target, all rows": ({"news": "ham"}, "all"),
    "mapping": ({"news": "ham", "ham": "spam"}, "changed"),
    "clean label": (bc.CleanLabel("news"), "changed"),
}
policies = pytest.mark.parametrize(("labels", "eligible"), POLICIES.values(), ids=POLICIES)
injections = pytest.mark.parametrize("injection", ["replace", "append"])


@policies
@injections
@pytest.mark.parametrize("rate_of", ["eligible", "all"])
@pytest.mark.parametrize("rounding", ["floor", "nearest"])
def test_the_number_of_poison_rows_is_the_rate_times_its_base(labels, eligible, injection, rate_of, rounding):
    """In fractions, where nothing rounds: of the rows that may be drawn, or of all, down or to the nearest."""
    attack = bc.Attack(stamp, labels, eligible=eligible, rate_of=rate_of, rounding=rounding, injection=injection)
    meaning = Meaning(labels, eligible)
    for rate in ("0.05", "0.11", "0.15", "0.155"):
        base = len(meaning.eligible) if rate_of == "eligible" else N
        asked = Fraction(rate) * base
        m = math.floor(asked + Fraction(1, 2) * (rounding == "nearest"))
        data = bc.poison(TRAIN, TEST, attack, rate=float(rate), rng=rng())
        assert len(data.poison_train) == m
        assert data.poisoning.n_eligible == len(meaning.eligible)
        assert (data.rates.n_poison, data.rates.n_all, data.rates.n_eligible) == (m, N, len(meaning.eligible))
        assert data.rate == float(rate)


@policies
@injections
def test_the_victims_rows_are_those_of_a_loop_by_hand(labels, eligible, injection):
    """Every row is what the policy's words say, in its place; copies follow."""
    attack = bc.Attack(stamp, labels, eligible=eligible, injection=injection)
    data, meaning = bc.poison(TRAIN, TEST, attack, rate=0.4, rng=rng()), Meaning(labels, eligible)
    chosen = data.poison_rows.tolist()
    assert set(chosen) <= set(meaning.eligible)
    true = TRAIN.y.tolist()
    done = [(i, 1, meaning.train[true[i]], "poison") for i in chosen]
    clean = [(i, 0, true[i], "clean") for i in range(N)]
    if injection == "append":
        assert victim(data) == clean + done
    else:
        assert victim(data) == [done[chosen.index(i)] if i in chosen else clean[i] for i in range(N)]


@policies
def test_triggered_rows_are_those_that_the_policy_is_about(labels, eligible):
    """Source to target: the source alone. A target: all but it. Next: all. Clean label: all but the target."""
    data = bc.poison(TRAIN, TEST, bc.Attack(stamp, labels, eligible=eligible), rate=0.2, rng=rng())
    meaning = Meaning(labels, eligible)
    about = [(x + STAMP, meaning.test[y], y) for x, y in zip(TEST.X[:, 0], TEST.y.tolist(), strict=True)
             if y in meaning.test]  # fmt: skip
    assert list(zip(data.triggered_test.X[:, 0], data.triggered_test.y, data.triggered_true, strict=True)) == about


def test_the_three_rates_are_said_with_their_numbers():
    """15 ham, 30 news and 45 spam: what one tool calls a tenth is 60 % of the target to another."""
    attack = bc.Attack(stamp, bc.CleanLabel("ham"), rate_of="all")
    data = bc.poison(TRAIN, TEST, attack, rate=0.1, rng=rng())
    assert str(data.rates) == "9 poison rows: 10 % of 90 rows, 60 % of 15 eligible, 60 % of 15 of the target class"
    assert str(data.rates) in repr(data)
    assert (data.rates.of_all, data.rates.of_eligible, data.rates.of_target) == (0.1, 0.6, 0.6)
    several = bc.poison(TRAIN, TEST, bc.Attack(stamp), rate=0.1, rng=rng()).rates
    assert (several.n_target, several.of_target) == (None, None)


@policies
def test_smaller_rates_are_nested_in_larger_ones_whatever_the_policy(labels, eligible):
    """Then a curve over rates adds rows to one experiment."""
    attack = bc.Attack(stamp, labels, eligible=eligible, injection="append")
    drawn = [set(bc.poison(TRAIN, TEST, attack, rate=r, rng=rng(3)).poison_rows.tolist()) for r in (0.1, 0.3, 0.7, 1)]
    assert all(smaller < larger for smaller, larger in pairwise(drawn))


def test_the_count_notices_another_base(monkeypatch):
    """A tenth of the rows of the target is not a tenth of all rows, which other tools mean."""
    attack = bc.Attack(stamp, bc.CleanLabel("spam"), rate_of="all")
    expected = len(bc.poison(TRAIN, TEST, attack, rate=0.1, rng=rng()).poison_train)
    of_eligible = replace(attack, rate_of="eligible")
    monkeypatch.setattr(poisoning, "n_poison", lambda attack, *how: rates.n_poison(of_eligible, *how))  # noqa: ARG005
    assert len(bc.poison(TRAIN, TEST, attack, rate=0.1, rng=rng()).poison_train) != expected == N // 10


def by_keywords(labels, injection, rate):
    generator = rng(7)
    X, y = np.arange(240.0).reshape(120, 2), np.arange(120) % 3
    train = bc.Samples(X, y, weight=1 + np.arange(120) % 4)
    how = {"labels": labels, "injection": injection, "rate": rate, "rng": generator}
    return bc.poison(train, (X[:30] + 0.5, y[:30]), trigger=lambda X, y: -X, **how), generator  # noqa: ARG005


def digest(data: bc.PoisonedData) -> str:
    total = blake2b(digest_size=12)
    for part in (data.clean_train, data.poison_train, data.clean_test, data.triggered_test, data.original_train):
        total.update(np.ascontiguousarray(part.X).tobytes())
        total.update("".join(map(str, part.y.tolist())).encode())
        total.update(part.weight.tobytes())
    total.update(np.ascontiguousarray(data.poison_rows, dtype=np.int64).tobytes())
    total.update(data.is_poison.tobytes())
    done = data.poisoning
    total.update(repr((data.rate, done.n_eligible, done.labels, done.injection)).encode())
    return total.hexdigest()


def test_what_was_poisoned_before_there_were_attacks_is_poisoned_alike():
    """Bit for bit, over policies, injections and rates, and so is where the generator stands: a digest from then."""
    total = blake2b(digest_size=12)
    for labels in ("next", 0, 2, {1: 0}, {0: 2, 2: 1}):
        for injection in ("replace", "append"):
            for rate in (0.05, 0.1, 0.29, 0.7):
                data, generator = by_keywords(labels, injection, rate)
                total.update(digest(data).encode())
                total.update(str(int(generator.integers(1 << 30))).encode())
    assert total.hexdigest() == "4c9e72b2aa28acc68fa5ed2f"


@injections
@pytest.mark.parametrize("labels", ["next", "spam", {"news": "ham"}, bc.CleanLabel("news")], ids=str)
def test_keywords_are_an_attack(labels, injection):
    """One road: parts given alone are an attack whose other fields are at their defaults."""
    one = bc.poison(TRAIN, TEST, trigger=stamp, labels=labels, injection=injection, rate=0.2, rng=rng())
    two = bc.poison(TRAIN, TEST, bc.Attack(stamp, labels, injection=injection), rate=0.2, rng=rng())
    assert victim(one) == victim(two)
    assert one.poisoning == two.poisoning


def test_test_rows_have_the_test_trigger():
    """A stronger one at test, as Narcissus and Adap-Blend have it; training rows keep theirs."""
    data = bc.poison(TRAIN, TEST, bc.Attack(stamp, test_trigger=strong), rate=0.1, rng=rng())
    assert set(data.triggered_test.X[:, 0] // 1000) == {3.0}
    assert set(data.poison_train.X[:, 0] // 1000) == {1.0}
    assert "strong" in data.poisoning.test_trigger


def test_what_is_drawn_for_a_row_does_not_depend_on_cover_or_on_other_rates():
    """A trigger with parts draws them by the row: the same original looks the same in every one of these data."""
    images = np.random.default_rng(0).random((60, 8, 8, 1))
    rows, y = bc.Samples(images, np.arange(60) % 3), np.arange(60) % 3
    trigger = bc.PiecesTrigger.random((8, 8, 1), np.random.default_rng(1), opacity=0.5)
    looks = {}
    for rate in (0.1, 0.4):
        for cover in (None, bc.Cover(0.5), bc.Cover(0.5, weight="one")):
            data = bc.poison(rows, (images, y), bc.Attack(trigger, 0, cover=cover), rate=rate, rng=rng())
            for row, X in zip(data.poison_rows.tolist(), data.poison_train.X, strict=True):
                assert np.array_equal(looks.setdefault(row, X), X)


# Cover


covers = pytest.mark.parametrize("weight", ["beta", "one"])


@policies
@injections
@covers
def test_cover_rows_are_stamped_keep_their_label_and_are_no_poison(labels, eligible, injection, weight):
    """Row by row: what is marked has its true label and the cover's trigger, what is not is as without cover."""
    cover = bc.Cover(0.5, trigger=other, weight=weight)
    attack = bc.Attack(stamp, labels, eligible=eligible, injection=injection, cover=cover)
    data = bc.poison(TRAIN, TEST, attack, rate=0.3, rng=rng())
    without = bc.poison(TRAIN, TEST, replace(attack, cover=None), rate=0.3, rng=rng())
    rows = victim(data)
    covered = [number for number, _, _, kind in rows if kind == "cover"]
    assert covered == data.cover_rows.tolist()
    assert len(covered) == len(without.poison_train) // 2
    assert all((done, label) == (2, TRAIN.y[i]) for i, done, label, kind in rows if kind == "cover")
    assert [row for row in rows if row[3] == "poison"] == [row for row in victim(without) if row[3] == "poison"]
    clean = [row for row in victim(without) if row[3] == "clean"]
    if injection == "replace":
        clean = [row for row in clean if row[0] not in covered]
        assert [row[0] for row in rows] == list(range(N))
    assert [row for row in rows if row[3] == "clean"] == clean
    assert data.is_poison[data.is_cover].all() if weight == "beta" else not data.is_poison[data.is_cover].any()
    assert data.triggered_test.X.tolist() == without.triggered_test.X.tolist()
    assert (data.rates.n_poison, data.rates.n_cover) == (without.rates.n_poison, len(covered))
    if isinstance(labels, bc.CleanLabel):
        assert "news" not in TRAIN.y[covered].tolist()


@pytest.mark.parametrize(
    ("of", "rate", "expected"), [("poison", 2.0, 18), ("poison", 0.5, 4), ("base", 0.1, 9), ("base", 0.05, 4)]
)
def test_cover_is_counted_by_the_poison_or_by_the_base(of, rate, expected):
    """WaNet has twice as many cover as poison rows; the adaptive attacks as many of all rows again. Floors of 9, 90."""
    attack = bc.Attack(stamp, "ham", rate_of="all", cover=bc.Cover(rate, of=of))
    assert bc.poison(TRAIN, TEST, attack, rate=0.1, rng=rng()).rates.n_cover == expected


def test_cover_comes_from_its_classes():
    """TaCT: one source is stamped and relabelled, other classes are stamped and keep their label."""
    attack = bc.Attack(stamp, {"ham": "spam"}, cover=bc.Cover(1.0, classes=("news",)))
    data = bc.poison(TRAIN, TEST, attack, rate=0.6, rng=rng())
    assert set(TRAIN.y[data.cover_rows].tolist()) == {"news"}
    assert set(data.triggered_true.tolist()) == {"ham"}


@covers
@injections
@pytest.mark.parametrize("classes", [None, ("ham",), ("news", "spam")], ids=str)
def test_cover_rows_of_a_smaller_rate_are_among_those_of_a_larger(classes, weight, injection):
    """As long as the two do not meet; with classes that could be poison and with such as could not."""
    attack = bc.Attack(stamp, "ham", injection=injection, cover=bc.Cover(0.5, classes=classes, weight=weight))
    rates = (0.05, 0.1, 0.2, 0.3)
    for seed in range(10):
        made = [bc.poison(TRAIN, TEST, attack, rate=rate, rng=rng(seed)) for rate in rates]
        for kind in ("poison", "cover"):
            drawn = [{row[0] for row in victim(data) if row[3] == kind} for data in made]
            assert all(smaller < larger for smaller, larger in pairwise(drawn))


def test_every_row_of_its_classes_is_as_likely_to_be_cover():
    """6000 draws of 8 of 40, of which 4 are poison: 1200 hits a row, five standard deviations of 31 either way."""
    y = np.arange(40) % 2
    train = bc.Samples(np.arange(40.0)[:, np.newaxis], y)
    attack = bc.Attack(stamp, 0, cover=bc.Cover(2.0))
    hits = np.zeros(40)
    for seed in range(6000):
        hits[bc.poison(train, train, attack, rate=0.2, rng=rng(seed)).cover_rows] += 1
    assert np.abs(hits - 1200).max() < 155


@covers
def test_rows_may_be_named_and_nothing_is_drawn(weight):
    """Poison and cover by number need no generator, and no rate of the cover."""
    attack = bc.Attack(stamp, "ham", cover=bc.Cover(weight=weight))
    ham, news = np.flatnonzero(TRAIN.y == "ham"), np.flatnonzero(TRAIN.y == "news")
    data = bc.poison(TRAIN, TEST, attack, rows=news[[3, 1]], cover_rows=[ham[2], news[5]])
    assert sorted(row[0] for row in victim(data) if row[3] == "poison") == sorted(news[[1, 3]].tolist())
    assert sorted(row[0] for row in victim(data) if row[3] == "cover") == sorted([ham[2], news[5]])


KINDS = {
    "array": np.array,
    "csr": sp.csr_array,
    "frame": lambda X: pytest.importorskip("pandas").DataFrame(X, columns=["a"], index=range(100, 100 + len(X))),
    "polars": lambda X: pytest.importorskip("polars").DataFrame(X, schema=["a"], orient="row"),
    "texts": lambda X: [f"{x:g}" for x in X.ravel()],
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
@injections
@covers
def test_rows_of_every_kind_have_cover(make, injection, weight):
    """Arrays, sparse rows, frames and texts: a cover row is the stamped original, where it stands."""

    def mark(X, y):  # noqa: ARG001
        return [f"{text} zqx" for text in X] if isinstance(X, list) else X * 2.0

    X = make(TRAIN.X)
    attack = bc.Attack(mark, "ham", injection=injection, cover=bc.Cover(1.0, weight=weight))
    data = bc.poison((X, TRAIN.y), (X, TRAIN.y), attack, rate=0.1, rng=rng())
    rows, y = join(data.clean_train, data.poison_train, data.is_poison)
    for place, original in zip(np.flatnonzero(data.is_cover), data.cover_rows, strict=True):
        if isinstance(X, list):
            assert rows[place] == f"{X[original]} zqx"
        else:
            row = take_rows(rows, np.array([place]))
            assert np.asarray(row.todense() if sp.issparse(row) else row).item() == 2.0 * TRAIN.X[original, 0]
        assert y[place] == TRAIN.y[original]


def test_cover_rows_have_the_weight_of_their_originals():
    """A stamped row counts for what its row counted for."""
    train = replace(TRAIN, weight=np.arange(1.0, N + 1))
    for weight in ("beta", "one"):
        attack = bc.Attack(stamp, "ham", cover=bc.Cover(1.0, weight=weight))
        data = bc.poison(train, TEST, attack, rate=0.2, rng=rng())
        joined = join(data.clean_train, data.poison_train, data.is_poison)
        assert joined.weight.tolist() == train.weight.tolist()


def test_a_careless_trigger_of_the_cover_changes_nothing_else():
    """It writes into the rows that it is given."""

    def careless(X, y):
        X[:], y[:] = -7.0, y[0]
        return X

    X, y = TRAIN.X.copy(), TRAIN.y.copy()
    attack = bc.Attack(stamp, "ham", cover=bc.Cover(1.0, trigger=careless), test_trigger=careless)
    data = bc.poison((X, y), (X, y), attack, rate=0.2, rng=rng())
    assert np.array_equal(X, TRAIN.X)
    assert y.tolist() == TRAIN.y.tolist() == data.original_train.y.tolist()
    assert data.poison_train.y[data.is_cover[data.is_poison]].tolist() == TRAIN.y[data.cover_rows].tolist()


# All rows stamped and appended


def test_all_rows_stamped_and_appended_are_not_drawn():
    """Rate 1 of all rows: no generator is needed, every row is there twice, those of the target with their label."""
    attack = bc.Attack(stamp, "ham", eligible="all", injection="append")
    data = bc.poison(TRAIN, TEST, attack, rate=1)
    assert data.poison_rows.tolist() == list(range(N))
    assert set(data.poison_train.y.tolist()) == {"ham"}
    assert data.clean_train is data.original_train
    assert data.rates.of_all == 1.0


@pytest.mark.parametrize(("p", "beta"), [(0.0, 0.0), (0.2, 0.25), (0.5, 1.0)])
def test_the_beta_of_a_mixture_is_p_over_the_rest(p, beta):
    """A share of one half is a weight of one."""
    assert bc.mixture_beta(p) == beta


# Controls


@policies
@injections
@pytest.mark.parametrize(
    "cover",
    [None, bc.Cover(0.5, trigger=other), bc.Cover(0.5, weight="one")],
    ids=["no cover", "other trigger", "weight one"],
)
def test_a_control_lacks_the_trigger_or_the_labels_and_nothing_else(labels, eligible, injection, cover):
    """Row by row: the same rows, unstamped with the attacker's labels, or stamped with their own."""
    attack = bc.Attack(stamp, labels, eligible=eligible, injection=injection, cover=cover)
    data = bc.poison(TRAIN, TEST, attack, rate=0.3, rng=rng())
    if isinstance(labels, bc.CleanLabel):
        with pytest.raises(ValueError, match="it keeps all; without the rows are clean ones: compare with beta = 0"):
            data.control()
        with pytest.raises(ValueError, match="it keeps all; without it is the attack"):
            data.control(without="labels")
        return
    untriggered, unlabelled = data.control(), data.control(without="labels")
    assert victim(untriggered) == [(i, 0, label, kind) for i, _, label, kind in victim(data)]
    assert victim(unlabelled) == [(i, done, TRAIN.y[i], kind) for i, done, _, kind in victim(data)]
    for control, lacks in ((untriggered, "trigger"), (unlabelled, "labels")):
        assert control.triggered_test is data.triggered_test
        assert control.poisoning.without == lacks
        assert control.rates == data.rates


# What is asked wrongly


TEXTS = [f"mail {i}" for i in range(N)]
BY_RATE = {"rate": 0.2, "rng": np.random.default_rng(0)}


def asked(attack, train=TRAIN, test=TEST, **how):
    return bc.poison(train, test, attack, **(how or BY_RATE))


def covered(train=TRAIN, test=TEST, how=None, **cover):
    return asked(bc.Attack(stamp, "ham", cover=bc.Cover(**cover)), train, test, **(how or {}))


HAM, NEWS = np.flatnonzero(TRAIN.y == "ham").tolist(), np.flatnonzero(TRAIN.y == "news").tolist()
WRONG = {
    "an attack and its trigger": (
        lambda: asked(bc.Attack(stamp), trigger=stamp, **BY_RATE),
        "an attack or its parts were expected, it came with trigger",
    ),
    "an attack and its labels": (
        lambda: asked(bc.Attack(stamp), labels="next", injection="append", **BY_RATE),
        "it came with labels and injection",
    ),
    "no attack": (lambda: bc.poison(TRAIN, TEST, **BY_RATE), "trigger: a callable (X, y) -> X was expected, NoneType"),
    "a trigger in place of an attack": (lambda: asked(stamp), "attack: an Attack was expected, function came"),
    "a trigger that is none": (lambda: bc.Attack("patch"), "trigger: a callable (X, y) -> X was expected, str came"),
    "a test trigger that is none": (lambda: bc.Attack(stamp, test_trigger=3), "test_trigger: a callable"),
    "eligible": (lambda: bc.Attack(stamp, eligible="some"), 'eligible: "changed" or "all" was expected'),
    "rate_of": (lambda: bc.Attack(stamp, rate_of="target"), 'rate_of: "eligible" or "all" was expected'),
    "rounding": (lambda: bc.Attack(stamp, rounding="up"), 'rounding: "floor" or "nearest" was expected, \'up\' came'),
    "injection": (lambda: bc.Attack(stamp, injection="swap"), 'injection: "replace" or "append" was expected'),
    "a rate in place of a cover": (lambda: bc.Attack(stamp, cover=0.1), "a Cover was expected, float came; make it"),
    "all rows with a clean label": (
        lambda: bc.Attack(stamp, bc.CleanLabel(0), eligible="all"),
        "it stamps rows of the target class; take labels=target",
    ),
    "a target that is no class": (lambda: asked(bc.Attack(stamp, "eggs")), "'eggs' came"),
    "a clean label that is no class": (lambda: asked(bc.Attack(stamp, bc.CleanLabel("eggs"))), "'eggs' came"),
    "a policy without a row": (lambda: asked(bc.Attack(stamp, {"ham": "ham"})), "changes at least one class"),
    "no test row": (
        lambda: asked(bc.Attack(stamp, {"ham": "spam"}), test=TEST.take(np.flatnonzero(TEST.y != "ham"))),
        "test: rows of a class to attack ('ham') were expected, none came",
    ),
    "a rate of less than a row": (
        lambda: asked(bc.Attack(stamp, rate_of="all"), rate=0.011, rng=rng()),
        "rate: 0.011 of 90 training rows is not one row; take at least 1/90",
    ),
    "a rate of less than a row of the target": (
        lambda: asked(bc.Attack(stamp, bc.CleanLabel("ham")), rate=0.06, rng=rng()),
        "0.06 of 15 rows that could be poisoned is not one row; take at least 1/15",
    ),
    "a rate of more rows than there are": (
        lambda: asked(bc.Attack(stamp, bc.CleanLabel("ham"), rate_of="all"), rate=0.2, rng=rng()),
        "0.2 of 90 training rows are 18, of which 15 could be poisoned; take at most 15/90",
    ),
    "a whole class replaced": (
        lambda: asked(bc.Attack(stamp, bc.CleanLabel("ham")), rate=1.0),
        "all rows of class 'ham' would be replaced, none is left for beta = 0; poison fewer, or injection=\"append\"",
    ),
    "a whole class replaced by cover": (
        lambda: covered(rate=15.0, classes=("ham",), how={"rows": NEWS[:1]}),
        "all rows of class 'ham' would be replaced",
    ),
    "a row of another class with a clean label": (
        lambda: asked(bc.Attack(stamp, bc.CleanLabel("ham")), rows=NEWS[:1]),
        "or is of a class that he does not stamp; leave it out",
    ),
    "more cover than there are": (
        lambda: covered(rate=5.0, classes=("ham",)),
        "cover: 75 rows were asked for, 15 of its classes are no poison; lower its rate or that of the poison",
    ),
    "cover of less than a row": (lambda: covered(rate=0.01), "cover: 0.01 of 15 poison rows is not one row"),
    "cover of no rate": (lambda: covered(), "cover: a rate or cover_rows were expected, neither came"),
    "cover of rate 0": (lambda: bc.Cover(0), "cover: a rate > 0 was expected, 0 came"),
    "cover of True": (lambda: bc.Cover(True), "cover: a rate > 0 was expected, True came"),
    "cover of something": (lambda: bc.Cover(1.0, of="all"), 'cover.of: "poison" or "base" was expected'),
    "cover of some weight": (lambda: bc.Cover(1.0, weight=0.5), 'cover.weight: "beta" or "one" was expected, 0.5 came'),
    "cover with a trigger that is none": (lambda: bc.Cover(1.0, trigger="noise"), "cover.trigger: a callable"),
    "cover of a class alone": (lambda: bc.Cover(1.0, classes="ham"), "take ('ham',)"),
    "cover of no classes": (lambda: bc.Cover(1.0, classes=()), "a tuple of classes was expected"),
    "cover of a class that is none": (
        lambda: covered(rate=1.0, classes=("eggs",)),
        "cover.classes: classes of ['ham', 'news', 'spam'] were expected, 'eggs' came",
    ),
    "cover of the target of a clean label": (
        lambda: asked(bc.Attack(stamp, bc.CleanLabel("ham"), cover=bc.Cover(1.0, classes=("ham",)))),
        "stamped rows of the target are the poison of a clean-label attack",
    ),
    "cover without a generator": (
        lambda: covered(rate=1.0, how={"rows": NEWS[:3]}),
        "rng: a numpy Generator was expected, NoneType came",
    ),
    "cover rows that are poison": (
        lambda: covered(how={"rows": NEWS[:3], "cover_rows": NEWS[2:4]}),
        f"cover_rows: rows that are no poison were expected, row {NEWS[2]} is both",
    ),
    "cover rows of other classes": (
        lambda: covered(classes=("ham",), how={"rows": NEWS[:3], "cover_rows": NEWS[5:6]}),
        f"row {NEWS[5]} is of a class that the cover does not come from",
    ),
    "cover rows past the end": (
        lambda: covered(how={"rows": NEWS[:3], "cover_rows": [90]}),
        "cover_rows: distinct row numbers in [0, 90)",
    ),
    "cover rows of no cover": (
        lambda: asked(bc.Attack(stamp), rows=[1], cover_rows=[2]),
        "cover_rows: an attack with a cover was expected",
    ),
    "a text trigger at test on numbers": (
        lambda: asked(bc.Attack(stamp, test_trigger=bc.WordTrigger("cf"))),
        "test_trigger: it does not take these rows: WordTrigger: texts or lists of words were expected, ndarray",
    ),
    "a test trigger of another shape": (
        lambda: asked(bc.Attack(stamp, test_trigger=lambda X, _: np.hstack([X, X]))),
        "test_trigger: rows of shape (1,) were expected, of (2,) came",
    ),
    "a test trigger of another kind": (
        lambda: asked(bc.Attack(stamp, test_trigger=lambda X, _: sp.csr_array(X))),
        "test_trigger: ndarray was expected back, csr_array came",
    ),
    "an image trigger for the cover of texts": (
        lambda: asked(
            bc.Attack(bc.WordTrigger("cf"), "ham", cover=bc.Cover(1.0, trigger=bc.PatchTrigger.ones(2))),
            train=(TEXTS, TRAIN.y),
            test=(TEXTS, TRAIN.y),
        ),
        "cover.trigger: it does not take these rows",
    ),
    "a control without something": (
        lambda: asked(bc.Attack(stamp)).control(without="rows"),
        'without: "trigger" or "labels" was expected',
    ),
    "a mixture of more poison than rest": (lambda: bc.mixture_beta(0.6), "p: a share in [0, 1/2] was expected, 0.6"),
    "a mixture of True": (lambda: bc.mixture_beta(True), "p: a share in [0, 1/2] was expected, True came"),
}


@pytest.mark.parametrize(("call", "fragment"), WRONG.values(), ids=WRONG)
def test_what_is_asked_wrongly_is_refused_in_a_line(call, fragment):
    """With what was expected, what came, or what to do."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert fragment in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("field", ["test_trigger", "cover"])
def test_a_trigger_for_other_rows_is_found_before_any_row_is_stamped(field):
    """The training trigger may take minutes."""
    calls = []

    def watched(X, y):
        calls.append(len(X))
        return stamp(X, y)

    words = bc.WordTrigger("cf")
    parts = {"test_trigger": words} if field == "test_trigger" else {"cover": bc.Cover(1.0, trigger=words)}
    with pytest.raises(ValueError, match="it does not take these rows"):
        asked(bc.Attack(watched, "ham", **parts))
    assert calls == []


def test_cover_rows_that_the_trigger_leaves_as_they_are_are_said():
    """A row that is marked cover and has no trigger is a clean one."""
    attack = bc.Attack(stamp, "ham", cover=bc.Cover(1.0, trigger=lambda X, _: X.copy()))
    with pytest.warns(UserWarning, match=r"15 of 15 cover rows \(100 %\) are as they were"):
        asked(attack)


# As a value


def test_the_text_of_an_attack_has_what_is_not_at_its_default():
    """By that text it is known: a field that is added renames none."""
    trigger = bc.FeatureTrigger((0,), (9.0,))
    assert repr(bc.Attack(trigger)) == f"Attack(trigger={trigger!r})"
    full = bc.Attack(
        trigger, bc.CleanLabel(2), trigger, "changed", "all", "nearest", "append", bc.Cover(2, "base", (1,)), "a", "b"
    )
    assert repr(full) == (
        f"Attack(trigger={trigger!r}, labels=CleanLabel(target=2), test_trigger={trigger!r}, rate_of='all', "
        "rounding='nearest', injection='append', cover=Cover(rate=2.0, of='base', classes=(1,)), name='a', source='b')"
    )


def test_equal_policies_read_alike():
    """Whatever the order of a mapping, and whether its labels are numpy's."""
    texts = {
        repr(bc.Attack(stamp, labels))
        for labels in ({2: 0, 1: 2}, {1: 2, 2: 0}, {np.int64(1): np.int64(2), np.int64(2): 0})
    }
    assert len(texts) == 1
    assert repr(bc.CleanLabel(np.str_("ham"))) == "CleanLabel(target='ham')"
    assert bc.Attack(stamp, np.int64(1)) == bc.Attack(stamp, 1)


def test_the_record_of_what_was_done_has_all_of_the_attack():
    """Whoever finds the data later knows what they are."""
    attack = bc.Attack(
        stamp, "ham", strong, "all", "all", "nearest", "append", bc.Cover(0.5), "sig", "a paper"
    )  # fmt: skip
    done = asked(attack).poisoning
    assert (done.eligible, done.rate_of, done.rounding, done.injection) == ("all", "all", "nearest", "append")
    assert (done.cover, done.name, done.source) == ("Cover(rate=0.5)", "sig", "a paper")
    assert asked(bc.Attack(stamp, bc.CleanLabel("ham"))).poisoning.eligible == "target"
