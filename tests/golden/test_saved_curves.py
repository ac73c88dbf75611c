"""Curves that an earlier version wrote, with what it answered: files are read on, and say the same.

Both are of 8 rows in the plane; that of ridge was saved as it was, that of the SVM condensed. Format 2 had the score
encoding under the name `code`.
"""

from pathlib import Path

import numpy as np
import pytest

import backdoor_curves as bc

BETAS = [0.0, 0.3, 1.0]
RIDGE = {
    "hyperparameters": {"lambda": 1.0},
    "triggered": [2.5644265479251973, 1.812607947938945, 1.594569686863202],
    "clean": [0.3693538607636123, 0.3548633411927214, 0.43221612119738356],
    "attacked": [2 / 3, 2 / 3, 1 / 3],
    "robust": [1 / 3, 1 / 3, 2 / 3],
    "area": 1.790264697729011,
    "half": np.nan,
    "norm": [0.5669586208938666, 0.4069112405541106, 0.3338398435789946],
    "slope": -5.9557149905414954,
    "clean_slopes": [-0.2794293558744132, 0.06327657763838208],
    "bound": [3.1307832672267724e-14, 2.4478190358239222e-14, 2.022619968163204e-14],
    "kinks": [],
}
SVM = {
    "hyperparameters": {"lambda": 1.0, "gamma": 0.5},
    "triggered": [0.9098211455765299, 0.6892259134645944, 0.30308003377753107],
    "clean": [0.2053294203381901, 0.2390635277186536, 0.3261207829454335],
    "attacked": [2 / 3, 2 / 3, 1.0],
    "robust": [1 / 3, 1 / 3, 0.0],
    "area": 0.5627721640772669,
    "half": 0.6074497423884471,
    "norm": [1.907876666866641, 1.985338183386434, 2.2292645869880348],
    "slope": -0.7251852120024616,
    "clean_slopes": [0.08897516348411354, 0.17454975282827523],
    "bound": [4.423291429513524e-15, 4.315905509115853e-15, 4.628222810356227e-15],
    "kinks": [0.21771437772362656, 0.6355845744697111],
}


@pytest.mark.parametrize(("name", "said"), [("ridge", RIDGE), ("svm", SVM)])
def test_a_curve_of_an_earlier_version_answers_as_it_did(name, said, tmp_path):
    """To rounding: the answers are computed from the file, some by sums that BLAS may add up in another order."""
    first = bc.BackdoorLearningCurve.load(Path(__file__).parent / f"{name}-curve-2.npz")
    first.save(tmp_path / "again.npz")
    for curve in (first, bc.BackdoorLearningCurve.load(tmp_path / "again.npz")):
        found = {
            "triggered": curve.loss("triggered", BETAS),
            "clean": curve.loss("clean", BETAS),
            "attacked": curve.accuracy("triggered", BETAS),
            "robust": curve.robust_accuracy(BETAS),
            "area": curve.area(),
            "half": curve.half_loss_beta,
            "norm": curve.norm(BETAS),
            "slope": curve.slope(0.0),
            "clean_slopes": curve.slope([0.0, 0.3], "clean"),
            "bound": curve.certificate(BETAS).score_bound,
            "kinks": curve.kinks(),
        }
        assert curve.info.hyperparameters == said["hyperparameters"]
        assert curve.betas.tolist() == BETAS
        for quantity, value in found.items():
            np.testing.assert_allclose(value, said[quantity], rtol=1e-12, err_msg=quantity)
        with pytest.raises(ValueError, match="influence: a curve from a file keeps the scores of its test rows only"):
            curve.influence()
