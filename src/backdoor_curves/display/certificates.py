"""How many changed rows a model holds: what is proved below, what an attack found leaves above, the truth between."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from backdoor_curves.certificates.record import CHANGES, PredictionCertificate
from backdoor_curves.display.style import HUES, NEUTRAL, axes_to_draw_on, legend_below

MOST_DRAWN = 30
"""Rows up to which is drawn if nothing else is asked: what somebody slips in by hand."""


class CertificateDisplay:
    """The share of test rows that are predicted right whatever m rows do, over m.

    Solid: certified, no attack can take more. Dashed: what the attack found leaves. What m rows can really do lies
    between them; where that is known, it is dotted.

    Parameters
    ----------
    rows : int array of shape (M + 1,)
        m = 0, 1, ..., M.
    certified : array of shape (M + 1,)
        Shares in [0, 1].
    attacked : array of shape (M + 1,), optional
        Shares in [0, 1] that the attack leaves.
    truth : array of shape (M + 1,), optional
        Shares in [0, 1] that are left at worst.
    change : str
        What is done to the rows.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    lines_ : list of Line2D
        The certificate, then the attack and the truth where there are some.

    Examples
    --------
    >>> import numpy as np
    >>> import backdoor_curves as bc
    >>> from sklearn.svm import SVC
    >>> train, test = bc.datasets.digits((4, 9), rng=np.random.default_rng(0))
    >>> machine, some = SVC(C=0.02, gamma=0.05), test.take(np.arange(20))
    >>> found = bc.certify(machine, train, some)
    >>> needed = bc.copies_needed(machine, train, some, limit=30)
    >>> display = bc.CertificateDisplay.from_certificate(found, attacked=needed)
    >>> bool((display.certified <= display.attacked).all())
    True
    """

    ax_: Axes
    figure_: Figure | SubFigure
    lines_: list[Line2D]

    def __init__(
        self,
        rows: Int[np.ndarray, " m"],
        certified: Float[np.ndarray, " m"],
        attacked: Float[np.ndarray, " m"] | None = None,
        truth: Float[np.ndarray, " m"] | None = None,
        change: str = "append",
    ) -> None:
        self.rows, self.certified, self.attacked, self.truth = rows, certified, attacked, truth
        self.change = change

    @classmethod
    def from_certificate(
        cls,
        certificate: PredictionCertificate,
        *,
        attacked: Any = None,
        truth: Any = None,
        most: int | None = None,
        ax: Axes | None = None,
    ) -> CertificateDisplay:
        """Draw a certificate, and an attack on the same test rows.

        Parameters
        ----------
        certificate : PredictionCertificate
        attacked : int array of shape (t,), optional
            How few rows turn each prediction, as `copies_needed` finds them.
        truth : int array of shape (t,), optional
            How few rows turn it at worst, where that is known: one more than the radius of flips, say.
        most : int, optional
            The largest m that is drawn; by default 30, or the certificate's limit.
        ax : matplotlib Axes, optional
            As in `plot`.

        Raises
        ------
        ValueError
            If the attack is not on so many test rows.
        """
        rows = np.arange((min(MOST_DRAWN, certificate.limit) if most is None else most) + 1)
        certified = np.array([certificate.share(int(m)) for m in rows])
        attack, worst = (
            None if needed is None else _left(certificate, rows, needed, name)
            for name, needed in (("attacked", attacked), ("truth", truth))
        )
        return cls(rows, certified, attack, worst, certificate.change).plot(ax)

    def plot(self, ax: Axes | None = None) -> CertificateDisplay:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. By default the figure that this display drew last, while it is open, or else a new one.

        Returns
        -------
        CertificateDisplay
            Itself.
        """
        self.ax_ = ax = axes_to_draw_on(ax, getattr(self, "ax_", None))
        self.figure_ = ax.figure
        (line,) = ax.step(self.rows, 100.0 * self.certified, where="post", color=HUES[0], label="certified")
        self.lines_ = [line]
        if self.attacked is not None:
            (upper,) = ax.step(
                self.rows,
                100.0 * self.attacked,
                where="post",
                color=HUES[1],
                linestyle="--",
                label="left by the attack",
            )
            ax.fill_between(
                self.rows, 100.0 * self.certified, 100.0 * self.attacked, step="post", color=NEUTRAL, alpha=0.12, lw=0
            )
            self.lines_.append(upper)
        if self.truth is not None:
            (known,) = ax.step(self.rows, 100.0 * self.truth, where="post", color=HUES[2], linestyle=":", label="truth")
            self.lines_.append(known)
        ax.set_xlabel(f"training rows {CHANGES[self.change]}")
        ax.set_ylabel("test rows predicted right (%)")
        ax.set_ylim(-3.0, 103.0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(ax, self.lines_)
        return self


def _left(
    certificate: PredictionCertificate, rows: Int[np.ndarray, " m"], needed: Any, name: str
) -> Float[np.ndarray, " m"]:
    """Return the share of rows that are right and need more than m changed rows to be turned."""
    needed = np.asarray(needed)
    if needed.shape != certificate.radius.shape:
        raise ValueError(
            f"{name}: a number for each of {len(certificate.radius)} test rows was expected, shape {needed.shape} came"
        )
    right = certificate.predicted == certificate.labels
    return np.array([np.average(right & (needed > m), weights=certificate.weight) for m in rows])
