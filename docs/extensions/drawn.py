"""Figures drawn by the code that a page shows: the directive {drawn}.

    ```{drawn} What the figure shows, for those who do not see it
    >>> display = bc.BackdoorLearningCurveDisplay.from_curves(curve)
    ```

The examples of a page share their names (`pages`), so that a figure is drawn from what the text above it has computed.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from pathlib import Path
from typing import Any, ClassVar

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from docutils import nodes
from docutils.parsers.rst import directives
from pages import blocks_of
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

STYLE = {"svg.fonttype": "none", "font.size": 9.5, "axes.spines.top": False, "axes.spines.right": False}


class Drawn(SphinxDirective):
    """Show code, run it after all that stands before it on the page, and show the figure that it leaves."""

    has_content = True
    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = {"hidden": directives.flag}

    def run(self) -> list[nodes.Node]:
        """Return the code and the figure."""
        number = self.env.new_serialno("drawn")
        name = f"{self.env.docname.replace('/', '-')}-{number + 1}.svg"
        place = Path(self.env.app.srcdir) / "drawn" / name
        self._draw(place, number)
        code = nodes.literal_block("\n".join(self.content), "\n".join(self.content), language="pycon")
        image = nodes.image(uri=f"/drawn/{name}", alt=self.arguments[0], classes=["drawn"])
        return [image] if "hidden" in self.options else [code, image]

    def _draw(self, place: Path, number: int) -> None:
        """Run the page's code up to this figure, each example once, and save the figure."""
        page = self.env.temp_data.setdefault("drawn session", {"names": {}, "done": 0})
        text = Path(self.env.doc2path(self.env.docname)).read_text(encoding="utf-8")
        blocks = [block for block in blocks_of(text) if block.is_session]
        here = [at for at, block in enumerate(blocks) if block.kind == "drawn"][number]
        plt.close("all")
        with mpl.rc_context(STYLE), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message=r"'\w+' (argument is )?deprecated", category=DeprecationWarning)
            for block in blocks[page["done"] : here + 1]:
                for example in block.examples():
                    exec(compile(example.source, f"{self.env.docname}, line {block.line}", "single"), page["names"])
            place.parent.mkdir(exist_ok=True)
            plt.gcf().savefig(place, bbox_inches="tight", metadata={"Date": None})
        plt.close("all")
        page["done"] = here + 1


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive."""
    app.add_directive("drawn", Drawn)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
