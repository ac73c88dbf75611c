"""A function of tensors as one flat list of calls, without the products by zero that forward mode makes.

torch.func hands each call through all its layers, at every step anew; and what does not move with beta, the rows
themselves, has a tangent of zeros that is multiplied all the same. A trace has neither. Its numbers are those of the
function, to the last bit where they are finite: x + 0 is x.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import getitem
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

Function = Callable[..., Sequence[Any]]
"""Of tensors, to tensors."""
WORTH = 200
"""Calls from which on a function is traced: a trace was won back after 55 to 190 steps, and spares 6 % (LeNet's values)
to two thirds (a small MLP with tangents) of each."""
_A = torch.ops.aten
ZEROS = {_A.zeros.default, _A.zeros_like.default}
KEEP_ZERO = {
    *(_A.expand.default, _A.view.default, _A._unsafe_view.default, _A.alias.default, _A.transpose.int, _A.t.default),
    *(_A.unsqueeze.default, _A.squeeze.dim, _A.squeeze.dims, _A.permute.default, _A.select.int, _A.slice.Tensor),
    *(_A._to_copy.default, _A.clone.default, _A.neg.default, _A.sum.dim_IntList),
    *(_A.gelu_backward.default, _A.threshold_backward.default, _A.tanh_backward.default, _A.silu_backward.default),
    *(_A.avg_pool2d.default, _A.avg_pool2d_backward.default),
}
"""Of zeros in their first place they make zeros."""
PRODUCTS = {_A.bmm.default, _A.mm.default, _A.mul.Tensor}
"""Zeros in either of the first two places make zeros."""


def traced(f: Function, example: Sequence[Any]) -> Function:
    """Return what computes a function of tensors of certain shapes faster; the function where it cannot be traced.

    Parameters
    ----------
    f : callable
        Its course must not hang on the values of the tensors, nor on what it was called with before.
    example : sequence of tensors
        On which trace and function must agree to the last bit.
    """
    try:
        graph = make_fx(f)(*example)
    except Exception:  # whatever a layer of the user's has that no trace can hold: it runs untraced
        return f
    _prune(graph)

    def run(*tensors: Any) -> Sequence[Any]:
        with torch.no_grad():
            found: Sequence[Any] = graph(*tensors)
        return found

    agree = all(torch.equal(a, b) for a, b in zip(run(*example), f(*example), strict=True))
    return run if agree else f


def _prune(graph: GraphModule) -> None:
    """Take out what is known to be zero: sums with it are their other part."""
    zero: set[Node] = set()
    for node in graph.graph.nodes:
        if node.op != "call_function":
            continue
        if _is_zero(node, zero):
            zero.add(node)
        elif node.target is _A.add.Tensor and (other := _other_part(node, zero)) is not None:
            node.replace_all_uses_with(other)
    graph.graph.eliminate_dead_code()
    graph.recompile()


def _is_zero(node: Node, zero: set[Node]) -> bool:
    first, second, third = (isinstance(one, Node) and one in zero for one in (*node.args, None, None, None)[:3])
    if node.target in ZEROS:
        return True
    if node.target in KEEP_ZERO:
        return first
    if node.target in PRODUCTS:
        return first or second
    if node.target is _A.add.Tensor:
        return first and second
    if node.target is _A.convolution.default:
        return (first or second) and (third or node.args[2] is None)
    if node.target is getitem:
        return _is_zero_gradient(node.args[0], node.args[1], zero)
    return False


def _is_zero_gradient(of: Any, place: Any, zero: set[Node]) -> bool:
    """Return whether a gradient of a convolution is zero: of its input (0), or of its weights (1)."""
    if of.target is not _A.convolution_backward.default:
        return False
    outer, x, weight = (isinstance(one, Node) and one in zero for one in of.args[:3])
    return outer or (place == 0 and weight) or (place == 1 and x)


def _other_part(node: Node, zero: set[Node]) -> Node | None:
    """Return the part of a sum beside zero; None where there is none, or where the sum has another shape."""
    first, second = node.args[:2]
    if node.kwargs or not (isinstance(first, Node) and isinstance(second, Node)):
        return None
    other = second if first in zero else first if second in zero else None
    if other is None:
        return None
    before, after = other.meta["val"], node.meta["val"]
    return other if (before.shape, before.dtype) == (after.shape, after.dtype) else None
