"""Scenarios and settings in words: columns of tables, titles, names of files. Made from the values, never read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec

from backdoor_curves.datasets.cifar10 import CLASSES as CIFAR10_CLASSES
from backdoor_curves.study.file.attacks import AttackConfig, CleanLabels, TriggerKind
from backdoor_curves.study.file.config import DataConfig, TriggerConfig
from backdoor_curves.study.plan.scenario import Cell, Learner, Scenario

TITLES = {"logistic": "Logistic regression", "ridge": "Ridge", "linear-svm": "Linear SVM", "rbf-svm": "RBF SVM"}
"""Of the kinds of learners; another has its own name."""
SYMBOLS = {"lambda": "λ", "gamma": "γ"}
"""Of the hyperparameters that have a column in every table; another has its own name."""


def coordinates(cell: Cell) -> dict[str, Any]:
    """Return scenario, setting and seed as columns of a table: words, and numbers as they are."""
    values = cell.setting.values
    return {
        **scenario_words(cell.scenario),
        "learner": learner_name(cell.setting.learner),
        **{name: values.get(name) for name in SYMBOLS},
        "rate": cell.scenario.rate,
        "seed": cell.seed,
    }


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
    said = words_of(scenario, [name for name in ("labels", "injection") if name in differ])
    told = [f"{name} {word}" for name, word in said.items()]
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
    return f"{data.name}{classes}{rows}{network}"


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
    own = CIFAR10_CLASSES if data.name == "cifar10" else tuple(map(str, range(10)))
    if data.classes == "all":
        names = list(own)
    elif isinstance(data.classes, str):
        names = data.classes.split("-")
    else:
        names = ["+".join(own[k] for k in group) for group in _groups(data.classes)]
    if data.name == "cifar10" and data.sampling == "paper":
        names.reverse()
    return [names[label] for label in labels]


def _groups(classes: tuple[int | tuple[int, ...], ...]) -> list[tuple[int, ...]]:
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
    ('blend, opacity 0.1, at test blend', 'clean-label 1')
    """
    attack = scenario.attack
    if attack is None:
        assert scenario.trigger is not None  # a scenario has one or the other
        return trigger_name(scenario.trigger)
    return attack.name or attack.preset or ", ".join(_triggers(attack))


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
        return f"clean-label {attack.labels.target}"
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
        return "columns " + ", ".join(f"{c} = {v:g}" for c, v in zip(trigger.columns, trigger.values, strict=False))
    place = "" if trigger.position == "bottom-right" else f", {trigger.position}"
    return f"{trigger.pattern} {trigger.size} x {trigger.size}{place}"


# --- settings --------------------------------------------------------------------------------------------------------


def learner_name(learner: Learner) -> str:
    """Return a learner as a table has it.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import learner_name, learner_title
    >>> from backdoor_curves.study.plan.scenario import Learner
    >>> learner_name(Learner("logistic", "penalised")), learner_title(Learner("logistic", "penalised"))
    ('logistic, penalised intercept', 'Logistic regression, penalised intercept')
    """
    return learner.kind + _intercept(learner)


def learner_title(learner: Learner) -> str:
    """Return a learner as a title has it."""
    return TITLES.get(learner.kind, learner.kind) + _intercept(learner)


def _intercept(learner: Learner) -> str:
    return "" if learner.intercept == "free" else f", {learner.intercept} intercept"


def setting_name(hyperparameters: Mapping[str, float], form: str = "g") -> str:
    """Return hyperparameters as a title has them, numbers in a form.

    Examples
    --------
    >>> from backdoor_curves.study.plan.names import setting_name
    >>> setting_name({"lambda": 0.1, "gamma": 0.005}), setting_name({"lambda": 1 / 3}, ".2g")
    ('λ = 0.1, γ = 0.005', 'λ = 0.33')
    """
    return ", ".join(setting_parts(hyperparameters, form))


def setting_parts(hyperparameters: Mapping[str, float], form: str = "g") -> list[str]:
    """Return each hyperparameter as a title has it."""
    return [f"{SYMBOLS.get(name, name)} = {value:{form}}" for name, value in hyperparameters.items()]
