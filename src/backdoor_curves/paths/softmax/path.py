"""stub"""
from dataclasses import dataclass
from typing import Any
@dataclass(frozen=True, eq=False)
class SoftmaxPath:
    interpolant: Any
    problem: Any
    space: Any
    axes: Any
    nodal: Any
    intercept: Any
    known: Any
