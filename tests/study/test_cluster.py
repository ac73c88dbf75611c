"""A dask cluster: real processes on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from small_study import WISHES, content, finished, four_learners, small

from backdoor_curves.study.compute import cluster
from backdoor_curves.study.file.config import LearnerConfig, PoisonConfig
from backdoor_curves.study.file.study_file import read_study
from backdoor_curves.study.run_study import Progress, run_study

pytest.importorskip("distributed", reason="needs the extra dask")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler with two workers of one thread each, started as the docs say."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, folder = f"tcp://127.0.0.1:{port}", tmp_path_factory.mktemp("dask")
    dask = [sys.executable, "-m", "dask"]
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["env"] = {**os.environ, "PYTHONWARNINGS": "ignore"}
    commands = [
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        *[[*dask, "worker", address, "--nthreads", "1", "--no-dashboard"]] * 2,
    ]
    processes = [subprocess.Popen(command, **quiet) for command in commands]
    time.sleep(1.0)
    yield address
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


pytestmark = pytest.mark.filterwarnings("ignore")  # those of dask and tornado are their own


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """On a busy machine a worker takes its time to come up."""
    monkeypatch.setattr(cluster, "PATIENCE", 60.0)


def test_a_cluster_keeps_the_same_bits_as_one_process(scheduler, tmp_path):
    """Two workers, cells by turns; then there is nothing left to do."""
    finished(four_learners(), tmp_path / "here" / "small")
    assert finished(four_learners(), tmp_path / "there" / "small", scheduler=scheduler) == Progress(16, 0, 16)
    assert content(tmp_path / "there" / "small") == content(tmp_path / "here" / "small")


def test_learners_of_ones_own_have_the_same_bits_on_a_cluster(scheduler, tmp_path):
    """Workers look a module up in the study's folder, where they see it; its source is checked there too."""
    (tmp_path / "ours_there.py").write_text("from sklearn.svm import SVC\ndef machine():\n    return SVC()\n")
    svm = LearnerConfig(estimator="ours_there:machine", grid=(("C", (0.1, 1.0)),))
    forest = LearnerConfig(estimator="sklearn.ensemble.RandomForestClassifier", parameters=(("n_estimators", 3),))
    study = small(learners=(svm, forest), poison=(PoisonConfig(),), seeds=(0,))
    list(run_study(study, tmp_path / "here" / "small", WISHES, home=tmp_path))
    there = replace(WISHES, scheduler=scheduler)
    *_, last = run_study(study, tmp_path / "there" / "small", there, home=tmp_path)
    assert last == Progress(6, 0, 6)
    assert content(tmp_path / "there" / "small") == content(tmp_path / "here" / "small")


ROWS = {
    "sparse rows": ('file = "counts.npz", label = "y"', 'kind = "feature", columns = [3], values = [9]', "0"),
    "a frame": (
        'file = "jobs.csv", label = "paid"',
        'kind = "feature", columns = ["job"], values = ["smith"]',
        '"no"',
    ),
}
"""Files with other rows than an array of numbers, with their triggers and a target label."""


@pytest.mark.parametrize("kind", ROWS)
def test_rows_of_other_kinds_reach_the_workers_as_they_are(kind, scheduler, tmp_path):
    """Sparse rows had become an array of one object, frames had lost their columns: the same bits as here."""
    rng, y = np.random.default_rng(0), np.arange(80) % 2
    X = sp.csr_array(rng.poisson(0.3, size=(80, 30)) * (1.0 + y[:, np.newaxis]))
    np.savez(tmp_path / "counts.npz", data=X.data, indices=X.indices, indptr=X.indptr, shape=X.shape, y=y)
    jobs = rng.choice(["cook", "smith", "clerk"], size=80)
    lines = [f"{20 + 3 * k % 50},{job},{'yes' if k % 2 else 'no'}" for k, job in enumerate(jobs)]
    (tmp_path / "jobs.csv").write_text("\n".join(["age,job,paid", *lines]) + "\n", encoding="utf-8")
    data, trigger, label = ROWS[kind]
    (tmp_path / "own.toml").write_text(
        'name = "own"\nseeds = [0]\nrates = [0.2]\nlearners = [{kind = "logistic", lambda = [1]}]\n'
        f"data = {{{data}}}\ntrigger = {{{trigger}}}\npoison = {{labels = {label}}}\n",
        encoding="utf-8",
    )
    study = read_study(tmp_path / "own.toml")
    for folder, wishes in (("here", WISHES), ("there", replace(WISHES, scheduler=scheduler))):
        *_, last = run_study(study, tmp_path / folder / "own", wishes, home=tmp_path)
        assert last == Progress(1, 0, 1)
    assert content(tmp_path / "there" / "own") == content(tmp_path / "here" / "own")


def test_workers_of_another_version_are_refused(scheduler, tmp_path, monkeypatch):
    """They would compute something else under the same name."""
    monkeypatch.setattr(cluster, "_wanted", lambda: "99.0")
    with pytest.raises(ValueError, match=r"workers with backdoor-curves 99\.0 were expected, tcp://.* has"):
        finished(small(), tmp_path / "small", scheduler=scheduler)


def test_workers_of_several_threads_are_refused():
    """Threads of one process share its BLAS, and the bits would depend on who else is at work."""
    client = SimpleNamespace(nthreads=lambda: {"tcp://a:1": 1, "tcp://b:2": 8})
    with pytest.raises(ValueError, match=r"workers of one thread were expected, tcp://b:2 has more"):
        cluster._require_usable(client, "tcp://s:8786")


def test_a_scheduler_that_is_not_there_is_a_sentence(tmp_path, monkeypatch):
    """With the command that starts one."""
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with pytest.raises(ValueError, match=r"a dask scheduler was expected there, none answers .* dask scheduler"):
        finished(small(), tmp_path / "small", scheduler="tcp://127.0.0.1:1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tls://127.0.0.1:1", "inproc://a:1"])
def test_no_client_is_made_where_no_scheduler_answers(monkeypatch, address):
    """One whose making fails waits to close what it never opened, and ends in a traceback."""
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    monkeypatch.setattr("distributed.Client", lambda *_, **__: pytest.fail("a client was made"))
    with pytest.raises(ValueError, match="a dask scheduler was expected there, none answers"):
        cluster._client(address)


@pytest.mark.parametrize("text", ["foo", "foo:8786", "tcp://foo", "tcp://:8786", "tcp://foo:x", "tcp://a b:1", ""])
def test_what_is_no_address_is_refused(text):
    """With the form of one."""
    with pytest.raises(ValueError, match=r"--scheduler: an address such as tcp://HOST:8786 was expected, .* came"):
        cluster.require_address(text)


@pytest.mark.parametrize("text", ["tcp://127.0.0.1:8786", "tls://node-3.cluster:1", "tcp://[::1]:8786"])
def test_addresses_as_dask_prints_them_are_taken(text):
    """IPv6 among them."""
    cluster.require_address(text)
