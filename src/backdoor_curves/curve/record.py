"""The record of a curve: a scored curve with a source, which knows slopes, influences, norms and how exact all is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from jaxtyping import Float

from backdoor_curves.curve.betas import as_asked, check_betas
from backdoor_curves.curve.deviation import angles_of, cosines_of, norms_of
from backdoor_curves.curve.estimate import SlopeEstimate, estimated_slope
from backdoor_curves.curve.file import read_curve, write_curve
from backdoor_curves.curve.influence import (
    Influence,
    TestRows,
    checked_beta,
    influence_on,
    kind_of,
    rows_meant,
    self_influence,
)
from backdoor_curves.curve.info import Split
from backdoor_curves.curve.live import Live
from backdoor_curves.curve.scored_curve import ScoredCurve, ScoredTests
from backdoor_curves.curve.seeds import Band, band, curve_of_seed
from backdoor_curves.curve.stored import Stored
from backdoor_curves.data.poisoned import PoisonedData
from backdoor_curves.learners.learner import Learner
from backdoor_curves.metrics import theta
from backdoor_curves.paths.base import BetaPath, Certificate, Gram
from backdoor_curves.records.html import curve_picture, table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class BackdoorLearningCurve(ScoredCurve):
    """Loss and accuracy on triggered and clean test rows as functions of beta; see `backdoor_learning_curve`.

    The loss is the learner's own: log loss (natural) for logistic regression, hinge for SVMs, squared hinge for
    LinearSVC's default, (1 - y f)^2 for ridge, with y in {-1, +1}. For K > 2 classes it is the sum over the score
    columns that concern a row: K one-versus-rest problems (ridge, LinearSVC), K - 1 pairs (SVC), or minus the log of
    the softmax (logistic regression). SGDClassifier: its `loss` where it is one of these, otherwise the hinge. Other
    classifiers: log loss of their probabilities clipped to [eps, 1], or the hinge of their decision function where they
    have no probabilities. `info.loss` and `info.encoding` say which.

    Parameters
    ----------
    info : CurveInfo
        What it is a curve of.
    betas : array of shape (b,)
        The betas that are reported where none are asked for.
    classes : array of shape (K,)
        The labels, in the order of the class indices.
    interpolants, triggered, clean, triggered_true
        The path at its nodes; use the methods.
    missed : array
        Betas at which the path missed its tolerance (exact paths) or the solver did not converge (refits).
    source : Live or Stored
        What answers beyond the test rows' scores: all that was computed, or what a file keeps of it.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.linear_model import RidgeClassifier
    >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
    >>> curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    >>> curve.loss("clean", [0.0, 0.5, 1.0]).shape, curve.angle(0.0)
    ((3,), 0.0)
    """

    missed: Float[np.ndarray, " f"]
    source: Live | Stored = field(repr=False)

    def __repr__(self) -> str:
        ends = f"{len(self.betas)} betas from {self.betas[0]:g} to {self.betas[-1]:g}"
        return f"BackdoorLearningCurve({self.info.estimator}, method={self.method!r}, rate={self.info.rate:g}, {ends})"

    def _repr_html_(self) -> str:
        """Return the curve as a notebook shows it: both losses over beta, and the numbers that matter."""
        betas = self.betas if not self.exact else np.unique(np.concatenate([self.betas, np.geomspace(1e-4, 1e-2, 9)]))
        picture = curve_picture(betas, self.loss("triggered", betas), self.loss("clean", betas), repr(self))
        numbers = {
            "attack success rate": float(self.accuracy("triggered", self.betas[-1])),
            "clean accuracy": float(self.accuracy("clean", self.betas[-1])),
            "theta": float(self.theta) if self.has_slope else None,
            "half of the loss gone at beta": float(self.half_loss_beta),
            "betas": "all, exact" if self.exact else f"{len(self.betas)} {'trained' if self.has_slope else 'refits'}",
        }
        mean = "weighted mean" if self.info.weighted_test else "mean"
        caption = (
            f"{escape(self.info.estimator)}, p = {self.info.rate:g}: {mean} {escape(self.info.loss)} loss over beta, "
            "triggered rows solid, clean rows dashed"
        )
        if self.info.flattened:
            caption += f"; images flattened, {escape(self.info.flattened)}"
        return f"<figure>{picture}<figcaption>{caption}</figcaption>{table([numbers])}</figure>"

    @property
    def gram(self) -> Gram | None:
        """The inner products of w between the nodes of `interpolant`; None for a learner that has no w."""
        if len(self.interpolants) > 1:
            raise ValueError(f"gram: each of {len(self.interpolants)} columns has its own; ask for source.grams")
        return None if self.source.grams is None else self.source.grams[0]

    @property
    def path(self) -> BetaPath:
        """The path itself, which answers for rows of your own; a curve that was loaded from a file has none."""
        return self.source.live_for("path").path

    @property
    def learner(self) -> Learner:
        """The learner with its frozen parts and training rows; a curve that was loaded from a file has none."""
        return self.source.live_for("learner").learner

    @property
    def data(self) -> PoisonedData:
        """The data that it was computed on; a curve that was loaded from a file has none."""
        return self.source.live_for("data").data

    @property
    def seeds(self) -> tuple[BackdoorLearningCurve, ...]:
        """The curves of the seeds that a network was trained with, whose mean this one is; any other curve alone.

        Examples
        --------
        >>> import backdoor_curves as bc
        >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
        >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
        >>> net = bc.TrainedNetwork(bc.deep.models.MLP(hidden=(4,)), epochs=3, seeds=2)
        >>> curve = bc.backdoor_learning_curve(net, data)
        >>> band = curve.band(lambda one: one.slope(0.0))
        >>> band.low <= curve.slope(0.0) <= band.high, len(curve.seeds)
        (True, 2)
        """
        if self.info.n_seeds == 1:
            return (self,)
        return tuple(curve_of_seed(self, place) for place in range(self.info.n_seeds))

    def band(self, quantity: Callable[[BackdoorLearningCurve], Any]) -> Band:
        """Return a quantity of the curve of each seed: mean, standard deviation, least and largest.

        Parameters
        ----------
        quantity : callable
            `lambda curve: curve.loss("triggered")`, say: to a number, or an array of one shape for all.
        """
        return band(self.seeds, quantity)

    def norm(self, betas: Any = None) -> Any:
        """Return rho = |w(beta)| of Eq. 5, the intercept left out (Frobenius for K classes, kernel's space for SVC).

        Raises
        ------
        ValueError
            If the learner has no w that is known (a forest, a refitted SVM of K > 2 classes).
        """
        return self._of_parameters(norms_of, betas)

    def cosine(self, betas: Any = None) -> Any:
        """Return the cosine between w(0) and w(beta), in [-1, 1]; errors as `norm`."""
        return self._of_parameters(cosines_of, betas)

    def angle(self, betas: Any = None) -> Any:
        """Return nu = (1 - cos(w(0), w(beta))) / 2 of Eq. 5, in [0, 1]; errors as `norm`."""
        return self._of_parameters(angles_of, betas)

    def slope(self, beta: Any = 0.0, split: Split = "triggered") -> Any:
        """Return the derivative of the loss in beta, exactly: from the right, at beta = 1 from the left.

        Negative where the loss falls. The curve of an SVM has kinks, see `kinks`: there the slope is one-sided, and it
        holds as far as the next one. It comes from the conditions of the optimum, to rounding. A curve from a file has
        that at beta = 0; beyond, its slope comes from the nodes that the file keeps, mostly to 1e-8 of it, and to 1e-6
        for the smooth learners.

        Parameters
        ----------
        beta : float or array-like of shape (b,)
            In [0, 1].
        split : {"triggered", "clean"}

        Returns
        -------
        float or array of shape (b,)
            Loss per unit of beta.

        Raises
        ------
        ValueError
            If the curve jumps at beta (the intercept of an SVM may), or was refitted: it has no slope there.
        """
        return as_asked(beta, self.source.slope(split, self._rows(split), check_betas(beta)))

    @property
    def theta(self) -> float:
        """Eq. 4: -(2 / pi) arctan(slope at beta = 0), in [-1, 1]; positive where the backdoor is being learned.

        Near 1 it says little: from a slope of -64 on it is above .99. `slope`, `slope_per_poison_row` and
        `relative_slope` do not saturate.
        """
        return float(theta(self.slope(0.0)))

    @property
    def slope_per_poison_row(self) -> float:
        """The slope at beta = 0 over the number of rows of weight beta, cover too: what one does, in the mean."""
        return float(self.slope(0.0)) / self.info.n_poison

    @property
    def relative_slope(self) -> float:
        """The slope at beta = 0 over the triggered loss there; -1 / relative_slope is when it would be gone."""
        if not (loss := self.loss("triggered", 0.0)):
            raise ValueError("relative_slope: a triggered loss > 0 at beta = 0 was expected, 0 came; ask for slope")
        return float(self.slope(0.0) / loss)

    @property
    def slope_range(self) -> float:
        """The beta in [0, 1] up to which the slope at 0 predicts the triggered loss.

        The first kink, to which a hinge loss is a straight line; for smooth losses, if that is earlier, where the
        quadratic term of the loss, from its second derivative at 0, has come to a tenth of the linear one. Of a network
        the second derivative is that of its estimate beyond 0.
        """
        if not self.has_slope:
            raise ValueError("slope_range needs an exact path; for refits see the error of slope_estimate")
        return self.triggered.linear_until()

    def slope_estimate(self, split: Split = "triggered") -> SlopeEstimate:
        """Return the slope at the first beta of a refitted curve, from its first three betas.

        By the parabola through the three losses; the error is how far it is from the line through the first two. A
        solver that stops early adds noise of its own, its error in the loss over the distance of the betas. Choose the
        step by `betas=`: [0, 0.001, 0.002, 1], say.

        Raises
        ------
        ValueError
            If the curve has a `slope`, as exact ones and those of networks do, or has fewer than three betas.
        """
        if self.has_slope:
            known = "is exact" if self.exact else "knows its slope"
            raise ValueError(f"slope_estimate is for refitted curves; this one {known}, ask for slope")
        betas = self.betas[:3]
        if len(betas) < 3:
            raise ValueError(f"slope_estimate: a curve of three betas or more was expected, {len(self.betas)} came")
        return estimated_slope(betas, self.loss(split, betas))

    def influence(self, beta: float = 0.0, rows: TestRows = "triggered") -> Influence:
        """Return the influence of every training row on test rows at beta; see `influence`.

        Parameters
        ----------
        beta : float in [0, 1]
        rows : "triggered", "clean", or Samples or a pair (X, y)
            Own rows with labels are welcome: suspicious ones, with the labels that the model gives them.

        Raises
        ------
        ValueError, MemoryError
            As `influence`; and if the curve was loaded from a file, which keeps no training rows.
        """
        live = self.source.live_for("influence")
        tests = rows_meant(rows, live.learner, live.data.triggered_test, live.data.clean_test)
        found = influence_on(live.path, live.learner, tests, checked_beta(beta))
        return replace(found, of=kind_of(rows), is_cover=live.data.is_cover)

    def self_influence(self, beta: float = 0.0) -> Float[np.ndarray, " n_train"]:
        """Return d loss_i / d weight_i of every training row, <= 0, in the order of the victim's training set.

        `curve.influence.poison_ranking(-curve.self_influence(1.0), data.is_poison)` says how well it finds the poison.
        Errors as `influence`.
        """
        live = self.source.live_for("self_influence")
        return self_influence(live.path, live.learner, checked_beta(beta))

    def certificate(self, betas: Any = None) -> Certificate | None:
        """Return how far the curve may be from the optimum's at each beta; None for refits, which have none.

        Raises
        ------
        ValueError
            If the curve was loaded from a file and other betas than its own are asked for.
        """
        return self.source.certificate(self._grid(betas))

    def detached(self) -> BackdoorLearningCurve:
        """Return the curve as a file would keep it: with its certificate, without the path and its training rows."""
        rows: dict[Split, ScoredTests] = {"triggered": self.triggered, "clean": self.clean}
        return replace(self, source=self.source.stored(rows, self.betas))

    def condensed(self) -> BackdoorLearningCurve:
        """Return the curve as small as it can be with its answers as they are, but for the scores of single rows.

        The curve of an SVM shrinks to a hundredth: its loss is kept by its corners and its predictions by their flips,
        both exact at every beta. Other curves have few nodes, and are returned as `detached`.

        Examples
        --------
        >>> import numpy as np
        >>> import backdoor_curves as bc
        >>> from sklearn.svm import SVC
        >>> rng = np.random.default_rng(0)
        >>> train, test = bc.datasets.digits("even-odd", n_train=200, n_test=200, rng=rng)
        >>> trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
        >>> curve = bc.backdoor_learning_curve(SVC(), bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng))
        >>> bool(np.allclose(curve.condensed().loss(), curve.loss(), rtol=1e-12))
        True
        """
        return replace(self.detached(), triggered=self.triggered.condensed(), clean=self.clean.condensed())

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas DataFrame: beta, triggered_loss, clean_loss, attack_success_rate, clean_accuracy.

        Raises
        ------
        ImportError
            If pandas is not installed; the extra `pandas` brings it.
        """
        try:
            import pandas as pd
        except ImportError:
            raise ImportError('to_frame needs pandas; pip install "backdoor-curves[pandas]"') from None
        return pd.DataFrame(
            {
                "beta": self.betas,
                "triggered_loss": self.loss("triggered", self.betas),
                "clean_loss": self.loss("clean", self.betas),
                "attack_success_rate": self.accuracy("triggered", self.betas),
                "clean_accuracy": self.accuracy("clean", self.betas),
            }
        )

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Write the curve to one .npz file, whole or not at all; `load` gives the same curve back.

        The file holds the scores of the test rows at the path's nodes, not the training data. A binary file that is
        open, or an `io.BytesIO`, will do in place of a path.

        Examples
        --------
        >>> import numpy as np, tempfile, pathlib
        >>> import backdoor_curves as bc
        >>> from sklearn.linear_model import RidgeClassifier
        >>> X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
        >>> data = bc.poison((X, y), (X, y), trigger=lambda X, y: X + 1, rate=0.1, rng=np.random.default_rng(1))
        >>> curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     curve.save(pathlib.Path(folder) / "curve.npz")
        ...     again = bc.BackdoorLearningCurve.load(pathlib.Path(folder) / "curve.npz")
        >>> again.area() == curve.area()
        True
        """
        write_curve(path, vars(self.detached()))

    @classmethod
    def load(cls, path: str | os.PathLike[str] | BinaryIO) -> BackdoorLearningCurve:
        """Return the curve that `save` wrote, from its file or from an open one.

        Raises
        ------
        ValueError
            If the file is no curve, or one of a later version.
        """
        return cls(**read_curve(path))

    def _of_parameters(self, quantity: Any, betas: Any) -> Any:
        if self.source.grams is None:
            raise ValueError(f"norm and angle need a parameter vector w; {self.info.estimator} has none")
        with np.errstate(invalid="ignore", divide="ignore"):
            values = quantity(list(zip(self.interpolants, self.source.grams, strict=True)), self._grid(betas))
        if not np.isfinite(values).all():
            raise ValueError("norm and angle need a w that is not zero, and a kernel that is positive semidefinite")
        return as_asked(betas, values)
