"""A run as a folder, whole or not at all.

runs/digits/study.json        what was run: the study and the version that ran it
           /results.csv       a line a cell
           /table.txt         what the terminal showed
           /curves/*.npz      the curves, for BackdoorLearningCurve.load
           /figures/*.png     a picture a learner
"""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from backdoor_curves import __version__
from backdoor_curves.study.config import Study
from backdoor_curves.study.figures import learner_figure
from backdoor_curves.study.table import as_csv, as_text, legend
from backdoor_curves.study.work import CellResult

RECORD = "study.json"


def check_folder(folder: Path, study: Study) -> bool:
    """Return whether the folder already holds this study; refuse one that holds anything else.

    Raises
    ------
    ValueError
        If the folder holds another study, or files that are no run.
    OSError
        If nothing can be written beside it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        try:
            record = msgspec.json.decode((folder / RECORD).read_bytes(), type=dict)
            kept = msgspec.convert(record["study"], Study)
        except (OSError, msgspec.MsgspecError, KeyError):
            raise ValueError(
                f"{folder}: a new folder was expected, one with other files came; pass another --out"
            ) from None
        if kept != study:
            raise ValueError(
                f"{folder}: it holds another study of this name; rename yours, remove the folder, or pass another --out"
            )
        return True
    _require_writable(folder)
    return False


def write(folder: Path, study: Study, results: Sequence[CellResult]) -> None:
    """Write a run, under another name first: a folder that can be seen is whole."""
    with _beside(folder) as draft:
        record = {"backdoor-curves": __version__, "study": study}
        (draft / RECORD).write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        (draft / "results.csv").write_text(as_csv(results), encoding="utf-8")
        (draft / "table.txt").write_text(f"{as_text(results)}\n\n{legend(results)}\n", encoding="utf-8")
        for kind in ("curves", "figures"):
            (draft / kind).mkdir()
        for result in results:
            for suffix, curve in (("", result.curve), ("_control", result.control)):
                if curve is not None:
                    curve.save(draft / "curves" / f"{result.cell.key}{suffix}.npz")
        for learner in dict.fromkeys(result.cell.learner for result in results if result.curve is not None):
            figure = learner_figure(learner, [result for result in results if result.cell.learner == learner])
            figure.savefig(draft / "figures" / f"{learner}.png", dpi=150)
        if folder.is_dir():
            folder.rmdir()  # empty, or check_folder would have refused it
        os.replace(draft, folder)


def failures(folder: Path) -> list[str]:
    """Return the reasons of the cells of a run that failed."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return [row["error"] for row in csv.DictReader(file) if row["error"]]


def _require_writable(folder: Path) -> None:
    """Try to make a folder where the run will stand, and leave nothing behind."""
    ancestor = next(parent for parent in folder.absolute().parents if parent.exists())
    try:
        tempfile.TemporaryDirectory(dir=ancestor, prefix=".").cleanup()
    except OSError as error:
        raise OSError(f"{ancestor}: a folder to write to was expected ({error.strerror}); pass --out") from None


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside `folder`, and remove it if it is still there at the end."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        draft.chmod(0o755)  # mkdtemp keeps it to its owner, which a result need not be
        yield draft
    finally:
        if draft.exists():
            shutil.rmtree(draft)
