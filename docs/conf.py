"""The documentation: `python -m sphinx -W docs docs/build`, with the extra `docs`."""

import sys
from importlib.metadata import files
from pathlib import Path

import backdoor_curves

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))

project = "backdoor-curves"
author = "The backdoor-curves contributors"
version = release = backdoor_curves.__version__
copyright = author
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "docstrings",
    "drawn",
]
templates_path = ["templates"]
exclude_patterns = ["build", "extensions", "gallery/*.ipynb", "gallery/*.py", "gallery/**/*.ipynb"]
nitpicky = True

myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

# Equations are numbered by page, so that one page can name another's.
numfig = True
math_numfig = True

# One file, kept by the pages themselves: formulas are set without a network.
mathjax_path = "tex-svg.js"
mathjax3_config = {"svg": {"fontCache": "global"}, "options": {"enableMenu": True}}
MATHJAX = next(file for file in files("sphinx-mathjax-offline") or [] if file.name == "tex-svg.js")

default_role = "py:name"
add_module_names = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = True
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"\.ipynb$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "image_scrapers": ("matplotlib",),
    "matplotlib_animations": False,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib",),
    "default_thumb_file": None,
}

html_theme = "pydata_sphinx_theme"
html_title = "backdoor-curves"
html_static_path = ["static", str(MATHJAX.locate())]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_copy_source = False
# Pages that have no pages below them need no list of those.
html_sidebars = {"index": [], "tour": [], "scikit-learn": [], "what-the-numbers-say": [], "gallery/*": []}
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 8,
    "show_prev_next": True,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
