"""The picture of a certificate: what is proved lies below what an attack leaves, and what it cannot draw it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier

import backdoor_curves as bc
from backdoor_curves.certificates.record import PredictionCertificate


def certificate() -> PredictionCertificate:
    """Of four rows, the last of them predicted wrong."""
    return PredictionCertificate(
        change="append",
        radius=np.array([0, 2, 5, 5]),
        limit=5,
        predicted=np.array([0, 0, 1, 1]),
        labels=np.array([0, 0, 1, 0]),
        scores=np.ones((4, 1)),
        weight=np.ones(4),
        row_norm=1.0,
        frozen=(),
        estimator="SVC()",
        bounds=None,
    )


def test_both_lines_are_shares_of_rows_that_are_right(nothing_overlaps):
    """At m rows the proof counts radii of at least m, the attack rows that need more than m."""
    display = bc.CertificateDisplay.from_certificate(certificate(), attacked=np.array([1, 4, 6, 6]))
    assert display.certified.tolist() == [0.75, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert display.attacked.tolist() == [0.75, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert [line.get_ydata().tolist() for line in display.lines_] == [
        [100 * share for share in shares] for shares in (display.certified, display.attacked)
    ]
    nothing_overlaps(display.figure_)


def test_the_truth_is_drawn_where_it_is_known():
    """Labels of ridge are counted: at worst so many turn a prediction, and a bound on any change lies below."""
    train, test = bc.datasets.digits((4, 9), rng=np.random.default_rng(0))
    ridge = RidgeClassifier(alpha=3000.0, fit_intercept=False)
    exact = bc.certify(ridge, train, test, change="flip")
    found = bc.certify(ridge, train, test, change="replace")
    display = bc.CertificateDisplay.from_certificate(found, truth=exact.radius + 1)
    assert (display.certified <= display.truth).all()
    assert display.certified[1] > 0.0
    assert len(display.lines_) == 2


def test_without_an_attack_there_is_one_line():
    """The certificate needs no attack."""
    assert len(bc.CertificateDisplay.from_certificate(certificate(), most=3).lines_) == 1


def test_an_attack_on_other_rows_is_refused():
    """A number for each test row."""
    with pytest.raises(ValueError, match="a number for each of 4 test rows was expected"):
        bc.CertificateDisplay.from_certificate(certificate(), attacked=[1, 2])
