"""What tests of studies share."""

from __future__ import annotations

import os

import pytest
from small_study import FAULTY


@pytest.fixture
def in_workers(tmp_path, monkeypatch):
    """A function that makes the estimator of lambda = 6 do something else, in worker processes alone."""

    def install(code: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(
            "import os, signal, time, pathlib\n"
            "import backdoor_curves.study.compute.cell as work\n"
            "real = work.estimator\n"
            "def estimator(cell, home=None):\n"
            f"    if cell.setting.lam == {FAULTY}:\n"
            f"        {code}\n"
            "    return real(cell, home)\n"
            "work.estimator = estimator\n"
        )
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))

    return install
