"""What a whole run leaves beside its store: a table for programs, one for people, and figures."""

from __future__ import annotations

from pathlib import Path

from backdoor_curves.display.saving import save_figure
from backdoor_curves.records.npz import whole
from backdoor_curves.report.figures.run_figures import figures
from backdoor_curves.report.tables.csv_file import as_csv
from backdoor_curves.report.tables.sources import of_sources, source_legend, source_text
from backdoor_curves.report.tables.text import as_text, legend, safe_text
from backdoor_curves.study.store.run import Run


def write_summary(run: Run, folder: Path) -> None:
    """Write what a whole run comes to beside its store: results.csv, table.txt and figures."""
    if of_sources(run.cells):
        parts = [source_text(run.cells), source_legend(run.cells)]
    else:
        parts = [part for part in (as_text(run.cells), legend(run.cells), safe_text(run.cells)) if part]
    for name, text in (("results.csv", as_csv(run.table())), ("table.txt", "\n\n".join(parts) + "\n")):
        with whole(folder / name) as draft:
            draft.write_text(text, encoding="utf-8")
    if run.study.figures:
        (folder / "figures").mkdir(exist_ok=True)
        for name, figure in figures(run):
            save_figure(figure, folder / "figures" / f"{name}.png")
