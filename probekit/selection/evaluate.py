"""A tree of the language of ``user`` over columns: values, truths and margins, block by block.

Costs one numpy operation a node on arrays of shape (n_blocks, n).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from probekit.selection.expression import Arithmetic, Call, Comparison, Logic, Number, Read
from probekit.selection.rule import BoolArray, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from probekit.selection.columns import FloatArray
    from probekit.selection.expression import Node
    from probekit.selection.tables import Frame

_REDUCE: Mapping[str, Callable[..., FloatArray]] = {
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
    "median": np.median,
}
_COMPARE = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_COMBINE = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}


def truth(node: Node, frame: Frame) -> BoolArray:
    """Whether each block fulfils the expression, shape (n_blocks, n).

    A comparison with something that a division by zero left undefined is false.
    """
    match node:
        case Comparison(op, left, right):
            a, b = number(left, frame), number(right, frame)
            return np.asarray(_COMPARE[op](a, b) & np.isfinite(a) & np.isfinite(b))
        case Logic("not", (part,)):
            return ~truth(part, frame)
        case Logic(op, parts):
            join = np.logical_and if op == "and" else np.logical_or
            return np.asarray(join.reduce([truth(part, frame) for part in parts]))
    reason = f"{node} is a number"
    raise TypeError(reason)


def number(node: Node, frame: Frame) -> FloatArray:
    """Value of a part of the expression at each block, shape (n_blocks, n)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.broadcast_to(np.asarray(_number(node, frame), dtype=np.float64), frame.shape)


def margin(node: Node, frame: Frame) -> FloatArray:
    """How far each block is inside the expression, in standard deviations over blocks.

    A comparison has the distance of its sides; ``and`` the least, ``or`` the largest, ``not`` the
    negative; what is equal where it must differ, or undefined, is just outside.
    """
    match node:
        case Comparison(op, left, right):
            return _distance(op, number(left, frame) - number(right, frame))
        case Logic("not", (part,)):
            return -margin(part, frame)
        case Logic(op, parts):
            pick = np.minimum if op == "and" else np.maximum
            return np.asarray(pick.reduce([margin(part, frame) for part in parts]))
    reason = f"{node} is a number"
    raise TypeError(reason)


def _number(node: Node, frame: Frame) -> FloatArray | float:
    match node:
        case Number(value):
            return value
        case Read(column):
            return _read(column, frame)
        case Arithmetic(op, left, right):
            combined: FloatArray = _COMBINE[op](_number(left, frame), _number(right, frame))
            return combined
        case Call("abs", argument):
            return np.abs(_number(argument, frame))
        case Call(function, argument, level):
            values = number(argument, frame)
            if function == "quantile":
                return np.asarray(np.quantile(values, level, axis=0, keepdims=True))
            return np.asarray(_REDUCE[function](values, axis=0, keepdims=True))
    reason = f"{node} is true or false"
    raise TypeError(reason)


def _read(column: str, frame: Frame) -> FloatArray:
    n_blocks = frame.shape[0]
    blocks = np.arange(n_blocks, dtype=np.float64)[:, None]
    if column == "layer":
        return blocks
    return (blocks + 1) / n_blocks if column == "depth" else frame[column]


def _distance(op: str, difference: FloatArray) -> FloatArray:
    known = np.isfinite(difference)
    scale = spread(np.where(known, difference, 0.0))
    distance = np.where(known, difference, -np.inf if op in (">", ">=") else np.inf) / scale
    if op in ("==", "!="):
        distance = np.abs(distance)
        return -distance if op == "==" else np.where(known, distance, -np.inf)
    return np.asarray(distance if op in (">", ">=") else -distance)
