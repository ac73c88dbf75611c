"""The tables of a study file as frozen records: what each key is, which values it takes, and its default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from backdoor_curves.study.file.attacks import AttackEntry, ClassName, Number, Policy

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(gt=0, le=1)]
Seed = Annotated[int, Meta(ge=0, lt=2**32)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Beta = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")]  # it becomes a folder
Kind = Literal["logistic", "ridge", "linear-svm", "rbf-svm"]
Step = Literal[
    "table", "impute", "standard-scaler", "min-max-scaler", "max-abs-scaler", "one-hot", "tf-idf", "word-counts"
]
"""Transformers before a learner, see `learners.preparation`."""
Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]
"""Of an estimator's parameter; "None" is Python's None, for which TOML has no word."""
Parameters = tuple[tuple[str, Value], ...]
"""`{name = value}` in a file; in a record, which has a hash, pairs."""
Grid = tuple[tuple[str, tuple[Value, ...]], ...]
"""`{name = [values]}` likewise."""


class FeaturesConfig(Struct, frozen=True):
    """`data.features`: the frozen network whose features of the images are the learners' rows.

    `normalised` is for AlexNet alone: pixels (x - 0.5) / 0.5 instead of x, as in the paper's slopes.
    """

    network: Literal["alexnet", "squeezenet"]
    normalised: bool = False


class DataConfig(Struct, frozen=True):
    """`[data]`: the data set, its classes, and how many rows are drawn of it; None for all.

    `sampling = "paper"` draws the rows, the trigger and the poison as the paper did, see `poisoning.paper_protocol`.
    With `features` images are stamped first and go through a frozen network then. With `side` images are averaged to
    side x side pixels, before they are stamped.

    Data of one's own have a `file`, with the keys from `label` to `positive` as `datasets.from_file` has them, or a
    `call`, "module:function", which is given the seed and returns training and test rows. Paths are relative to the
    study's file.

    With `suspect`, a condition on a column, or `poison`, a file, nothing is attacked: these training rows have weight
    beta, and the loss is that of the test rows for which the condition `watch` holds, or of all.
    """

    name: Literal["digits", "mnist", "cifar10", "toy"] = "digits"
    classes: str | tuple[ClassName | tuple[ClassName, ...], ...] = "even-odd"
    n_train: Count | None = None
    n_test: Count | None = None
    sampling: Literal["random", "paper"] = "random"
    features: FeaturesConfig | None = None
    file: str | None = None
    call: str | None = None
    label: str | None = None
    text: str | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    test: Share | None = None
    test_file: str | None = None
    group: str | None = None
    positive: ClassName | None = None
    suspect: str | None = None
    poison: str | None = None
    watch: str | None = None
    side: Count | None = None

    @property
    def has_source(self) -> bool:
        """Whether rows of a source have weight beta, and nothing is attacked."""
        return self.suspect is not None or self.poison is not None

    @property
    def is_own(self) -> bool:
        """Whether these are data of one's own."""
        return self.file is not None or self.call is not None

    @property
    def identity(self) -> DataConfig:
        """What tells the data apart beside the content of their rows: of one's own the names of the classes alone."""
        return DataConfig(file="", classes=self.classes) if self.is_own else self


class TriggerConfig(Struct, frozen=True):
    """`[trigger]`: a patch of uniform noise for each class or of ones, columns set to values, words in texts.

    `call` is a function of one's own, "module:function", (X, y) -> X.
    """

    kind: Literal["patch", "feature", "words", "call"] = "patch"
    size: Count = 2
    pattern: Literal["random", "ones"] = "random"
    position: Literal["bottom-right", "bottom-left", "top-right", "top-left", "center"] = "bottom-right"
    columns: tuple[Annotated[int, Meta(ge=0, lt=2**31)] | str, ...] = ()
    values: tuple[Number | str, ...] = ()
    words: tuple[str, ...] = ()
    place: Literal["anywhere", "start", "end"] = "anywhere"
    call: str = ""


class LabelPolicy(Struct, frozen=True):
    """What becomes of a row that is poisoned: its label, and whether it stays beside its copy; as in `poison`."""

    labels: Policy = "next"
    injection: Literal["replace", "append"] = "replace"


class PoisonConfig(LabelPolicy, frozen=True):
    """`[poison]`: a label policy; `control` adds the curve of the same rows without the trigger."""

    control: bool = False

    @property
    def policy(self) -> LabelPolicy:
        """The label policy alone."""
        return LabelPolicy(**{name: getattr(self, name) for name in LabelPolicy.__struct_fields__})


class LearnerConfig(Struct, frozen=True):
    """`[[learners]]`: one of the four kinds at lambdas (and gammas), or an estimator of one's own and its grid.

    `intercept = "penalised"` is that of liblinear: `LinearSVC`, `LogisticRegression(solver="liblinear")`; `gamma` is
    for rbf-svm only. `estimator` is "module:function" or the path of a class; `parameters` hold for all its settings,
    `grid` has the values of others. `steps` stand before either; None leaves them to the data, see
    `learners.preparation`.
    """

    kind: Kind | None = None
    lam: Annotated[tuple[Positive, ...], Meta(min_length=1)] | None = msgspec.field(name="lambda", default=None)
    gamma: tuple[Positive, ...] = ()
    method: Literal["auto", "exact", "refit"] = "auto"
    intercept: Literal["free", "penalised"] = "free"
    estimator: str | None = None
    name: str | None = None
    steps: tuple[Step, ...] | None = None
    parameters: Parameters | None = None
    grid: Grid | None = None

    @staticmethod
    def required_keys(table: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the keys that a table must have: those of a kind, unless it names an estimator."""
        return () if "estimator" in table else ("kind", "lambda")


class KeepConfig(Struct, frozen=True):
    """`[keep]`: what is kept of a cell besides its numbers.

    `curves`: "condensed" is exact at every beta without scores of single rows, "full" has them, "grid" keeps losses and
    accuracies at `betas` only, "none" nothing. `betas` are those that curves report, and at which refits are fitted.
    `explanations` are of images that the learners see themselves: gradients and influential rows, for the page.
    `certificate`: the share of clean test rows that are right whatever 1, 3, 10 and 30 appended rows do, where the
    learner has one.
    """

    curves: Literal["condensed", "full", "grid", "none"] = "condensed"
    betas: tuple[Beta, ...] = ()
    knots: bool = False
    coefficients: bool = False
    explanations: bool = False
    certificate: bool = False


class Experiment(Struct, frozen=True):
    """A grid: every learner at every lambda, gamma, rate and seed, on all data with all attacks.

    These are `attacks`, or, without any, all triggers with all label policies.
    """

    data: tuple[DataConfig, ...]
    trigger: tuple[TriggerConfig, ...]
    poison: tuple[PoisonConfig, ...]
    learners: tuple[LearnerConfig, ...]
    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    keep: KeepConfig
    attacks: tuple[AttackEntry, ...] = ()


class AuditConfig(Struct, frozen=True):
    """`[audit]`: the page begins with how few rows backdoor the learner `as_given`, and which setting resists.

    A backdoor is at least `asr` of the triggered rows that the attacker does not get without poison; `as_given` names
    hyperparameters of the first learner.
    """

    as_given: Parameters = ()
    asr: Annotated[float, Meta(gt=0, le=1)] = 0.5


class QuestionConfig(Struct, frozen=True):
    """`[question]`: what the study is to answer, by comparing its cells along one axis, seed by seed.

    Parameters
    ----------
    text : str
        The question.
    axis : str
        What is compared: "learner", "attack", "rate", a hyperparameter, or a field of the scenario, "data.n_train".
    of : str
        The axis in words that follow "doubling": "the side of the patch".
    measure : str
        The number of a cell that decides.
    numbers : tuple of float
        What the levels are worth, in their order, where the axis has no numbers of its own.
    levels : tuple of str
        What the levels are called, in their order; left out: their values.
    doubt : str
        What would change the answer.
    """

    text: str
    axis: str
    of: str
    measure: Literal["half_loss_beta", "asr_at_1"] = "half_loss_beta"
    numbers: tuple[Number, ...] = ()
    levels: tuple[str, ...] = ()
    doubt: str = ""


class Study(Struct, frozen=True):
    """A study: one grid or several, and whether figures and the report are made; `audit` is that of `[audit]`.

    `question` is that of `[question]`, which a study of comparisons has.

    Examples
    --------
    >>> from backdoor_curves.study.file.study_file import built_in_study
    >>> built_in_study().experiments[0].rates
    (0.01, 0.1)
    """

    name: Name
    experiments: tuple[Experiment, ...]
    figures: bool = True
    report: bool = True
    audit: AuditConfig | None = None
    question: QuestionConfig | None = None


class Block(Struct, frozen=True):
    """The parts of an experiment as they stand in a file; what is left out comes from the top of the file."""

    data: tuple[DataConfig, ...] | None = None
    trigger: tuple[TriggerConfig, ...] | None = None
    poison: tuple[PoisonConfig, ...] | None = None
    learners: tuple[LearnerConfig, ...] | None = None
    rates: Annotated[tuple[Rate, ...], Meta(min_length=1)] | None = None
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)] | None = None
    keep: KeepConfig | None = None
    attacks: tuple[AttackEntry, ...] | None = None


class File(Block, frozen=True, kw_only=True):
    """A study file."""

    name: Name
    figures: bool = True
    report: bool = True
    audit: AuditConfig | None = None
    question: QuestionConfig | None = None
    experiments: tuple[Block, ...] = ()
