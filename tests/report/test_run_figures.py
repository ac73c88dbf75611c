"""The figures of a run and of its safe regions: where they are of, and what they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from backdoor_curves.report.figures.run_figures import figures, figures_for_print
from backdoor_curves.report.figures.safe_map import draw_safe_maps
from backdoor_curves.search.safe_region import Trial, safe_regions
from backdoor_curves.study.file.config import DataConfig, LabelPolicy, LearnerConfig, PoisonConfig, TriggerConfig
from backdoor_curves.study.plan.names import data_name, scenario_file_name, scenario_title, trigger_name
from backdoor_curves.study.plan.scenario import Scenario
from backdoor_curves.study.store.run import load_run
from study.small_study import finished, small, small_run


def drawn(learner: str, settings: dict[tuple[float, float | None], tuple[float, float] | None]) -> Figure:
    """The map of settings, each with clean accuracy and ASR, or None where it is not done."""
    trials = [
        Trial(
            "toy", learner, {"lambda": lam} | ({} if gamma is None else {"gamma": gamma}), 0, *(found or (None, None))
        )
        for (lam, gamma), found in settings.items()
    ]
    return draw_safe_maps([[(learner, region) for region in safe_regions(trials)]], "title")


def grounds(figure: Figure) -> list[tuple[float, float]]:
    """From where to where lambdas stand on green."""
    patches = [patch for patch in figure.axes[0].patches if to_hex(patch.get_facecolor()) == "#d5efe6"]
    return [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in patches]


def test_green_ends_halfway_to_each_neighbour_on_the_logarithmic_axis():
    """Of 1, 1000 and 1100 only the last is safe: 1000 does not stand on green."""
    figure = drawn("ridge", {(1.0, None): (0.9, 0.9), (1000.0, None): (0.9, 0.9), (1100.0, None): (0.9, 0.1)})
    ((left, right),) = grounds(figure)
    half = np.log(1100 / 1000) / 2
    np.testing.assert_allclose(np.log([left, right]), np.log(1100) + np.array([-half, half]), rtol=1e-12)
    assert 1000.0 < left < 1100.0 < right


def test_green_of_neighbours_meets_and_a_single_lambda_has_some():
    """No gap between two safe ones, whatever their spacing."""
    (first, second) = grounds(drawn("ridge", {(1.0, None): (0.9, 0.1), (7.0, None): (0.9, 0.1)}))
    assert first[1] == pytest.approx(second[0], rel=1e-12) == pytest.approx(np.sqrt(7.0))
    ((left, right),) = grounds(drawn("ridge", {(3.0, None): (0.9, 0.1)}))
    assert left < 3.0 < right


def test_a_setting_that_is_not_done_is_hatched_and_has_no_number():
    """It would say "nan", in the colour of no attack success rate."""
    figure = drawn(
        "rbf-svm", {(1.0, 0.1): (0.9, 0.1), (2.0, 0.1): None, (1.0, 0.2): (0.8, 0.7), (2.0, 0.2): (0.9, 0.9)}
    )
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.texts] == ["90", "80", "90"]
    (hatched,) = [patch for patch in ax.patches if patch.get_hatch()]
    assert hatched.get_xy() == (0.5, -0.5)


def test_the_title_of_a_scenario_says_what_it_is_of_and_what_differs():
    """Labels and injection only where the run has several; a small rate is not taken for a part of a name."""
    at = DataConfig("mnist", (7, 1)), TriggerConfig(size=3)
    scenario, other = (Scenario(*at, policy, 1e-5) for policy in (LabelPolicy(), LabelPolicy(1, "append")))
    assert scenario_title(scenario, [scenario]) == "mnist 7-1, random 3 x 3, p = 1e-05"
    both = scenario_title(scenario, [scenario, other])
    assert both == "mnist 7-1, random 3 x 3, labels next, injection replace, p = 1e-05"
    assert scenario_file_name(scenario) != scenario_file_name(other)


def test_figures_for_print_say_data_trigger_and_rate(tmp_path):
    """Each of them, so that it stands without its file name; labels too where they differ."""
    run = small_run()
    scenario = run.cells[0].scenario
    data, trigger = data_name(scenario.data), trigger_name(scenario.trigger)
    titles = {name: figure.get_suptitle() for name, figure in figures_for_print(run)}
    assert sorted({name.partition("_")[0] for name in titles}) == ["curves", "deviation", "safe", "slopes"]
    for name, title in titles.items():
        if not name.startswith("curves"):
            assert title == f"{data}, {trigger}, p = {name.rpartition('p-')[2]}"
    two = small(poison=(PoisonConfig("next"), PoisonConfig(1)), rates=(0.1,), seeds=(0,))
    finished(two, tmp_path / "two")
    titles = {name: figure.get_suptitle() for name, figure in figures_for_print(load_run(tmp_path / "two"))}
    assert all("labels " in title for name, title in titles.items() if not name.startswith("curves"))
    assert len(set(titles.values())) > 2


def test_a_learner_with_a_remark_has_its_title(tmp_path):
    """The penalised intercept is a part of the learner's name."""
    finished(small(learners=(LearnerConfig("logistic", (1.0,), intercept="penalised"),)), tmp_path / "remark")
    ((_, figure),) = figures(load_run(tmp_path / "remark"))
    assert figure.get_suptitle().startswith("Logistic regression, penalised intercept: ")


def test_a_figure_of_a_learner_has_one_legend_for_both_rows():
    """Rates once, and each style of line with what it is above and below."""
    ((_, figure),) = figures(small_run())
    (legend,) = figure.legends
    assert [ax.get_legend() for ax in figure.axes] == [None] * len(figure.axes)
    words = [text.get_text() for text in legend.get_texts()]
    assert words[:2] == ["p = 0.1", "p = 0.5"]
    styles = [("loss of triggered test rows", "attack success rate"), ("loss of clean test rows", "clean accuracy")]
    assert words[-2:] == [",\n".join(pair) for pair in styles]


def test_a_run_with_nothing_done_is_refused_with_a_sentence():
    """Rather than no file and no word; with how many failed."""
    run = small_run()
    failed = replace(run.cells[0], status="failed")
    for cells, said in (((), "is done; run its"), ((failed,), "is done, 1 failed; run its")):
        with pytest.raises(ValueError, match=f"^small: a run with finished cells was expected, none of its 4 {said}"):
            list(figures_for_print(replace(run, cells=cells)))
