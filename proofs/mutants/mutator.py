"""Mutants of a source file: copies with one small fault each, one copy per fault that the operators below make.

The operators are the usual ones of mutation testing (another comparison, another constant, a constant condition, a
removed statement) and those of this domain: a `where` without one of its conditions, a statement without `correlate`, a
neighbouring access or status, `is_admin` swapped with `is_signed_in`.
"""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

Enums = Mapping[str, Sequence[str]]
"""Members of each enum by its name, in order."""


@dataclass(frozen=True)
class Mutant:
    """File with one fault. Identified by its lines, because edits elsewhere in the file shift line numbers."""

    file: str
    where: str  # dotted name of the class or function; empty at module level
    original: str  # the changed lines, joined
    replacement: str
    nth: int = 1  # number among the mutants with the same place and lines
    source: str = field(default="", repr=False, compare=False)  # of the whole file

    def __str__(self) -> str:
        """Format the mutant as one line."""
        which = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.file} {self.where}{which}: {self.original}  ->  {self.replacement}"


def make_mutants(file: str, source: str, enums: Enums) -> list[Mutant]:
    """Return all mutants of a file, in order. Annotations, imports and docstrings are not mutated."""
    text = Source(source, enums)
    edits = sorted((edit, where) for where, node in _walk(ast.parse(source), "") for edit in _edits(text, node))
    mutants_by_source = {mutant.source: mutant for mutant in (text.apply(file, where, edit) for edit, where in edits)}
    count_by_mutant: Counter[Mutant] = Counter()
    for mutant in mutants_by_source.values():
        count_by_mutant[mutant] += 1
        mutants_by_source[mutant.source] = replace(mutant, nth=count_by_mutant[mutant])
    return list(mutants_by_source.values())


def find_enums(sources: Sequence[str]) -> dict[str, list[str]]:
    """Return the members of every enum defined in the sources."""
    classes = (node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef))
    return {
        enum.name: [
            ast.unparse(assignment.targets[0]) for assignment in enum.body if isinstance(assignment, ast.Assign)
        ]
        for enum in classes
        if any(ast.unparse(base).endswith("Enum") for base in enum.bases)
    }


class Edit(NamedTuple):
    """Replacement of a range of the source, in bytes."""

    start: int
    end: int
    replacement: str


class Source:
    """Source text with the positions of its nodes, in bytes, as Python's `ast` counts columns."""

    def __init__(self, source: str, enums: Enums) -> None:
        """Use the source, and the enums that it may name."""
        self.bytes, self.enums = source.encode(), enums
        self._lines = [0]
        for line in self.bytes.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def start(self, node: Any) -> int:
        """Return the start of a node."""
        return int(self._lines[node.lineno - 1] + node.col_offset)

    def end(self, node: Any) -> int:
        """Return the end of a node."""
        return int(self._lines[node.end_lineno - 1] + node.end_col_offset)

    def text_of(self, node: ast.AST) -> str:
        """Return the text of a node."""
        return self.bytes[self.start(node) : self.end(node)].decode()

    def replace_node(self, node: ast.AST, becomes: str) -> Edit:
        """Return the edit that replaces a node."""
        return Edit(self.start(node), self.end(node), becomes)

    def replace_suffix(self, node: ast.AST, name: str, becomes: str) -> Edit:
        """Return the edit that replaces the name at the end of a node."""
        return Edit(self.end(node) - len(name), self.end(node), becomes)

    def replace_between(self, left: ast.AST, right: ast.AST, word: str, becomes: str) -> Edit:
        """Return the edit that replaces a word between two nodes."""
        start, end = self.end(left), self.start(right)
        return Edit(start, end, self.bytes[start:end].decode().replace(word, becomes))

    def swap(self, left: ast.AST, right: ast.AST) -> Edit:
        """Return the edit that swaps two nodes."""
        between = self.bytes[self.end(left) : self.start(right)].decode()
        return Edit(self.start(left), self.end(right), self.text_of(right) + between + self.text_of(left))

    def remove_each(self, starts: Sequence[ast.AST], ends: Sequence[ast.AST]) -> Iterator[Edit]:
        """Yield the edits that each remove one of several parts, with its separator."""
        for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
            if index + 1 < len(starts):
                yield Edit(self.start(start), self.start(starts[index + 1]), "")
            elif index:
                yield Edit(self.end(ends[index - 1]), self.end(end), "")

    def apply(self, file: str, where: str, edit: Edit) -> Mutant:
        """Return the mutant that an edit makes."""
        becomes = edit.replacement.encode()
        mutated = self.bytes[: edit.start] + becomes + self.bytes[edit.end :]
        line, changed = _lines(self.bytes, edit.start, edit.end), _lines(mutated, edit.start, edit.start + len(becomes))
        return Mutant(file, where, line, changed, source=mutated.decode())


def _lines(source: bytes, start: int, end: int) -> str:
    first, last = source.rfind(b"\n", 0, start) + 1, source.find(b"\n", end)
    return " ".join(source[first:last].decode().split())


def _walk(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield every node that may be mutated, with the dotted name of its class or function."""
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


def _edits(text: Source, node: ast.AST) -> Iterator[Edit]:
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


def _mutate_comparison(text: Source, node: ast.Compare) -> Iterator[Edit]:
    for left, operator, right in zip((node.left, *node.comparators), node.ops, node.comparators, strict=False):
        sign, others = _COMPARISONS[type(operator)]
        yield from (text.replace_between(left, right, sign, other) for other in others)


def _mutate_bool_op(text: Source, node: ast.BoolOp) -> Iterator[Edit]:
    sign, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    yield from (text.replace_between(left, right, sign, other) for left, right in pairwise(node.values))
    for removed in node.values:
        # The text of an operand excludes the parentheses around it.
        kept = [value for value in node.values if value is not removed]
        texts = [f"({text.text_of(value)})" if isinstance(value, ast.BoolOp) else text.text_of(value) for value in kept]
        yield text.replace_node(node, f" {sign} ".join(texts))


def _remove_negation(text: Source, node: ast.UnaryOp) -> Iterator[Edit]:
    yield text.replace_node(node, text.text_of(node.operand))


def _fix_condition(text: Source, node: ast.If | ast.IfExp | ast.Assert) -> Iterator[Edit]:
    yield from (text.replace_node(node.test, constant) for constant in ("True", "False"))


# Functions that are replaced by others with the same parameters and a different meaning.
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
# Functions with any number of arguments. For all others, mypy finds a missing or swapped argument.
_VARIADIC = {"where", "and_", "or_", "select"}
_ORDERED_VARIADIC = {"coalesce"}


def _mutate_call(text: Source, node: ast.Call) -> Iterator[Edit]:
    arguments = [*node.args, *node.keywords]
    name = node.func.attr if isinstance(node.func, ast.Attribute) else text.text_of(node.func)
    if name in _OPPOSITES:
        yield text.replace_suffix(node.func, name, _OPPOSITES[name])
    for argument, edit in zip(arguments, text.remove_each(arguments, arguments), strict=False):
        if name in _VARIADIC | _ORDERED_VARIADIC or argument in node.keywords:
            yield edit
    if name in _ORDERED_VARIADIC:
        yield from (text.swap(left, right) for left, right in pairwise(node.args))
    if isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name):
        yield Edit(text.end(node.func.value), text.end(node), "")
    elif len(arguments) == 1 and not isinstance(arguments[0], ast.Starred):
        yield text.replace_node(node, f"{text.text_of(node.func)}()" if node.keywords else text.text_of(node.args[0]))


# Attributes of a viewer that are easily confused.
_CONFUSED = {"is_admin": "is_signed_in", "is_signed_in": "is_admin"}


def _mutate_attribute(text: Source, node: ast.Attribute) -> Iterator[Edit]:
    members = text.enums.get(text.text_of(node.value), ())
    if node.attr in members:
        place = members.index(node.attr)
        for neighbour in (members[place - 1], members[(place + 1) % len(members)]):
            yield text.replace_suffix(node, node.attr, neighbour)
    if node.attr in _CONFUSED:
        yield text.replace_suffix(node, node.attr, _CONFUSED[node.attr])


def _mutate_constant(text: Source, node: ast.Constant) -> Iterator[Edit]:
    match node.value:
        case bool(value):
            yield text.replace_node(node, str(not value))
        case int(value):
            yield text.replace_node(node, str(value + 1))
        case str(value):
            yield text.replace_node(node, repr(f"{value}?"))


def _mutate_dict(text: Source, node: ast.Dict) -> Iterator[Edit]:
    yield from text.remove_each([key for key in node.keys if key], node.values)
    yield from (text.swap(left, right) for left, right in pairwise(node.values))


def _mutate_list(text: Source, node: ast.List) -> Iterator[Edit]:
    yield from text.remove_each(node.elts, node.elts)


def _mutate_tuple(text: Source, node: ast.Tuple) -> Iterator[Edit]:
    if text.text_of(node).startswith("("):  # neither an assignment target nor unpacked
        for element in node.elts:
            others = [text.text_of(other) for other in node.elts if other is not element]
            yield text.replace_node(node, f"({', '.join(others)}{',' * (len(others) == 1)})")


def _return_none(text: Source, node: ast.Return) -> Iterator[Edit]:
    if node.value and text.text_of(node.value) != "None":
        yield text.replace_node(node.value, "None")


def _remove_statement(text: Source, node: ast.stmt) -> Iterator[Edit]:
    yield text.replace_node(node, "pass")


def _remove_assignment(text: Source, node: ast.Assign) -> Iterator[Edit]:
    if isinstance(node.targets[0], ast.Attribute):  # mypy finds a missing name
        yield from _remove_statement(text, node)


def _mutate_definition(text: Source, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Edit]:
    yield from (Edit(text.start(part) - 1, text.end(part), "") for part in node.decorator_list)
    if isinstance(node, ast.ClassDef):
        yield from (
            text.replace_node(part, "pass") for part in node.body if isinstance(part, ast.Assign | ast.AnnAssign)
        )


_OPERATORS: Mapping[type[ast.AST], Callable[[Source, Any], Iterator[Edit]]] = {
    ast.Assert: _fix_condition,
    ast.Assign: _remove_assignment,
    ast.AsyncFunctionDef: _mutate_definition,
    ast.Attribute: _mutate_attribute,
    ast.BoolOp: _mutate_bool_op,
    ast.Call: _mutate_call,
    ast.ClassDef: _mutate_definition,
    ast.Compare: _mutate_comparison,
    ast.Constant: _mutate_constant,
    ast.Dict: _mutate_dict,
    ast.Expr: _remove_statement,
    ast.FunctionDef: _mutate_definition,
    ast.If: _fix_condition,
    ast.IfExp: _fix_condition,
    ast.List: _mutate_list,
    ast.Raise: _remove_statement,
    ast.Return: _return_none,
    ast.Tuple: _mutate_tuple,
    ast.UnaryOp: _remove_negation,
}
