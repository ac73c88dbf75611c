"""Published weights: where they are, how they come, and that they are the right ones for the network."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backdoor_curves.datasets.download import cache_folder, search_folders
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
    others : tuple of str
        Names of files of other origin with the weights of this network.

    Examples
    --------
    >>> Checkpoint("AlexNet", "alexnet-owt-7be5be79.pth", "244 MB").network
    'AlexNet'
    """

    network: str
    file: str
    size: str
    others: tuple[str, ...] = ()


def weights_of(checkpoint: Checkpoint, data_dir: str | os.PathLike[str] | None = None, offline: bool = False) -> Path:
    """Return the file with the weights of a network, the published one or one of the others; downloaded if need be.

    It is looked for in `data_dir`, in the folder that BACKDOOR_CURVES_DATA names and in the cache, in the subfolders
    `networks` and `networks/NETWORK` of each, and in torch's own cache.

    Parameters
    ----------
    checkpoint : Checkpoint
    data_dir : path, optional
        A folder to look in first.
    offline : bool
        Never use the network.

    Raises
    ------
    FileNotFoundError
        If there is none, and `offline` or no mirror serves it.
    """
    torch = torch_of(checkpoint.network)
    names, below = (checkpoint.file, *checkpoint.others), Path("networks")
    roots = search_folders(data_dir)
    folders = [root / part for root in roots for part in ("", below, below / checkpoint.network.lower())]
    folders.append(Path(torch.hub.get_dir()) / "checkpoints")
    for path in (folder / name for folder in folders for name in names):
        if path.is_file():
            return path
    missing = f"{' or '.join(names)} was expected in {', '.join(map(str, folders))}, none came"
    remedy = f"get {checkpoint.file} from {MIRRORS[0]}{checkpoint.file} ({checkpoint.size}) and put it in one of these"
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


def state_of(network: str, path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Return the tensors of a state dict by name; nothing but tensors is ever unpickled.

    Parameters
    ----------
    network : str
        What users call the network.
    path : path
        The file.

    Returns
    -------
    dict of str to tensor
        On the CPU.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file's name has a hash and its content another, or if it is no whole state dict.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(f"{file}: a file with the weights of {network} was expected, there is none")
    try:
        _require_hash(file.name, file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file}: {error}; delete it to have it downloaded again") from None
    return _tensors_in(file)


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
