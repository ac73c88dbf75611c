"""Published, repeated and exact numbers side by side: what is right, near, of another quantity, or unexplained."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC
from small_published import BETAS, SETTINGS, images, placeholders, poisoned

import backdoor_curves as bc
from backdoor_curves.paper.numbers import repeated
from backdoor_curves.paper.numbers.agreement import Number, distance, met_within, stops_within, verdict_of, why
from backdoor_curves.paper.numbers.comparison import as_csv, as_text, compare, summary
from backdoor_curves.paper.numbers.published import PublishedRow
from backdoor_curves.paper.numbers.repeated import repeat
from backdoor_curves.study.compute.quantities import numbers
from backdoor_curves.study.file.config import DataConfig, LabelPolicy, TriggerConfig
from backdoor_curves.study.plan.scenario import Cell, Learner, Scenario, Setting
from study.small_study import changed, stored

DATA = DataConfig("mnist", (7, 1), sampling="paper")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LEARNERS = {
    "logistic": Learner("logistic", "penalised"),
    "ridge": Learner("ridge"),
    "svm": Learner("linear-svm"),
    "svm-rbf": Learner("rbf-svm"),
}


def learner_of(name, of_curves):
    """The svm of curves is liblinear's."""
    return Learner("linear-svm", "penalised") if name == "svm" and of_curves else LEARNERS[name]


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    """The recipe on the small world; it serves as what was published, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeated, "_images", lambda pair, *_: images(pair))
        return repeat(placeholders(), tmp_path_factory.mktemp("repeated"))


def exact_estimator(learner, C, gamma, of_curves):
    """What a study fits in the place of the named estimator, whose optimum it follows."""
    if learner == "svm":
        return LinearSVC(C=C, loss="hinge", random_state=0) if of_curves else SVC(C=C, kernel="linear")
    return {
        "logistic": LogisticRegression(C=C, solver="liblinear"),
        "ridge": RidgeClassifier(alpha=1 / (2 * C)),
        "svm-rbf": SVC(C=C, gamma=gamma or 1.0),
    }[learner]


@cache
def run():
    """A run of every cell of the small world, as far as a comparison looks at one."""
    cells, curves = [], {}
    for learner, settings in SETTINGS.items():
        for C, gamma in settings:
            for seed, rate in ((1, 0.1), (10, 0.1), (999, 0.1), (999, 0.2)):
                curve = bc.backdoor_learning_curve(
                    exact_estimator(learner, C, gamma, seed == 999), poisoned(rate, seed=seed), betas=BETAS
                ).condensed()
                lams = {"lambda": 1 / C * (1 + 1e-15)} | ({} if gamma is None else {"gamma": gamma})
                setting = Setting.of(learner_of(learner, seed == 999), lams)
                key = str(len(cells))
                cells.append(
                    stored(
                        Cell(Scenario(DATA, TriggerConfig(size=3), LabelPolicy(), rate), setting, seed),
                        numbers(curve),
                        key,
                    )
                )
                curves[key] = curve
    return SimpleNamespace(
        cells=tuple(cells), keeps_curve=lambda _: True, curve=lambda cell: curves[cell.key], curves=curves
    )


def of(rows, quantity, learner, **at):
    """The rows of a quantity of a learner."""
    found = [row for row in rows if (row.quantity, row.place.learner) == (quantity, learner)]
    return [row for row in found if all(getattr(row, name, getattr(row.place, name, None)) == at[name] for name in at)]


def test_every_published_number_is_compared_once(again):
    """Ten a slope row, two a beta of a curve, four a beta of a path (three for RBF) and its ASR."""
    rows = compare(again, again, run())
    assert len(rows) == 16 * 10 + 16 * 2 * 3 + (6 * 4 + 2 * 3) * 3 + 8
    keys = {(row.place, row.quantity, row.beta) for row in rows}
    assert len(keys) == len(rows)
    assert {row.place.figure for row in rows} == {"10", "4", "12"}


def test_numbers_that_the_recipe_gives_are_explained(again):
    """Published is repeated here, so that all is explained; each verdict but exact has its reason."""
    rows = compare(again, again, run())
    assert all(row.explained for row in rows), [row for row in rows if not row.explained][:2]
    assert all(bool(row.why) == (row.verdict != "exact") for row in rows)
    assert {row.verdict for row in rows} == {"exact", "within solver tolerance", "differs"}


def test_exact_numbers_are_those_of_the_curves(again):
    """In the published unit, found by lambda = 1 / C whatever its last bit is; None where a study has none."""
    rows = compare(again, again, run())
    by_place = {
        (cell.learner, cell.setting.lam, cell.scenario.rate, cell.seed): run().curves[cell.key] for cell in run().cells
    }
    for learner, label in LEARNERS.items():
        for C, _ in SETTINGS[learner]:
            lam, unit = 1 / C * (1 + 1e-15), math.log(2) if learner == "logistic" else 1.0
            curve = by_place[label, lam, 0.1, 10]
            found = {
                row.quantity: row.exact
                for name in PublishedRow.__dataclass_fields__
                for row in of(rows, name, learner, C=C, seed=10)
            }
            assert found["avg_I"] == pytest.approx(curve.slope(0.0), rel=1e-12)
            assert found["mean_loss"] == pytest.approx(curve.loss("triggered", 0.0) / unit, rel=1e-12)
            assert found["clfp_acc"] == curve.accuracy("clean", 1.0)
            assert found["clfp_acc_on_backdoor"] == curve.accuracy("triggered", 1.0)
            missing = {name for name, value in found.items() if value is None}
            assert missing == {"clf_acc", "clfp_acc_tr", "avg_abs_I", "norm_I", "min_loss", "max_loss"}
            label_of_curves = learner_of(learner, of_curves=True)
            for rate in (0.1, 0.2):
                curve = by_place[label_of_curves, lam, rate, 999]
                for quantity, split in (("triggered_loss", "triggered"), ("clean_loss", "clean")):
                    losses = [row.exact for row in of(rows, quantity, learner, C=C, rate=rate)]
                    np.testing.assert_allclose(losses, curve.loss(split, BETAS), rtol=1e-12)
            curve = by_place[label_of_curves, lam, 0.1, 999]
            assert [row.exact for row in of(rows, "norm", learner, C=C)] == pytest.approx(curve.norm(BETAS).tolist())
            assert [row.exact for row in of(rows, "cosine", learner, C=C)] == pytest.approx(
                curve.cosine(BETAS).tolist()
            )
            assert [row.exact for row in of(rows, "coef", learner, C=C)] == [None] * 3
            (asr,) = of(rows, "asr", learner, C=C)
            assert asr.exact == curve.accuracy("triggered", 0.99)


def test_ridge_is_exact_and_its_slope_column_is_not(again):
    """Of a solver that gets to the optimum all is right but what the published formula gets wrong."""
    lines = {line.quantity: line for line in summary(compare(again, again, run())) if line.learner == "ridge"}
    wrong = {name for name, line in lines.items() if line.exact < line.n}
    assert wrong == {"avg_I", "avg_abs_I", "norm_I"}
    assert all(lines[name].differs == lines[name].n for name in wrong)
    assert "not the derivative: Hessian of the poison rows" in lines["avg_I"].why
    assert lines["mean_loss"].largest_from_exact < 1e-9


def test_misplaced_duals_are_seen_where_they_are(again):
    """Every RBF cosine beyond beta = 0, the norm and the duals there; the norms after it are right."""
    rows = compare(again, again, run())
    for quantity, expected in (("cosine", {0.3, 0.99}), ("norm", {0.0}), ("coef", {0.0})):
        found = of(rows, quantity, "svm-rbf")
        assert {row.beta for row in found if row.verdict == "differs"} == expected
        assert all("wrong rows" in row.why or "first places" in row.why for row in found if row.verdict == "differs")


def planted(numbers, kind, change):
    """The numbers with one of them changed in the first file of a kind."""
    if kind == "slopes":
        first, *rest = numbers.slopes
        setting = next(iter(first.rows))
        return replace(
            numbers, slopes=(replace(first, rows={**first.rows, setting: change(first.rows[setting])}), *rest)
        )
    (file,) = getattr(numbers, kind)
    (one, *rest) = getattr(file, kind)
    return replace(numbers, **{kind: (replace(file, **{kind: (change(one), *rest)}),)})


PLANTS = {
    **{
        name: ("slopes", lambda row, name=name: replace(row, **{name: getattr(row, name) * 1.01 + 1e-9}))
        for name in ("avg_I", "avg_abs_I", "norm_I", "mean_loss", "min_loss", "max_loss")
    },
    **{
        name: ("slopes", lambda row, name=name: replace(row, **{name: getattr(row, name) - 0.05}))
        for name in ("clf_acc", "clfp_acc", "clfp_acc_on_backdoor", "clfp_acc_tr")
    },
    "triggered_loss": ("curves", lambda one: replace(one, triggered=one.triggered * (1 + 1e-6 * (BETAS == 0.3)))),
    "clean_loss": ("curves", lambda one: replace(one, clean=one.clean * (1 + 1e-6 * (BETAS == 0.3)))),
    "coef": (
        "paths",
        lambda one: replace(one, coef=one.coef + 1e-6 * (np.arange(one.coef.size) == 7).reshape(one.coef.shape)),
    ),
    "intercept": ("paths", lambda one: replace(one, intercept=one.intercept * (1 + 1e-6 * (BETAS == 0.3)))),
    "cosine": ("paths", lambda one: replace(one, cosine=one.cosine - 1e-6 * (BETAS == 0.3))),
    "norm": ("paths", lambda one: replace(one, norm=one.norm * (1 + 1e-6 * (BETAS == 0.3)))),
    "asr": ("paths", lambda one: replace(one, asr=one.asr - 0.05)),
}


@pytest.mark.parametrize("quantity", PLANTS)
def test_a_wrong_published_number_is_unexplained(quantity, again):
    """One number moved by 1 %, five points or 1e-6, in a file of hundreds: that one is unexplained, and no other."""
    kind, change = PLANTS[quantity]
    rows = compare(planted(again, kind, change), again, run())
    unexplained = [row for row in rows if not row.explained]
    assert [row.quantity for row in unexplained] == [quantity]
    assert "no reason that is known" in unexplained[0].why
    (line,) = (line for line in summary(rows) if line.unexplained)
    assert (line.quantity, line.unexplained) == (quantity, 1)


def test_an_exact_number_that_is_elsewhere_is_unexplained(again):
    """A recipe that is met says nothing of the optimum: a run of another problem would be seen."""
    moved = [
        replace(cell, numbers={**cell.numbers, "triggered_loss_at_0": cell.numbers["triggered_loss_at_0"] + 0.1})
        for cell in run().cells
    ]
    other = SimpleNamespace(cells=tuple(moved), keeps_curve=run().keeps_curve, curve=run().curve)
    rows = [row for row in compare(again, again, other) if not row.explained]
    assert {row.quantity for row in rows} == {"mean_loss"}
    assert {row.place.learner for row in rows} >= {"ridge", "svm", "svm-rbf"}


def test_without_runs_there_are_no_exact_numbers(again):
    """What was published is then held against the recipe alone, and what is wrong by construction is still said."""
    rows = compare(again, again)
    assert all(row.exact is None and row.from_exact is None for row in rows)
    assert all(row.explained for row in rows)
    assert {row.verdict for row in of(rows, "avg_I", "ridge")} == {"differs"}


def test_cells_that_failed_or_are_of_other_data_are_not_taken(again):
    """A neighbour's number beside a published one would be a wrong result."""
    failed = SimpleNamespace(cells=tuple(replace(cell, status="failed") for cell in run().cells))
    assert all(row.exact is None for row in compare(again, again, failed))
    others = (
        {"data": DataConfig("mnist", (3, 0), sampling="paper")},
        {"data": DataConfig("mnist", (7, 1))},
        {"trigger": TriggerConfig(size=6)},
        {"policy": LabelPolicy(1)},
        {"seed": 7},
        {"rate": 0.3},
        {"gamma": 9.0},
    )
    for other in others:
        cells = tuple(replace(one, cell=changed(one.cell, **other)) for one in run().cells)
        assert all(row.exact is None for row in compare(again, again, SimpleNamespace(cells=cells)))


def loss(solver, C=0.1, quantity="mean_loss"):
    return Number(quantity, "loss", solver, False, C, None)


def test_distances_are_relative_but_for_shares_and_cosines():
    """To the number that is held right; from 0 any other is infinitely far, relatively."""
    accuracy, cosine = (Number(name, name, "ridge", False, 1.0, None) for name in ("accuracy", "cosine"))
    assert distance(loss("ridge"), 2.0, 4.0) == 0.5
    assert distance(loss("ridge"), 2.0, 0.0) == math.inf
    assert distance(accuracy, 0.5, 0.25) == distance(cosine, 0.0, 0.25) == 0.25


@pytest.mark.parametrize("solver", ["ridge", "libsvm", "LinearSVC", "liblinear"])
def test_thresholds_part_the_verdicts(solver):
    """Just within and just beyond each of them."""
    number = loss(solver)
    met, stop = met_within(number), stops_within(number)
    assert verdict_of(number, 1.0, met * 1.01, 0.0) == "unexplained"
    assert verdict_of(number, 1.0, met, 1e-9) == "exact"
    assert verdict_of(number, 1.0, 0.0, stop * 1.01) == "unexplained"
    if solver != "ridge":
        assert verdict_of(number, 1.0, 0.0, stop) == "within solver tolerance"
        assert verdict_of(number, 1.0, 0.0, 1.1e-9) == "within solver tolerance"
    assert verdict_of(number, 1.0, float("nan"), None) == "unexplained"


def test_unconverged_solvers_differ_with_their_reason():
    """Beyond C = 1 liblinear and LinearSVC do not get to the optimum; libsvm and ridge do."""
    for solver, said in (("liblinear", "liblinear stopped unconverged"), ("LinearSVC", "LinearSVC stopped")):
        number = loss(solver, C=10.0)
        assert verdict_of(number, 1.0, 0.0, 0.1) == "differs"
        assert said in why(number, 1.0, "differs", True)
    assert "clipped" in why(loss("liblinear", 100.0, "clean_loss"), 1.0, "differs", True)


def test_what_is_wrong_by_construction_is_not_right_by_chance():
    """The published slope column may pass the derivative; that does not make it one. 9999 is no number at all."""
    number = Number("avg_I", "influence", "libsvm", True, 1.0, None)
    assert verdict_of(number, -2.0, 0.0, 1e-6) == "differs"
    assert "complementary projection" in why(number, -2.0, "differs", True)
    sentinel = loss("libsvm")
    assert verdict_of(sentinel, 9999.0, 0.0, 5000.0) == "differs"
    assert "9999 stands for" in why(sentinel, 9999.0, "differs", True)


def test_a_row_or_two_of_500_is_a_tie():
    """Of liblinear between two runs of the recipe; of any solver between it and the optimum."""
    for solver, between_runs in (("liblinear", "within solver tolerance"), ("libsvm", "unexplained")):
        number = Number("clfp_acc", "accuracy", solver, False, 0.1, None)
        assert verdict_of(number, 0.9, 2 / 500, None) == between_runs
        assert verdict_of(number, 0.9, 0.0, 2 / 500) == "within solver tolerance"
        assert verdict_of(number, 0.9, 0.0, 3 / 500) == "unexplained"
        assert "near 0" in why(number, 0.9, "within solver tolerance", True)


def test_the_table_keeps_all_digits_and_the_summary_six(again):
    """CSV for programs, text for people; the counts of a line are those of its rows."""
    rows = compare(again, again, run())
    lines = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [float(line["published"]) for line in lines] == [row.published for row in rows]
    assert lines[0]["pair"] == "7-1"
    assert (lines[0]["exact"], lines[0]["beta"]) == ("", "")
    lines_of = summary(rows)
    assert sum(line.n for line in lines_of) == len(rows)
    assert all(line.n == line.exact + line.within_tolerance + line.differs + line.unexplained for line in lines_of)
    text = as_text(lines_of).splitlines()
    assert len(text) == len(lines_of) + 1
    assert text[0].split()[:5] == ["figure", "pair", "quantity", "learner", "n"]
