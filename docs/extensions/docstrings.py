"""The project's docstrings as pages: formulas stay as they are typed, and names in backticks lead to what they name."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole

PROMPT = re.compile(r"^\s*(>>>|\.\.\. )")


class NameRole(XRefRole):
    """A name in single backticks: a link if it is one of this package's, and code otherwise."""

    def process_link(
        self, env: BuildEnvironment, refnode: nodes.Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        """Note in which module and class the name was said, and that it need not be one."""
        refnode["py:module"], refnode["py:class"] = env.ref_context.get("py:module"), env.ref_context.get("py:class")
        refnode["reftype"], refnode["any_name"] = "obj", True
        return title, target.removeprefix("bc.").removesuffix("(...)")


def _else_code(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> Any:
    """Leave a name that is none of ours as code."""
    return contnode if node.get("any_name") else None


def _formulas_as_typed(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Make indented formulas literal blocks, and keep |w| from being read as a substitution."""
    out: list[str] = []
    literal = False
    end = next((i for i, line in enumerate(lines) if re.fullmatch(r"-{3,}", line.strip())), len(lines))
    for i, line in enumerate(lines):
        indented, blank = line.startswith("    "), not line.strip()
        if i < end and indented and not literal and out and not out[-1].strip():
            out += ["::", ""]
        literal = i < end and (indented or (literal and blank))
        out.append(line if literal or PROMPT.match(line) else line.replace("|", "\\|"))
    lines[:] = out


def _of_scikit_learn(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out what estimators inherit: scikit-learn documents it, with references into its own pages."""
    made = getattr(obj, "fget", None) or obj
    return True if str(getattr(made, "__module__", "")).startswith("sklearn.") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the role and of the events."""
    app.add_role_to_domain("py", "name", NameRole(innernodeclass=nodes.literal))
    app.connect("missing-reference", _else_code)
    app.connect("autodoc-process-docstring", _formulas_as_typed, priority=400)
    app.connect("autodoc-skip-member", _of_scikit_learn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
