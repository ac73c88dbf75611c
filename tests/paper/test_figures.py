"""The paper's figures: what is drawn is what the runs hold."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from small_published import BETAS, placeholders, write

import backdoor_curves as bc
from backdoor_curves.display.saving import save_figure
from backdoor_curves.paper import reproduce
from backdoor_curves.paper.figures import draw as figures
from backdoor_curves.paper.figures import published_points as points
from backdoor_curves.paper.figures import recipes
from backdoor_curves.paper.figures.explanations import Explanation, explain_linear_svm
from backdoor_curves.paper.figures.panels import chosen, curve_columns, draw_curves, draw_slopes, with_smallest_trigger
from backdoor_curves.paper.numbers.published_files import read_published
from backdoor_curves.paper.results import STUDIES as FILES
from backdoor_curves.paper.results import Asked, part_of
from backdoor_curves.report.figures.run_figures import draw_deviations
from backdoor_curves.study.file.config import (
    DataConfig,
    Experiment,
    KeepConfig,
    LearnerConfig,
    PoisonConfig,
    Study,
    TriggerConfig,
)
from backdoor_curves.study.run_study import Wishes, run_study
from backdoor_curves.study.store.run import load_run
from study.small_study import a_cell, stored

WISHES = Wishes(n_jobs=1, memory=2.0**33)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Sevens and ones of the bundled digits in place of MNIST's: all learners, two lambdas, seeds 1, 2 and 999."""
    learners = (
        LearnerConfig("logistic", (0.1, 10.0), intercept="penalised"),
        LearnerConfig("ridge", (1.0, 100.0)),
        LearnerConfig("linear-svm", (0.1, 10.0)),
        LearnerConfig("rbf-svm", (0.1, 10.0), (0.005, 0.05)),
    )
    experiment = Experiment(
        (DataConfig("digits", (7, 1), 120, 80), DataConfig("digits", (5, 2), 120, 80)),
        (TriggerConfig(),),
        (PoisonConfig(),),
        learners,
        (0.1,),
        (1, 2, 999),
        KeepConfig(),
    )
    folder = tmp_path_factory.mktemp("paper") / "small"
    list(run_study(Study("small", (experiment,), False), folder, WISHES))
    return load_run(folder)


def test_a_curves_figure_has_a_panel_for_each_setting_with_its_own_curves(run):
    """Four learners, the kernel at two gammas: five columns, strong regularisation above weak."""
    columns = curve_columns(run, (7, 1))
    assert [len(column) for column in columns] == [2] * 5
    figure = draw_curves(columns, "small")
    title = figure.axes[0].get_title()
    assert title.startswith("SVM, λ = 10")
    curve = columns[0][0][1][0]
    drawn = figure.axes[0].lines[0]
    mean = np.mean([c.loss("triggered", drawn.get_xdata()) for c in columns[0][0][1]], axis=0)
    np.testing.assert_allclose(drawn.get_ydata(), mean)
    assert re.search(r"halved at β = |never halved", title), curve


def test_slopes_are_those_of_the_store_and_the_published_stand_behind(run):
    """x is theta of the derivative, y the accuracies at beta = 1; what was published is a cloud of its own."""
    panel = figures._slope_panel(run, (7, 1), "ridge", (), "7-1")
    behind = {panel[0]: (np.array([1e-3, 0.2]), np.array([0.4, 0.9]))}
    figure = draw_slopes([[panel]], "small", behind)
    cells = [cell for cell in chosen(run, (7, 1), "ridge", rate=0.1) if cell.seed != 999]
    for point in panel[1]:
        of_lam = [cell for cell in cells if cell.setting.lam == point.lam]
        assert sorted(point.slopes) == sorted(cell.numbers["slope_at_0"] for cell in of_lam)
        assert len(of_lam) == 2
    clouds = [c.get_offsets().tolist() for c in figure.axes[0].collections]
    assert [[1e-3, 0.4], [0.2, 0.9]] in clouds


def test_the_published_losses_stand_behind_the_panels_of_their_settings(run):
    """At the betas of the file, both losses of all rates; a panel grows to hold them, and the legend has a key more."""
    published = with_losses(placeholders(pair=(7, 1)), 5.0)
    columns = curve_columns(run, (7, 1))
    figure = figures._mnist_curves(run, (7, 1), "small", published)
    named = {ax.get_title().partition("\n")[0]: ax for ax in figure.axes}
    settings = {"LC, λ = 10": 4, "RC, λ = 100": 4, "RC, λ = 1": 4, "SVM, λ = 0.1": 4}
    for title, ax in named.items():
        points = [point for c in ax.collections for point in c.get_offsets().tolist() if point[1] == 5.0]
        assert len(points) == settings.get(title, 0) * len(BETAS)
        assert {point[0] for point in points} == (set(BETAS) if points else set())
        assert ax.get_ylim()[1] >= 5.0 or not points
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "published"
    assert len(figure.legends) == 1
    bare = draw_curves(columns, "small")
    figures.draw_behind(bare, {}, "published")
    assert "published" not in [text.get_text() for text in bare.legends[0].get_texts()]


def test_a_folder_with_the_files_of_all_pairs_is_shown_of_all_pairs(tmp_path):
    """Figure 10 and 12 have a panel for each pair and learner, and the files of 7-1 alone once stood behind them."""
    for pair in figures.MNIST_PAIRS:
        write(placeholders(pair=pair), tmp_path)
    published = read_published(tmp_path)
    titles = {f"{learner}, {a}-{b}" for learner in ("SVM", "LC", "RC", "RBF SVM") for a, b in figures.MNIST_PAIRS}
    assert points.deviation_points(published).keys() == titles
    for pair in figures.MNIST_PAIRS:
        assert len(points.curve_points(published, pair)) == 8
    found = points.slope_points(with_slopes(published, -1.0, 0.5))
    assert found.keys() == titles
    assert {(*theta, *asr) for theta, asr in found.values()} == {(0.5,) * 8}  # -(2 / pi) arctan(-1) is a half
    assert points.slope_points(published) == {}  # theta is 0 there
    needed = reproduce._needed(published, {"4", "5", "6", "10", "12"})
    assert vars(needed) == vars(published)


def test_published_slopes_stand_in_the_panels_of_every_pair(run, monkeypatch):
    """Of each pair that a file is of, and of no other."""
    monkeypatch.setattr(figures, "MNIST_PAIRS", ((7, 1), (5, 2)))
    figure = figures.figure_10(run, with_slopes(placeholders(pair=(5, 2)), -1.0, 0.123))
    for ax in figure.axes:
        crosses = [point for c in ax.collections for point in c.get_offsets().tolist() if point[1] == 0.123]
        assert len(crosses) == (4 if ax.get_title().endswith("5-2") else 0)


def with_slopes(published, slope, asr):
    """Return published numbers whose slopes are all one number, and their attack success another."""

    def filled(file):
        numbers = {"avg_I": slope, "clfp_acc_on_backdoor": asr}
        return replace(file, rows={at: replace(row, **numbers) for at, row in file.rows.items()})

    return replace(published, slopes=tuple(map(filled, published.slopes)))


def with_losses(published, loss):
    """Return published numbers whose losses are all one number."""
    (file,) = published.curves
    flat = np.full(len(BETAS), loss)
    curves = tuple(replace(one, triggered=flat, clean=flat) for one in file.curves)
    return replace(published, curves=(replace(file, curves=curves),))


def test_deviation_panels_start_at_no_turn(run):
    """nu is measured from beta = 0, and every line has its key in its own panel."""
    panel = figures._deviation_panel(run, (7, 1), "rbf-svm", "7-1")
    figure = draw_deviations([[panel]], "small")
    ax = figure.axes[0]
    assert [line.get_xdata()[0] for line in ax.lines] == pytest.approx([0.0] * 4, abs=1e-9)
    assert len(ax.get_legend().get_texts()) == 4


def test_a_pair_that_a_run_lacks_is_said(run):
    """With those that it has."""
    with pytest.raises(ValueError, match=r"a pair \(3, 0\) was expected, .*digits 7-1"):
        figures.figure_5(run)


def test_safe_regions_outline_exactly_the_safe_settings(run):
    """One frame in the map, or one green band in a strip, for each."""
    from backdoor_curves.search.safe_region import safe_regions

    figure = recipes.safe_regions_figure(run, "small")
    regions = safe_regions([cell for cell in run.cells if cell.seed != 999])
    for ax, region in zip(figure.axes, regions, strict=True):
        frames = [p for p in ax.patches if not p.get_fill()] if region.learner.kind == "rbf-svm" else ax.patches
        assert len(frames) == len(region.safe)
        assert ("nowhere safe" in ax.get_title()) == (not region.safe)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits((7, 1), n_train=200, n_test=100, rng=rng)
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)


@pytest.fixture(scope="module")
def explanation(data):
    return explain_linear_svm(data, C=10.0, row=3)


def test_the_clean_model_of_an_explanation_is_fitted_on_all_original_rows(data, explanation):
    """Not on the clean rows alone, as the curve's beta = 0 is: its gradient is the weights of that very fit."""
    from sklearn.svm import SVC

    X, y = data.original_train
    w = SVC(C=10.0, kernel="linear", tol=1e-9).fit(X.reshape(len(X), -1), y).coef_[0].reshape(X.shape[1:])
    sign = 1.0 if explanation.predicted[0] == 1 else -1.0
    np.testing.assert_allclose(explanation.gradients[0], sign * w, atol=1e-5 * np.abs(w).max())
    assert explanation.shares[1] > explanation.shares[0]


def test_true_influences_of_an_explanation_move_the_loss_as_they_say(data, explanation):
    """At the C where they are not 0: they are those of `influence`, and the largest come first."""
    from sklearn.svm import SVC

    found = bc.influence(SVC(C=explanation.derivative_at, kernel="linear"), data, beta=1.0)
    row = found.values[explanation.influenced_row]
    np.testing.assert_allclose(np.sort(np.abs(row))[::-1][:7], np.abs(explanation.true_values), rtol=1e-9)
    assert (np.abs(explanation.true_values) > 0).all()


def test_an_explanation_comes_back_from_its_file(explanation, tmp_path):
    """Every array and number of it."""
    explanation.save(tmp_path / "e.npz")
    again = Explanation.load(tmp_path / "e.npz")
    for name in Explanation.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(explanation, name))
    blocks = {"digits": (again, ("seven", "one"))}
    assert len(figures.figure_15(blocks).axes[0:]) == 16
    assert len(figures.figure_14(blocks).axes) == 4  # three panels and a bar


def test_samples_are_shown_without_and_with_the_trigger(data):
    """The upper row is the lower one before it was stamped."""
    figure = figures.samples_figure({"digits": (data, ("seven", "one"))}, count=3)
    above, below = (figure.axes[i].images[0].get_array() for i in (0, 3))
    assert (above != below).any()
    assert (above[:5, :5] == below[:5, :5]).all()


def test_the_smallest_trigger_is_that_of_the_fewest_pixels():
    """Of several cells those are left that have it."""
    small, large, same = (stored(a_cell(trigger=TriggerConfig(size=size)), {}) for size in (3, 12, 3))
    assert with_smallest_trigger([small, large, same]) == [small, same]
    assert with_smallest_trigger([]) == []


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_figures_are_the_same_byte_for_byte(kind, tmp_path):
    """Drawn twice, with a legend and a line: no date, no random names."""
    for name in ("a", "b"):
        save_figure(figures.figure_1(), tmp_path / f"{name}.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_other_kinds_of_files_are_refused(tmp_path):
    """By the ending of their name."""
    with pytest.raises(ValueError, match=r"ends in .png, .pdf or .svg"):
        save_figure(Figure(), tmp_path / "a.gif")


# --- the command's parts ---------------------------------------------------------------------------------------------


def test_the_studies_fall_into_slopes_and_curves():
    """Each cell of a study is in one of the two, and the names are apart: each has a store of its own."""
    for name in ("paper-mnist", "paper-cifar10", "paper-cifar10-squeezenet"):
        slopes, curves = (part_of(FILES / f"{name}.toml", kind) for kind in ("slopes", "curves"))
        assert (slopes.name, curves.name) == (f"{name}-slopes", f"{name}-curves")
        assert all(one.seeds == (999,) for one in curves.experiments)
        assert slopes.experiments
        assert all(len(one.seeds) == 5 for one in slopes.experiments)


def test_recipes_are_chosen_by_number_and_by_data():
    """All of them by default; a data set brings the toy too, which needs none."""
    assert {recipe.name for recipe in recipes.chosen_recipes(())} == {recipe.name for recipe in recipes.RECIPES}
    mnist = [recipe.name for recipe in recipes.chosen_recipes(("mnist",))]
    assert mnist == ["1", "4", "5", "6", "10", "12", "14", "15", "samples", "safe-mnist"]
    with pytest.raises(ValueError, match="'16' came"):
        recipes.chosen_recipes(("16",))


def test_what_cannot_be_had_is_left_out_with_the_reason(tmp_path):
    """The toy is drawn, the digits are not there."""
    asked = Asked(("1", "4"), tmp_path / "out", WISHES, data_dir=tmp_path, offline=True)
    said: list[str] = []
    made = reproduce.reproduce(asked, list, say=said.append)
    assert [drawn.recipe.name for drawn in made.left_out] == ["4"]
    assert "offline" in made.left_out[0].reason
    assert (tmp_path / "out" / "figures" / "figure-01.png").is_file()
    assert any("figure-04 left out" in line for line in said)
