"""The record of a curve: every quantity of the test rows over beta, as a method."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from jaxtyping import Float, Int

from backdoor_curves.curve.betas import check_betas
from backdoor_curves.curve.condensed_rows import CondensedRows
from backdoor_curves.curve.deviation import angles, cosines, norms
from backdoor_curves.curve.estimate import SlopeEstimate, estimated_slope
from backdoor_curves.curve.file import read_curve, write_curve
from backdoor_curves.curve.flips import Flips
from backdoor_curves.curve.influence import (
    Influence,
    TestRows,
    checked_beta,
    influence_on,
    kind_of,
    rows_meant,
    self_influence,
)
from backdoor_curves.curve.info import CurveInfo, Split
from backdoor_curves.curve.live import Live
from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.learners.learner import Learner
from backdoor_curves.metrics import attack_success_rate, clean_accuracy, robust_accuracy, theta
from backdoor_curves.paths.base import BetaPath, Certificate, Gram, Interpolant
from backdoor_curves.records.html import curve_picture, table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class BackdoorLearningCurve:
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
    interpolant, triggered, clean, triggered_true
        The path at its nodes; use the methods.
    missed : array
        Betas at which the path missed its tolerance (exact paths) or the solver did not converge (refits).

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

    info: CurveInfo
    betas: Float[np.ndarray, " b"]
    classes: np.ndarray
    interpolant: Interpolant
    triggered: ScoredRows | CondensedRows
    clean: ScoredRows | CondensedRows
    triggered_true: Int[np.ndarray, " n"] | None
    missed: Float[np.ndarray, " f"]
    stored_certificate: Certificate | None = None
    stored_gram: Gram | None = field(default=None, repr=False)
    stored_slopes: Float[np.ndarray, " 2"] | None = None
    live: Live | None = field(default=None, repr=False)

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
            "theta": float(self.theta) if self.exact else None,
            "half of the loss gone at beta": float(self.half_loss_beta),
            "betas": "all, exact" if self.exact else f"{len(self.betas)} refits",
        }
        caption = (
            f"{escape(self.info.estimator)}, p = {self.info.rate:g}: mean {escape(self.info.loss)} loss over beta, "
            "triggered rows solid, clean rows dashed"
        )
        return f"<figure>{picture}<figcaption>{caption}</figcaption>{table([numbers])}</figure>"

    @property
    def exact(self) -> bool:
        """Whether the curve answers at every beta in [0, 1]; area and half-loss of a refit are estimates."""
        return self.info.exact

    @property
    def method(self) -> str:
        """How the path was followed: "ridge", "svm", "logistic", "squared hinge" or "refit"."""
        return self.info.method

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """Betas in (0, 1) where the formula of the path changes; none for ridge and for refits."""
        return self.interpolant.knots

    @property
    def gram(self) -> Gram | None:
        """The inner products of w between the nodes of the path; None for a learner that has no w."""
        return self.stored_gram if self.live is None else self.live.gram

    @property
    def path(self) -> BetaPath:
        """The path itself, which answers for rows of your own; a curve that was loaded from a file has none."""
        return self._live("path").path

    @property
    def learner(self) -> Learner:
        """The learner with its frozen parts and training rows; a curve that was loaded from a file has none."""
        return self._live("learner").learner

    def scores(self, split: Split, betas: Any = None) -> Float[np.ndarray, "b n *columns"]:
        """Return the scores of the test rows.

        Parameters
        ----------
        split : {"triggered", "clean"}
        betas : float or array-like of shape (b,), optional
            In [0, 1]; by default `self.betas`.

        Returns
        -------
        array of shape (b, n), or (b, n, columns) for more than two classes

        Raises
        ------
        ValueError
            If a beta is outside [0, 1], or was not among those of a refitted curve.
        """
        scores = self._rows(split).scores(self._grid(betas))
        return scores[..., 0] if scores.shape[-1] == 1 else scores

    def loss(self, split: Split = "triggered", betas: Any = None) -> Any:
        """Return the mean loss of the test rows, >= 0: an array of shape (b,), or a float for one beta.

        Parameters and errors as `scores`.
        """
        return _as_asked(betas, self._rows(split).mean_loss(self._grid(betas)))

    def predictions(self, split: Split = "triggered", betas: Any = None) -> np.ndarray:
        """Return the predicted labels of the test rows, shape (b, n). Parameters and errors as `scores`."""
        return self.classes[self._rows(split).predicted(self._grid(betas))]

    def accuracy(self, split: Split = "triggered", betas: Any = None) -> Any:
        """Return the share of test rows predicted as labelled, in [0, 1].

        For "triggered" that is the attack success rate: rows whose true class is not the attacker's, predicted as
        the attacker wants. Parameters and errors as `scores`.
        """
        rate = attack_success_rate if split == "triggered" else clean_accuracy
        rows = self._rows(split)
        return _as_asked(betas, rate(rows.y, rows.predicted(self._grid(betas))))

    def robust_accuracy(self, betas: Any = None) -> Any:
        """Return the share of triggered rows predicted as their true class, in [0, 1]; needs `triggered_true`."""
        if self.triggered_true is None:
            raise ValueError("robust_accuracy needs the true classes of the triggered rows; pass triggered_true=")
        return _as_asked(betas, robust_accuracy(self.triggered_true, self.triggered.predicted(self._grid(betas))))

    def norm(self, betas: Any = None) -> Any:
        """Return rho = |w(beta)| of Eq. 5, the intercept left out (Frobenius for K classes, kernel's space for SVC).

        Raises
        ------
        ValueError
            If the learner has no w (a forest, a K-class kernel SVM).
        """
        return self._of_parameters(norms, betas)

    def cosine(self, betas: Any = None) -> Any:
        """Return the cosine between w(0) and w(beta), in [-1, 1]; errors as `norm`."""
        return self._of_parameters(cosines, betas)

    def angle(self, betas: Any = None) -> Any:
        """Return nu = (1 - cos(w(0), w(beta))) / 2 of Eq. 5, in [0, 1]; errors as `norm`."""
        return self._of_parameters(angles, betas)

    def area(self, split: Split = "triggered") -> float:
        """Return the integral of the loss over beta in [0, 1]: small where the backdoor is learned early.

        In closed form for SVMs, Gauss-Legendre to rounding error for ridge; the trapezoidal rule on the betas of a
        refit, an estimate (`exact` is False) that needs betas from 0 to 1.
        """
        return self._rows(split).area()

    @property
    def half_loss_beta(self) -> float:
        """The first beta at which the triggered loss is at most half of its value at 0; NaN if there is none.

        Exact for SVMs, jumps included. For refits by linear interpolation between their betas, an estimate (`exact` is
        False).
        """
        if (first := self.interpolant.nodes[0]) != 0.0:
            raise ValueError(f"half_loss_beta needs the loss at beta = 0; this curve begins at {first:g}")
        return self.triggered.half_loss_beta()

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
        rows, betas = self._rows(split), check_betas(beta)
        if self.live is not None and isinstance(rows, ScoredRows):
            return _as_asked(beta, self.live.slope(rows, self.live.tests[split == "clean"], betas))
        if self.stored_slopes is None:
            return _as_asked(beta, rows.mean_loss_derivative(betas))
        slopes, beyond = np.full(len(betas), self.stored_slopes[int(split == "clean")]), betas > 0.0
        if beyond.any():
            slopes[beyond] = rows.mean_loss_derivative(betas[beyond])
        return _as_asked(beta, slopes)

    @property
    def theta(self) -> float:
        """Eq. 4: -(2 / pi) arctan(slope at beta = 0), in [-1, 1]; positive where the backdoor is being learned.

        Near 1 it says little: from a slope of -64 on it is above .99. `slope`, `slope_per_poison_row` and
        `relative_slope` do not saturate.
        """
        return float(theta(self.slope(0.0)))

    @property
    def slope_per_poison_row(self) -> float:
        """The slope at beta = 0 over the number of poison rows: what one of them does, in the mean."""
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
        quadratic term of the loss, from its second derivative at 0, has come to a tenth of the linear one.
        """
        if not self.exact:
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
            If the curve is exact, which has `slope`, or has fewer than three betas.
        """
        if self.exact:
            raise ValueError("slope_estimate is for refitted curves; this one is exact, ask for slope")
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
        live = self._live("influence")
        tests = rows_meant(rows, live.learner, live.data.triggered_test, live.data.clean_test)
        return replace(influence_on(live.path, live.learner, tests, checked_beta(beta)), of=kind_of(rows))

    def self_influence(self, beta: float = 0.0) -> Float[np.ndarray, " n_train"]:
        """Return d loss_i / d weight_i of every training row, <= 0, in the order of the victim's training set.

        `curve.influence.poison_ranking(-curve.self_influence(1.0), data.is_poison)` says how well it finds the poison.
        Errors as `influence`.
        """
        live = self._live("self_influence")
        return self_influence(live.path, live.learner, checked_beta(beta))

    def kinks(self, split: Split = "triggered") -> Float[np.ndarray, " j"]:
        """Return the betas in (0, 1) at which the loss has kinks, ascending: exact, for SVMs.

        They are the knots of the path and, for a hinge, the betas at which a test row crosses the margin. Smooth losses
        on smooth paths have none.
        """
        return self._rows(split).kinks()

    def flips(self, split: Split = "triggered") -> Flips:
        """Return all changes of predictions from wrong to right and back, exactly; see `Flips`.

        For triggered rows "right" is what the attacker wants. Closed form for SVMs; for ridge by bisection between
        betas of a dense scan (40 a decade), so that two changes of a row between two of them are not seen.

        Raises
        ------
        ValueError
            If the curve was refitted: nothing is known between its betas.
        """
        return self._rows(split).flips

    @property
    def flip_betas(self) -> Float[np.ndarray, " n"]:
        """The first beta at which each triggered row is predicted as the attacker wants: 0 at once, NaN never."""
        return self.triggered.flips.first()

    @property
    def return_betas(self) -> Float[np.ndarray, " n"]:
        """The first beta at which each triggered row goes back after it went over to the attacker; NaN never."""
        return self.triggered.flips.returns()

    def accuracy_steps(self, split: Split = "triggered") -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
        """Return the accuracy as the step function that it is: betas, the first 0, and the share from each to the next.

        For "triggered" the attack success rate. Errors as `flips`.
        """
        return self._rows(split).flips.steps()

    def certificate(self, betas: Any = None) -> Certificate | None:
        """Return how far the curve may be from the optimum's at each beta; None for refits, which have none.

        Raises
        ------
        ValueError
            If the curve was loaded from a file and other betas than its own are asked for.
        """
        if self.live is not None:
            return self.live.certificate(self._grid(betas))
        if betas is not None and not np.array_equal(check_betas(betas), self.betas):
            raise ValueError("certificate: a curve from a file has the certificate of its own betas only")
        return self.stored_certificate

    def detached(self) -> BackdoorLearningCurve:
        """Return the curve as a file would keep it: with its certificate, without the path and its training rows."""
        return replace(
            self,
            stored_certificate=self.certificate(),
            stored_gram=self.gram,
            stored_slopes=self._start_slopes(),
            live=None,
        )

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

    def _start_slopes(self) -> Float[np.ndarray, " 2"] | None:
        """Return the slopes at beta = 0 of the triggered and the clean loss; None for refits."""
        if self.live is None:
            return self.stored_slopes
        return np.array([self.slope(0.0, "triggered"), self.slope(0.0, "clean")]) if self.exact else None

    def _live(self, what: str) -> Live:
        if self.live is None:
            raise ValueError(
                f"{what}: a curve from a file keeps the scores of its test rows only; compute the curve anew"
            )
        return self.live

    def _of_parameters(self, quantity: Any, betas: Any) -> Any:
        if self.gram is None:
            raise ValueError(f"norm and angle need a parameter vector w; {self.info.estimator} has none")
        with np.errstate(invalid="ignore", divide="ignore"):
            values = quantity(self.interpolant, self.gram, self._grid(betas))
        if not np.isfinite(values).all():
            raise ValueError("norm and angle need a w that is not zero, and a kernel that is positive semidefinite")
        return _as_asked(betas, values)

    def _rows(self, split: Split) -> ScoredRows | CondensedRows:
        if split not in ("triggered", "clean"):
            raise ValueError(f'split: "triggered" or "clean" was expected, {split!r} came')
        return self.triggered if split == "triggered" else self.clean

    def _grid(self, betas: Any) -> Float[np.ndarray, " b"]:
        return self.betas if betas is None else check_betas(betas)


def _as_asked(betas: Any, values: Any) -> Any:
    """Return a float where one beta was asked for, and the array otherwise."""
    return float(values[0]) if betas is not None and np.ndim(betas) == 0 else values
