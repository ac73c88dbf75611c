"""`kind = "network"` in `[[learners]]`: a model by its name, which is an estimator of the package's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backdoor_curves.study.file.reading import Faults

MODELS = ("mlp", "lenet", "resnet9", "resnet18")
"""The functions of `deep.named`."""
OF_THE_MODEL = ("hidden", "width", "channels", "activation")
"""Parameters of a model, which an estimator has under its own name for it."""


def with_networks(file: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """Return the tables of a file with every network in `learners`, at its top and in experiments, as an estimator.

    Examples
    --------
    >>> from backdoor_curves.study.file.networks import with_networks
    >>> network = {"kind": "network", "model": "lenet", "grid": {"hidden": [32, 84]}}
    >>> with_networks({"learners": [network]}, {})["learners"]
    [{'grid': {'make_module__hidden': [32, 84]}, 'estimator': 'backdoor_curves.deep.named:lenet', 'name': 'lenet'}]
    """
    found = dict(file)
    if isinstance(learners := file.get("learners"), list):
        found["learners"] = [_read(one, f"learners[{index}]", faults) for index, one in enumerate(learners)]
    if isinstance(blocks := file.get("experiments"), list):
        found["experiments"] = [with_networks(one, faults) if isinstance(one, dict) else one for one in blocks]
    return found


def _read(learner: Any, place: str, faults: Faults) -> Any:
    if not isinstance(learner, dict) or learner.get("kind") != "network":
        return learner
    model = learner.get("model", "mlp")
    if model not in MODELS:
        faults[f"{place}.model"] = f"one of {', '.join(map(repr, MODELS))} was expected, {model!r} came"
        model = MODELS[0]  # so that nothing else is said of it
    rest = {key: _named(value) for key, value in learner.items() if key not in ("kind", "model")}
    return rest | {"estimator": f"backdoor_curves.deep.named:{model}", "name": rest.get("name", model)}


def _named(values: Any) -> Any:
    """Return parameters, or a grid of them, by the names that the estimator has for them."""
    if not isinstance(values, dict):
        return values
    return {f"make_module__{name}" if name in OF_THE_MODEL else name: value for name, value in values.items()}
