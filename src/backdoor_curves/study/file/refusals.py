"""Why a study is refused though its tables are well-formed: what means nothing, or does not go together, in a sentence.

What is not well-formed, a misspelt key or a word that a key does not take, is refused in `reading`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from backdoor_curves.poisoning.presets import presets
from backdoor_curves.study.file.attacks import (
    AttackEntry,
    Call,
    Feature,
    Hardened,
    Hidden,
    OfColumns,
    OfTexts,
    Perturbation,
)
from backdoor_curves.study.file.config import (
    AuditConfig,
    Block,
    DataConfig,
    Experiment,
    FeaturesConfig,
    LearnerConfig,
    TriggerConfig,
)
from backdoor_curves.study.file.data_refusals import REFERENCE, check_class_numbers, check_data
from backdoor_curves.study.file.learner_refusals import check_learners
from backdoor_curves.study.file.reading import Faults

OF_KINDS = {
    "patch": ("size", "pattern", "position", "columns", "values"),
    "feature": ("size", "pattern", "position", "columns", "values"),
    "words": ("words", "place"),
    "call": ("call",),
}
"""The keys of the triggers of `[trigger]`; what the first two may have of each other is said for itself."""


def check_block(block: Block, prefix: str, faults: Faults) -> None:
    """Add what is well-formed but means nothing, in one table or list."""
    for name in ("rates", "seeds"):
        _check_once(getattr(block, name) or (), prefix + name, faults)
    check_data(block.data or (), prefix, faults)
    for name in ("data", "trigger", "poison", "attacks"):
        _check_once(getattr(block, name) or (), prefix + name, faults)
    if block.attacks is not None:
        _check_attacks(block, prefix, faults)
    if block.keep is not None:
        betas = block.keep.betas
        if any(later <= sooner for sooner, later in pairwise(betas)):
            faults[f"{prefix}keep.betas"] = "ascending numbers, none twice, were expected"
    for index, trigger in enumerate(block.trigger or ()):
        place = f"{prefix}trigger[{index}]" if len(block.trigger or ()) > 1 else f"{prefix}trigger"
        _check_trigger(trigger, place, faults)
    check_learners(block.learners or (), prefix, faults)


def _check_trigger(trigger: TriggerConfig, place: str, faults: Faults) -> None:
    _check_finite(trigger.values, f"{place}.values", faults)
    if trigger.kind == "feature" and not (trigger.columns and trigger.values):
        faults[place] = "columns and values were expected for a feature trigger"
    elif trigger.kind == "patch" and (trigger.columns or trigger.values):
        faults[place] = "no columns and values were expected for a patch; it has size and position"
    elif trigger != _own_keys_of(trigger):
        faults[place] = f"{' and '.join(OF_KINDS[trigger.kind])} alone were expected for a {trigger.kind} trigger"
    if trigger.kind == "words" and not trigger.words:
        faults[place] = "words were expected for a words trigger"
    if trigger.kind == "call" and not REFERENCE.fullmatch(trigger.call):
        faults[f"{place}.call"] = f'"module:function" was expected, {trigger.call!r} came'


def _own_keys_of(trigger: TriggerConfig) -> TriggerConfig:
    """Return a trigger with the keys of its kind alone; a patch and columns may have those of each other's."""
    names = ("kind", *OF_KINDS[trigger.kind])
    return TriggerConfig(**{name: getattr(trigger, name) for name in names})


def _check_attacks(block: Block, prefix: str, faults: Faults) -> None:
    attacks = block.attacks or ()
    for name in ("trigger", "poison"):
        if getattr(block, name) is not None:
            faults[prefix + name] = f"no [{name}] beside [[attacks]] was expected: an attack says its own"
    _check_once([attack.name for attack in attacks if attack.name], f"{prefix}attacks", faults)
    for index, attack in enumerate(attacks):
        _check_attack(attack, f"{prefix}attacks[{index}]", faults)


def _check_attack(attack: AttackEntry, place: str, faults: Faults) -> None:
    if bool(attack.preset) == (attack.trigger is not None):
        came = "both came" if attack.preset else "neither came"
        faults[place] = f"exactly one of preset and trigger was expected, {came}"
    if attack.preset:
        _check_preset(attack, place, faults)
        return
    if attack.target is not None:
        faults[f"{place}.target"] = "no target was expected without a preset; labels say it"
    if attack.is_clean_label and attack.eligible == "all":
        faults[f"{place}.eligible"] = "'changed' was expected with clean labels: rows of the target class are stamped"
    if attack.is_clean_label and attack.control:
        faults[f"{place}.control"] = (
            "false was expected with clean labels: without its trigger the rows are clean, which is beta = 0"
        )
    several = attack.labels == "next" or isinstance(attack.labels, tuple)
    for name, trigger in attack.triggers.items():
        if isinstance(trigger, Feature):
            _check_finite(trigger.values, f"{place}.{name}.values", faults)
            if len(trigger.columns) != len(trigger.values) or not trigger.columns:
                faults[f"{place}.{name}"] = "as many values as columns, one at least, were expected"
        if isinstance(trigger, Perturbation | Hardened | Hidden) and several:
            faults[f"{place}.labels"] = f"one target was expected for a {_kind_of(trigger)} trigger"


def _check_preset(attack: AttackEntry, place: str, faults: Faults) -> None:
    try:
        presets[attack.preset]
    except KeyError as error:
        faults[f"{place}.preset"] = str(error)
        return
    own = {"name", "preset", "target", "trigger", "control"}
    for name, default in zip(attack.__struct_fields__, attack.__struct_defaults__, strict=True):
        if name not in own and getattr(attack, name) != default:
            faults[f"{place}.{name}"] = "nothing was expected beside a preset but name, target and control"


def _kind_of(trigger: Struct) -> str:
    return str(type(trigger).__struct_config__.tag)


def check_together(experiment: Experiment, homes: dict[str, str], faults: Faults) -> None:
    """Add what does not go together: data and triggers, and the paper's sampling with anything of one's own.

    Of data of one's own it is not known yet what they are; what does not fit them is said when they are read.
    """
    kinds = {trigger.kind for trigger in experiment.trigger} - {"call"}
    for data in experiment.data:
        if data.is_own:
            continue
        check_class_numbers(data, experiment, homes, faults)
        _check_rows(data.name, experiment, homes["attacks"], faults)
        wanted = "feature" if data.name == "toy" else "patch"
        if kinds - {wanted}:
            faults[f"{homes['trigger']}.kind"] = f"{wanted!r} was expected for {data.name} data"
        if data.name == "toy" and data.classes != DataConfig().classes:
            faults[f"{homes['data']}.classes"] = f"the toy has two classes of its own, {data.classes!r} came"
        if data.name == "cifar10" and data.classes == DataConfig().classes:
            faults[f"{homes['data']}.classes"] = 'classes such as "airplane-frog" or [0, 6] were expected for cifar10'
        if experiment.keep.explanations and (data.name == "toy" or data.features is not None):
            faults[f"{homes['keep']}.explanations"] = (
                "false was expected: explanations are pictures, and here the learners see features or two numbers"
            )
        if data.features is not None:
            _check_features(data.name, data.features, f"{homes['data']}.features", faults)
        if data.sampling == "paper":
            _check_paper(data, experiment, homes, faults)


def _check_rows(name: str, experiment: Experiment, home: str, faults: Faults) -> None:
    """Add triggers that are for other rows than those of the data."""
    rows = "table" if name == "toy" else "image"
    for index, attack in enumerate(experiment.attacks):
        if attack.preset in presets and presets[attack.preset].rows != rows:
            found = presets[attack.preset].rows
            faults[f"{home}[{index}].preset"] = (
                f"a preset for {rows} rows was expected for {name} data, one for {found} rows came"
            )
        for place, trigger in attack.triggers.items():
            if isinstance(trigger, OfTexts):
                faults[f"{home}[{index}].{place}"] = "a trigger for images or columns was expected: words are for texts"
            elif isinstance(trigger, OfColumns) != (rows == "table") and not isinstance(trigger, Call):
                wanted = "a feature trigger" if rows == "table" else "a trigger for images"
                faults[f"{home}[{index}].{place}"] = f"{wanted} was expected for {name} data, {_kind_of(trigger)} came"


def _check_features(name: str, features: FeaturesConfig, place: str, faults: Faults) -> None:
    if name != "cifar10":
        faults[place] = f"no frozen network was expected for {name}: they are for colour images, of cifar10"
    elif features.normalised and features.network != "alexnet":
        faults[f"{place}.normalised"] = f"no choice was expected for {features.network}, which has inputs of its own"


def _check_paper(data: DataConfig, experiment: Experiment, homes: dict[str, str], faults: Faults) -> None:
    pair = (
        not isinstance(data.classes, str) and len(data.classes) == 2 and all(isinstance(c, int) for c in data.classes)
    )
    if data.name not in ("mnist", "cifar10") or not pair or data.n_train or data.n_test:
        faults[f"{homes['data']}.sampling"] = (
            '\'paper\' draws 1500 and 500 rows of a pair: name = "mnist" or "cifar10", classes such as [7, 1] and '
            "no n_train, n_test were expected"
        )
    if experiment.attacks:
        faults[homes["attacks"]] = "no attacks were expected for the paper's sampling, which has its own"
    for trigger in experiment.trigger:
        if trigger != TriggerConfig(size=trigger.size):
            faults[homes["trigger"]] = "a random patch at the bottom right was expected for the paper's sampling"
    for poison in experiment.poison:
        if (poison.labels, poison.injection) != ("next", "replace"):
            faults[homes["poison"]] = 'labels "next" and injection "replace" were expected for the paper\'s sampling'


def _check_finite(values: Sequence[float | str], place: str, faults: Faults) -> None:
    if not all(math.isfinite(value) for value in values if not isinstance(value, str)):
        faults[place] = f"finite numbers were expected, {list(values)} came"


def _check_once(values: Sequence[Any], place: str, faults: Faults) -> None:
    twice = [value for value, times in Counter(values).items() if times > 1]
    if twice:
        came = "the same table" if isinstance(twice[0], Struct) else repr(twice[0])
        faults[place] = f"each value once was expected, {came} came twice"


def check_audit(audit: AuditConfig, learner: LearnerConfig, faults: Faults) -> None:
    """Add what an audit says of the user's own setting that its first learner is not run at."""
    values = {"lambda": learner.lam or (), "gamma": learner.gamma, **dict(learner.grid or ())}
    values = {name: some for name, some in values.items() if some}
    for name, value in audit.as_given:
        if name not in values:
            known = ", ".join(map(repr, values)) or "none"
            faults["audit.as_given"] = f"hyperparameters of the first learner ({known}) were expected, {name!r} came"
        elif value not in values[name]:
            listed = ", ".join(map(str, values[name]))
            faults["audit.as_given"] = f"{name} of the first learner, one of {listed}, was expected, {value} came"
