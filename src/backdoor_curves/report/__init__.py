"""One page for a run: is a learner easy to backdoor, and where is it safe? One file that can be mailed."""

from __future__ import annotations

import os
from pathlib import Path

from threadpoolctl import threadpool_limits

from backdoor_curves.records.npz import whole
from backdoor_curves.records.targets import require_file
from backdoor_curves.report.page.content import Budget, content_of
from backdoor_curves.report.page.render import rendered
from backdoor_curves.report.page.source_page import rendered_source
from backdoor_curves.report.page.words import unbroken
from backdoor_curves.report.tables.sources import of_sources
from backdoor_curves.search.safe_region import Bounds
from backdoor_curves.study.store.run import Run


def write_report(
    run: Run,
    path: str | os.PathLike[str],
    *,
    bounds: Bounds | None = None,
    command: str = "",
    budget: Budget | None = None,
) -> Path:
    """Write the page of a run, whole or in part, to one HTML file that needs nothing else.

    Parameters
    ----------
    run : Run
        As `load_run` gives it.
    path : path
        The file; one that is there is replaced, whole or not at all.
    bounds : Bounds, optional
        What the page calls safe; by default within .02 of the best clean accuracy, and an ASR of at most .2.
    command : str, optional
        What is said to have written it.
    budget : Budget, optional
        How much the page may carry.

    Returns
    -------
    Path

    Raises
    ------
    OSError
        If the file cannot be written, or the run cannot be read.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> from backdoor_curves.report import write_report
    >>> write_report(bc.load_run("runs/digits"), "digits.html")  # doctest: +SKIP
    PosixPath('digits.html')
    """
    path = Path(path)
    require_file(path, "report.html")
    with threadpool_limits(1):  # of small products: on a busy machine more would wait for each other
        content = content_of(run, bounds or Bounds(), budget)
        page = rendered_source(content, command) if of_sources(run.cells) else rendered(content, command)
    with whole(path) as draft:
        draft.write_text(unbroken(page), encoding="utf-8", errors="replace", newline="\n")
    return path
