"""This file is how large a document may be: the limits, and the measuring of documents in linear time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension

from app.documents import DocumentCache, LazyContextExtension
from app.errors import MAX_REQUEST_ERRORS
from resolvers.deployment import OPERATION_DEPTH

COUNT_CAP: Final = 1_000_000
"""Where counting stops: fragments within fragments double it at each step."""


@dataclass(frozen=True)
class Limits:
    """The most that one document may ask for; what it counts in fragments counts once for each spread."""

    tokens: int = 5_000
    depth: int = OPERATION_DEPTH
    introspection_depth: int = 15
    fields: int = 2_000
    root_fields: int = 20
    aliases: int = 60
    directives: int = 50
    errors: int = MAX_REQUEST_ERRORS


LIMITS: Final = Limits()


class Measure(NamedTuple):
    """What a selection set comes to with its fragments expanded.

    `depth` is its levels of fields; what lies within `__schema` and `__type` counts in `introspection_depth` instead.
    """

    root_fields: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    depth: int = 0
    introspection_depth: int = 0

    def plus(self, other: "Measure") -> "Measure":
        """Return the measure of both in one selection set: counts add up, the deeper tells the depth."""
        return Measure(
            min(self.root_fields + other.root_fields, COUNT_CAP),
            min(self.fields + other.fields, COUNT_CAP),
            min(self.aliases + other.aliases, COUNT_CAP),
            min(self.directives + other.directives, COUNT_CAP),
            max(self.depth, other.depth),
            max(self.introspection_depth, other.introspection_depth),
        )

    def nested_in(self, field: FieldNode) -> "Measure":
        """Return the measure of a field whose selection set measures this."""
        depth, introspection_depth = self.depth + 1, self.introspection_depth
        if field.name.value in {"__schema", "__type"}:
            depth, introspection_depth = 1, max(depth, introspection_depth)
        return Measure(
            root_fields=1,
            fields=min(self.fields + 1, COUNT_CAP),
            aliases=self.aliases + (field.alias is not None),
            directives=self.directives + _directives(field),
            depth=depth,
            introspection_depth=introspection_depth,
        )


class Selections:
    """The selection sets of one document, each fragment of it measured once however often it is spread."""

    def __init__(self, document: DocumentNode) -> None:
        """Take the document; nothing is measured yet."""
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measures: dict[str, Measure] = {}
        self.visited = 0
        """Selections looked at so far."""

    def measure(self, selection_set: SelectionSetNode) -> Measure:
        """Return the measure; a fragment that is unknown or spreads itself adds nothing, for other rules report it."""
        self._measure_fragments(selection_set)
        return self._expanded(selection_set)

    def _measure_fragments(self, selection_set: SelectionSetNode) -> None:
        # A chain of fragments may be longer than the stack is deep, so it is walked without recursion: a fragment is
        # measured when the walk comes back to it, after all that it spreads.
        entered: set[str] = set()
        walk = [*_spread(selection_set)]
        while walk:
            name = walk[-1]
            fragment = self._fragments.get(name)
            if fragment is None or name in self._measures:
                walk.pop()
            elif name in entered:
                walk.pop()
                self._measures[name] = self._expanded(fragment.selection_set)
            else:
                entered.add(name)
                walk.extend(_spread(fragment.selection_set))

    def _expanded(self, selection_set: SelectionSetNode | None) -> Measure:
        total = Measure()
        for selection in _selections(selection_set):
            self.visited += 1
            if isinstance(selection, FieldNode):
                total = total.plus(self._expanded(selection.selection_set).nested_in(selection))
                continue
            total = total.plus(Measure(directives=_directives(selection)))
            if isinstance(selection, FragmentSpreadNode):
                total = total.plus(self._measures.get(selection.name.value, Measure()))
            elif isinstance(selection, InlineFragmentNode):
                total = total.plus(self._expanded(selection.selection_set))
        return total


def limit_errors(document: DocumentNode, limits: Limits = LIMITS) -> Iterator[GraphQLError]:
    """Return an error for each limit that an operation of the document exceeds, naming it and what was found."""
    selections = Selections(document)
    fragments = (each for each in document.definitions if isinstance(each, FragmentDefinitionNode))
    on_fragments = sum(map(_directives, fragments))
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            around = on_fragments + sum(map(_directives, (operation, *(operation.variable_definitions or ()))))
            found = selections.measure(operation.selection_set).plus(Measure(directives=around))
            for told, count, most in _compare(found, limits):
                if count > most:
                    yield GraphQLError(
                        f"The {operation.operation.value} {told}; at most {most:,} are allowed.", operation
                    )


def extensions(limits: Limits = LIMITS) -> list[Callable[[], SchemaExtension]]:
    """Return the extensions that a schema is served with: documents within the limits, and contexts opened late."""
    # Made once: it is part of what the errors of documents are remembered by.
    exceeded = partial(limit_errors, limits=limits)
    return [partial(DocumentCache, exceeded, limits.tokens, limits.errors), LazyContextExtension]


def _compare(found: Measure, limits: Limits) -> list[tuple[str, int, int]]:
    """Return what is told of each limit, the count found, and the most allowed."""
    return [
        (f"is {_format_count(found.depth)} levels deep", found.depth, limits.depth),
        (
            f"goes {_format_count(found.introspection_depth)} levels deep into the schema",
            found.introspection_depth,
            limits.introspection_depth,
        ),
        (f"selects {_format_count(found.fields)} fields", found.fields, limits.fields),
        (f"selects {_format_count(found.root_fields)} fields at its root", found.root_fields, limits.root_fields),
        (f"uses {_format_count(found.aliases)} aliases", found.aliases, limits.aliases),
        (f"uses {_format_count(found.directives)} directives", found.directives, limits.directives),
    ]


def _format_count(count: int) -> str:
    return f"{COUNT_CAP:,} or more" if count >= COUNT_CAP else f"{count:,}"


def _directives(node: Any) -> int:
    return len(node.directives or ())


def _spread(selection_set: SelectionSetNode) -> Iterator[str]:
    """Return the names of the fragments that are spread anywhere within the selection set."""
    within: list[SelectionSetNode | None] = [selection_set]
    while within:
        for selection in _selections(within.pop()):
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            elif isinstance(selection, FieldNode | InlineFragmentNode):
                within.append(selection.selection_set)


def _selections(selection_set: SelectionSetNode | None) -> tuple[SelectionNode, ...]:
    return selection_set.selections if selection_set else ()
