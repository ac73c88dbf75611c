"""The map in CONTRIBUTING and the names in docs lead to files and names that are there."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "backdoor_curves"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
PAGES = [
    CONTRIBUTING,
    ROOT / "README.md",
    *(
        page
        for page in sorted((ROOT / "docs").rglob("*.md"))
        if page.name != "changelog.md" and "build" not in page.parts
    ),
]
"""All pages but the change log, where old names belong."""
MODULES = sorted(PACKAGE.rglob("*.py"))
TREE = [
    path.relative_to(ROOT).as_posix() + "/" * path.is_dir()
    for top in ("benchmarks", "docs", "examples", "src", "studies", "tests")
    for path in (ROOT / top, *(ROOT / top).rglob("*"))
]
"""Files and folders of the repository; a folder ends in a slash."""
PLACE = re.compile(r"`([\w./-]+(?:\.py|/))`(?!, new)")
NAME = re.compile(r"`(?:backdoor_curves\.)?([a-z_]+(?:\.(?!py`|html`)\w+)+)`")
VARIABLES = ("curve", "data", "features")
"""Folders whose names the texts give to values too: `curve.slope` is asked of a curve."""


def map_of(text: str) -> list[str]:
    """The places in the first column of the tables of the map, in order."""
    return re.findall(r"^\| `([\w./]+)` \|", text, flags=re.MULTILINE)


def places() -> list[str]:
    """All folders below the package and the modules in its root but for those that Python asks for."""
    folders = [path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__"]
    modules = [path for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")]
    return [path.relative_to(PACKAGE).as_posix() + "/" * path.is_dir() for path in (*folders, *modules)]


def layers() -> list[list[str]]:
    """The folders and modules that may be imported from one another, the lowest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [layer.split(" | ") for layer in reversed(layers)]


def test_the_map_names_every_folder_once_and_nothing_else():
    """Who looks for something finds the folder; who adds one says what happens there."""
    assert sorted(map_of(CONTRIBUTING.read_text(encoding="utf-8"))) == sorted(places())


def test_a_folder_that_the_map_lacks_is_seen():
    """The check has teeth."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    assert set(map_of(text.replace("| `losses/` |", "| losses |"))) == set(places()) - {"losses/"}


def test_imports_go_up_the_map():
    """Within each of its tables no place stands above one that it may import."""
    level = {name: number for number, layer in enumerate(layers()) for name in layer}
    tables = CONTRIBUTING.read_text(encoding="utf-8").split("**What happens to")[1:]
    for table in tables:
        tops = [re.split(r"[/.]", place)[0] for place in map_of(table)]
        assert [level[top] for top in tops] == sorted(level[top] for top in tops)


def test_layers_are_the_folders_and_modules_of_the_root():
    """A folder that no layer names would be held to nothing."""
    tops = {re.split(r"[/.]", place)[0] for place in places()}
    assert {name for layer in layers() for name in layer} == tops


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_and_folders_in_backticks_are_there(page):
    """By the end of their path: `study/file/` is enough. What a walk has yet to write has ", new" behind it."""
    assert [place for place in PLACE.findall(page.read_text(encoding="utf-8")) if not is_there(place)] == []


def is_there(place: str) -> bool:
    return any(path == place or path.endswith(f"/{place}") for path in TREE)


def said_names() -> Iterator[tuple[str, str]]:
    """Names in backticks that begin with a folder of the package, in pages, docstrings and comments of all code."""
    folders = tuple(place[:-1] for place in places() if place.count("/") == 1 and place[:-1] not in VARIABLES)
    for path in (*PAGES, *MODULES, *(ROOT / "benchmarks").glob("*.py"), *(ROOT / "tests").rglob("*.py")):
        for name in NAME.findall(path.read_text(encoding="utf-8")):
            if name.startswith(tuple(f"{folder}." for folder in folders)):
                yield path.relative_to(ROOT).as_posix(), name


def leads_somewhere(name: str) -> bool:
    """Whether the name is a module of the package, or an attribute of one."""
    try:
        resolve_name(f"backdoor_curves.{name}")
    except (ImportError, AttributeError):
        return False
    return True


def test_names_of_modules_in_backticks_lead_somewhere():
    """`losses.row_losses` is a module, and `paths.base.BetaPath` is in one."""
    assert [(where, name) for where, name in said_names() if not leads_somewhere(name)] == []


def test_names_that_lead_nowhere_are_seen():
    """The check has teeth."""
    assert leads_somewhere("paths.base.BetaPath")
    assert not leads_somewhere("paths.base.Path")
    assert not leads_somewhere("study.safety")


def test_the_first_line_of_every_module_is_a_sentence():
    """It says the idea of the file; whoever reads the tree reads it first."""
    for path in MODULES:
        first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]
        assert first.endswith((".", ":", "?")), path
        assert "\\'" not in path.read_text(encoding="utf-8").split("\n")[0], path
