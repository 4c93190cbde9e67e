"""The small language of the rule ``user``: text to a checked tree, and a tree over columns.

Nothing is ever evaluated as Python: the text is parsed with :mod:`ast`, every node must be on a
list, and the values are numpy arrays of shape (n_blocks, n). Parsing costs microseconds.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from probekit.errors import RuleError

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LENGTH = 1000
MAX_DEPTH = 40
LARGEST = 1e12

#: Names that are columns of every run: block index, and its relative depth.
POSITIONS = ("layer", "depth")
REDUCTIONS = ("mean", "min", "max", "median")
FUNCTIONS = (*REDUCTIONS, "quantile", "abs")
_GRAMMAR = (
    "numbers, columns such as cka.mean, layer, depth, comparisons, and, or, not, + - * / and "
    f"{', '.join(FUNCTIONS)}"
)
_FOREIGN = re.compile(r"[^A-Za-z0-9_.,()<>=!+\-*/ \t\r\n]")


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Read:
    """A column, or a position."""

    column: str


@dataclass(frozen=True)
class Call:
    """``mean(x)``, ``quantile(x, q)``, ``abs(x)``; reductions go over blocks."""

    function: str
    argument: Node
    level: float = 0.0


@dataclass(frozen=True)
class Arithmetic:
    """``left op right``; ``op`` is ``+ - * /``."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Comparison:
    """``left op right``; ``op`` is ``< <= > >= == !=``."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Logic:
    """``and``, ``or`` over parts, ``not`` over one."""

    op: str
    parts: tuple[Node, ...]


Node = Number | Read | Call | Arithmetic | Comparison | Logic

_ARITHMETIC = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISON = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


def parse(text: str) -> Node:
    """Tree of an expression that is true or false at every block.

    Parameters
    ----------
    text : str
        At most 1000 plain characters, nested at most 40 deep.

    Raises
    ------
    RuleError
        Anything outside the language, with the position of the first character that is wrong.
    """
    if not isinstance(text, str) or not text.strip():
        msg = f"where must be an expression. Got {text!r} instead; it may hold {_GRAMMAR}."
        raise RuleError(msg)
    if len(text) > MAX_LENGTH:
        msg = f"where must be at most {MAX_LENGTH} characters. Got {len(text)} instead; shorten it."
        raise RuleError(msg)
    foreign = _FOREIGN.search(text)
    if foreign:
        raise _error(foreign.start(), f"the character {foreign[0]!r}")
    flat = re.sub(r"[\t\r\n]", " ", text)
    body = flat.lstrip()
    return _Reader(offset=len(flat) - len(body)).read(_python_tree(body, len(flat) - len(body)))


def columns_of(node: Node) -> tuple[str, ...]:
    """Columns that a tree reads, each once, in order of appearance; positions are none."""
    found: dict[str, None] = {}
    _collect(node, found)
    return tuple(found)


def check_columns(node: Node, known: Collection[str]) -> None:
    """Check that every column exists.

    Raises
    ------
    RuleError
        The first column that is not known, with names that are near.
    """
    for name in columns_of(node):
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.5)
            said = f"near: {', '.join(near)}" if near else f"it has {len(known)} others"
            msg = (
                f"where must read per-layer columns of the run. Got {name!r} instead ({said}); "
                "see 'probekit show RUN --analysis NAME'."
            )
            raise RuleError(msg)


def _python_tree(body: str, offset: int) -> ast.expr:
    try:
        return ast.parse(body, mode="eval").body
    except SyntaxError as error:
        # Python puts an unfinished expression at the start of the line after it
        place = error.offset if (error.lineno or 1) == 1 else None
        at = offset + (min(place - 1, len(body)) if place else len(body))
        msg = (
            f"where must be an expression ({error.msg} at character {at + 1}). Got "
            f"{body[:60]!r} instead; it may hold {_GRAMMAR}."
        )
        raise RuleError(msg) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise _error(offset, f"an expression that is too large ({type(error).__name__})") from None


def _error(at: int, got: str) -> RuleError:
    msg = f"where may hold {_GRAMMAR}. Got {got} at character {at + 1} instead; rewrite it."
    return RuleError(msg)


def _collect(node: Node, found: dict[str, None]) -> None:
    match node:
        case Read(column) if column not in POSITIONS:
            found.setdefault(column)
        case Call(_, argument):
            _collect(argument, found)
        case Arithmetic(_, left, right) | Comparison(_, left, right):
            _collect(left, found)
            _collect(right, found)
        case Logic(_, parts):
            for part in parts:
                _collect(part, found)
        case _:
            pass


class _Reader:
    """From Python's tree to ours; whatever is not named here is refused."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def read(self, tree: ast.expr) -> Node:
        """Whole expression: it must be true or false."""
        return self._truth(tree, 1)

    def _at(self, tree: ast.expr) -> int:
        return self.offset + tree.col_offset

    def _refuse(self, tree: ast.expr, got: str) -> RuleError:
        return _error(self._at(tree), got)

    def _truth(self, tree: ast.expr, depth: int) -> Node:
        self._check_depth(tree, depth)
        match tree:
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                return Logic(word, tuple(self._truth(each, depth + 1) for each in values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Logic("not", (self._truth(operand, depth + 1),))
            case ast.Compare():
                return self._comparison(tree, depth)
        if isinstance(
            tree, ast.Name | ast.Attribute | ast.BinOp | ast.UnaryOp | ast.Call | ast.Constant
        ):
            self._number(tree, depth)  # says what else is wrong with it first
            raise self._refuse(tree, "a number where a comparison is needed")
        raise self._refuse(tree, _word(tree))

    def _comparison(self, tree: ast.Compare, depth: int) -> Node:
        sides = [self._number(each, depth + 1) for each in (tree.left, *tree.comparators)]
        for op, side in zip(tree.ops, tree.comparators, strict=True):
            if type(op) not in _COMPARISON:
                raise self._refuse(side, f"the comparison {type(op).__name__!r} before it")
        links = tuple(
            Comparison(_COMPARISON[type(op)], sides[at], sides[at + 1])
            for at, op in enumerate(tree.ops)
        )
        return links[0] if len(links) == 1 else Logic("and", links)

    def _number(self, tree: ast.expr, depth: int) -> Node:
        self._check_depth(tree, depth)
        match tree:
            case ast.Constant(value=value):
                return Number(self._constant(tree, value))
            case ast.Name() | ast.Attribute():
                return Read(self._column(tree))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                inner = self._number(operand, depth + 1)
                return Arithmetic("-" if isinstance(sign, ast.USub) else "+", Number(0.0), inner)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
                sides = [self._number(each, depth + 1) for each in (left, right)]
                return Arithmetic(_ARITHMETIC[type(op)], *sides)
            case ast.Call():
                return self._call(tree, depth)
            case ast.BoolOp() | ast.Compare() | ast.UnaryOp(op=ast.Not()):
                raise self._refuse(tree, "a comparison where a number is needed")
        raise self._refuse(tree, _word(tree))

    def _constant(self, tree: ast.expr, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refuse(tree, f"the constant {value!r}")
        if not -LARGEST <= value <= LARGEST:
            raise self._refuse(tree, f"a number beyond {LARGEST:g}")
        return float(value)

    def _column(self, tree: ast.Name | ast.Attribute) -> str:
        if isinstance(tree, ast.Name):
            name = tree.id
            if name in FUNCTIONS:
                raise self._refuse(tree, f"the function {name!r} without its argument")
            if name not in POSITIONS:
                raise self._refuse(tree, f"the name {name!r} (a column is group.variable)")
            return name
        if not isinstance(tree.value, ast.Name):
            raise self._refuse(tree, "an attribute of something that is not a group")
        for part in (tree.value.id, tree.attr):
            if part.startswith("_"):
                raise self._refuse(tree, f"the name {part!r}")
        return f"{tree.value.id}.{tree.attr}"

    def _call(self, tree: ast.Call, depth: int) -> Node:
        if not isinstance(tree.func, ast.Name) or tree.func.id not in (*FUNCTIONS, *POSITIONS):
            raise self._refuse(tree, "a call of something else")
        name, given = tree.func.id, tree.args
        if tree.keywords or any(isinstance(each, ast.Starred) for each in given):
            raise self._refuse(tree, f"named or starred arguments of {name!r}")
        if name in POSITIONS:
            if given:
                raise self._refuse(tree, f"arguments of {name!r}")
            return Read(name)
        wanted = 2 if name == "quantile" else 1
        if len(given) != wanted:
            raise self._refuse(tree, f"{len(given)} arguments of {name!r}, which takes {wanted}")
        argument = self._number(given[0], depth + 1)
        if name != "quantile":
            return Call(name, argument)
        level = given[1]
        if not isinstance(level, ast.Constant) or not 0 <= self._constant(level, level.value) <= 1:
            raise self._refuse(level, "a quantile that is no number from 0 to 1")
        return Call(name, argument, float(level.value))  # type: ignore[arg-type]

    def _check_depth(self, tree: ast.expr, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._refuse(tree, f"an expression nested more than {MAX_DEPTH} deep")


def _word(tree: ast.expr) -> str:
    """What a reader would call a refused node."""
    names = {
        "BinOp": "an operator that is not + - * /",
        "UnaryOp": "an operator that is not + - * /",
        "IfExp": "if … else",
        "Lambda": "a lambda",
        "Tuple": "a comma outside a call",
        "GeneratorExp": "a comprehension",
        "NamedExpr": "an assignment",
    }
    kind = type(tree).__name__
    return names.get(kind, f"{kind!r}")
