"""The project's checks, each in an environment of its own: `nox`, or `nox -s tests`."""

import re
import tomllib
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "imports", "tests"]
nox.options.default_venv_backend = "venv"


@nox.session
def lint(session: nox.Session) -> None:
    """Style and formatting."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly."""
    session.install(".[pandas]", "mypy")
    session.run("mypy")


@nox.session
def imports(session: nox.Session) -> None:
    """The import contracts."""
    session.install(".", "import-linter")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """Tests and doctests."""
    session.install("-e", ".[test]")
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """Tests with the lowest versions of all dependencies that pyproject.toml allows."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lower_bounds()) + "\n")
    session.install("-e", ".[test]", "-c", str(constraints))
    session.run("pytest", "-n", "2", *session.posargs)


def lower_bounds() -> list[str]:
    """Return the run-time dependencies with each lower bound made exact."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["pandas"]
    return [re.sub(r">=", "==", requirement) for requirement in wanted]
