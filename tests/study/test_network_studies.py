"""Networks in studies: a kind by the name of its model, cells with slopes, keys that hold what the net is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")

from small_study import WISHES

import backdoor_curves as bc
from backdoor_curves.deep.models import MLP
from backdoor_curves.report import write_report
from backdoor_curves.report.tables.text import legend, path_of
from backdoor_curves.study.compute.fit_times import OF_A_NET, fit_times
from backdoor_curves.study.file.study_file import StudyError, read_study
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.estimators import estimator
from backdoor_curves.study.plan.sources import draw
from backdoor_curves.study.run_study import run_study

STUDY = """
name = "nets"
seeds = [0, 1]
rates = [0.2]
data = {name = "digits", n_train = 60, n_test = 40}
keep = {betas = [0, 0.1, 1], curves = "full"}

[[learners]]
kind = "network"
model = "mlp"
parameters = {epochs = 2}
grid = {weight_decay = [0.0, 0.1], hidden = [4]}
"""


@pytest.fixture
def study(tmp_path):
    place = tmp_path / "nets.toml"
    place.write_text(STUDY)
    return read_study(place)


def test_a_network_is_an_estimator_of_the_package(study):
    """Its model's parameters are axes, and each seed of the study is one of the net."""
    nets = [estimator(cell) for cell in (one.cell for one in make_plan(study).cells)]
    assert {type(net) for net in nets} == {bc.TrainedNetwork}
    assert {(type(net.make_module), net.make_module.hidden, net.weight_decay, net.epochs) for net in nets} == {
        (MLP, 4, 0.0, 2),
        (MLP, 4, 0.1, 2),
    }
    assert len({net.seeds_used() for net in nets}) == 4


def test_cells_have_the_slope_of_the_training(study, tmp_path):
    """And what is kept is the curve, which knows it at every beta of training."""
    list(run_study(study, tmp_path / "run", WISHES))
    run = bc.load_run(tmp_path / "run")
    cells = list(run.cells)
    assert all(cell.status == "done" for cell in cells)
    assert path_of(cells) == "trained"
    for cell in cells:
        curve = run.curve(cell)
        assert curve.method == "network"
        assert curve.slope(0.0) == pytest.approx(cell.numbers["slope_at_0"], rel=1e-12)
        assert np.array_equal(curve.betas, [0.0, 0.1, 1.0])


def test_a_model_of_no_name_is_refused(tmp_path):
    """With those that there are, and its line."""
    place = tmp_path / "nets.toml"
    place.write_text(STUDY.replace('"mlp"', '"mpl"'))
    with pytest.raises(StudyError, match=r"model: one of 'mlp', 'lenet', .* was expected, 'mpl' came"):
        read_study(place)


def test_a_page_says_what_of_a_network_is_exact(study, tmp_path):
    """Its rates and slopes at the betas of training; it is neither proved nor refitted."""
    list(run_study(study, tmp_path / "run", WISHES))
    run = bc.load_run(tmp_path / "run")
    assert all(cell.is_trained for cell in run.cells)
    page = write_report(run, tmp_path / "report.html").read_text()
    assert "4 curves are of networks, trained at all their betas" in page
    assert "refitted beta by beta" not in page
    assert "trained: of a network" in legend(run.cells)


def test_a_check_counts_the_trainings_of_a_cell(study):
    """Two fits at each of its betas: there is one more pass for the tangent, and no trial of weights."""
    plan = make_plan(study)
    found = fit_times(plan, lambda group: draw(group.first.scenario.data, group.first.seed, None, offline=True))
    assert {one.fits for one in found.values()} == {OF_A_NET * 3}
