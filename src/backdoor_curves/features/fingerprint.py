"""What features are known by: the network's weights and structure, the settings, and the image's own content."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float

from backdoor_curves.features.extra import torch_of

if TYPE_CHECKING:
    import torch

    from backdoor_curves.features.frozen_map import FrozenMap

FORMAT = 1
"""Of the keys and of what is kept under them."""

_known: WeakKeyDictionary[Any, tuple[Any, bytes]] = WeakKeyDictionary()
"""The digest of a network's tensors by the network, with the state of the tensors: AlexNet's take half a second."""


def map_digest(frozen: FrozenMap, original: torch.nn.Module) -> str:
    """Return a hash of all that makes features what they are, but for the image; `original` is what was frozen.

    Weights, buffers, the printed structure, plain attributes and the code of `forward` of classes that are not torch's
    own; the settings; and the kind of device, as a GPU rounds otherwise. A function that `forward` calls, or a global
    that it reads, is not seen: see `FrozenFeatures` for the check that is.
    """
    digest = blake2b(digest_size=16)
    device = next((tensor.device.type for tensor in frozen.network.parameters()), "cpu")
    digest.update(f"{FORMAT} {frozen.settings} {frozen.dtype} {device} {frozen.network}".encode())
    for name, module in frozen.network.named_modules():
        for text in _traits(module):
            digest.update(f"{name} {text}".encode())
    digest.update(_tensors_digest(original))
    return digest.hexdigest()


def image_keys(images: Float[np.ndarray, "n h w c"], dtype: np.dtype[Any]) -> list[bytes]:
    """Return a key for each image: equal where the images are, in the type that the network computes in."""
    shape = str(images.shape[1:]).encode()
    return [blake2b(np.ascontiguousarray(image, dtype).data, digest_size=16, key=shape).digest() for image in images]


def _traits(module: torch.nn.Module) -> Iterator[str]:
    """Yield what a class of the user's own may hide from the printed structure."""
    if type(module).__module__.startswith("torch."):
        return
    code = type(module).forward.__code__
    yield f"{code.co_code.hex()} {code.co_names}"
    for name, value in vars(module).items():
        if not name.startswith("_") and name != "training" and isinstance(value, int | float | str | tuple):
            yield f"{name}={value!r}"


def _tensors_digest(network: torch.nn.Module) -> bytes:
    """Return a hash of all parameters and buffers; again only where torch counted a change."""
    torch = torch_of("FrozenFeatures")
    tensors = [*network.named_parameters(), *network.named_buffers()]
    state = [(name, t.data_ptr(), None if t.is_inference() else t._version) for name, t in tensors]
    if network in _known and _known[network][0] == state:
        return _known[network][1]
    digest = blake2b(digest_size=16)
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    _known[network] = state, digest.digest()
    return digest.digest()
