"""torch, which is an extra: imported when it is used, and asked for in a sentence where it is missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def torch_of(user: str) -> Any:
    """Return the module torch; without it raise an ImportError that names `user` and the extra.

    Examples
    --------
    >>> torch_of("FrozenFeatures").__name__
    'torch'
    """
    try:
        return import_module("torch")
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ImportError(f'{user} needs torch, which is not installed: pip install "backdoor-curves[torch]"') from None
