"""The paper's MNIST study: the file describes what the paper did, and its slopes are the right ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from backdoor_curves.poisoning.paper_protocol import BETAS
from backdoor_curves.study.compute.cell import compute, curve_from_bytes, prepare
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.sources import draw

FILE = Path(__file__).parents[2] / "studies" / "paper-mnist.toml"
DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the studies come with the repository, not with the tests")


@pytest.fixture(scope="module")
def plan():
    if not DATA.is_dir():
        pytest.skip("needs the MNIST files in ../shared/data")
    return make_plan(read_study(FILE), DATA, offline=True)


def test_it_has_the_papers_cells(plan):
    """1600 slopes: three pairs, and 7-1 with the larger trigger too, 80 settings, 5 seeds; 90 curves of seed 999."""
    cells = [planned.cell for planned in plan.cells]
    slopes = [cell for cell in cells if cell.seed != 999]
    assert (len(slopes), len(cells) - len(slopes)) == (1600, 90)
    assert Counter((cell.scenario.data.classes, cell.scenario.trigger.size) for cell in slopes) == {
        ((7, 1), 3): 400,
        ((3, 0), 3): 400,
        ((5, 2), 3): 400,
        ((7, 1), 6): 400,
    }
    settings = [cell.setting for cell in slopes]
    linear = {1 / setting.lam for setting in settings if setting.gamma is None}
    np.testing.assert_allclose(sorted(linear), np.geomspace(1e-4, 1e3, 10))
    np.testing.assert_allclose(sorted({1 / s.lam for s in settings if s.gamma is not None}), np.geomspace(0.1, 100, 10))
    assert {cell.keep.betas for cell in cells if cell.seed == 999} == {tuple(BETAS)}


@pytest.mark.parametrize(
    ("learner", "C", "gamma", "slope"),
    [
        ("ridge", 1e-4, None, -0.379387),
        ("linear-svm", np.geomspace(1e-4, 1e3, 10)[4], None, -20.6507),
        ("rbf-svm", 10.0, 5e-4, -1.99868),
        ("rbf-svm", 1.0, 5e-3, -1.65793),
    ],
)
def test_slopes_are_those_that_finite_differences_gave(plan, learner, C, gamma, slope):
    """Of MNIST 7-1, a trigger of 3 x 3, seed 1; computed once from refits, which took another road."""
    (planned,) = (
        p
        for p in plan.cells
        if (p.cell.scenario.data.classes, p.cell.scenario.trigger.size) == ((7, 1), 3)
        and (p.cell.seed, p.cell.setting.learner.kind) == (1, learner)
        and np.isclose(p.cell.setting.lam, 1 / C, rtol=1e-9)
        and (gamma is None or np.isclose(p.cell.setting.gamma, gamma, rtol=1e-9))
    )
    bench = prepare(plan.groups[planned.group], *draw(planned.cell.scenario.data, 1, DATA, offline=True))
    outcome = compute(planned.key, planned.cell, bench)
    assert outcome.numbers["slope_at_0"] == pytest.approx(slope, rel=1e-5)  # the digits that were written down
    curve = curve_from_bytes(outcome.records["curve"])
    assert curve.exact
    assert (curve.loss("triggered", 1e-6) - curve.loss("triggered", 0.0)) / 1e-6 == pytest.approx(slope, rel=1e-3)
