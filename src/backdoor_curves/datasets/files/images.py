"""A folder of images with a folder a class: one size, grey or colour, pixels in [0, 1], read by Pillow."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from backdoor_curves.datasets.files.folders import LABEL, NAME, files_by_class
from backdoor_curves.datasets.files.table import Table
from backdoor_curves.kernels.memory import available_memory

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm"})
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""That Pillow is asked to read: each other is code that files from elsewhere might reach."""
IMAGE = "image"
"""The column of the images."""
SHARE = 0.25
"""Of the free memory, what the images may take in double precision: training and test rows are copies."""
DEEP = ("I;16", "I;16B", "I;16L", "I")
"""Modes of grey images with two bytes a pixel."""


def read_images(folder: Path, source: str) -> Table:
    """Return the images of a folder, with the columns "image", "label" (the folder of each) and "file".

    Images are float64 of shape (height, width, 1), or (height, width, 3) where one of them has colours.

    Parameters
    ----------
    folder : path
    source : str
        What it is called in errors.

    Raises
    ------
    ValueError
        If a file is no whole image, moves, or lets shine through what is behind it; if images differ in size, or do not
        fit into a quarter of the free memory.
    """
    files = files_by_class(folder, ENDINGS, source)
    images: list[np.ndarray] = []
    for k, (_, path) in enumerate(files):
        name = str(path.relative_to(folder))
        image = _pixels(path, name, source)
        if images and image.shape[:2] != images[0].shape[:2]:
            raise ValueError(
                f"{source}: images of one size were expected, {_size(images[0])} as the first, {name!r} is "
                f"{_size(image)}; resize them"
            )
        images.append(image)
        if not k and 8 * image.size * len(files) > SHARE * available_memory():
            raise ValueError(
                f"{source}: images that fit into a quarter of the free memory were expected, {len(files)} of "
                f"{_size(image)} do not; take fewer or smaller ones"
            )
    channels = max(image.shape[2] for image in images)
    labels, names = np.empty(len(files), dtype=object), np.empty(len(files), dtype=object)
    labels[:], names[:] = [label for label, _ in files], [str(path.relative_to(folder)) for _, path in files]
    X = np.stack([np.broadcast_to(image, (*image.shape[:2], channels)) for image in images])
    return Table(source, {IMAGE: X, LABEL: labels, NAME: names})


def _pixels(path: Path, name: str, source: str) -> Float[np.ndarray, "height width channels"]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if getattr(image, "n_frames", 1) > 1:
                    raise ValueError(f"{source}: still images were expected, {name!r} has several frames; take one")
                image.load()
                return _as_floats(image, name, source)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ValueError(f"{source}: images of a usual size were expected, {name!r} is huge; resize it") from None
    except (OSError, SyntaxError, EOFError, KeyError, IndexError, OverflowError, TypeError, MemoryError) as error:
        # Pillow's readers raise all of these for damaged files.
        raise ValueError(f"{source}: a whole image was expected, {name!r} is none ({error!s:.80})") from None


def _as_floats(image: Any, name: str, source: str) -> Float[np.ndarray, "height width channels"]:
    if image.mode in DEEP:
        values = np.asarray(image).astype(float)
        if values.min() < 0.0 or values.max() > 65535.0:
            raise ValueError(f"{source}: pixels of one or two bytes were expected, {name!r} has others; convert it")
        return values[..., np.newaxis] / 65535.0
    if image.mode == "F":
        raise ValueError(f"{source}: pixels of one or two bytes were expected, {name!r} has fractions; convert it")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        opaque = np.asarray(image.convert("RGBA"))[..., 3]
        if opaque.min() < 255:
            raise ValueError(
                f"{source}: images without transparent pixels were expected, {name!r} has some; put it on a background"
            )
    plain = image.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB")
    values = np.asarray(plain) / 255.0
    return values[..., np.newaxis] if values.ndim == 2 else values


def _size(image: np.ndarray) -> str:
    return f"{image.shape[0]} x {image.shape[1]}"
