"""This file is mutants: a source with one small fault in it, for every fault that the operators below know to make.

They are the common ones of mutation testing (another comparison, another constant, a condition that always holds, a
statement left out) and those of our trade: a `where` without one of its conditions, a statement without its
`correlate`, an access or a status that is the next one, an administrator taken for a member.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

Enums = Mapping[str, Sequence[str]]
"""The members of each enum by its name, in their order."""


@dataclass(frozen=True)
class Mutant:
    """A file with one fault in it, told by lines: so it is still the same when others above it change."""

    file: str
    where: str  # the class or function, dotted; empty for what stands in none
    line: str  # the changed lines as they stand, in one
    becomes: str
    nth: int = 1  # of those in one place that are told alike
    source: str = field(default="", repr=False, compare=False)  # the whole file

    def __str__(self) -> str:
        """Return it as one line."""
        which = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.file} {self.where}{which}: {self.line}  ->  {self.becomes}"


def mutants(file: str, source: str, enums: Enums) -> list[Mutant]:
    """Return every mutant of a file, in its order. Annotations, imports and docstrings stay as they are."""
    text = Text(source, enums)
    edits = sorted((edit, where) for where, node in _walk(ast.parse(source), "") for edit in _edits(text, node))
    made = {mutant.source: mutant for mutant in (text.mutant(file, where, edit) for edit, where in edits)}
    told: Counter[Mutant] = Counter()
    for each in made.values():
        told[each] += 1
        made[each.source] = replace(each, nth=told[each])
    return list(made.values())


def enums_of(sources: Sequence[str]) -> dict[str, list[str]]:
    """Return the members of every enum that the sources define."""
    classes = (node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    return {
        each.name: [ast.unparse(line.targets[0]) for line in each.body if isinstance(line, ast.Assign)]
        for each in classes
        if any(ast.unparse(base).endswith("Enum") for base in each.bases)
    }


class Edit(NamedTuple):
    """What stands between two places of a source, and what it becomes."""

    start: int
    end: int
    becomes: str


class Text:
    """A source, and where in it each node stands. Python counts columns in bytes, and so does this."""

    def __init__(self, source: str, enums: Enums) -> None:
        """Take a source, and the enums that it may name."""
        self.bytes, self.enums = source.encode(), enums
        self._lines = [0]
        for line in self.bytes.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def start(self, node: Any) -> int:
        """Return where a node starts."""
        return int(self._lines[node.lineno - 1] + node.col_offset)

    def end(self, node: Any) -> int:
        """Return where a node ends."""
        return int(self._lines[node.end_lineno - 1] + node.end_col_offset)

    def of(self, node: ast.AST) -> str:
        """Return a node as it is written."""
        return self.bytes[self.start(node) : self.end(node)].decode()

    def instead(self, node: ast.AST, becomes: str) -> Edit:
        """Return the edit that writes something else for a node."""
        return Edit(self.start(node), self.end(node), becomes)

    def last(self, node: ast.AST, name: str, becomes: str) -> Edit:
        """Return the edit that writes something else for the name that a node ends with."""
        return Edit(self.end(node) - len(name), self.end(node), becomes)

    def between(self, left: ast.AST, right: ast.AST, word: str, becomes: str) -> Edit:
        """Return the edit that writes something else for a word between two nodes."""
        start, end = self.end(left), self.start(right)
        return Edit(start, end, self.bytes[start:end].decode().replace(word, becomes))

    def swapped(self, left: ast.AST, right: ast.AST) -> Edit:
        """Return the edit that makes two nodes change places."""
        between = self.bytes[self.end(left) : self.start(right)].decode()
        return Edit(self.start(left), self.end(right), self.of(right) + between + self.of(left))

    def without_each(self, starts: Sequence[ast.AST], ends: Sequence[ast.AST]) -> Iterator[Edit]:
        """Give the edits that take out one of several parts, with the comma or the word that parts it from the next."""
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            if index + 1 < len(starts):
                yield Edit(self.start(start), self.start(starts[index + 1]), "")
            elif index:
                yield Edit(self.end(ends[index - 1]), self.end(end), "")

    def mutant(self, file: str, where: str, edit: Edit) -> Mutant:
        """Return the mutant that an edit makes."""
        becomes = edit.becomes.encode()
        mutated = self.bytes[: edit.start] + becomes + self.bytes[edit.end :]
        line, changed = _lines(self.bytes, edit.start, edit.end), _lines(mutated, edit.start, edit.start + len(becomes))
        return Mutant(file, where, line, changed, source=mutated.decode())


def _lines(source: bytes, start: int, end: int) -> str:
    first, last = source.rfind(b"\n", 0, start) + 1, source.find(b"\n", end)
    return " ".join(source[first:last].decode().split())


def _walk(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    """Give every node that may be mutated, and the name of what it stands in."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        where = f"{where}.{node.name}".strip(".")
    yield where, node
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in {"annotation", "returns", "bases"} and not _is_fixed(child):
                yield from _walk(child, where)


def _is_fixed(node: ast.AST) -> bool:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom)


def _edits(text: Text, node: ast.AST) -> Iterator[Edit]:
    if type(node) in _OPERATORS:
        yield from _OPERATORS[type(node)](text, node)


_COMPARISONS: Mapping[type[ast.cmpop], tuple[str, Sequence[str]]] = {
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
    ast.Lt: ("<", ("<=", ">", "==")),
    ast.LtE: ("<=", ("<", ">", "==")),
    ast.Gt: (">", (">=", "<", "==")),
    ast.GtE: (">=", (">", "<", "==")),
}


def _compare(text: Text, node: ast.Compare) -> Iterator[Edit]:
    for left, operator, right in zip((node.left, *node.comparators), node.ops, node.comparators, strict=False):
        sign, others = _COMPARISONS[type(operator)]
        yield from (text.between(left, right, sign, other) for other in others)


def _join(text: Text, node: ast.BoolOp) -> Iterator[Edit]:
    sign, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    yield from (text.between(left, right, sign, other) for left, right in pairwise(node.values))
    yield from text.without_each(node.values, node.values)


def _negate(text: Text, node: ast.UnaryOp) -> Iterator[Edit]:
    yield text.instead(node, text.of(node.operand))


def _decide(text: Text, node: ast.If | ast.IfExp | ast.Assert) -> Iterator[Edit]:
    yield from (text.instead(node.test, always) for always in ("True", "False"))


# Functions that take the same and say something else.
_OPPOSITES = {
    "true": "false",
    "false": "true",
    "and_": "or_",
    "or_": "and_",
    "max": "min",
    "in_": "not_in",
    "is_": "is_not",
    "outerjoin": "join",
}
# Functions that take any number of arguments. Of all others, mypy tells that one is missing or is another's.
_UNORDERED = {"where", "and_", "or_", "select"}
_ORDERED = {"coalesce"}


def _call(text: Text, node: ast.Call) -> Iterator[Edit]:
    arguments = [*node.args, *node.keywords]
    name = node.func.attr if isinstance(node.func, ast.Attribute) else text.of(node.func)
    if name in _OPPOSITES:
        yield text.last(node.func, name, _OPPOSITES[name])
    for argument, edit in zip(arguments, text.without_each(arguments, arguments), strict=False):
        if name in _UNORDERED | _ORDERED or argument in node.keywords:
            yield edit
    if name in _ORDERED:
        yield from (text.swapped(left, right) for left, right in pairwise(node.args))
    if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
        yield Edit(text.end(node.func.value), text.end(node), "")
    elif len(arguments) == 1 and not isinstance(arguments[0], ast.Starred):
        yield text.instead(node, f"{text.of(node.func)}()" if node.keywords else text.of(node.args[0]))


# What a viewer is, and what it is easily taken for.
_MISTAKEN = {"is_admin": "is_signed_in", "is_signed_in": "is_admin"}


def _name(text: Text, node: ast.Attribute) -> Iterator[Edit]:
    members = text.enums.get(text.of(node.value), ())
    if node.attr in members:
        place = members.index(node.attr)
        for neighbour in (members[place - 1], members[(place + 1) % len(members)]):
            yield text.last(node, node.attr, neighbour)
    if node.attr in _MISTAKEN:
        yield text.last(node, node.attr, _MISTAKEN[node.attr])


def _value(text: Text, node: ast.Constant) -> Iterator[Edit]:
    match node.value:
        case bool(value):
            yield text.instead(node, str(not value))
        case int(value):
            yield text.instead(node, str(value + 1))
        case str(value):
            yield text.instead(node, repr(f"{value}?"))


def _mapping(text: Text, node: ast.Dict) -> Iterator[Edit]:
    yield from text.without_each([key for key in node.keys if key], node.values)
    yield from (text.swapped(left, right) for left, right in pairwise(node.values))


def _list(text: Text, node: ast.List) -> Iterator[Edit]:
    yield from text.without_each(node.elts, node.elts)


def _tuple(text: Text, node: ast.Tuple) -> Iterator[Edit]:
    if text.of(node).startswith("("):  # which is neither a target nor what is assigned to several
        for each in node.elts:
            others = [text.of(other) for other in node.elts if other is not each]
            yield text.instead(node, f"({', '.join(others)}{',' * (len(others) == 1)})")


def _return(text: Text, node: ast.Return) -> Iterator[Edit]:
    if node.value and text.of(node.value) != "None":
        yield text.instead(node.value, "None")


def _leave_out(text: Text, node: ast.stmt) -> Iterator[Edit]:
    yield text.instead(node, "pass")


def _assign(text: Text, node: ast.Assign) -> Iterator[Edit]:
    if isinstance(node.targets[0], ast.Attribute):  # a name that is missing is told by mypy
        yield from _leave_out(text, node)


def _define(text: Text, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Edit]:
    yield from (Edit(text.start(each) - 1, text.end(each), "") for each in node.decorator_list)
    if isinstance(node, ast.ClassDef):
        yield from (text.instead(each, "pass") for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign))


_OPERATORS: Mapping[type[ast.AST], Callable[[Text, Any], Iterator[Edit]]] = {
    ast.Assert: _decide,
    ast.Assign: _assign,
    ast.AsyncFunctionDef: _define,
    ast.Attribute: _name,
    ast.BoolOp: _join,
    ast.Call: _call,
    ast.ClassDef: _define,
    ast.Compare: _compare,
    ast.Constant: _value,
    ast.Dict: _mapping,
    ast.Expr: _leave_out,
    ast.FunctionDef: _define,
    ast.If: _decide,
    ast.IfExp: _decide,
    ast.List: _list,
    ast.Raise: _leave_out,
    ast.Return: _return,
    ast.Tuple: _tuple,
    ast.UnaryOp: _negate,
}
