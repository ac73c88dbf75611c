"""The project's checks, each in an environment of its own: `nox`, or `nox -s tests`."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "imports", "tests", "docs"]
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
    session.install("-e", ".[test,torch]")
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, strictly; its gallery is run."""
    session.install(".[docs]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "docs/build", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """Tests with the lowest versions of all dependencies that pyproject.toml allows."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text(str(session.run("python", ".ci/lowest.py", silent=True)))
    session.install("-e", ".[test]", "-c", str(constraints))
    # Not the published numbers: liblinear's unconverged ones depend on the last bit of another BLAS.
    session.run("pytest", "-n", "2", "--ignore", "tests/reference", *session.posargs)
