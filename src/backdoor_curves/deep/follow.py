"""From a network's recipe and training rows to its path: all betas and seeds are trained, with their slopes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from backdoor_curves.deep.fitting import prepared
from backdoor_curves.deep.module_check import kinks_of
from backdoor_curves.deep.network import initial_nets, seeded_module, shape_of
from backdoor_curves.deep.path import NetworkPath
from backdoor_curves.deep.training import Run, TrainingRows, train
from backdoor_curves.losses.row_losses import row_losses, row_rates
from backdoor_curves.losses.score_encodings import ScoreEncoding, encode
from backdoor_curves.paths.interpolation.hermite import SMALLEST_SCALE, HermiteNodes, hermite_nodes

if TYPE_CHECKING:
    from backdoor_curves.deep.trained_network import TrainedNetwork

PROBES = (0.1, 0.01)
"""How far from the first beta it is asked whether slopes hold, as shares of the scale: a smooth curve bends little."""
BENT = 0.03
"""Share of their rise that scores may miss what their slopes say over the first probe: 0.013 at most was measured with
GELU and tanh, 0.04 to 1 with ReLU."""
LOST, FALL = 0.5, 4.0
"""Where half of the rise is missed slopes say nothing; less may be a bend, whose share falls a hundredfold to the
second probe where the curve is smooth, and not at all from kink to kink."""
MOST_SCORED = 1000
"""Poison rows that say on which scale the path moves: more say the same."""


def network_path(
    net: TrainedNetwork, rows: TrainingRows, n_classes: int, betas: Float[np.ndarray, " k"]
) -> NetworkPath:
    """Return the path of a network: trained at all betas with all seeds, its scores' slopes exact there.

    Parameters
    ----------
    net : TrainedNetwork
    rows : TrainingRows
        The victim's, in their order.
    n_classes : int
    betas : array of shape (k,)
        Ascending, in [0, 1], two or more.

    Raises
    ------
    TypeError, ValueError, MemoryError, PathError
        As `train` and `prepared`.
    """
    if len(betas) < 2:
        raise ValueError(f"betas: two or more were expected for a network, {betas.tolist()} came; fit it at one")
    run, nets, at_once = prepared(net, rows, n_classes, None, tangents=True)
    trained = train(run, nets, betas.tolist(), at_once)
    assert trained.dw is not None
    path = NetworkPath(
        make_module=net.make_module,
        shape=shape_of(rows.X.shape[1:]),
        n_classes=n_classes,
        seeds=nets.seeds,
        names=nets.network.names,
        w=trained.w,
        dw=trained.dw,
        fixed={name: one.numpy() for name, one in nets.fixed.items()},
        device=str(run.device),
        interpolant=HermiteNodes(betas, 1.0, np.ones(len(betas), dtype=bool)),
    )
    path = replace(path, interpolant=_interpolant(path, rows))
    _warn_of_kinks(net, run, path)
    return path


def _interpolant(path: NetworkPath, rows: TrainingRows) -> HermiteNodes:
    """Return how a path is estimated between its betas, from what it makes of the poison rows.

    The scale is the beta at which the slope at the first beta would have used up their loss. A derivative is used where
    it is like the secants of every seed.
    """
    poison = np.flatnonzero(rows.is_poison)[:MOST_SCORED]
    scores, rates = path.scores_and_rates(rows.X[poison])
    encoding: ScoreEncoding = "binary" if path.n_classes == 2 else "softmax"
    targets = np.tile(encode(rows.y[poison], path.n_classes, encoding), (len(path.seeds), 1))
    loss = row_losses("logistic", encoding, scores[0], targets).mean()
    slope = row_rates("logistic", encoding, scores[0], rates[0], targets).mean()
    scale = float(np.clip(loss / max(abs(slope), np.finfo(float).tiny), SMALLEST_SCALE, 1.0))
    k, betas = len(scores), path.interpolant.nodes
    by_seed = [part.reshape(k, len(path.seeds), -1) for part in (scores, rates)]
    each = [hermite_nodes(betas, scale, by_seed[0][:, s], by_seed[1][:, s]) for s in range(len(path.seeds))]
    return HermiteNodes(betas, scale, np.all([nodes.used for nodes in each], axis=0))


def _warn_of_kinks(net: TrainedNetwork, run: Run, path: NetworkPath) -> None:
    """Warn where the scores do not rise as their slopes say over a short way: training jumps from kink to kink.

    What is missed on the way to a probe is a second difference. Of a smooth curve that bends it falls with the way.
    """
    far = path.interpolant.nodes[0] + PROBES[0] * path.interpolant.scale
    if far > 1.0 or (missed := _missed(net, run, path, far)) <= BENT:
        return
    near = path.interpolant.nodes[0] + PROBES[1] * path.interpolant.scale
    if missed < LOST and _missed(net, run, path, near) < missed / FALL:
        return
    adam = "Adam goes by the sign of a gradient that it has seen little of, and signs jump"
    unknown = adam if run.recipe.optimizer == "adam" else "a kink in its forward pass, or steps that are too long"
    module = seeded_module(path.make_module, path.shape, path.n_classes, 0)
    warnings.warn(
        f"network: slopes are exact where they stand and say little beside it: from beta = "
        f"{path.interpolant.nodes[0]:g} to {far:.2g} the scores miss what their slopes say by {100 * missed:.0f} % of "
        f"their rise ({', '.join(kinks_of(module)) or unknown}); take smooth activations (GELU, softplus), average "
        "pooling, SGD, or a lower lr",
        stacklevel=6,
    )


def _missed(net: TrainedNetwork, run: Run, path: NetworkPath, beta: float) -> float:
    """Return by how much of their rise to beta scores miss the mean of their slopes at both ends.

    One more net of the first seed is trained there; its poison rows are scored.
    """
    nets = initial_nets(net.make_module, path.shape, path.n_classes, path.seeds[:1])
    probe = train(replace(run, verbose=False), nets, [beta], at_once=1)
    assert probe.dw is not None
    start, first = path.of_seed(0), path.interpolant.nodes[0]
    short = replace(
        start,
        w=[np.concatenate([one[:, :1], end], axis=1) for one, end in zip(start.w, probe.w, strict=True)],
        dw=[np.concatenate([one[:, :1], end], axis=1) for one, end in zip(start.dw, probe.dw, strict=True)],
        interpolant=HermiteNodes(np.array([first, beta]), path.interpolant.scale, np.ones(2, dtype=bool)),
    )
    poison = np.flatnonzero(run.rows.is_poison)[:MOST_SCORED]
    scores, rates = short.scores_and_rates(run.rows.X[poison])
    rise = scores[1] - scores[0]
    apart, size = np.linalg.norm(rise - (beta - first) * rates.mean(axis=0)), np.linalg.norm(rise)
    return float(apart / size) if size else 0.0
