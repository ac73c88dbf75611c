"""A few published figures as facts, so that they are held even where the published files are not.

Source: the arrays behind Figures 2 and 12 of Cina et al., Backdoor Learning Curves (arXiv 2106.07214): MNIST 7 vs 1,
1500 training rows, a tenth of them poisoned with 6 x 6 noise patches, seed 999.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc
from backdoor_curves.poisoning import paper_protocol as protocol

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not (DATA / "mnist").is_dir(), reason="the MNIST files are not beside the repository, which does not contain them"
)

# Triggered loss at beta = 0, .1, .99, clean loss at beta = .99, attack success rate at beta = .99.
FIGURES = [
    (
        RidgeClassifier(alpha=500.0),
        [3.2951124050715994, 2.8907755246234604, 1.3860013234729185],
        0.17634512123973942,
        0.398,
    ),
    (
        RidgeClassifier(alpha=0.5),
        [3.8480677808646386, 0.10970412259305024, 0.1072611950400601],
        0.11528437074129662,
        0.998,
    ),
    (
        LogisticRegression(C=0.1, solver="liblinear"),
        [5.075670019716687, 2.41811951264311, 0.27074256964942983],
        0.08683079088942193,
        0.94,
    ),
    (SVC(C=1, gamma=5e-3), [2.3574006814190076, 1.9711531916726606, 0.3315855338559733], 0.08362132942131682, 0.964),
    (SVC(C=100, gamma=5e-4), [3.177942988478395, 0.9003800747313008, 0.05115071616667005], 0.06220984783272163, 0.99),
]
BETAS = [0.0, 0.1, 0.99]


@pytest.fixture(scope="module")
def data():
    return protocol.badnet(*protocol.mnist_pair((7, 1), DATA), rate=0.1, size=6)


@pytest.mark.parametrize(("estimator", "triggered", "clean", "success"), FIGURES)
def test_curves_pass_through_the_published_points(estimator, triggered, clean, success, data):
    """Three points of each curve; liblinear's early stop carries rounding up to 1e-10."""
    curve = bc.backdoor_learning_curve(estimator, data, method="refit", betas=BETAS)
    np.testing.assert_allclose(curve.loss("triggered"), triggered, rtol=1e-9)
    assert curve.loss("clean", 0.99) == pytest.approx(clean, rel=1e-9)
    assert curve.accuracy("triggered", 0.99) == success


def test_linear_svm_passes_through_its_published_end(data):
    """It goes on from numpy's global stream, so that all its 20 fits are needed for the last one."""
    protocol.choice(1500, 150, protocol.SEED)
    curve = bc.backdoor_learning_curve(LinearSVC(C=0.01, loss="hinge"), data, method="refit", betas=protocol.BETAS)
    published = [2.6581857139673546, 2.207024261059673, 0.4925912574391289]
    np.testing.assert_allclose(curve.loss("triggered", BETAS), published, rtol=1e-12)
    assert curve.loss("clean", 0.99) == pytest.approx(0.09164180914852105, rel=1e-12)


@pytest.mark.parametrize(
    ("alpha", "norms", "cosine"),
    [
        (500.0, [0.3841989969185732, 0.38326029784254506, 0.5375497908253308], 0.6143909243033688),
        (0.5, [3.4127655301138278, 3.712052861980517, 3.7416932281863478], 0.8502473427961408),
    ],
)
def test_ridge_deviates_as_published(alpha, norms, cosine, data):
    """Norms, and the cosine between the first and the last w."""
    curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=alpha), data)
    np.testing.assert_allclose(curve.norm(BETAS), norms, rtol=1e-9)
    assert curve.cosine(0.99) == pytest.approx(cosine, rel=1e-9)
