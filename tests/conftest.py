"""Checks for all tests: the shapes in the signatures of the mathematics hold at every call."""

from jaxtyping import install_import_hook

install_import_hook(
    [f"backdoor_curves.{name}" for name in ("paths", "codes", "losses", "kernels", "lines", "flips")],
    "beartype.beartype",
)
