"""The paper's published numbers, one by one, beside the recipe repeated and beside the exact numbers of a study.

Three numbers a row: what was published; what the named estimator gives by the paper's recipe at its default tolerance;
and the optimum, or its true derivative, from the runs of `paper-mnist`, where a study has such a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backdoor_curves.paper.numbers.agreement import (
    Family,
    Number,
    Solver,
    Verdict,
    distance,
    largest_entry,
    verdict_of,
    why,
)
from backdoor_curves.paper.numbers.number_key import ExactNumbers, PublishedPlace
from backdoor_curves.paper.numbers.published import PublishedLearner, PublishedRow
from backdoor_curves.paper.numbers.published_files import (
    PATH_RATE,
    CurveFile,
    Pair,
    PathFile,
    PublishedNumbers,
    PublishedPath,
    SlopeFile,
)
from backdoor_curves.paper.numbers.tasks import SLOPE_RATE
from backdoor_curves.poisoning.paper_protocol import SEED
from backdoor_curves.report.tables import csv_file as export
from backdoor_curves.study.store.run import Run

CURVE_FIGURES = {(7, 1): "4", (3, 0): "5", (5, 2): "6"}
SLOPE_FIGURE, DEVIATION_FIGURE = "10", "12"
WORDS = 4
"""Columns of words at the left of the summary as text."""
FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("clf_acc", "clfp_acc", "clfp_acc_on_backdoor", "clfp_acc_tr", "asr"), "accuracy"),
    **dict.fromkeys(("avg_I", "avg_abs_I", "norm_I"), "influence"),
    **dict.fromkeys(("mean_loss", "min_loss", "max_loss", "triggered_loss", "clean_loss"), "loss"),
    **{"coef": "coef", "intercept": "intercept", "cosine": "cosine", "norm": "norm"},
}
CELLS = {
    "clfp_acc": "clean_accuracy_at_1",
    "clfp_acc_on_backdoor": "asr_at_1",
    "avg_I": "slope_at_0",
    "mean_loss": "triggered_loss_at_0",
}
"""The columns of a slope file that a study has, and what it calls them."""


@dataclass(frozen=True)
class Compared:
    """A published number beside the repeated and the exact one.

    Parameters
    ----------
    place : PublishedPlace
        Figure, data, trigger, learner, C, gamma, rate and seed.
    quantity : str
        A column of the slope files; "triggered_loss" or "clean_loss"; "coef", "intercept", "cosine", "norm", "asr".
    beta : float or None
        None for a number that is of no single beta.
    published, repeated : float
        Of the vector "coef" its largest published entry, and the repeated one at the same place.
    exact : float or None
        In the published unit (logarithms of base 2 in the slope files); None where a study has no such number.
    difference : float, >= 0
        Of the repeated from the published number, see `agreement.distance`; of a vector the largest of its entries.
    from_exact : float or None
        Of the exact from the published number, likewise.
    verdict : {"exact", "within solver tolerance", "differs", "unexplained"}
        See `agreement`.
    why : str
        "" for exact.
    """

    place: PublishedPlace
    quantity: str
    beta: float | None
    published: float
    repeated: float
    exact: float | None
    difference: float
    from_exact: float | None
    verdict: Verdict
    why: str

    @property
    def explained(self) -> bool:
        """Whether the paper's recipe gives the published number, and what is between it and the exact one is known."""
        return self.verdict != "unexplained"


@dataclass(frozen=True)
class Summary:
    """What the comparison of one quantity of one learner in one figure comes to.

    Parameters
    ----------
    figure, quantity, learner : str
    pair : (int, int)
    size : int
    n, exact, within_tolerance, differs, unexplained : int
        Numbers compared, and those of each verdict.
    largest_difference : float
        From the recipe repeated.
    largest_from_exact : float or None
        From the exact numbers; None where the study has none.
    n_exact_known : int
        Numbers of which the study has the exact one.
    why : str
        The reasons, the most frequent first, each once.
    """

    figure: str
    quantity: str
    learner: PublishedLearner
    pair: Pair
    size: int
    n: int
    exact: int
    within_tolerance: int
    differs: int
    unexplained: int
    largest_difference: float
    largest_from_exact: float | None
    n_exact_known: int
    why: str


def compare(published: PublishedNumbers, repeated: PublishedNumbers, *runs: Run) -> list[Compared]:
    """Return every published number beside the recipe repeated and the exact number of the runs.

    Parameters
    ----------
    published : PublishedNumbers
        From `published_files.read_published`.
    repeated : PublishedNumbers
        From `repeated.repeat` of it.
    *runs : Run
        Of the study `paper-mnist` or parts of it; whole or not. Cells that none has leave `exact` None.

    Returns
    -------
    list of Compared
        Ten numbers a row of a slope file, two a beta of a curve, and of a path four a beta (three for RBF) and its ASR.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.paper.numbers.comparison import compare, summary
    >>> from backdoor_curves.paper.numbers.published_files import read_published
    >>> from backdoor_curves.paper.numbers.repeated import repeat
    >>> published = read_published("reference")  # doctest: +SKIP
    >>> rows = compare(published, repeat(published, "runs/repeated"), bc.load_run("runs/paper-mnist"))  # doctest: +SKIP
    >>> sum(not row.explained for row in rows)  # doctest: +SKIP
    0
    """
    exact = ExactNumbers(runs)
    rows: list[Compared] = []
    for slopes, again in zip(published.slopes, repeated.slopes, strict=True):
        rows += _slopes(slopes, again, exact)
    for curves, curves_again in zip(published.curves, repeated.curves, strict=True):
        rows += _curves(curves, curves_again, exact)
    for paths, paths_again in zip(published.paths, repeated.paths, strict=True):
        rows += _paths(paths, paths_again, exact)
    return rows


def summary(rows: Iterable[Compared]) -> list[Summary]:
    """Return one line for each figure, quantity and learner, in the order of the rows."""
    groups: dict[tuple[Any, ...], list[Compared]] = {}
    for row in rows:
        at = row.place
        groups.setdefault((at.figure, at.pair, at.size, row.quantity, at.learner), []).append(row)
    return [_summary(group) for group in groups.values()]


def as_csv(rows: Sequence[Compared]) -> str:
    """Return a line a number with all its digits, empty where there is none; the pair as 7-1."""
    return export.as_csv([_cells(row) for row in rows])


def as_text(lines: Sequence[Summary]) -> str:
    """Return the summary as a table for the terminal, numbers to 6 digits."""
    counts = ("n", "exact", "tolerance", "differs", "unexplained")
    table: list[tuple[str, ...]] = [
        ("figure", "pair", "quantity", "learner", *counts, "off recipe", "off exact", "of", "why")
    ]
    for line in lines:
        place = (line.figure, f"{line.pair[0]}-{line.pair[1]}", line.quantity, line.learner)
        numbers = (line.n, line.exact, line.within_tolerance, line.differs, line.unexplained)
        far = "-" if line.largest_from_exact is None else f"{line.largest_from_exact:.6g}"
        off = (f"{line.largest_difference:.6g}", far, str(line.n_exact_known))
        table.append((*place, *map(str, numbers), *off, line.why))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(_aligned(row, widths)) for row in table)


# --- the three kinds of files ----------------------------------------------------------------------------------------


def _slopes(file: SlopeFile, again: SlopeFile, exact: ExactNumbers) -> Iterator[Compared]:
    solver: Solver = {"ridge": "ridge", "logistic": "liblinear"}.get(file.learner, "libsvm")  # type: ignore[assignment]
    for setting, row in file.rows.items():
        place = PublishedPlace(
            SLOPE_FIGURE, file.pair, file.size, file.learner, setting.C, setting.gamma, SLOPE_RATE, setting.seed
        )
        cell = exact.cell(place)
        for quantity in PublishedRow.__dataclass_fields__:
            right = None if cell is None or quantity not in CELLS else cell.numbers.get(CELLS[quantity])
            if quantity == "mean_loss" and right is not None and file.learner == "logistic":
                right = float(right) / float(np.log(2))
            value, other = (getattr(one, quantity) for one in (row, again.rows[setting]))
            number = _number(place, quantity, solver, None)
            yield _compared(place, number, value, other, None if right is None else float(right))


def _curves(file: CurveFile, again: CurveFile, exact: ExactNumbers) -> Iterator[Compared]:
    figure = CURVE_FIGURES.get(file.pair, "")
    for one, other in zip(file.curves, again.curves, strict=True):
        place = PublishedPlace(figure, file.pair, file.size, one.learner, one.C, one.gamma, one.rate, SEED)
        curve = exact.curve(place)
        for quantity, split in (("triggered_loss", "triggered"), ("clean_loss", "clean")):
            right = None if curve is None else curve.loss(split, file.betas)  # type: ignore[arg-type]
            yield from _over_betas(place, quantity, file.betas, getattr(one, split), getattr(other, split), right)


def _paths(file: PathFile, again: PathFile, exact: ExactNumbers) -> Iterator[Compared]:
    for one, other in zip(file.paths, again.paths, strict=True):
        place = PublishedPlace(DEVIATION_FIGURE, file.pair, file.size, one.learner, one.C, one.gamma, PATH_RATE, SEED)
        yield from _coefs(place, file.betas, one, other)
        if one.intercept is not None and other.intercept is not None:
            yield from _over_betas(place, "intercept", file.betas, one.intercept, other.intercept, None)
        curve = exact.curve(place)
        cosine, norm = (None, None) if curve is None else (curve.cosine(file.betas), curve.norm(file.betas))
        yield from _over_betas(place, "cosine", file.betas, one.cosine, other.cosine, cosine)
        yield from _over_betas(place, "norm", file.betas, one.norm, other.norm, norm)
        last = float(file.betas[-1])
        asr = None if curve is None else float(curve.accuracy("triggered", last))
        yield _compared(place, _number(place, "asr", _path_solver(one.learner), last), one.asr, other.asr, asr)


def _coefs(place: PublishedPlace, betas: np.ndarray, one: PublishedPath, other: PublishedPath) -> Iterator[Compared]:
    """Yield a row a beta: the largest distance of an entry, relative to the largest entry, stands for the vector."""
    for beta, w, v in zip(betas.tolist(), one.coef, other.coef, strict=True):
        number = _number(place, "coef", _path_solver(place.learner), beta)
        at = largest_entry(w)
        off, size = float(np.abs(w - v).max()), float(abs(w[at]))
        difference = off / size if size else (float("inf") if off else 0.0)
        verdict = verdict_of(number, float(w[at]), difference, None)
        reason = why(number, float(w[at]), verdict, False)
        yield Compared(place, "coef", beta, float(w[at]), float(v[at]), None, difference, None, verdict, reason)


def _over_betas(
    place: PublishedPlace,
    quantity: str,
    betas: np.ndarray,
    values: np.ndarray,
    others: np.ndarray,
    right: np.ndarray | None,
) -> Iterator[Compared]:
    exact = [None] * len(betas) if right is None else right.tolist()
    solver = _path_solver(place.learner)
    for beta, value, other, one in zip(betas.tolist(), values.tolist(), others.tolist(), exact, strict=True):
        yield _compared(place, _number(place, quantity, solver, beta), value, other, one)


def _path_solver(learner: PublishedLearner) -> Solver:
    solvers: dict[PublishedLearner, Solver] = {
        "logistic": "liblinear",
        "ridge": "ridge",
        "svm": "LinearSVC",
        "svm-rbf": "libsvm",
    }
    return solvers[learner]


def _compared(
    place: PublishedPlace, number: Number, published: float, repeated: float, exact: float | None
) -> Compared:
    difference = distance(number, repeated, published)
    from_exact = None if exact is None else distance(number, published, exact)
    verdict = verdict_of(number, published, difference, from_exact)
    reason = why(number, published, verdict, exact is not None)
    quantity, beta = number.quantity, number.beta
    return Compared(place, quantity, beta, published, repeated, exact, difference, from_exact, verdict, reason)


def _number(place: PublishedPlace, quantity: str, solver: Solver, beta: float | None) -> Number:
    return Number(quantity, FAMILIES[quantity], solver, place.learner == "svm-rbf", place.C, beta)


# --- in short --------------------------------------------------------------------------------------------------------


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the cells of a line of text, four words to the left, numbers to the right, the reason as it is."""
    cells = [cell.ljust(w) if i < WORDS else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))]
    return [*cells[:-1], row[-1]]


def _summary(rows: Sequence[Compared]) -> Summary:
    first, counts = rows[0], Counter(row.verdict for row in rows)
    known = [row.from_exact for row in rows if row.from_exact is not None]
    reasons = Counter(row.why for row in rows if row.why)
    at = first.place
    return Summary(
        figure=at.figure,
        pair=at.pair,
        size=at.size,
        quantity=first.quantity,
        learner=at.learner,
        n=len(rows),
        exact=counts["exact"],
        within_tolerance=counts["within solver tolerance"],
        differs=counts["differs"],
        unexplained=counts["unexplained"],
        largest_difference=max(row.difference for row in rows),
        largest_from_exact=max(known, default=None),
        n_exact_known=len(known),
        why="; ".join(reason for reason, _ in reasons.most_common()),
    )


def _cells(row: Compared) -> dict[str, Any]:
    """Return the line of a row in the table: its place first, then what was compared."""
    place, rest = vars(row.place), {name: value for name, value in vars(row).items() if name != "place"}
    return {**place, "pair": f"{row.place.pair[0]}-{row.place.pair[1]}", **rest}
