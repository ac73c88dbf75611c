"""Checks for all tests: the shapes in the signatures of the mathematics hold at every call."""

from jaxtyping import install_import_hook

install_import_hook(["backdoor_curves.paths", "backdoor_curves.codes", "backdoor_curves.losses"], "beartype.beartype")
