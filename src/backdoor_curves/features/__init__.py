"""Features of images from a frozen network: a transformer for Pipelines, and two networks that the field uses.

torch is an extra: the names are here without it, and using them asks for it.
"""

from backdoor_curves.features.alexnet import alexnet, alexnet_features
from backdoor_curves.features.frozen import FrozenFeatures
from backdoor_curves.features.squeezenet import squeezenet, squeezenet_features

__all__ = ["FrozenFeatures", "alexnet", "alexnet_features", "squeezenet", "squeezenet_features"]
