"""Features of images from a frozen network, as a transformer: any torch module in one line."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, TransformerMixin

from backdoor_curves.datasets.download import cache_folder
from backdoor_curves.datasets.sampling import check_count
from backdoor_curves.features.fingerprint import image_keys, map_digest
from backdoor_curves.features.frozen_map import (
    FrozenMap,
    frozen_network,
    require_channels,
    require_layer,
    settings_of,
)
from backdoor_curves.features.row_store import RowStore

if TYPE_CHECKING:
    import torch

Images = Float[np.ndarray, "n h w c"]
Features = Float[np.ndarray, "n d"]

SAME = 1e-3
"""Largest distance, relative to the row's largest value, of features that are the same: far above what another batch,
thread count or torch changes, far below what another network does."""
BAR_AFTER = 3.0
"""Seconds of work after which a bar appears on a terminal."""


class FrozenFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What a network, frozen, makes of images: the values of one layer.

        x -> (x - mean) / std -> bilinear resize -> network, up to the layer -> mean over the map, or flat

    A transformer for the front of a Pipeline. It has nothing to fit, so it is the same for every beta. The network is
    used in evaluation mode without gradients of its weights, and is never changed; a copy is made where it is in
    training mode or on another device.

    Features are kept on disk, image by image: known by the image's content, the network's weights and structure and
    all settings but the batch size. Other rates and seeds of a study meet the images that were not poisoned again.

    Parameters
    ----------
    network : torch.nn.Module
        Takes (n, channels, height, width) and gives tensors.
    layer : str, optional
        A name of `network.named_modules()`, such as "classifier.5"; its output, the last if it is applied several
        times. None: the network's output.
    size : int or (int, int), optional
        Side, or height and width, in pixels that images are scaled to, bilinearly and without smoothing; None leaves
        them.
    mean, std : float or sequence of float, optional
        What is taken from each channel of images in [0, 1], and what it is divided by; in the order of the channels.
    align_corners : bool
        Whether the corner pixels' centres stay in the corners when images are scaled, as in `torch.nn.functional`.
    pool : bool
        Whether maps (channels, height, width) are averaged over height and width; otherwise they are flattened.
    batch_size : int
        Images at a time.
    device : str
        "cpu", "cuda" or another name that torch knows.
    cache : bool or path
        True keeps features in the folder `features` of the cache that data sets use, a path in that folder; one file
        for each network and settings. False keeps none.

    Raises
    ------
    ImportError
        When it is used without torch.

    Notes
    -----
    Features are returned as float64, for that is what the exact paths compute in; their digits are those of the
    network's own type, float32 for most. Where the cache answers, one of its rows is computed again and compared.

    Examples
    --------
    >>> import numpy as np, torch
    >>> import backdoor_curves as bc
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2))
    >>> features = bc.FrozenFeatures(network, layer="1", size=16, mean=0.5, std=0.5, cache=False)
    >>> X = np.random.default_rng(0).uniform(size=(10, 32, 32, 3))
    >>> features.transform(X).shape
    (10, 8)
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> pipeline = make_pipeline(features, LinearSVC(loss="hinge"))
    """

    def __init__(
        self,
        network: torch.nn.Module,
        layer: str | None = None,
        *,
        size: Any = None,
        mean: Any = None,
        std: Any = None,
        align_corners: bool = False,
        pool: bool = True,
        batch_size: int = 16,
        device: str = "cpu",
        cache: bool | str | os.PathLike[str] = True,
    ) -> None:
        self.network = network
        self.layer = layer
        self.size = size
        self.mean = mean
        self.std = std
        self.align_corners = align_corners
        self.pool = pool
        self.batch_size = batch_size
        self.device = device
        self.cache = cache

    def fit(self, X: Any, y: Any = None) -> FrozenFeatures:  # noqa: ARG002
        """Check the parameters and the images' shape; nothing is fitted.

        Parameters
        ----------
        X : array of shape (n, height, width, channels) or (n, height, width)
            Images in [0, 1].
        y : ignored

        Returns
        -------
        FrozenFeatures
            Itself.
        """
        self._checked(X)
        return self

    def transform(self, X: Any) -> Features:
        """Return the features of images.

        Parameters
        ----------
        X : array of shape (n, height, width, channels) or (n, height, width)
            Images in [0, 1], red, green and blue.

        Returns
        -------
        float64 array of shape (n, d)
            d is the number of channels of the layer's map if it is pooled, of all its values otherwise.

        Raises
        ------
        TypeError, ValueError
            If a parameter is not as described, a layer or a device is not there, or images do not fit the network.
        """
        frozen, images = self._checked(X)
        if not self._uses_cache:
            return _all_of(images, self._batches(frozen, images))
        path = self._file_of(frozen)
        try:
            with RowStore(path, frozen.dtype) as store:
                return self._through(store, frozen, images)
        except (OSError, sqlite3.Error) as error:
            _warn(f"{path}: a cache of features that can be read and written was expected ({error})")
        return _all_of(images, self._batches(frozen, images))

    def vjp(self, X: Any, G: Any) -> Float[np.ndarray, ...]:
        """Return, for each image, the gradient in its pixels of the features weighted by G: G' d features / d x.

        Parameters
        ----------
        X : array of shape (n, height, width, channels) or (n, height, width)
            Images in [0, 1].
        G : array of shape (n, d)
            A weight for each feature of each image.

        Returns
        -------
        float64 array, shaped as X
            In units of G's per unit of the pixels.

        Raises
        ------
        ValueError
            If G has not the shape of the features.
        """
        frozen, images = self._checked(X)
        G = np.asarray(G, dtype=np.float64)
        if G.ndim != 2 or len(G) != len(images):
            raise ValueError(f"G: shape ({len(images)}, d) was expected, {G.shape} came")
        gradients = np.empty(images.shape)
        for rows in self._slices(len(images)):
            gradients[rows] = frozen.pulled_back(images[rows], G[rows])
        return gradients.reshape(np.shape(X))

    @property
    def cache_file(self) -> Path:
        """The file that has this network's features with these settings; it may be deleted at any time."""
        if not self._uses_cache:
            raise ValueError("cache: True or a folder was expected for a cache_file, False came")
        return self._file_of(self._map())

    def _file_of(self, frozen: FrozenMap) -> Path:
        folder = cache_folder() / "features" if isinstance(self.cache, bool) else Path(self.cache).expanduser()
        return folder / f"{map_digest(frozen, self.network)}.sqlite"

    @property
    def _uses_cache(self) -> bool:
        if not isinstance(self.cache, bool | str | os.PathLike):
            raise ValueError(f"cache: True, False or a folder was expected, {self.cache!r} came")
        return self.cache is not False

    def _map(self) -> FrozenMap:
        settings = settings_of(
            self.layer, self.size, self.mean, self.std, align_corners=self.align_corners, pool=self.pool
        )
        network = frozen_network(self.network, self.device)
        require_layer(network, settings.layer)
        return FrozenMap(network, settings)

    def _checked(self, X: Any) -> tuple[FrozenMap, Images]:
        """Return the map and the images, a view of X where it can be, once everything that can be is checked."""
        check_count("batch_size", self.batch_size)
        frozen = self._map()
        images = _as_images(X)
        require_channels(frozen.network, images.shape[-1], frozen.settings)
        return frozen, images

    def _slices(self, n: int) -> Iterator[slice]:
        """Yield the batches of n rows, with a bar on a terminal if they take long."""
        from tqdm import tqdm

        starts = range(0, n, self.batch_size)
        for start in tqdm(starts, "features", delay=BAR_AFTER, disable=None, leave=False, unit="batch"):
            yield slice(start, min(start + self.batch_size, n))

    def _batches(self, frozen: FrozenMap, images: Images) -> Iterator[tuple[slice, Features]]:
        """Yield the features of the images batch by batch; of none, one batch of no rows."""
        if not len(images):
            yield slice(0, 0), frozen.rows(np.zeros((1, *images.shape[1:])))[:0]
        for rows in self._slices(len(images)):
            yield rows, frozen.rows(images[rows])

    def _through(self, store: RowStore, frozen: FrozenMap, images: Images) -> Features:
        """Return the features that the store has, and compute and keep the others; each batch is kept at once."""
        keys = image_keys(images, frozen.dtype)
        place = {key: i for i, key in enumerate(keys)}  # equal images have equal features
        known = dict(store.find(list(place)))
        if known:
            key = next(iter(known))
            again = frozen.rows(images[place[key]][np.newaxis])[0]
            if not _same(known[key], again):
                _warn(f"{self._file_of(frozen)}: the network's features were expected, others came; delete it")
                return _all_of(images, self._batches(frozen, images))
        new = [key for key in place if key not in known]
        originals = np.array([place[key] for key in new], dtype=np.intp)
        full = False
        for rows in self._slices(len(new)):
            features = frozen.rows(images[originals[rows]])
            known.update(zip(new[rows], features, strict=True))
            try:
                if not full:
                    store.add(new[rows], features)
            except sqlite3.Error as error:  # a full disk costs the cache, not the work
                full = True
                _warn(f"{self._file_of(frozen)}: a cache that can be written was expected ({error})")
        if not keys:
            return _all_of(images, self._batches(frozen, images))
        out = np.empty((len(keys), len(known[keys[0]])))
        for i, key in enumerate(keys):
            out[i] = known[key]
        return out

    def __sklearn_clone__(self) -> FrozenFeatures:
        """Share the network: it is frozen, and copies of it would cost a learner's every fit its size in memory."""
        return type(self)(**self.get_params(deep=False))

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def _all_of(images: Images, batches: Iterator[tuple[slice, Features]]) -> Features:
    """Return the rows of all batches as float64."""
    out: np.ndarray | None = None
    for rows, features in batches:
        if out is None:
            out = np.empty((len(images), features.shape[1]))
        out[rows] = features
    assert out is not None
    return out


def _same(first: Float[np.ndarray, " d"], second: Float[np.ndarray, " d"]) -> bool:
    if first.shape != second.shape:
        return False
    return bool(np.abs(first - second).max(initial=0) <= SAME * np.abs(second).max(initial=0))


def _warn(what: str) -> None:
    warnings.warn(f"{what}; the features are computed without it", UserWarning, stacklevel=3)


def _as_images(X: Any) -> Images:
    """Return X as (n, height, width, channels), unchanged in value."""
    images = np.asarray(X)
    if images.dtype.kind not in "fiub" or images.ndim not in (3, 4) or 0 in images.shape[1:]:
        raise ValueError(
            "X: images of shape (n, height, width, channels) or (n, height, width) were expected, "
            f"{images.dtype} of shape {images.shape} came"
        )
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.size:
        low, high = images.min(), images.max()
        # A step outside is allowed, as finite differences and additive triggers take it; other units are not.
        if not (low >= -1 and high <= 2):
            raise ValueError(f"X: finite pixels in [0, 1] were expected, {low:g} to {high:g} came; divide by 255, say")
    return images
