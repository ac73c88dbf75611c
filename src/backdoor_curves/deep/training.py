"""All nets of some betas and seeds are trained at once, and beside each runs its exact tangent in beta.

    z' = Phi(z, beta; batch)        dz' = Phi_z dz + Phi_beta        z = (w, what the optimiser remembers),  dz(0) = 0

Phi is one step. The gradient's part of its tangent, dg = H dw + sum_poison weight_i grad loss_i / b, is one forward
derivative of the gradient: no Hessian, no damping, and nothing need have converged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch.func import jvp
from tqdm import tqdm

from backdoor_curves.deep.chunks import Chunk, chunks_of, halved, is_out_of_memory
from backdoor_curves.deep.draws import augment_rng, dropout_draws, order
from backdoor_curves.deep.network import Batch, InitialNets, Stack, as_module_sees, tensor_of
from backdoor_curves.deep.optimisers import Moving, step
from backdoor_curves.deep.recipe import Recipe
from backdoor_curves.deep.traced import WORTH, Function, traced
from backdoor_curves.paths.base import PathError


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The victim's training set, in its order.

    Parameters
    ----------
    X : array of shape (n, ...)
        Features, or images with their channels last.
    y : int array of shape (n,)
        Class indices.
    weight : array of shape (n,)
        The rows' own, >= 0.
    is_poison : bool array of shape (n,)
        Whose weight beta multiplies.
    """

    X: np.ndarray
    y: Int[np.ndarray, " n"]
    weight: Float[np.ndarray, " n"]
    is_poison: Bool[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Run:
    """How nets are trained: what is common to all of them.

    Parameters
    ----------
    recipe : Recipe
    rows : TrainingRows
    device, dtype
        torch's.
    tangents : bool
        Whether derivatives in beta are carried along.
    one_thread : bool
        Whether a CPU trains with one thread, whatever torch has.
    verbose : bool
        Whether a bar counts the epochs of all nets.
    """

    recipe: Recipe
    rows: TrainingRows
    device: Any
    dtype: Any
    tangents: bool
    one_thread: bool = False
    verbose: bool = False

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Train with as many threads as it says; torch's own number is back afterwards."""
        before = torch.get_num_threads()
        torch.set_num_threads(1 if self.one_thread else before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@dataclass(frozen=True, eq=False)
class Trained:
    """Trained parameters, and their derivatives in beta.

    Parameters
    ----------
    w : list of arrays of shape (seeds, betas, ...)
    dw : list of arrays of the same shapes
        None where they were not asked for.
    """

    w: list[np.ndarray]
    dw: list[np.ndarray] | None


def train(run: Run, nets: InitialNets, betas: Sequence[float], at_once: int) -> Trained:
    """Train the nets of all seeds at all betas, so many at once, and return them.

    Raises
    ------
    PathError
        If a net leaves the finite numbers; the message has its beta, seed and epoch.
    MemoryError
        If one net alone does not fit the device.
    """
    seeds = nets.seeds
    shape = len(seeds), len(betas)
    w = [np.empty((*shape, *one.shape[1:]), _numpy(run.dtype)) for one in nets.w]
    dw = [np.empty_like(one) for one in w] if run.tangents else None
    waiting = chunks_of(*shape, 1 if nets.draws else shape[0], at_once)
    # Its lock is a semaphore of the machine, which a worker of a study that ends at once would leave behind.
    bar = tqdm(total=run.recipe.epochs * shape[0] * shape[1], unit="epoch") if run.verbose else None
    while waiting:
        chunk = waiting.pop(0)
        try:
            with run.threads():
                values, tangents = _train_chunk(run, nets, chunk, [betas[b] for b in chunk.betas], bar)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            waiting = [*halved(chunk, error), *waiting]
            continue
        _put(w, chunk, values)
        if dw is not None and tangents is not None:
            _put(dw, chunk, tangents)
    if bar is not None:
        bar.close()
    return Trained(w, dw)


def _put(into: list[np.ndarray], chunk: Chunk, stack: Stack) -> None:
    for whole, part in zip(into, stack, strict=True):
        whole[chunk.seeds.start : chunk.seeds.stop, chunk.betas.start : chunk.betas.stop] = part.cpu().numpy()


def _numpy(dtype: Any) -> type:
    return np.float64 if dtype == torch.float64 else np.float32


def _train_chunk(
    run: Run, nets: InitialNets, chunk: Chunk, betas: Sequence[float], bar: tqdm | None
) -> tuple[Stack, Stack | None]:
    """Return the trained parameters of some nets, and their tangents."""
    places, seeds = list(chunk.seeds), [nets.seeds[s] for s in chunk.seeds]
    to = {"device": run.device, "dtype": run.dtype}
    spread = len(seeds), len(betas)
    w = [one[places].to(**to)[:, None].expand(*spread, *one.shape[1:]).clone() for one in nets.w]
    fixed = {name: _moved(one[places], to) for name, one in nets.fixed.items()}
    nets.network.module.train().to(run.device)
    values = Moving.at_rest(w, run.recipe)
    tangents = Moving.at_rest([torch.zeros_like(one) for one in w], run.recipe) if run.tangents else None
    gradient = _gradient(nets, torch.tensor(betas, **to), fixed, run)
    batches = batches_of(run, seeds)
    number, steps = 0, run.recipe.epochs * -(-len(run.rows.y) // run.recipe.batch_size)
    for epoch in range(run.recipe.epochs):
        for batch in batches(epoch, number):
            lr = run.recipe.lr_at(number, steps)
            with dropout_draws(seeds[0], number) if nets.draws else nullcontext():
                g, dg = gradient(batch, values, tangents)
            number += 1
            step(run.recipe, number, lr, values, g, tangents, dg)
        _require_finite(values, tangents, seeds, betas, epoch)
        if bar is not None:
            bar.update(len(seeds) * len(betas))
    return list(values.w), None if tangents is None else list(tangents.w)


def _moved(tensor: Any, to: dict[str, Any]) -> Any:
    return tensor.to(**to) if tensor.is_floating_point() else tensor.to(to["device"])


def _gradient(
    nets: InitialNets, betas: Any, fixed: dict[str, Any], run: Run
) -> Callable[[Batch, Moving, Moving | None], tuple[Stack, Stack | None]]:
    """Return what gives the gradients of all nets on a batch, and their tangents: of all that moves with beta."""
    of_all, one, n = nets.network.gradients("same" if nets.draws else "error"), torch.ones_like(betas), len(nets.w)

    def plain(x: Any, y: Any, weight: Any, is_poison: Any, *moving: Any) -> tuple[Any, ...]:
        batch = Batch(x, y, weight, is_poison)
        if len(moving) == n:
            return tuple(of_all(list(moving), betas, fixed, batch))
        g, dg = jvp(
            lambda w, beta: of_all(list(w), beta, fixed, batch), (tuple(moving[:n]), betas), (tuple(moving[n:]), one)
        )
        return (*g, *dg)

    size = run.recipe.batch_size
    ways: dict[int, Function] = {}
    if nets.draws or run.recipe.epochs * (len(run.rows.y) // size) < WORTH:
        ways[size] = plain  # a mask is drawn anew at each step, which a trace would hold on to; or it is not worth it

    def gradient(batch: Batch, values: Moving, tangents: Moving | None) -> tuple[Stack, Stack | None]:
        tensors = batch.x, batch.y, batch.weight, batch.is_poison, *values.w, *(tangents.w if tangents else ())
        rows = batch.y.shape[1]
        if rows == size and size not in ways:
            ways[size] = traced(plain, tensors)
        way: Function = ways.get(rows, plain)
        found = list(way(*tensors))
        return found[:n], None if tangents is None else found[n:]

    return gradient


def batches_of(run: Run, seeds: Sequence[int]) -> Callable[[int, int], Iterator[Batch]]:
    """Return what yields the batches of an epoch, of each seed its own, given the number of the epoch's first step."""
    rows, size, n = run.rows, run.recipe.batch_size, len(run.rows.y)
    X, y, is_poison = (tensor_of(part).to(run.device) for part in (rows.X, rows.y, rows.is_poison))
    weight = tensor_of(rows.weight).to(run.device, run.dtype)
    X = as_module_sees(X, run.dtype)

    def batches(epoch: int, number: int) -> Iterator[Batch]:
        orders = np.stack([order(seed, epoch, n) for seed in seeds])
        for k, start in enumerate(range(0, n, size)):
            chosen = orders[:, start : start + size]
            places = torch.from_numpy(chosen).to(run.device)
            x = X[places] if run.recipe.augment is None else _augmented(run, chosen, seeds, number + k)
            yield Batch(x, y[places], weight[places], is_poison[places])

    return batches


def _augmented(run: Run, chosen: Int[np.ndarray, "seeds b"], seeds: Sequence[int], number: int) -> Any:
    """Return the rows of a batch of each seed as its augmentation changes them in a step."""
    assert run.recipe.augment is not None
    parts = []
    for places, seed in zip(chosen, seeds, strict=True):
        X = run.rows.X[places]
        changed = np.asarray(run.recipe.augment(X, augment_rng(seed, number)))
        if changed.shape != X.shape:
            raise ValueError(f"augment: rows of shape {X.shape} were expected back, shape {changed.shape} came")
        parts.append(as_module_sees(tensor_of(np.ascontiguousarray(changed)), run.dtype))
    return torch.stack(parts).to(run.device)


def _require_finite(
    values: Moving, tangents: Moving | None, seeds: Sequence[int], betas: Sequence[float], epoch: int
) -> None:
    """Refuse nets that have left the finite numbers, with the first one's seed and beta."""
    of_what = {"weights": values.w} | ({} if tangents is None else {"derivatives in beta": tangents.w})
    for name, stack in of_what.items():
        total = sum(one.flatten(2).sum(dim=2) for one in stack)
        bad = torch.nonzero(~torch.isfinite(total)).cpu().numpy()
        if len(bad):
            s, b = bad[0]
            raise PathError(
                f"training: finite {name} were expected, those of beta = {betas[b]:g} with seed {seeds[s]} are not "
                f"after epoch {epoch + 1}; lower lr, or scale the rows"
            )
