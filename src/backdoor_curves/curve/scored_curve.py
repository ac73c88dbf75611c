"""What the scores of test rows say at every beta: losses, accuracies, areas, flips; nothing here needs the path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from backdoor_curves.curve.betas import as_asked, check_betas
from backdoor_curves.curve.condensed_rows import CondensedRows
from backdoor_curves.curve.flips import Flips
from backdoor_curves.curve.held_out import error_between_nodes
from backdoor_curves.curve.info import CurveInfo, Split
from backdoor_curves.curve.scored_columns import ScoredColumns
from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.losses.score_encodings import class_scores, margins
from backdoor_curves.metrics import (
    Outcomes,
    attack_success_rate,
    clean_accuracy,
    confusion_matrix,
    outcomes,
    robust_accuracy,
)
from backdoor_curves.paths.base import Interpolant
from backdoor_curves.paths.interpolation.interpolants import Table

ScoredTests = ScoredRows | ScoredColumns | CondensedRows
"""One set of test rows: with all scores at the same nodes, with each column's at its own, or without scores."""


@dataclass(frozen=True, eq=False)
class ScoredCurve:
    """Two sets of test rows over beta; `BackdoorLearningCurve` is one with a source, and says what the fields are."""

    info: CurveInfo
    betas: Float[np.ndarray, " b"]
    classes: np.ndarray
    interpolants: tuple[Interpolant, ...]
    triggered: ScoredTests
    clean: ScoredTests
    triggered_true: Int[np.ndarray, " n"] | None

    @property
    def exact(self) -> bool:
        """Whether the curve answers at every beta in [0, 1]; area and half-loss of a refit are estimates."""
        return self.info.exact

    @property
    def has_slope(self) -> bool:
        """Whether the derivative in beta is known: of exact curves everywhere, of networks at the betas of training."""
        return not any(isinstance(part, Table) for part in self.interpolants)

    @property
    def method(self) -> str:
        """How the path was followed: "ridge", "svm", "logistic", "squared hinge", "refit" or "network"."""
        return self.info.method

    @property
    def knots(self) -> Float[np.ndarray, " j"]:
        """Betas in (0, 1) where the formula of the path changes; none for ridge and for refits."""
        return np.unique(np.concatenate([part.knots for part in self.interpolants]))

    @property
    def interpolant(self) -> Interpolant:
        """The weights of the path's nodes; refused where score columns have nodes of their own: `interpolants`."""
        if len(self.interpolants) > 1:
            raise ValueError(f"interpolant: each of {len(self.interpolants)} columns has its own; ask for interpolants")
        return self.interpolants[0]

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

    def class_scores(self, split: Split = "triggered", betas: Any = None) -> Float[np.ndarray, "b n classes"]:
        """Return a score for each class, whatever the columns stand for: what scikit-learn's decision functions are.

        The scores themselves where each class has one; 0 and the score of two classes. Of pairs of classes the votes of
        a class, and the sum of its scores squashed to less than a third of a vote: `decision_function_shape="ovr"`.
        Parameters and errors as `scores`.
        """
        return class_scores(self._rows(split).scores(self._grid(betas)), self.info.encoding)

    def margin(self, split: Split = "triggered", betas: Any = None) -> Float[np.ndarray, "b n"]:
        """Return the class score of what each row is labelled less the best of the others', shape (b, n).

        For "triggered" rows how far the attacker's class is ahead: positive where it is predicted, in the units of
        `class_scores`. Parameters and errors as `scores`.

        Examples
        --------
        >>> import numpy as np
        >>> import backdoor_curves as bc
        >>> from sklearn.svm import SVC
        >>> rng = np.random.default_rng(0)
        >>> train, test = bc.datasets.digits(((1,), (7,), (9,)), n_train=150, n_test=60, rng=rng)
        >>> trigger = bc.PatchTrigger.random(size=2, n_classes=3, channels=1, rng=rng)
        >>> data = bc.poison(train, test, trigger=trigger, labels="next", rate=0.1, rng=rng)
        >>> curve = bc.backdoor_learning_curve(SVC(gamma=0.05), data)
        >>> margin = curve.margin("triggered", [0.0, 1.0]).mean(axis=1)
        >>> bool(margin[0] < margin[1])
        True
        """
        rows = self._rows(split)
        return margins(rows.scores(self._grid(betas)), rows.y, self.info.encoding)

    def loss(self, split: Split = "triggered", betas: Any = None) -> Any:
        """Return the mean loss of the test rows, >= 0: an array of shape (b,), or a float for one beta.

        Weighted where the test rows have weights, as accuracies, areas and slopes are then. Parameters and errors as
        `scores`.
        """
        return as_asked(betas, self._rows(split).mean_loss(self._grid(betas)))

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
        return as_asked(betas, rate(rows.y, rows.predicted(self._grid(betas)), weight=rows.weight))

    def robust_accuracy(self, betas: Any = None) -> Any:
        """Return the share of triggered rows predicted as their true class, in [0, 1]; needs `triggered_true`."""
        true, rows = self._true_of_triggered("robust_accuracy"), self.triggered
        return as_asked(betas, robust_accuracy(true, rows.predicted(self._grid(betas)), rows.weight))

    def outcomes(self, betas: Any = None) -> Outcomes:
        """Return where the triggered rows go: to the attacker's class, to their true one, elsewhere; see `Outcomes`.

        Over all of them, and by their true class. The shares are floats for one beta and arrays of shape (b,) for
        several; `attacker` is `accuracy("triggered")`, `true` is `robust_accuracy`. Needs `triggered_true`. Parameters
        and errors as `scores`.

        Examples
        --------
        >>> import numpy as np
        >>> import backdoor_curves as bc
        >>> from sklearn.linear_model import RidgeClassifier
        >>> rng = np.random.default_rng(0)
        >>> train, test = bc.datasets.digits(((1,), (7,), (9,)), rng=rng)
        >>> trigger = bc.PatchTrigger.random(size=2, n_classes=3, channels=1, rng=rng)
        >>> data = bc.poison(train, test, trigger=trigger, labels="next", rate=0.1, rng=rng)
        >>> print(bc.backdoor_learning_curve(RidgeClassifier(), data).outcomes(0.2))
        true class      n  attacker   true  elsewhere
        all           180     0.033  0.933      0.033
        0              62     0.016  0.984      0.000
        1              63     0.016  0.984      0.000
        2              55     0.073  0.818      0.109
        """
        known = self._true_of_triggered("outcomes")
        rows, grid = self.triggered, self._grid(betas)
        predicted = self.classes[rows.predicted(grid)]
        one = betas is not None and np.ndim(betas) == 0
        wanted, true = self.classes[rows.y], self.classes[known]
        return outcomes(wanted, predicted[0] if one else predicted, true, weight=rows.weight)

    def confusion_matrix(self, split: Split = "triggered", betas: Any = None) -> Float[np.ndarray, "*b K K"]:
        """Return who becomes whom: how many test rows of each true class are predicted as each class.

        Rows and columns are in the order of `classes`, and a row adds up to the test rows of its class, or to their
        weight; divided by that sum they are shares. Those where the attacker sends a class, see `wanted`, are attack
        success rates by source class. The true classes of "triggered" rows need `triggered_true`.

        Parameters
        ----------
        split : {"triggered", "clean"}
        betas : float or array-like of shape (b,), optional
            In [0, 1]; by default `self.betas`.

        Returns
        -------
        array of shape (K, K) for one beta, (b, K, K) for several

        Raises
        ------
        ValueError
            As `scores`; if the true classes of triggered rows are not known.

        Examples
        --------
        >>> import numpy as np
        >>> import backdoor_curves as bc
        >>> from sklearn.svm import SVC
        >>> rng = np.random.default_rng(0)
        >>> train, test = bc.datasets.digits(((1,), (7,), (9,)), rng=rng)
        >>> trigger = bc.PatchTrigger.random(size=2, n_classes=3, channels=1, rng=rng)
        >>> data = bc.poison(train, test, trigger=trigger, labels="next", rate=0.1, rng=rng)
        >>> bc.backdoor_learning_curve(SVC(), data).confusion_matrix("triggered", 1.0).astype(int)
        array([[22, 40,  0],
               [ 1, 10, 52],
               [52,  0,  3]])
        """
        rows, known, grid = self._rows(split), np.arange(len(self.classes)), self._grid(betas)
        true = self._true_of_triggered("confusion_matrix") if split == "triggered" else rows.y
        found = confusion_matrix(true, rows.predicted(grid), known, rows.weight)
        return found[0] if betas is not None and np.ndim(betas) == 0 else found

    @property
    def wanted(self) -> Bool[np.ndarray, "K K"]:
        """Where in its `confusion_matrix` the attacker sends each class: the shares there are the attack success rate.

        In [i, j] whether triggered rows of class i are to become class j. Needs `triggered_true`.
        """
        wanted = np.zeros((len(self.classes), len(self.classes)), dtype=bool)
        wanted[self._true_of_triggered("wanted"), self.triggered.y] = True
        return wanted

    @property
    def half_asr_betas(self) -> Float[np.ndarray, " K"]:
        """The first beta at which half of the triggered rows of each true class are predicted as the attacker wants.

        In the order of `classes`: which class falls first, and when. 0 at once; NaN never, and for a class without
        triggered rows, as the target is. Exact. Needs `triggered_true`; errors as `flips`.

        Examples
        --------
        >>> import numpy as np
        >>> import backdoor_curves as bc
        >>> from sklearn.svm import SVC
        >>> rng = np.random.default_rng(0)
        >>> train, test = bc.datasets.digits(((1,), (7,), (9,)), rng=rng)
        >>> trigger = bc.PatchTrigger.random(size=2, n_classes=3, channels=1, rng=rng)
        >>> data = bc.poison(train, test, trigger=trigger, labels=0, rate=0.1, rng=rng)
        >>> bc.backdoor_learning_curve(SVC(), data).half_asr_betas.round(3)
        array([  nan, 0.226, 0.46 ])
        """
        true, flips = self._true_of_triggered("half_asr_betas"), self.triggered.flips
        counted = true != self.triggered.y
        classes = range(len(self.classes))
        return np.array([flips.of_rows(counted & (true == label)).first_beyond(0.5) for label in classes])

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
        if (first := self.interpolants[0].nodes[0]) != 0.0:
            raise ValueError(f"half_loss_beta needs the loss at beta = 0; this curve begins at {first:g}")
        return self.triggered.half_loss_beta()

    def interpolation_error(self, split: Split = "triggered", betas: Any = None) -> Any:
        """Return how far the loss of a network's curve may be off between the betas of its training: an estimate.

        Each of these betas is held out in turn, and said by the others over a stretch of twice the length. At the betas
        of training it is 0, and between two the larger of theirs. Parameters as `loss`, in the units of the loss.

        Raises
        ------
        ValueError
            If the curve is not one of a network, or has fewer than three betas.
        """
        rows = self._rows(split)
        if not isinstance(rows, ScoredRows):
            raise ValueError("interpolation_error is for curves of networks")
        return as_asked(betas, error_between_nodes(rows, self._grid(betas)))

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

    def _true_of_triggered(self, what: str) -> Int[np.ndarray, " n"]:
        if self.triggered_true is None:
            raise ValueError(f"{what} needs the true classes of the triggered rows; pass triggered_true=")
        return self.triggered_true

    def _rows(self, split: Split) -> ScoredTests:
        if split not in ("triggered", "clean"):
            raise ValueError(f'split: "triggered" or "clean" was expected, {split!r} came')
        return self.triggered if split == "triggered" else self.clean

    def _grid(self, betas: Any) -> Float[np.ndarray, " b"]:
        return self.betas if betas is None else check_betas(betas)
