"""The project's checks, each in an environment of its own: `nox`, `nox -s lint`, or `nox -s tests-3.12`."""

import os
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "imports", "tests", "docs"]
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False  # those that are not there are named at the end, as skipped

PYTHONS = ["3.11", "3.12", "3.13"]
# pyenv's own names on the path answer only where they are chosen.
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
INSTALLED = [str(path) for version in PYTHONS for path in sorted(PYENV.glob(f"{version}.*/bin"))]
os.environ["PATH"] = os.pathsep.join([*INSTALLED, os.environ["PATH"]])


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


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Tests and doctests, on each Python that is here."""
    # torch is large: one Python has it, and on the others the tests of features skip.
    session.install("-e", ".[test,torch]" if session.python == PYTHONS[0] else ".[test]")
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation, strictly; its gallery is run."""
    session.install(".[docs]")
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "docs/build", *session.posargs)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """Tests with the lowest versions of all dependencies that pyproject.toml allows."""
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text(str(session.run("python", ".ci/lowest.py", silent=True)))
    session.install("-e", ".[test]", "-c", str(constraints))
    # Not the published numbers: liblinear's unconverged ones depend on the last bit of another BLAS.
    session.run("pytest", "-n", "2", "--ignore", "tests/reference", *session.posargs)
