"""Studies of images through a frozen network: stamped first, mapped then, the same for whoever computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from small_study import content, finished, small

import backdoor_curves as bc
from backdoor_curves.data.samples import Samples
from backdoor_curves.study import run_study as running
from backdoor_curves.study.compute.cell import estimator
from backdoor_curves.study.compute.features import FeatureTable
from backdoor_curves.study.file.config import DataConfig, FeaturesConfig, LearnerConfig
from backdoor_curves.study.file.study_file import StudyError, read_study
from backdoor_curves.study.plan import known_sources as planning
from backdoor_curves.study.plan import sources
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.store.run import load_run

FEATURED = DataConfig("cifar10", "airplane-frog", 60, 30, features=FeaturesConfig("squeezenet"))


class Projection(TransformerMixin, BaseEstimator):
    """A network's stand-in: random features of 8 x 8 images, and how many images it has seen."""

    cache_file = Path("projection.sqlite")
    seen = 0

    def fit(self, X, y=None):  # noqa: ARG002
        return self

    def transform(self, X):
        Projection.seen += len(X)
        return np.tanh(X.reshape(len(X), -1) @ np.random.default_rng(7).normal(size=(192, 12)) / 4)

    def __sklearn_is_fitted__(self):
        return True


@pytest.fixture
def network(monkeypatch):
    """Images of 8 x 8 pixels for CIFAR-10's, and the projection for its network."""

    def images(classes, *, n_train, n_test, rng, data_dir, offline):  # noqa: ARG001
        y = np.arange(n_train + n_test) % 2
        X = np.clip(rng.uniform(size=(len(y), 8, 8, 3)) + 0.1 * y[:, None, None, None], 0, 1)
        return Samples(X[:n_train], y[:n_train]), Samples(X[n_train:], y[n_train:])

    monkeypatch.setattr(sources, "cifar10", images)
    for module in (planning, running):
        monkeypatch.setattr(module, "frozen_network", lambda *_: Projection())
    Projection.seen = 0
    return Projection


def featured(**changes):
    return small(
        data=(FEATURED,), learners=(LearnerConfig("ridge", (1.0,)), LearnerConfig("rbf-svm", (1.0,), (0.1,))), **changes
    )


@pytest.mark.usefixtures("network")
def test_a_cell_is_the_curve_of_a_pipeline_on_stamped_images(tmp_path):
    """The same learner behind the network, on images poisoned by hand: stamping comes before the features."""
    assert finished(featured(), tmp_path / "run").failed == 0
    run = load_run(tmp_path / "run")
    for cell in run.cells:
        rate = cell.scenario.rate
        assert cell.scenario.data == FEATURED
        data = sources.poisoned(*sources.draw(FEATURED, cell.seed, None, True), cell.cell, (rate,))[rate]
        direct = bc.backdoor_learning_curve(make_pipeline(Projection(), estimator(cell.cell)), data)
        betas = np.linspace(0, 1, 7)
        np.testing.assert_allclose(run.curve(cell).loss("triggered", betas), direct.loss("triggered", betas), rtol=1e-6)
        assert cell.numbers["asr_at_1"] == direct.accuracy("triggered", 1.0)


def test_images_go_through_the_network_once(network, tmp_path):
    """Two learners and two rates share what a seed's images gave; a complete run asks for nothing."""
    finished(featured(), tmp_path / "run")
    once = network.seen
    assert once <= 2 * (60 + 30 + 30 + 30)  # two seeds: originals, tests, triggered tests, half of the rows stamped
    finished(featured(), tmp_path / "run")
    assert network.seen == once


@pytest.mark.usefixtures("network")
def test_workers_need_no_network(tmp_path):
    """Two processes, in which nothing is replaced, find what one finds: the table is all that they get."""
    for name, n_jobs in (("one", 1), ("two", 2)):
        finished(featured(), tmp_path / name, n_jobs=n_jobs)
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_another_network_is_another_key(network, monkeypatch):
    """A cell on other features must never be taken for this one."""
    keys = {planned.key for planned in make_plan(featured()).cells}
    monkeypatch.setattr(network, "cache_file", Path("other.sqlite"))
    assert not keys & {planned.key for planned in make_plan(featured()).cells}


def test_an_image_that_is_not_in_the_table_is_an_error():
    """Rather than the features of its neighbour."""
    images = np.random.default_rng(0).random((5, 4, 4, 3))
    table = FeatureTable.of(images, lambda X: X.mean(axis=(1, 2)))
    with pytest.raises(ValueError, match="1 are not in the table"):
        table(np.concatenate([images[:2], images[2:3] + 1e-9]))


def test_rows_of_features_keep_labels_and_weights():
    """Only X is another."""
    images = bc.Samples(np.random.default_rng(0).random((5, 4, 4, 3)), np.arange(5), np.arange(1.0, 6.0))
    rows = FeatureTable.of(images.X, lambda X: X.mean(axis=(1, 2))).rows(images)
    assert rows.X.shape == (5, 3)
    np.testing.assert_array_equal(rows.y, images.y)
    np.testing.assert_array_equal(rows.weight, images.weight)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('data = {name = "digits", features = {network = "squeezenet"}}', "they are for colour images"),
        ('data = {name = "cifar10", classes = [0, 6], features = {network = "resnet"}}', "resnet"),
        (
            'data = {name = "cifar10", classes = [0, 6], features = {network = "squeezenet", normalised = true}}',
            "no choice was expected for squeezenet",
        ),
        ('data = {name = "cifar10"}', "airplane-frog"),
    ],
)
def test_what_does_not_go_together_is_said(line, said, tmp_path):
    """By `check`, before any image is read."""
    file = tmp_path / "study.toml"
    file.write_text(
        f'name = "x"\n{line}\nrates = [0.1]\nseeds = [0]\n[[learners]]\nkind = "ridge"\nlambda = [1]\n',
        encoding="utf-8",
    )
    with pytest.raises(StudyError, match=said):
        read_study(file)


@pytest.mark.parametrize("weight", ["beta", "one"])
def test_stamped_rows_are_all_that_a_table_of_an_attack_lacks(weight):
    """Cover rows of weight 1 stand among the clean rows, and are images of their own."""
    rows = bc.Samples(np.random.default_rng(0).random((40, 4, 4, 1)), np.arange(40) % 2)
    attack = bc.Attack(bc.PatchTrigger.ones(2), 0, cover=bc.Cover(1.0, weight=weight))
    made = bc.poison(rows, rows, attack, rate=0.4, rng=np.random.default_rng(0))
    known = np.concatenate([rows.X, made.stamped_train, made.triggered_test.X])
    table = FeatureTable.of(known, lambda X: X.mean(axis=(1, 2)))
    assert table.data(made).is_cover.tolist() == made.is_cover.tolist()
    assert len(made.stamped_train) == made.rates.n_poison + made.rates.n_cover
