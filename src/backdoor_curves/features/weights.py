"""Published weights: where they are, how they come, and that they are the right ones for the network."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backdoor_curves.datasets.download import cache_folder
from backdoor_curves.datasets.remote import download_checked
from backdoor_curves.features.extra import torch_of

if TYPE_CHECKING:
    import torch

MIRRORS = ("https://download.pytorch.org/models/",)


@dataclass(frozen=True)
class Checkpoint:
    """A published state dict.

    Parameters
    ----------
    network : str
        What users call the network.
    file : str
        Its name on the mirror; as all names there it ends with the beginning of the content's SHA-256.
    size : str
        Of the file, for people.

    Examples
    --------
    >>> Checkpoint("AlexNet", "alexnet-owt-7be5be79.pth", "244 MB").network
    'AlexNet'
    """

    network: str
    file: str
    size: str


def state_of(checkpoint: Checkpoint, path: str | os.PathLike[str] | None, offline: bool) -> dict[str, torch.Tensor]:
    """Return the tensors of a state dict by name; nothing but tensors is ever unpickled.

    Parameters
    ----------
    checkpoint : Checkpoint
        What is read without a path.
    path : path or None
        A file of one's own. None: `checkpoint.file` in the folder that BACKDOOR_CURVES_DATA names, in the cache (in a
        subfolder `networks` of either, too) or in torch's own cache; from the web if it is nowhere.
    offline : bool
        Never use the network.

    Returns
    -------
    dict of str to tensor
        On the CPU.

    Raises
    ------
    FileNotFoundError
        If the file is nowhere, and `offline` or no mirror serves it.
    ValueError
        If the file's name has a hash and its content another, or if it is no whole state dict.
    """
    file = _found(checkpoint, offline) if path is None else Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"{file}: a file with the weights of {checkpoint.network} was expected, there is none")
    try:
        _require_hash(file.name, file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file}: {error}; delete it to have it downloaded again") from None
    return _tensors_in(file)


def _found(checkpoint: Checkpoint, offline: bool) -> Path:
    """Return where the published file is, downloaded if need be."""
    torch = torch_of(checkpoint.network)
    named = os.environ.get("BACKDOOR_CURVES_DATA")
    roots = [*([Path(named).expanduser()] if named else []), cache_folder()]
    folders = [place for root in roots for place in (root / "networks", root)]
    folders.append(Path(torch.hub.get_dir()) / "checkpoints")
    for folder in folders:
        if (folder / checkpoint.file).is_file():
            return folder / checkpoint.file
    missing = f"{checkpoint.file} was expected in {', '.join(map(str, folders))}, none came"
    remedy = f"get it from {MIRRORS[0]}{checkpoint.file} ({checkpoint.size}) and name it"
    if offline:
        raise FileNotFoundError(f"{missing}, and offline=True forbids the network; {remedy}")
    try:
        return download_checked(
            checkpoint.file,
            MIRRORS,
            cache_folder() / "networks",
            lambda content: _require_hash(checkpoint.file, content),
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{missing}, and {error}, or {remedy}") from None


def _require_hash(name: str, content: bytes) -> None:
    """Raise a ValueError if a name has the beginning of a hash, as torch's checkpoints do, and not the content's."""
    if promised := re.search(r"-([0-9a-f]{8,64})\.[a-z]+\Z", name):
        digest = hashlib.sha256(content).hexdigest()
        if not digest.startswith(promised[1]):
            raise ValueError(
                f"content of sha256 {promised[1]}... was expected, {digest[:12]}... came ({len(content)} bytes)"
            )


def _tensors_in(file: Path) -> dict[str, torch.Tensor]:
    torch = torch_of("a state dict")
    expected = f"{file}: a whole state dict, tensors by name, as torch.save writes it, was expected"
    try:
        state: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(f"{expected}, something else came ({str(error).strip().partition(chr(10))[0]})") from None
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise ValueError(f"{expected}, {type(state).__name__} of other things came")
    return state


def load_state(network: torch.nn.Module, state: dict[str, torch.Tensor], source: str) -> torch.nn.Module:
    """Return the network with the tensors of a state dict, in evaluation mode; `source` is what errors call them.

    Raises
    ------
    ValueError
        If names or shapes are not those of the network.
    """
    require_shapes({name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}, state, source)
    network.load_state_dict(state)
    return network.eval()


def require_shapes(expected: dict[str, tuple[int, ...]], state: dict[str, Any], source: str) -> None:
    """Raise a ValueError that names the first difference unless a state has these tensors, in these shapes, alone."""
    if lacking := [name for name in expected if name not in state]:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise ValueError(
            f"{source}: a tensor {lacking[0]!r} was expected, it lacks that{more}; is it another network's?"
        )
    if others := [name for name in state if name not in expected]:
        raise ValueError(
            f"{source}: {len(expected)} tensors were expected, {others[0]!r} came too; is it another network's?"
        )
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise ValueError(f"{source}: shape {shape} of {name!r} was expected, {tuple(state[name].shape)} came")
