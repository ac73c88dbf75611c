"""The paper, redrawn: runs what is missing, draws, and lays published numbers beside ours.

    asked figures -> runs and explanations (kept, resumed) -> figures -> comparison, claims -> page

A figure whose data or network cannot be had is left out with the reason; the others are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backdoor_curves.display.saving import save_figure
from backdoor_curves.paper.claims.claim import Claim
from backdoor_curves.paper.claims.conclusions import claims_of
from backdoor_curves.paper.figures.recipes import RECIPES, Drawn, Recipe, chosen_recipes
from backdoor_curves.paper.numbers.comparison import (
    CURVE_FIGURES,
    DEVIATION_FIGURE,
    SLOPE_FIGURE,
    Compared,
    as_csv,
    compare,
)
from backdoor_curves.paper.numbers.published_files import PublishedNumbers, read_published
from backdoor_curves.paper.numbers.published_nets import net_rows, read_nets
from backdoor_curves.paper.numbers.repeated import repeat
from backdoor_curves.paper.page import write_page
from backdoor_curves.paper.results import CANNOT, Asked, Results
from backdoor_curves.records.npz import whole
from backdoor_curves.records.one_line import one_line
from backdoor_curves.report.tables.csv_file import as_csv as table_as_csv
from backdoor_curves.study.run_study import Progress


@dataclass(frozen=True)
class Reproduction:
    """What came of it.

    Parameters
    ----------
    figures : tuple of Drawn
        In the order of the paper, those of earlier calls among them.
    rows : tuple of Compared
        Every published number beside ours; empty where no published files were named.
    claims : tuple of Claim
        What the paper concludes, tested on the runs behind the figures.
    page : path
        The page that shows all; not written if it was asked to stop.
    """

    figures: tuple[Drawn, ...]
    rows: tuple[Compared, ...]
    claims: tuple[Claim, ...]
    page: Path

    @property
    def left_out(self) -> tuple[Drawn, ...]:
        """The figures that could not be drawn."""
        return tuple(drawn for drawn in self.figures if drawn.file is None)


def reproduce(
    asked: Asked,
    progress: Callable[[Iterator[Progress]], Any],
    *,
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda _: None,
) -> Reproduction:
    """Draw the figures of the paper that were asked for, and write the page that compares them.

    Parameters
    ----------
    asked : Asked
    progress : callable
        Runs an iterator over `Progress` to its end, and shows it.
    stopping : callable
        Whether to begin nothing more; what was done is kept.
    say : callable
        Takes a line on what is being done.

    Raises
    ------
    ValueError
        If a figure is asked for that is not there.
    OSError
        If the folder cannot be written to.
    """
    recipes = chosen_recipes(asked.figures)
    # Read before anything is computed: a wrong folder should not cost an hour.
    published = None if asked.published is None else read_published(asked.published)
    nets = () if asked.published is None else read_nets(asked.published)
    results = Results(asked, progress, stopping, published, say)
    (asked.out / "figures").mkdir(parents=True, exist_ok=True)
    drawn = [_drawn(recipe, results, say) for recipe in recipes if not stopping()]
    page = asked.out / "index.html"
    if stopping():
        return Reproduction(tuple(drawn), (), (), page)
    drawn = _with_earlier(drawn, asked)
    runs = results.all_runs()
    rows: list[Compared] = []
    if published is not None:
        say("the published numbers, by the paper's recipe")
        needed = _needed(published, {one.recipe.name for one in drawn if one.file is not None})
        again = repeat(
            needed,
            asked.out / "runs" / "repeated",
            data_dir=asked.data_dir,
            offline=asked.offline,
            n_jobs=asked.wishes.n_jobs,
        )
        rows = compare(needed, again, *runs)
        with whole(asked.out / "comparison.csv") as draft:
            draft.write_text(as_csv(rows), encoding="utf-8")
    if nets:
        with whole(asked.out / "networks.csv") as draft:
            draft.write_text(table_as_csv(net_rows(nets)), encoding="utf-8")
    claims = claims_of(runs, () if published is None else published.slopes, results.trigger_shares())
    write_page(page, drawn, rows, claims, runs, nets)
    return Reproduction(tuple(drawn), tuple(rows), tuple(claims), page)


def _with_earlier(drawn: Sequence[Drawn], asked: Asked) -> list[Drawn]:
    """Return what was drawn now and what an earlier call has left in the folder, in the order of the paper."""
    now = {one.recipe.name: one for one in drawn}
    found = []
    for recipe in RECIPES:
        file = asked.out / "figures" / f"{recipe.file}.{asked.kind}"
        if recipe.name in now:
            found.append(now[recipe.name])
        elif file.is_file():
            found.append(Drawn(recipe, file))
    return found


def _needed(published: PublishedNumbers, names: set[str]) -> PublishedNumbers:
    """Return the published numbers of figures by their names."""
    return PublishedNumbers(
        slopes=tuple(file for file in published.slopes if SLOPE_FIGURE in names),
        curves=tuple(file for file in published.curves if CURVE_FIGURES.get(file.pair) in names),
        paths=tuple(file for file in published.paths if DEVIATION_FIGURE in names),
    )


def _drawn(recipe: Recipe, results: Results, say: Callable[[str], None]) -> Drawn:
    """Return a figure as a file, or why not."""
    path = results.asked.out / "figures" / f"{recipe.file}.{results.asked.kind}"
    try:
        save_figure(recipe.draw(results), path)
    except CANNOT as error:
        reason = one_line(error)
        say(f"{recipe.file} left out: {reason}")
        return Drawn(recipe, None, reason)
    say(str(path))
    return Drawn(recipe, path)
