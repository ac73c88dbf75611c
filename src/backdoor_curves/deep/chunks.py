"""How many nets are trained at once: as many as fit the memory, and half of them where they did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from backdoor_curves.deep.network import InitialNets
from backdoor_curves.kernels.memory import GIB, available_memory

SHARE = 0.5
"""Of the free memory: what is between the steps of torch.func is not known beforehand, and there are other users."""
LEAST_ON_CPU, MOST_ON_CPU = 10, 64
"""Nets at once on a CPU where memory is no matter: the betas of one seed share their batches, and beyond some dozens
nothing is gained."""
CACHE = 2.0**24
"""Bytes that the layers of all nets may keep of a batch on a CPU: with 77 MB a small CNN took a third longer than with
26 MB, and a large one, of which ten nets keep more, the least with eight."""
COPIES, COPIES_OF_STATE = 2.0, 6.0
"""Of what a forward pass keeps: itself and its gradients; of the parameters: themselves, gradients, what the optimiser
remembers, and what a step makes of them. As much again for tangents."""


@dataclass(frozen=True)
class Chunk:
    """Nets that are trained at once, by their places among the seeds and betas."""

    seeds: range
    betas: range


def chunks_of(n_seeds: int, n_betas: int, seeds_together: int, at_once: int) -> list[Chunk]:
    """Return chunks of at most so many nets: whole seeds, whose betas share their batches, where they fit.

    Examples
    --------
    >>> from backdoor_curves.deep.chunks import chunks_of
    >>> [(len(chunk.seeds), len(chunk.betas)) for chunk in chunks_of(3, 4, 3, 8)]
    [(2, 4), (1, 4)]
    >>> [(len(chunk.seeds), len(chunk.betas)) for chunk in chunks_of(2, 4, 2, 3)]
    [(1, 2), (1, 2), (1, 2), (1, 2)]
    """
    together = min(seeds_together, max(1, at_once // n_betas))
    width = -(-n_betas // -(-n_betas // at_once)) if together == 1 else n_betas  # parts of one size
    return [
        Chunk(range(s, min(s + together, n_seeds)), range(b, min(b + width, n_betas)))
        for s in range(0, n_seeds, together)
        for b in range(0, n_betas, width)
    ]


def halved(chunk: Chunk, error: Exception) -> Sequence[Chunk]:
    """Return the two halves of a chunk that did not fit; a MemoryError where it is a single net."""
    for name in ("seeds", "betas"):
        whole: range = getattr(chunk, name)
        if len(whole) > 1:
            middle = whole.start + len(whole) // 2
            parts = range(whole.start, middle), range(middle, whole.stop)
            rest = {"seeds": chunk.seeds, "betas": chunk.betas}
            return [Chunk(**(rest | {name: part})) for part in parts]
    raise MemoryError(
        "training: one net did not fit the device's memory; take a smaller batch_size or model, or device='cpu'"
    ) from error


def is_out_of_memory(error: Exception) -> bool:
    """Return whether a device, or the CPU's allocator, had no more."""
    return "out of memory" in str(error) or "not enough memory" in str(error)


def nets_at_once(nets: InitialNets, x: Any, kept: float, device: Any, tangents: bool) -> int:
    """Return how many nets fit the memory, from what one keeps in a forward pass over a batch.

    Parameters
    ----------
    nets : InitialNets
    x : tensor of shape (b, ...)
        A batch, in the precision of the training.
    kept : float
        As `bytes_kept` has it.
    device : torch.device
    tangents : bool
        Whether derivatives in beta are carried along.
    """
    state = sum(one[0].numel() for one in nets.w) * x.element_size()
    passes = 2.0 if tangents else 1.0
    layers = passes * kept
    one_net = COPIES * layers + COPIES_OF_STATE * passes * state
    if device.type != "cpu":
        return max(1, int(SHARE * torch.cuda.mem_get_info(device)[0] / one_net))
    if (fit := int(SHARE * available_memory() / one_net)) < 1:
        raise MemoryError(
            f"training: a net needs {one_net / GIB:.3g} GiB, {SHARE * available_memory() / GIB:.3g} GiB are free for "
            "it; take a smaller batch_size or model"
        )
    return min(fit, max(LEAST_ON_CPU, min(MOST_ON_CPU, int(CACHE / layers))))


def is_small(kept: float) -> bool:
    """Return whether a stack of nets that keep so many bytes each is at home in a CPU's cache: one thread is enough.

    Several wait for each other after each layer, which takes ten times as long as the training where other programs
    hold a core.
    """
    return LEAST_ON_CPU * kept <= CACHE


def bytes_kept(nets: InitialNets, x: Any) -> float:
    """Return the bytes that the layers of one net keep of a batch for its gradient."""
    kept: dict[int, int] = {}

    def keep(tensor: Any) -> Any:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    module = nets.network.module.to("cpu", x.dtype)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        cross_entropy(module(x), torch.zeros(len(x), dtype=torch.long))
    return float(sum(kept.values()))
