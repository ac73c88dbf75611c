"""The published networks of the paper's later version, as they are: rates and losses over its betas, by seed.

    nets_{name}.json      {seed: {model, epochs, p_poison, betas, and four arrays [epochs][p_poison][beta]}}

ResNets with ImageNet's weights, fine-tuned on ten classes of Imagenette with BatchNorm; neither is at hand, so that no
number of ours is under the same conditions, and none is laid beside. Their loss is mean_clean + b mean_poison over each
batch: a poison row has b (1 - p) / p of a clean one's weight, and ordinary poisoned training is b = p / (1 - p). Files
are JSON; pickles are not opened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.paper.numbers.published_parts import ascending_betas, finite, require_same, worded

NETS = re.compile(r"nets_([A-Za-z0-9_-]+)\.json")
QUANTITIES = {
    "asr": "backdoor_accuracy_beta",
    "clean_accuracy": "clean_accuracy_beta",
    "triggered_loss": "backdoor_loss_beta",
    "clean_loss": "clean_loss_beta",
}
FIELDS = {*QUANTITIES.values(), "betas", "model", "epochs", "p_poison"}
DEGREES = 2.0 / np.pi


@dataclass(frozen=True, eq=False)
class NetsFile:
    """A file of networks, of all seeds.

    Parameters
    ----------
    name, model : str
    seeds : tuple of str
    epochs : tuple of int
    shares : tuple of float
        p, of the poison among the training rows.
    betas : array
        b, as the file has it: of the mean loss of the poison.
    values : mapping of str to array of shape (seeds, epochs, shares, betas)
        "asr", "clean_accuracy", "triggered_loss", "clean_loss".
    """

    name: str
    model: str
    seeds: tuple[str, ...]
    epochs: tuple[int, ...]
    shares: tuple[float, ...]
    betas: Float[np.ndarray, " betas"]
    values: Mapping[str, Float[np.ndarray, "seeds epochs shares betas"]] = field(repr=False)

    @property
    def n_nets(self) -> int:
        """How many networks it has numbers of."""
        return self.values["asr"].size


def read_nets(folder: str | Path) -> tuple[NetsFile, ...]:
    """Return the published networks of a folder, in the order of their files' names; none where it has no such file.

    Raises
    ------
    ValueError
        If a file is damaged, or its seeds differ in more than their numbers.

    Examples
    --------
    >>> from backdoor_curves.paper.numbers.published_nets import read_nets
    >>> sum(file.n_nets for file in read_nets("reference"))  # doctest: +SKIP
    336
    """
    return tuple(nets_file(path) for path in sorted(Path(folder).iterdir()) if NETS.fullmatch(path.name))


def nets_file(path: Path) -> NetsFile:
    """Return the networks of a file `nets_{name}.json`."""
    match = NETS.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path.name}: a name like {NETS.pattern} was expected")
    with worded(path):
        content = json.loads(path.read_text())
        if not content:
            raise ValueError("a seed was expected, there is none")
        for one in content.values():
            require_same(path, "fields of a seed", set(one), FIELDS)
        first, *others = content.values()
        for name in ("model", "epochs", "p_poison", "betas"):
            if any(one[name] != first[name] for one in others):
                raise ValueError(f"the same {name} for all seeds was expected, several came")
        shares, betas = tuple(map(float, first["p_poison"])), ascending_betas(first["betas"])
        if not all(0.0 < p < 1.0 for p in shares):
            raise ValueError(f"p_poison: shares in (0, 1) were expected, {shares} came")
        shape = len(first["epochs"]), len(shares), len(betas)
        values = {
            ours: np.stack([finite(theirs, one[theirs], shape) for one in content.values()])
            for ours, theirs in QUANTITIES.items()
        }
    epochs = tuple(map(int, first["epochs"]))
    return NetsFile(match[1], str(first["model"]), tuple(content), epochs, shares, betas, values)


def net_rows(files: Sequence[NetsFile]) -> list[dict[str, Any]]:
    """Return a row for each setting and beta: means over seeds, and the least and largest attack success rate.

    "beta" is the weight of a poison row, as everywhere here, and may exceed 1; "b" is the file's own.

    Examples
    --------
    >>> import numpy as np
    >>> from backdoor_curves.paper.numbers.published_nets import NetsFile, net_rows
    >>> values = dict.fromkeys(("asr", "clean_accuracy", "triggered_loss", "clean_loss"), np.full((1, 1, 1, 2), 0.5))
    >>> file = NetsFile("one", "resnet18", ("100",), (10,), (0.05,), np.array([0.0, 1.0]), values)
    >>> [row["beta"] for row in net_rows([file])]
    [0.0, 19.0]
    """
    rows = []
    for file in files:
        for e, epochs in enumerate(file.epochs):
            for k, p in enumerate(file.shares):
                for place, b in enumerate(file.betas):
                    at = {name: values[:, e, k, place] for name, values in file.values.items()}
                    rows.append(
                        {"file": file.name, "model": file.model, "epochs": epochs, "p": p, "b": float(b)}
                        | {"beta": round(float(b) * (1.0 - p) / p, 12)}
                        | {name: float(found.mean()) for name, found in at.items()}
                        | {"asr_low": float(at["asr"].min()), "asr_high": float(at["asr"].max())}
                    )
    return rows


def settings_of(files: Sequence[NetsFile]) -> list[dict[str, Any]]:
    """Return a row for each setting: rates at both ends and at b nearest to ordinary training, and two chords' theta.

    The published slope is the chord from b = 0 to 1, L(1) - L(0); the one to the first b > 0 says how far it is from
    a slope. theta = -(2 / pi) arctan of either.
    """
    rows = []
    for file in files:
        for e, epochs in enumerate(file.epochs):
            for k, p in enumerate(file.shares):
                mean = {name: values[:, e, k].mean(axis=0) for name, values in file.values.items()}
                near = int(np.argmin(np.abs(file.betas - p / (1.0 - p))))
                loss, b = mean["triggered_loss"], file.betas
                chords = (loss[-1] - loss[0]) / b[-1], (loss[1] - loss[0]) / b[1]
                rows.append(
                    {"file": file.name, "model": file.model, "epochs": epochs, "p": p, "n_seeds": len(file.seeds)}
                    | {"asr": [float(mean["asr"][i]) for i in (0, near, -1)], "near": float(b[near])}
                    | {"clean_accuracy": [float(mean["clean_accuracy"][i]) for i in (0, near, -1)]}
                    | {"theta_of_chord": -DEGREES * float(np.arctan(chords[0])), "first_chord": float(chords[1])}
                )
    return rows
