"""Twenty training and ten test images in MNIST's format, for tests that need no more."""

from __future__ import annotations

import numpy as np


def idx(array: np.ndarray) -> bytes:
    """The idx file of an array of bytes, written by hand."""
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def small_mnist() -> dict[str, np.ndarray]:
    """Twenty training and ten test images; every pixel of training image i is i, of test image i 100 + i."""
    train, test = np.arange(20), np.arange(10)
    return {
        "train-images": np.broadcast_to(train[:, None, None], (20, 28, 28)),
        "train-labels": train % 10,
        "test-images": np.broadcast_to(100 + test[:, None, None], (10, 28, 28)),
        "test-labels": test[::-1],
    }


SMALL_CONTENT = {name: idx(array) for name, array in small_mnist().items()}
