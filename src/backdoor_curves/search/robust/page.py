"""A search in a notebook: the estimator's diagram, the front, the setting taken and what it costs."""

from __future__ import annotations

from html import escape
from typing import Any

from sklearn.utils import estimator_html_repr

from backdoor_curves.records.html import table
from backdoor_curves.search.robust.words import said

AS_GIVEN = "Judged on the rows given as if they were clean: poison that they hold already is in every score."


def search_page(search: Any) -> str:
    """Return a search as HTML; before its fit the diagram alone."""
    diagram = str(estimator_html_repr(search))
    if not hasattr(search, "verdict_"):
        return diagram
    front = [
        {
            "on the front": ("→ " if point.index == search.best_index_ else "") + said(point.params),
            "test score": point.score,
            "worst ASR": point.asr,
            "under": point.worst_attack,
            "safe": "yes" if search.cv_results_["is_safe"][point.index] else "no",
        }
        for point in search.pareto_front_
    ]
    return f"{diagram}<p>{escape(search.verdict_)}.</p>{table(front)}<p><small>{AS_GIVEN}</small></p>"
