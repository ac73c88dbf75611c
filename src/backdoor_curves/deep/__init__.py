"""Networks that are trained with a weight beta on the poison rows: values, and exact slopes of the training itself.

torch is an extra: the names are here without it, and using them asks for it.
"""

from backdoor_curves.deep import models
from backdoor_curves.deep.trained_network import TrainedNetwork

__all__ = ["TrainedNetwork", "models"]
