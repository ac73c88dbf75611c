"""The numbers of a cell, each by the method of the curve that it is named after."""

from __future__ import annotations

import numpy as np
from small_study import done_here, four_learners

from backdoor_curves.study.compute.cell import curve_from_bytes
from backdoor_curves.study.compute.quantities import ALL_QUANTITIES, numbers


def test_every_number_is_its_curves():
    """By the public names; what a refit has not is None, never a sentinel."""
    plan, outcomes = done_here(four_learners())
    for planned in plan.cells:
        found = outcomes[planned.key].numbers
        curve = curve_from_bytes(outcomes[planned.key].records["curve"])
        assert set(found) == set(ALL_QUANTITIES)
        assert found["method"] == curve.method
        assert (found["asr_at_0"], found["asr_at_1"]) == tuple(curve.accuracy("triggered", [0.0, 1.0]))
        assert (found["clean_accuracy_at_0"], found["clean_accuracy_at_1"]) == tuple(
            curve.accuracy("clean", [0.0, 1.0])
        )
        ends = curve.loss("triggered", [0.0, 1.0])
        np.testing.assert_allclose([found["triggered_loss_at_0"], found["triggered_loss_at_1"]], ends, rtol=1e-12)
        np.testing.assert_allclose(found["norm_at_1"], curve.norm(1.0), rtol=1e-12)
        np.testing.assert_allclose(found["angle_at_1"], curve.angle(1.0), rtol=1e-9)
        np.testing.assert_allclose(found["area"], curve.area(), rtol=1e-12)
        assert found["half_loss_beta"] is None or found["half_loss_beta"] == curve.half_loss_beta
        assert found["betas_missed"] == len(curve.missed)
        if planned.cell.method == "refit":
            assert found["slope_at_0"] is found["theta"] is found["slope_range"] is found["score_bound"] is None
            estimate = curve.slope_estimate()
            assert found["slope_estimate_at_0"] == estimate.slope
            assert found["slope_estimate_error"] == estimate.error
        else:
            step = 1e-7  # the finite difference from the right; curves bend by some 1e3, so by 1e-4 over it
            for split, name in (("triggered", "slope_at_0"), ("clean", "clean_slope_at_0")):
                rise = (curve.loss(split, step) - curve.loss(split, 0.0)) / step
                np.testing.assert_allclose(found[name], rise, rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(found["theta"], -2 / np.pi * np.arctan(found["slope_at_0"]))
            assert found["slope_range"] == curve.slope_range
            assert found["slope_estimate_at_0"] is None
            assert 0 < found["score_bound"] < 1e-6


def test_a_control_has_its_numbers_and_nothing_else_has():
    """They are those of the other curve."""
    _, outcomes = done_here(four_learners(rates=(0.3,)))
    curves = [curve_from_bytes(outcome.records["curve"]) for outcome in outcomes.values()]
    both = numbers(curves[0], curves[1])
    assert both["control_area"] == numbers(curves[1])["area"]
    assert both["control_asr_at_1"] == numbers(curves[1])["asr_at_1"]
    assert numbers(curves[0])["control_area"] is None
