"""Scenarios and settings in words: columns of tables, titles, names of files. Made from the values, never read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import msgspec

from backdoor_curves.datasets.cifar10 import CLASSES as CIFAR10_CLASSES
from backdoor_curves.study.file.attacks import AttackConfig, ClassName, CleanLabels, TriggerKind
from backdoor_curves.study.file.config import DataConfig, TriggerConfig, Value
from backdoor_curves.study.plan.scenario import Cell, Learner, Scenario

TITLES = {"logistic": "Logistic regression", "ridge": "Ridge", "linear-svm": "Linear SVM", "rbf-svm": "RBF SVM"}
"""Of the kinds of learners; another has its own name."""
STEP_WORDS = {"table": "numbers scaled, words one-hot, missing values imputed"}
"""Of steps; another has its own name."""
ONLY_SETTING = "its only setting"
"""A setting without hyperparameters."""
CLEAN = "clean labels of"
"""What the labels of an attack are that stamps rows of one class, and lets them keep it."""
MOST_NAMED = 4
"""Classes of one's own data that a title lists."""
SYMBOLS = {"lambda": "λ", "gamma": "γ"}
"""Of the hyperparameters that have a column in every table; another has its own name."""


def where(cell: Cell) -> str:
    """Return in one line which cell of a run it is."""
    scenario, setting = cell.scenario, cell.setting
    return (
        f"{data_name(scenario.data)}, {attack_name(scenario)}, {learner_name(setting.learner)}, "
        f"{setting_name(setting.values)}, p = {scenario.rate:g}, seed {cell.seed}"
    )


# --- scenarios -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)  # a run asks for those of thousands of cells, and has a few
def scenario_words(scenario: Scenario) -> Mapping[str, str]:
    """Return data, trigger, labels and injection in a word or two each."""
    return MappingProxyType(
        {
            "data": data_name(scenario.data),
            "trigger": attack_name(scenario),
            "labels": labels_name(scenario),
            "injection": injection_name(scenario),
        }
    )


def words_of(scenario: Scenario, names: Iterable[str]) -> dict[str, str]:
    """Return some of `scenario_words` by name, but for those that have none: a preset says the injection itself."""
    words = scenario_words(scenario)
    return {name: words[name] for name in names if words[name]}


def with_its_name(name: str, word: str) -> str:
    """Return one of `scenario_words` behind its name, where it does not say itself what it is.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import with_its_name
    >>> with_its_name("labels", "next"), with_its_name("labels", "clean labels of 1"), with_its_name("data", "digits")
    ('labels next', 'clean labels of 1', 'digits')
    """
    return word if name == "data" or word.startswith(CLEAN) else f"{name} {word}"


def telling(scenarios: Iterable[Scenario]) -> list[str]:
    """Return which of `scenario_words` differ between scenarios."""
    words = [scenario_words(scenario) for scenario in dict.fromkeys(scenarios)]
    return [name for name in words[0] if len({one[name] for one in words}) > 1] if words else []


def scenario_title(scenario: Scenario, among: Iterable[Scenario] = ()) -> str:
    """Return data, trigger and rate, and which labels and injection, where the scenarios of the run differ in them.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig, LabelPolicy, TriggerConfig
    >>> from backdoor_curves.study.plan.names import scenario_file_name, scenario_title
    >>> from backdoor_curves.study.plan.scenario import Scenario
    >>> scenario = Scenario(DataConfig("mnist", (7, 1)), TriggerConfig(size=3), LabelPolicy(), 1e-5)
    >>> scenario_title(scenario), scenario_file_name(scenario)
    ('mnist 7-1, random 3 x 3, p = 1e-05', 'mnist-7-1_random-3-x-3_next_replace_p-1e-05')
    """
    words, differ = scenario_words(scenario), telling([scenario, *among])
    if scenario.data.has_source:
        return f"{words['data']}, {words['trigger']}"
    said = words_of(scenario, [name for name in ("labels", "injection") if name in differ])
    told = [with_its_name(name, word) for name, word in said.items()]
    return ", ".join([words["data"], words["trigger"], *told, f"p = {scenario.rate:g}"])


def scenario_file_name(scenario: Scenario) -> str:
    """Return a name for a file, without its ending."""
    return as_file_name([*scenario_words(scenario).values(), f"p-{scenario.rate:g}"])


def as_file_name(parts: Iterable[str]) -> str:
    """Return parts as a name that every file system takes."""
    return "_".join("".join(c if c.isalnum() or c in "-+." else "-" for c in part) for part in parts)


def apart(names: Iterable[str]) -> Iterator[str]:
    """Yield names of files, with a number behind one that came before: two scenarios may read alike.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import apart
    >>> list(apart(["a", "b", "a"]))
    ['a', 'b', 'a_2']
    """
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}_{seen[name]}"


def data_name(data: DataConfig) -> str:
    """Return a data set in a word or two.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> data_name(DataConfig("mnist", (7, (1, 4)), n_train=500, n_test=100))
    'mnist 7-1+4, 500/100 rows'
    """
    if data.is_own:
        return _own_name(data)
    if data.name == "toy":
        classes = ""
    elif isinstance(data.classes, str):
        classes = f" {data.classes}"
    else:
        classes = " " + "-".join("+".join(map(str, group)) for group in _groups(data.classes))
    counts = "/".join("all" if n is None else str(n) for n in (data.n_train, data.n_test))
    rows = f", {counts} rows" if counts != "all/all" else ""
    network = ""
    if data.features is not None:
        network = f", {data.features.network}" + (" normalised" if data.features.normalised else "")
    side = "" if data.side is None else f", {data.side} x {data.side} pixels"
    return f"{data.name}{classes}{side}{rows}{network}"


def _own_name(data: DataConfig) -> str:
    """Return what data of one's own are called: by their file or function, never by its folder."""
    called = data.call or PurePath(data.file or "").name
    names = class_names(data, range(len(data.classes))) if isinstance(data.classes, tuple) else ()
    classes = f" {'-'.join(names)}" if 0 < len(names) <= MOST_NAMED else f", {len(names)} classes" if names else ""
    counts = "/".join("all" if n is None else str(n) for n in (data.n_train, data.n_test))
    return f"{called}{classes}" + (f", {counts} rows" if counts != "all/all" else "")


def class_names(data: DataConfig, labels: Sequence[int]) -> list[str]:
    """Return what to call the classes that the rows of a data set have these labels of, in their order.

    A label is a place in `classes`; but of the paper's pairs of CIFAR-10, see `poisoning.paper_protocol`, the first
    has label 1.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> class_names(DataConfig("mnist", (7, (1, 4))), [0, 1]), class_names(DataConfig(), [1])
    (['7', '1+4'], ['odd'])
    >>> class_names(DataConfig("cifar10", (0, 6)), [0, 1])
    ['airplane', 'frog']
    >>> class_names(DataConfig("cifar10", (0, 6), sampling="paper"), [0, 1])
    ['frog', 'airplane']
    """
    if data.is_own:
        groups = () if isinstance(data.classes, str) else _groups(data.classes)
        return ["+".join(map(str, groups[label])) for label in labels]
    own = CIFAR10_CLASSES if data.name == "cifar10" else tuple(map(str, range(10)))
    if data.classes == "all":
        names = list(own)
    elif isinstance(data.classes, str):
        names = data.classes.split("-")
    else:
        names = ["+".join(own[int(k)] for k in group) for group in _groups(data.classes)]
    if data.name == "cifar10" and data.sampling == "paper":
        names.reverse()
    return [names[label] for label in labels]


def _groups(classes: tuple[ClassName | tuple[ClassName, ...], ...]) -> list[tuple[ClassName, ...]]:
    return [entry if isinstance(entry, tuple) else (entry,) for entry in classes]


def attack_name(scenario: Scenario) -> str:
    """Return what tables call an attack: its name, its preset, or its triggers; without one the trigger.

    Examples
    --------
    >>> from backdoor_curves.study.file.attacks import AttackConfig, Blend, CleanLabels
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> from backdoor_curves.study.plan.names import attack_name, labels_name
    >>> from backdoor_curves.study.plan.scenario import Scenario
    >>> attack = AttackConfig(trigger=Blend(0.1), test_trigger=Blend(), labels=CleanLabels(1))
    >>> scenario = Scenario(DataConfig(), None, None, 0.1, attack)
    >>> attack_name(scenario), labels_name(scenario)
    ('blend, opacity 0.1, at test blend', 'clean labels of 1')
    """
    attack = scenario.attack
    if scenario.data.has_source:
        return source_name(scenario.data)
    if attack is None:
        assert scenario.trigger is not None  # a scenario has one or the other
        return trigger_name(scenario.trigger)
    return attack.name or attack.preset or ", ".join(_triggers(attack))


def source_name(data: DataConfig) -> str:
    """Return what a source is called whose rows are weighted, and which rows are watched.

    Examples
    --------
    >>> from backdoor_curves.study.file.config import DataConfig
    >>> from backdoor_curves.study.plan.names import source_name
    >>> source_name(DataConfig(file="loans.csv", suspect="bank == 'b'", watch="age == 30"))
    "source bank == 'b', watched age == 30"
    """
    source = data.suspect or PurePath(data.poison or "").name
    return f"source {source}" + ("" if data.watch is None else f", watched {data.watch}")


def _triggers(attack: AttackConfig) -> Iterator[str]:
    """Yield the triggers of an attack in words, and its cover."""
    for place, before in (("trigger", ""), ("test_trigger", "at test "), ("cover.trigger", "cover ")):
        if place in attack.triggers:
            yield before + _kind_name(attack.triggers[place])
    if attack.cover is not None:
        yield f"{attack.cover.rate:g} cover of {attack.cover.of}"


def _kind_name(trigger: TriggerKind) -> str:
    """Return a trigger by kind, and what it has beyond its defaults."""
    parts = [str(type(trigger).__struct_config__.tag)]
    for field in msgspec.structs.fields(trigger):
        value = getattr(trigger, field.name)
        if value != field.default:
            name = field.encode_name.replace("_", " ")
            parts.append(f"{name} {_kind_name(value) if isinstance(value, TriggerKind) else _said(value)}")
    return ", ".join(parts)


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_said, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value).lower()


def labels_name(scenario: Scenario) -> str:
    """Return the label policy of a scenario in a word or two."""
    attack = scenario.attack
    if attack is None:
        return str(scenario.policy.labels) if scenario.policy is not None else ""
    if attack.preset:
        return "of the preset" if attack.target is None else f"of the preset, target {attack.target}"
    if isinstance(attack.labels, CleanLabels):
        return f"{CLEAN} {attack.labels.target}"
    if isinstance(attack.labels, tuple):
        return ", ".join(f"{true} as {label}" for true, label in attack.labels)
    return str(attack.labels)


def injection_name(scenario: Scenario) -> str:
    """Return whether stamped rows take the place of theirs; "" where a preset says it."""
    if scenario.attack is not None:
        return "" if scenario.attack.preset else scenario.attack.injection
    return scenario.policy.injection if scenario.policy is not None else ""


def trigger_name(trigger: TriggerConfig) -> str:
    """Return the trigger of `[trigger]` in a word or two."""
    if trigger.kind == "feature":
        pairs = zip(trigger.columns, trigger.values, strict=False)
        return "columns " + ", ".join(f"{c} = {v if isinstance(v, str) else f'{v:g}'}" for c, v in pairs)
    if trigger.kind == "words":
        return f"words {', '.join(trigger.words)}" + (
            "" if trigger.place == "anywhere" else f", at the {trigger.place}"
        )
    if trigger.kind == "call":
        return trigger.call
    place = "" if trigger.position == "bottom-right" else f", {trigger.position}"
    return f"{trigger.pattern} {trigger.size} x {trigger.size}{place}"


# --- settings --------------------------------------------------------------------------------------------------------


def learner_name(learner: Learner) -> str:
    """Return a learner as a table has it.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import learner_name, learner_title
    >>> from backdoor_curves.study.plan.scenario import OWN, Learner
    >>> learner_name(Learner("logistic", "penalised")), learner_title(Learner("logistic", "penalised"))
    ('logistic, penalised intercept', 'Logistic regression, penalised intercept')
    >>> forest = Learner(OWN, estimator="sklearn.ensemble.RandomForestClassifier", parameters=(("max_depth", 3),))
    >>> learner_name(forest), learner_name(Learner("ridge", steps=("tf-idf",)))
    ('RandomForestClassifier, max_depth = 3', 'ridge, tf-idf')
    """
    return ", ".join([_called(learner) or learner.kind, *_told(learner)])


def learner_title(learner: Learner) -> str:
    """Return a learner as a title has it."""
    return ", ".join([_called(learner) or TITLES.get(learner.kind, learner.kind), *_told(learner)])


def _called(learner: Learner) -> str:
    """Return what an estimator of one's own is called; "" of one of the four kinds."""
    if learner.name or ":" in learner.estimator:
        return learner.name or learner.estimator
    return learner.estimator.rpartition(".")[2]


def _told(learner: Learner) -> list[str]:
    """Return what is to be told of a learner beside its kind or name: which a name of one's own may have said."""
    intercept = [] if learner.intercept == "free" else [f"{learner.intercept} intercept"]
    parameters = [] if learner.name else setting_parts(dict(learner.parameters))
    return [*intercept, *parameters, *(STEP_WORDS.get(step, step) for step in learner.steps)]


def setting_name(hyperparameters: Mapping[str, Value], form: str = "g") -> str:
    """Return hyperparameters as a title has them, numbers in a form.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import setting_name
    >>> setting_name({"lambda": 0.1, "gamma": 0.005}), setting_name({"lambda": 1 / 3}, ".2g")
    ('λ = 0.1, γ = 0.005', 'λ = 0.33')
    >>> setting_name({"max_depth": 3, "criterion": "gini"}), setting_name({})
    ('max_depth = 3, criterion = gini', 'its only setting')
    """
    return ", ".join(setting_parts(hyperparameters, form)) or ONLY_SETTING


def setting_parts(hyperparameters: Mapping[str, Value], form: str = "g") -> list[str]:
    """Return each hyperparameter as a title has it."""
    names = zip(symbols_of(hyperparameters), hyperparameters.values(), strict=True)
    return [f"{symbol} = {value_name(value, form)}" for symbol, value in names]


def symbols_of(names: Iterable[str]) -> list[str]:
    """Return how the hyperparameters of a learner are written: by symbols those of the four kinds, which have a lambda.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import symbols_of
    >>> symbols_of(["lambda", "gamma"]), symbols_of(["gamma"])
    (['λ', 'γ'], ['gamma'])
    """
    names = list(names)
    return [SYMBOLS.get(name, name) if "lambda" in names else name for name in names]


def strength_of(hyperparameters: Mapping[str, Value]) -> float | None:
    """Return lambda, or what a learner with an exact path has in its place: 1 / C, or 2 alpha; None if it has neither.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import strength_of
    >>> strength_of({"classifier__C": 4.0}), strength_of({"alpha": 1.0}), strength_of({"max_depth": 3})
    (0.25, 2.0, None)
    """
    for name, value in hyperparameters.items():
        last = name.rpartition("__")[2]
        if last in ("lambda", "C", "alpha") and isinstance(value, int | float) and value > 0:
            return 1.0 / value if last == "C" else 2.0 * value if last == "alpha" else float(value)
    return None


def value_name(value: Value, form: str = "g") -> str:
    """Return a value of a hyperparameter: a fraction in a form, a whole number whole, words as they are.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import value_name
    >>> [value_name(value) for value in (0.001, 1.0, 1000000, True, "sqrt", (1, 2))]
    ['0.001', '1', '1000000', 'true', 'sqrt', '(1, 2)']
    """
    if isinstance(value, tuple):
        return f"({', '.join(value_name(one, form) for one in value)})"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:{form}}" if isinstance(value, float) else str(value)
