"""The file of a curve: the fields of its record as arrays, with a source that is stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backdoor_curves.curve.condensed_rows import CondensedRows
from backdoor_curves.curve.flips import Flips
from backdoor_curves.curve.info import CurveInfo, Split
from backdoor_curves.curve.predictions import Predictions, of_flips
from backdoor_curves.curve.scored_columns import ScoredColumns
from backdoor_curves.curve.scored_curve import ScoredTests
from backdoor_curves.curve.scored_rows import ScoredRows
from backdoor_curves.curve.stored import Stored
from backdoor_curves.paths.base import Certificate, Interpolant
from backdoor_curves.paths.interpolation.chebyshev import Panels
from backdoor_curves.paths.interpolation.hermite import HermiteNodes
from backdoor_curves.paths.interpolation.interpolants import PiecewiseLinear, Rational, Table
from backdoor_curves.paths.interpolation.lagrange import NearestNodes
from backdoor_curves.paths.product_scores import ProductScores
from backdoor_curves.records.npz import as_arrays, read_record, record_of, value_of, write_record

FILE_FORMAT = "backdoor learning curve 4"
THIRD_FORMAT = "backdoor learning curve 3"
"""With one interpolant, for all columns, and with the flips of condensed rows in place of their predictions."""
SECOND_FORMAT = "backdoor learning curve 2"
"""As the third, with the score encoding under the name `code`."""
FIRST_FORMAT = "backdoor learning curve 1"
"""As the second, and without the name of an interpolant: a table, or rational where it has a `largest`."""
SPLITS: tuple[Split, Split] = ("triggered", "clean")
"""In the order of the slopes in a file."""
INTERPOLANTS: dict[str, type[Interpolant]] = {
    kind.__name__: kind for kind in (Table, PiecewiseLinear, Rational, Panels, NearestNodes, HermiteNodes)
}
"""What a file may hold: frozen records of arrays and numbers."""


def write_curve(path: str | os.PathLike[str] | BinaryIO, fields: Mapping[str, Any]) -> None:
    """Write the fields of a detached curve, by name."""
    arrays = {name: fields[name] for name in ("betas", "classes", "missed")}
    for part, interpolant in enumerate(fields["interpolants"]):
        arrays |= as_arrays(f"interpolant.{part}", interpolant)
    arrays |= _rows_as_arrays("triggered", fields["triggered"]) | _rows_as_arrays("clean", fields["clean"])
    source: Stored = fields["source"]
    certificate, slopes = source.checked, source.start_slopes
    optional = {
        "triggered_true": fields["triggered_true"],
        "slopes": [slopes[split] for split in SPLITS] if slopes else None,
        "objective_gap": certificate.objective_gap if certificate else None,
        "score_bound": certificate.score_bound if certificate else None,
    }
    for name, value in optional.items():
        arrays |= {} if value is None else as_arrays(name, value)
    for part, gram in enumerate(source.grams or ()):
        arrays |= as_arrays(f"gram.{part}", gram)
    header = {"info": asdict(fields["info"]), "interpolants": [type(part).__name__ for part in fields["interpolants"]]}
    write_record(_place(path), FILE_FORMAT, header, arrays)


def read_curve(path: str | os.PathLike[str] | BinaryIO) -> dict[str, Any]:
    """Return the fields that `write_curve` wrote, by name; ValueError if the file is no curve, or a later one's."""
    header, stored = read_record(_place(path), FILE_FORMAT, THIRD_FORMAT, SECOND_FORMAT, FIRST_FORMAT)
    try:
        return _fields(header, stored)
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}: parts of the curve are missing or of another version") from None


def _fields(header: dict[str, Any], stored: dict[str, np.ndarray]) -> dict[str, Any]:
    info, interpolants = _info(header["info"]), _interpolants(header, stored)
    return {
        "info": info,
        "betas": stored["betas"],
        "classes": stored["classes"],
        "interpolants": interpolants,
        "triggered": _rows("triggered", info, interpolants, stored),
        "clean": _rows("clean", info, interpolants, stored),
        "triggered_true": stored.get("triggered_true"),
        "missed": stored["missed"],
        "source": _source(stored, len(interpolants)),
    }


def _source(stored: dict[str, np.ndarray], columns: int) -> Stored:
    certificate = slopes = grams = None
    if "score_bound" in stored:
        certificate = Certificate(stored["betas"], stored["objective_gap"], stored["score_bound"])
    if "slopes" in stored:
        slopes = dict(zip(SPLITS, stored["slopes"].tolist(), strict=True))
    if {"gram", "gram.data"} & stored.keys():  # of a third format
        grams = (value_of("gram", stored),)
    elif {"gram.0", "gram.0.data"} & stored.keys():
        grams = tuple(value_of(f"gram.{part}", stored) for part in range(columns))
    return Stored(certificate, grams, slopes)


def _info(fields: dict[str, Any]) -> CurveInfo:
    renamed = {"encoding" if name == "code" else name: value for name, value in fields.items()}
    return CurveInfo(**renamed)


def _interpolants(header: dict[str, Any], stored: dict[str, np.ndarray]) -> tuple[Interpolant, ...]:
    if "interpolants" in header:
        kinds = [INTERPOLANTS[name] for name in header["interpolants"]]
        return tuple(record_of(kind, f"interpolant.{part}", stored) for part, kind in enumerate(kinds))
    if "interpolant" in header:
        return (record_of(INTERPOLANTS[header["interpolant"]], "interpolant", stored),)
    return (Rational(float(stored["largest"])) if "largest" in stored else Table(stored["nodes"]),)


def _rows(
    split: Split, info: CurveInfo, interpolants: tuple[Interpolant, ...], stored: dict[str, np.ndarray]
) -> ScoredTests:
    y = stored[f"{split}_y"]
    weight = stored.get(f"{split}_weight", np.ones(len(y)))
    if f"{split}_losses" in stored:
        lines = record_of(PiecewiseLinear, f"{split}_lines", stored)
        return CondensedRows(lines, stored[f"{split}_losses"], _predictions(split, y, stored), y, weight)
    how = y, weight, info.loss, info.encoding, len(stored["classes"])
    if len(interpolants) == 1 and f"{split}_nodal.W" in stored:
        product = ProductScores(stored[f"{split}_nodal.W"], stored[f"{split}_nodal.rows"])
        return ScoredRows(interpolants[0], product, *how)
    if len(interpolants) == 1:
        return ScoredRows(interpolants[0], stored[f"{split}_nodal"], *how)
    nodal = tuple(stored[f"{split}_nodal.{part}"] for part in range(len(interpolants)))
    return ScoredColumns(interpolants, nodal, *how)


def _predictions(split: Split, y: np.ndarray, stored: dict[str, np.ndarray]) -> Predictions:
    if f"{split}_predictions.to" in stored:
        return record_of(Predictions, f"{split}_predictions", stored)
    parts = [stored[f"{split}_flips.{name}"] for name in ("start", "betas", "rows", "gained")]
    return of_flips(Flips(*parts), y)


def _rows_as_arrays(split: Split, rows: ScoredTests) -> dict[str, np.ndarray]:
    """Return the arrays of a file that hold test rows; weights that are all 1 are left out, as older files have it."""
    parts = {"y": rows.y} | ({"weight": rows.weight} if (rows.weight != 1.0).any() else {})
    if isinstance(rows, CondensedRows):
        parts |= as_arrays("lines", rows.lines) | as_arrays("predictions", rows.predictions) | {"losses": rows.losses}
    elif isinstance(rows, ScoredColumns):
        parts |= {f"nodal.{part}": scores for part, scores in enumerate(rows.nodal)}
    elif isinstance(rows.nodal, ProductScores):
        n = len(rows.nodal.rows)
        parts |= {"nodal.W": rows.nodal.W, "nodal.rows": rows.nodal.rows[np.arange(n)]}
    else:
        parts["nodal"] = rows.nodal
    return {f"{split}_{name}": array for name, array in parts.items()}


def _place(path: str | os.PathLike[str] | BinaryIO) -> Path | BinaryIO:
    return Path(path) if isinstance(path, str | os.PathLike) else path
