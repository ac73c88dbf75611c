"""Trained nets as a path over beta: scores and their derivatives, of every seed, at the betas of training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NoReturn

import numpy as np
import torch
from jaxtyping import Float

from backdoor_curves.deep.network import MakeModule, Network, as_module_sees, seeded_module, tensor_of
from backdoor_curves.paths.base import BetaPath, Tangent, combined
from backdoor_curves.paths.interpolation.hermite import HermiteNodes
from backdoor_curves.rows import Rows

AT_ONCE = 2**22
"""Numbers of rows, those of all nets, that are scored together: 16 MiB, and what the layers make of them."""


@dataclass(frozen=True, eq=False)
class NetworkPath(BetaPath):
    """The nets of some seeds at some betas, with their exact derivatives in beta.

    A row of X is scored by the nets of all seeds: where a path has n rows, this one has seeds * n, those of the first
    seed, then of the next. Means over rows are then means over seeds too; `of_seed` is the path of one alone.

    Parameters
    ----------
    make_module, shape, n_classes
        As for `TrainedNetwork`.
    names : tuple of str
        The trained parameters, in order.
    w, dw : lists of arrays of shape (seeds, k, ...)
        The parameters at each beta, and their derivatives.
    fixed : dict of str to arrays of shape (seeds, ...)
        What is not trained.
    device : str
    interpolant : HermiteNodes
        Of the k betas.
    """

    method: ClassVar[str] = "network"
    exact: ClassVar[bool] = False

    make_module: MakeModule
    shape: tuple[int, ...]
    n_classes: int
    seeds: tuple[int, ...]
    names: tuple[str, ...]
    w: list[np.ndarray] = field(repr=False)
    dw: list[np.ndarray] = field(repr=False)
    fixed: dict[str, np.ndarray] = field(repr=False)
    device: str
    interpolant: HermiteNodes

    @property
    def n_seeds(self) -> int:  # type: ignore[override]
        """How many nets there are at each beta."""
        return len(self.seeds)

    def of_seed(self, place: int) -> NetworkPath:
        """Return the path of one seed's nets, by its place among the seeds."""
        one = slice(place, place + 1)
        return NetworkPath(
            self.make_module,
            self.shape,
            self.n_classes,
            self.seeds[one],
            self.names,
            [stack[one] for stack in self.w],
            [stack[one] for stack in self.dw],
            {name: stack[one] for name, stack in self.fixed.items()},
            self.device,
            self.interpolant,
        )

    def nodal_scores(self, X: Rows) -> Float[np.ndarray, "two_k seeds_n columns"]:
        """Return the scores of the rows X by each seed's net at the nodes, and then their derivatives in beta."""
        return np.concatenate(self.scores_and_rates(X))

    def scores_and_rates(
        self, X: Rows
    ) -> tuple[Float[np.ndarray, "k seeds_n columns"], Float[np.ndarray, "k seeds_n columns"]]:
        """Return the scores of the rows X at the nodes, and their derivatives in beta, of all seeds."""
        both = [[_by_column(part) for part in self._of_block(w, dw, fixed, x)] for w, dw, fixed, x in self._blocks(X)]
        n_seeds, k = len(self.seeds), len(self.interpolant.nodes)
        joined = []
        for which in (0, 1):
            parts = np.concatenate([one[which] for one in both], axis=2)
            joined.append(np.moveaxis(parts, 1, 0).reshape(k, n_seeds * parts.shape[2], -1))
        return joined[0], joined[1]

    def net_at(self, beta: float) -> tuple[Network, list[Any], dict[str, Any]]:
        """Return the net of the first seed at one of the betas, out of training: its layers, and its parameters."""
        at = np.flatnonzero(self.interpolant.nodes == beta)
        if not at.size:
            known = ", ".join(f"{node:g}" for node in self.interpolant.nodes)
            raise ValueError(f"beta: one of those at which nets were trained ({known}) was expected, {beta:g} came")
        w = [torch.from_numpy(one[0, at[0]].copy()).to(self.device) for one in self.w]
        fixed = {name: torch.from_numpy(one[0].copy()).to(self.device) for name, one in self.fixed.items()}
        return self._network, w, fixed

    def score_gradients(self, X: Rows, beta: float) -> Float[np.ndarray, "columns n d"]:
        """Return the gradient of each score column in its row, by the net of one seed at one of the betas of training.

        Raises
        ------
        ValueError
            If there are several seeds, or no net was trained at beta.
        """
        if len(self.seeds) > 1:
            raise ValueError(
                f"input_gradient: the curve of a network of one seed was expected, of {len(self.seeds)} seeds came; "
                "take one of curve.seeds"
            )
        network, w, fixed = self.net_at(beta)
        columns = []
        for block in np.array_split(np.asarray(X), max(1, -(-np.size(X) // AT_ONCE))):
            x = as_module_sees(tensor_of(block), w[0].dtype).to(self.device).requires_grad_()
            outputs = network.scores(w, fixed, x)
            scores = outputs[:, 1:] - outputs[:, :1] if outputs.shape[1] == 2 else outputs
            parts = [torch.autograd.grad(one.sum(), x, retain_graph=True)[0] for one in scores.T]  # each of its own row
            columns.append(np.stack([_as_rows(part) for part in parts]))
        return np.concatenate(columns, axis=1)

    def _of_block(self, w: list[Any], dw: list[Any], fixed: dict[str, Any], x: Any) -> tuple[Any, Any]:
        with torch.no_grad():
            return self._network.all_tangents(w, dw, fixed, x)

    def _blocks(self, X: Rows) -> Iterator[tuple[list[Any], list[Any], dict[str, Any], Any]]:
        """Yield what scores a block of rows: all parameters, their derivatives, and the rows as a module sees them."""
        X = np.asarray(X)
        w, dw = ([torch.from_numpy(one).to(self.device) for one in stack] for stack in (self.w, self.dw))
        fixed = {name: torch.from_numpy(one).to(self.device) for name, one in self.fixed.items()}
        per_row = len(self.seeds) * len(self.interpolant.nodes) * X[0].size
        for block in np.array_split(X, -(-len(X) * per_row // AT_ONCE)) if len(X) else ():
            yield w, dw, fixed, as_module_sees(tensor_of(block), w[0].dtype).to(self.device)

    @cached_property
    def _network(self) -> Network:
        module = seeded_module(self.make_module, self.shape, self.n_classes, 0).eval().to(self.device)
        return Network(module, self.names)

    def tangent(self, X: Rows, betas: Float[np.ndarray, " b"]) -> Tangent:
        """Return the scores of the rows X and their derivatives: exact at the nodes, estimates between them."""
        nodal = self.nodal_scores(X)
        return Tangent(
            combined(self.interpolant.weights(betas), nodal), combined(self.interpolant.derivative(betas), nodal)
        )

    def nodal_gram(self) -> Float[np.ndarray, "two_k two_k"]:
        """Return the inner products of all trained parameters and of their derivatives, in the mean over seeds."""
        k = len(self.interpolant.nodes)
        gram = np.zeros((2 * k, 2 * k))
        for one, rate in zip(self.w, self.dw, strict=True):
            for values, rates in zip(one, rate, strict=True):
                both = np.concatenate([values.reshape(k, -1), rates.reshape(k, -1)]).astype(float)
                gram += both @ both.T
        return gram / len(self.seeds)

    def parameters(self, betas: Float[np.ndarray, " b"]) -> NoReturn:
        """Refuse: a network has parameters of many shapes."""
        raise ValueError(
            f"parameters: those of a network at {len(betas)} betas are no coefficients; curve.path.w has them by name"
        )

    def certificate(self, betas: Float[np.ndarray, " b"], rows: Sequence[Rows]) -> None:
        """Return None: a training is what its steps make it, and no optimum."""

    def response(self, beta: float) -> NoReturn:
        """Refuse."""
        raise ValueError(f"the response to single rows at beta = {beta:g} needs an optimum; a trained network is none")


def _as_rows(gradient: Any) -> Float[np.ndarray, "n d"]:
    """Return what stands for inputs of a module as flat rows: images have their channels last again."""
    back = gradient.movedim(1, -1) if gradient.dim() == 4 else gradient
    return back.reshape(len(back), -1).double().cpu().numpy()


def _by_column(outputs: Any) -> Float[np.ndarray, "seeds k n columns"]:
    """Return outputs as score columns: of two classes the second less the first, so that it is positive for it."""
    values = outputs.double().cpu().numpy()
    return values[..., 1:] - values[..., :1] if values.shape[-1] == 2 else values
