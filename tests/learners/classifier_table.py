"""What becomes of each classifier, found by trying it; run as a script it writes the tables of docs/scikit-learn.md.

From the root of the repository: `PYTHONPATH=src:tests python tests/learners/classifier_table.py`. Rows of libraries
that are not installed stay as they are.
"""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import all_estimators

import backdoor_curves as bc
from backdoor_curves.data.samples import Samples, join

PAGE = Path(__file__).parents[2] / "docs" / "scikit-learn.md"
LABELS = {2: ("ham", "spam"), 3: ("ham", "news", "spam")}


@cache
def small_data(labels: tuple) -> bc.PoisonedData:
    """Counts from 0 to 5, which all classifiers take; the class is in two of four columns, the trigger mirrors one."""
    rng = np.random.default_rng(0)
    n = 120
    index = rng.integers(0, len(labels), 2 * n)
    X = rng.integers(0, 3, size=(2 * n, 4)).astype(float)
    X[:, :2] += 3.0 / (len(labels) - 1) * index[:, np.newaxis]
    index[:3], X[:3, 3] = len(labels) - 1, (3.0, 4.0, 5.0)  # all counts are among clean rows, for who knows no others
    y = np.array(labels)[index]

    def mirrored(X, _):
        return np.column_stack([X[:, :3], 5.0 - X[:, 3]])

    both = (X[:n].round(), y[:n]), (X[n:].round(), y[n:])
    return bc.poison(*both, trigger=mirrored, rate=0.2, labels=labels[-1], rng=rng, injection="append")


def victims_rows(data: bc.PoisonedData) -> Samples:
    """Return the rows that the victim is fitted on."""
    return join(data.clean_train, data.poison_train, data.is_poison)


@dataclass(frozen=True, eq=False)
class Classifier:
    """A row of a table: how it is written there, how it is made, and what it is tried with."""

    written: str
    make: Callable[[], object]
    routing: bool = False
    labels: dict[int, tuple] | None = None
    package: str = "sklearn"
    """The name that it is imported by."""

    def __str__(self) -> str:
        return self.written


@dataclass(frozen=True)
class Outcome:
    """What became of it: a curve, or the error that refused it."""

    curve: bc.BackdoorLearningCurve | None
    refusal: str | None

    @property
    def how(self) -> str:
        """In a word of the table."""
        return "refused" if self.curve is None else "exact" if self.curve.exact else "refitted"


@cache
def tried(classifier: Classifier, data: bc.PoisonedData, freeze: str = "joined") -> Outcome:
    """Return the outcome at both ends; an error that is no refusal is raised."""
    with sklearn.config_context(enable_metadata_routing=classifier.routing), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Outcome(bc.backdoor_learning_curve(classifier.make(), data, betas=[0.0, 1.0], freeze=freeze), None)
        except (TypeError, ValueError) as error:
            if not re.match(
                r"(estimator|labels): |Only binary|The .liblinear. solver", str(error)
            ):  # or scikit-learn's own sentence
                raise
            return Outcome(None, str(error))


# --- who is tried ----------------------------------------------------------------------------------------------------

INSIDE = {"estimators": [("a", LogisticRegression()), ("b", GaussianNB())], "estimator": LogisticRegression()}
"""What a classifier that is made of others is made of."""
FEW = {"n_estimators": 5, "cv": 3}
"""A few trees, and a few folds, show what many do."""
CLOSE = {"tol": 1e-8, "max_iter": 100_000}
"""Exact paths are laid beside solvers that go on to the end."""
WORDS = {
    "AdaBoostClassifier": {"estimator": None},
    "BaggingClassifier": {"estimator": None},
    "HistGradientBoostingClassifier": {"max_iter": 5},
    "LinearSVC": CLOSE,
    "LogisticRegression": CLOSE,
    "OneVsOneClassifier": {"estimator": LogisticRegression(**CLOSE)},
    "OneVsRestClassifier": {"estimator": LogisticRegression(**CLOSE)},
    "SVC": CLOSE,
    "VotingClassifier": {"voting": "soft"},
}
"""What a few of them are given beside it."""
WRITTEN = {"VotingClassifier": '`VotingClassifier(voting="soft")`'}


def made(kind: type) -> object:
    """Return a classifier of scikit-learn's: as by default, with a seed, and with others inside where it needs some."""
    signature = inspect.signature(kind.__init__).parameters
    given = {name: value for name, value in (INSIDE | FEW | {"random_state": 0}).items() if name in signature}
    if "base_estimator" in signature and signature["base_estimator"].default is inspect.Parameter.empty:
        given["base_estimator"] = LogisticRegression()  # what later versions call estimator
    given |= WORDS.get(kind.__name__, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # some are on their way out
        return kind(**given)


NUMBERS = {2: (0, 1), 3: (0, 1, 2)}
NUMBERED = {"SelfTrainingClassifier": NUMBERS}
"""Labels of those that take numbers alone."""
SCIKIT_LEARNS = [
    Classifier(WRITTEN.get(name, f"`{name}`"), lambda kind=kind: made(kind), labels=NUMBERED.get(name))
    for name, kind in all_estimators(type_filter="classifier")
]


def weighted(estimator):
    return estimator.set_fit_request(sample_weight=True)


def scored():
    """A threshold is tuned by a score, which is asked for weights too."""

    def found(y, predicted):
        last = np.unique(y)[-1]
        return np.mean(predicted[y == last] == last)

    return make_scorer(found).set_score_request(sample_weight=False)


def logistic():
    return weighted(LogisticRegression()).set_score_request(sample_weight=True)


MADE_OF_OTHERS = [
    Classifier("`GridSearchCV` and other searches", lambda: GridSearchCV(LogisticRegression(), {"C": [1.0]})),
    Classifier("`make_pipeline(step, C())`", lambda: make_pipeline(StandardScaler(), LogisticRegression(**CLOSE))),
    Classifier(
        "`CalibratedClassifierCV(make_pipeline(step, C()))`",
        lambda: CalibratedClassifierCV(make_pipeline(StandardScaler(), LogisticRegression())),
    ),
    Classifier(
        "`make_pipeline(step, CalibratedClassifierCV(C()))`",
        lambda: make_pipeline(StandardScaler(), CalibratedClassifierCV(LogisticRegression())),
    ),
    Classifier('`VotingClassifier(voting="hard")`', lambda: VotingClassifier(INSIDE["estimators"], voting="hard")),
    Classifier(
        "`VotingClassifier` or `StackingClassifier` of Pipelines",
        lambda: StackingClassifier([("a", make_pipeline(StandardScaler(), LogisticRegression()))]),
    ),
    Classifier("`OneVsRestClassifier(E())`", lambda: OneVsRestClassifier(LinearSVC(class_weight="balanced", **CLOSE))),
    Classifier("`OneVsOneClassifier(E())`", lambda: OneVsOneClassifier(SVC(**CLOSE))),
    Classifier("`OneVsRestClassifier(C())`", lambda: OneVsRestClassifier(GaussianNB())),
    Classifier("`OneVsRestClassifier(C())`, routed", lambda: OneVsRestClassifier(weighted(GaussianNB())), routing=True),
    Classifier("`OneVsOneClassifier(C())`, routed", lambda: OneVsOneClassifier(weighted(GaussianNB())), routing=True),
    Classifier(
        "`OneVsRestClassifier(make_pipeline(step, E()))`",
        lambda: OneVsRestClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
    ),
    Classifier(
        "`make_pipeline(step, OneVsRestClassifier(E()))`",
        lambda: make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(**CLOSE))),
    ),
    Classifier(
        '`LinearSVC(multi_class="crammer_singer")`',
        lambda: LinearSVC(multi_class="crammer_singer", random_state=0, **CLOSE),
    ),
    Classifier('`LinearSVC(penalty="l1")`', lambda: LinearSVC(penalty="l1", dual=False, random_state=0, **CLOSE)),
    Classifier("`LogisticRegression(l1_ratio=0.5)`", lambda: LogisticRegression(l1_ratio=0.5, solver="saga", **CLOSE)),
    Classifier('`LogisticRegression(solver="liblinear")`', lambda: LogisticRegression(solver="liblinear", **CLOSE)),
    Classifier(
        "`CalibratedClassifierCV(make_pipeline(step, C()))`, routed",
        lambda: CalibratedClassifierCV(make_pipeline(weighted(StandardScaler()), logistic())),
        routing=True,
    ),
    Classifier(
        "`FixedThresholdClassifier`, routed", lambda: FixedThresholdClassifier(logistic(), threshold=0.9), routing=True
    ),
    Classifier(
        "`TunedThresholdClassifierCV`, routed",
        lambda: TunedThresholdClassifierCV(logistic(), scoring=scored(), random_state=0),
        routing=True,
    ),
]


def of_library(kind: str, **words) -> dict:
    """Return how a classifier of another library is written and made; the library is loaded then."""
    module = kind.rpartition(".")[0]
    make = lambda: getattr(importlib.import_module(module), kind.rpartition(".")[2])(**words)  # noqa: E731
    return {"written": f"`{kind}`", "make": make, "package": kind.partition(".")[0]}


def a_network():
    """A network of skorch, as its users make it."""
    import skorch
    import torch

    class Linear(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 3)

        def forward(self, X):
            return torch.softmax(self.linear(X.float()), -1)

    return skorch.NeuralNetClassifier(Linear, max_epochs=1, train_split=None, verbose=0)


QUIET = {"n_jobs": 1, "random_state": 0, "n_estimators": 5}
SILENT = {"verbose": 0, "allow_writing_files": False}
IMBALANCED = (
    "BalancedBaggingClassifier",
    "BalancedRandomForestClassifier",
    "EasyEnsembleClassifier",
    "RUSBoostClassifier",
)


def resampled():
    """A Pipeline of imbalanced-learn."""
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline as with_sampler

    return with_sampler(RandomOverSampler(), LogisticRegression())


XGBOOST = of_library("xgboost.XGBClassifier", **QUIET)
OTHER_LIBRARIES = [
    Classifier(**XGBOOST, labels=NUMBERS),
    Classifier(**XGBOOST | {"written": "`xgboost.XGBClassifier`, labels of text"}),
    Classifier(**of_library("xgboost.XGBRFClassifier", **QUIET), labels=NUMBERS),
    Classifier(**of_library("lightgbm.LGBMClassifier", verbose=-1, **QUIET)),
    Classifier(**of_library("catboost.CatBoostClassifier", iterations=5, thread_count=1, **SILENT)),
    Classifier("`skorch.NeuralNetClassifier`", a_network, package="skorch"),
    *(Classifier(**of_library(f"imblearn.ensemble.{kind}")) for kind in IMBALANCED),
    Classifier("`imblearn.pipeline.make_pipeline(sampler, C())`", resampled, package="imblearn"),
]
TABLES = {"scikit-learn": SCIKIT_LEARNS, "made of others": MADE_OF_OTHERS, "other libraries": OTHER_LIBRARIES}

# --- why some are refused, and whether that is true ------------------------------------------------------------------


@dataclass(frozen=True)
class Reason:
    """A reason: the words of the error, those of the page, and whether it holds, found without this package."""

    said: str
    written: str
    holds: Callable[[object, Samples], bool]


def fitted(estimator, rows: Samples, **words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(estimator).fit(rows.X, rows.y, **words)


def fails(estimator, rows: Samples, **words) -> bool:
    try:
        fitted(estimator, rows, **words)
    except (TypeError, ValueError, IndexError):  # the last of a chain that is given one label a row
        return True
    return False


def takes_no_weights(estimator, rows: Samples) -> bool:
    try:
        fitted(estimator, rows, sample_weight=np.ones(len(rows)))
    except (TypeError, ValueError) as error:
        return re.search("sample.weight", str(error)) is not None
    return False


def chooses(estimator, rows: Samples) -> bool:
    return any(hasattr(fitted(estimator, rows), name) for name in ("best_params_", "C_", "alpha_"))


def has_no_scores(estimator, rows: Samples) -> bool:
    fit = fitted(estimator, rows)
    return not (hasattr(fit, "predict_proba") or hasattr(fit, "decision_function"))


def warns_of_weights(estimator, rows: Samples) -> bool:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clone(estimator).fit(rows.X, rows.y, sample_weight=np.ones(len(rows)))
    return any("sample weights will only be used for the calibration" in str(warning.message) for warning in caught)


def predicts_otherwise(estimator, rows: Samples) -> bool:
    fit = fitted(estimator, rows)
    by_probabilities = hasattr(fit, "predict_proba")
    highest = (
        fit.predict_proba(rows.X).argmax(1) if by_probabilities else (fit.decision_function(rows.X) > 0).astype(int)
    )
    return bool((fit.predict(rows.X) != fit.classes_[highest]).any())


def draws_by_number(estimator, rows: Samples) -> bool:
    """Twice as many rows of the class that is rarest move what is drawn of the others."""
    names = {name.rpartition("__")[2] for name in estimator.get_params(deep=True)}
    return "sampling_strategy" in names and not fails(estimator, rows)


REASONS = [
    Reason(r"\.fit has none", "its `fit` takes no `sample_weight`", takes_no_weights),
    Reason("would choose its penalty", "it would choose its penalty anew at every β: choose it first", chooses),
    Reason("would choose its hyper", "it would choose anew at every β: pass its `best_estimator_`", chooses),
    Reason("one label a row", "it is for several labels a row", fails),
    Reason('a vote has them with voting="soft"', 'a vote by hand has no scores: `voting="soft"`', has_no_scores),
    Reason("neither decision_function", "it has no scores, so there is no loss", has_no_scores),
    Reason("put the steps in front: make_pipeline", "put the steps in front", takes_no_weights),
    Reason("hands weights on with metadata routing", "it takes weights with metadata routing only", takes_no_weights),
    Reason(
        "liblinear' solver does not support multiclass", "`OneVsRestClassifier` around it is followed exactly", fails
    ),
    Reason("hands on, .*metadata_routing", "it takes weights with metadata routing only, see below", takes_no_weights),
    Reason(
        "hands on, and that fails: .*Pipeline",
        "a Pipeline inside takes weights with metadata routing only",
        takes_no_weights,
    ),
    Reason("hands on, and that fails", "its `fit` hands weights on to what takes none", takes_no_weights),
    Reason("Only binary|only binary", "it is for two classes", fails),
    Reason(
        "a part of that of", "it would fit what is inside without weights: put the steps in front", warns_of_weights
    ),
    Reason("predicts another one", "it predicts by a threshold, not by its highest score", predicts_otherwise),
    Reason("draws (a class's rows|other ones)", "it resamples, and a row that is drawn has no β", draws_by_number),
    Reason("numbers from 0 on", "its labels must be 0, 1, ...", fails),
]


def reason_of(refusal: str) -> Reason:
    """Return the first reason whose words are in an error."""
    return next(reason for reason in REASONS if re.search(reason.said, refusal))


# --- what is written -------------------------------------------------------------------------------------------------


def jumps(estimator, data: bc.PoisonedData) -> bool:
    """Return whether a fit at a weight of 1e-9 is another than at 0, with the same rows to draw from."""
    if isinstance(estimator, Pipeline):  # its own fit hands no weights on
        return False
    rows = victims_rows(data)
    scores = []
    for weight in (0.0, 1e-9):
        fit = fitted(estimator, rows, sample_weight=np.where(data.is_poison, weight, 1.0))
        ask = fit.predict_proba if hasattr(fit, "predict_proba") else fit.decision_function
        scores.append(ask(data.triggered_test.X))
    return bool(np.abs(scores[1] - scores[0]).max() > 1e-3)


def row_of(classifier: Classifier) -> str:
    """Return the line of a table: with two classes, with more, the loss, and what is to be known."""
    outcomes, notes = {}, []
    for n_classes, labels in (classifier.labels or LABELS).items():
        data = small_data(labels)
        outcomes[n_classes] = outcome = tried(classifier, data)
        if outcome.refusal is not None:
            notes.append(reason_of(outcome.refusal).written)
        elif outcome.curve.info.zero_weight_share > 0:
            notes.append("counts rows of weight 0: a warning says how much that does")
        elif outcome.how == "refitted" and not classifier.routing and jumps(classifier.make(), data):
            notes.append("jumps behind β = 0, by a row of any weight")
    losses = [outcome.curve.info.loss for outcome in outcomes.values() if outcome.curve is not None]
    cells = [
        classifier.written,
        *(outcome.how for outcome in outcomes.values()),
        losses[0] if losses else "",
        *notes[:1],
    ]
    return "| " + " | ".join(cells + [""] * (5 - len(cells))).rstrip() + " |"


HEAD = "| classifier | two classes | more | loss | to know |\n|---|---|---|---|---|"


def version_of(library: str) -> str | None:
    """Return the installed version of a library; None where it, or torch that skorch needs, is not there."""
    needed = {"skorch": ("skorch", "torch")}.get(library, (library,))
    if not all(importlib.util.find_spec(name) for name in needed):
        return None
    return str(importlib.import_module(library).__version__)


NAMES = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn"}


def block_of(page: str, name: str) -> str:
    """Return what stands between the marks of a table."""
    found = re.search(rf"<!-- {name} -->\n\n(.*?)\n\n<!-- end -->", page, re.DOTALL)
    assert found, f"{PAGE.name} has no table of {name}"
    return found[1]


def versions_on(page: str) -> dict[str, str]:
    """Return the versions that the page says its tables were made with."""
    return dict(re.findall(r"([\w-]+) (\d[\w.]*[\w])", "".join(re.findall(r"^Tried with .*$", page, re.MULTILINE))))


def rows_on(page: str, name: str) -> dict[str, str]:
    """Return the lines of a table by the classifier."""
    lines = block_of(page, name).splitlines()[4:]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines}


def new_block(page: str, name: str) -> str:
    """Return a table made anew; lines of libraries that are not here stay, and so do their versions."""
    rows, versions, lines = rows_on(page, name), versions_on(page), []
    for classifier in TABLES[name]:
        library = NAMES.get(classifier.package, classifier.package)
        here = version_of(classifier.package)
        versions[library] = here or versions[library]
        lines.append(row_of(classifier) if here else rows[classifier.written])
    libraries = dict.fromkeys(NAMES.get(one.package, one.package) for one in TABLES[name])
    tried_with = ", ".join(f"{library} {versions[library]}" for library in libraries)
    return "\n".join([f"Tried with {tried_with}:", "", HEAD, *lines])


def main() -> None:
    """Write the tables."""
    page = PAGE.read_text(encoding="utf-8")
    for name in TABLES:
        mark = f"<!-- {name} -->\n\n"
        page = page.replace(mark + block_of(page, name), mark + new_block(page, name))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
