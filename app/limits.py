"""Limits of documents, measured in linear time."""

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
    OperationType,
    SelectionNode,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension

from app.documents import DocumentCache, DocumentRules, LazyContextExtension
from app.errors import MAX_REQUEST_ERRORS
from app.request_limits import RequestLimitsExtension
from resolvers import limits as shared

COUNT_CAP: Final = 1_000_000
"""Upper bound of counts, because nested fragments can double a count at each level."""


@dataclass(frozen=True)
class DocumentLimits:
    """Maximum size of a document. A fragment counts once for each spread."""

    tokens: int = shared.LIMITS.tokens
    depth: int = shared.LIMITS.depth
    introspection_depth: int = 15
    introspections: int = 1
    fields: int = shared.LIMITS.selected_fields
    root_fields: int = shared.LIMITS.root_fields
    root_mutations: int = shared.LIMITS.root_mutations
    aliases: int = shared.LIMITS.aliases
    alias_characters: int = shared.LIMITS.alias_characters
    directives: int = shared.LIMITS.directives
    errors: int = MAX_REQUEST_ERRORS


LIMITS: Final = DocumentLimits()


class Measure(NamedTuple):
    """Size of a selection set with its fragments expanded.

    `alias_characters` is the length of the longest alias, `depth` the number of nested levels of fields. Fields within
    `__schema` and `__type` count in `introspection_depth` instead.
    """

    root_fields: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    depth: int = 0
    introspection_depth: int = 0
    introspections: int = 0
    alias_characters: int = 0

    def plus(self, other: "Measure") -> "Measure":
        """Return the size of both in one selection set: counts are added, depths are maxima."""
        return Measure(
            min(self.root_fields + other.root_fields, COUNT_CAP),
            min(self.fields + other.fields, COUNT_CAP),
            min(self.aliases + other.aliases, COUNT_CAP),
            min(self.directives + other.directives, COUNT_CAP),
            max(self.depth, other.depth),
            max(self.introspection_depth, other.introspection_depth),
            min(self.introspections + other.introspections, COUNT_CAP),
            max(self.alias_characters, other.alias_characters),
        )

    def nested_in(self, field: FieldNode) -> "Measure":
        """Return the size of a field whose selection set has this size."""
        depth, introspection_depth, introspections = self.depth + 1, self.introspection_depth, self.introspections
        if field.name.value in {"__schema", "__type"}:
            depth, introspection_depth, introspections = 1, max(depth, introspection_depth), 1
        return Measure(
            root_fields=1,
            fields=min(self.fields + 1, COUNT_CAP),
            aliases=self.aliases + (field.alias is not None),
            directives=self.directives + _directives(field),
            depth=depth,
            introspection_depth=introspection_depth,
            introspections=introspections,
            alias_characters=max(self.alias_characters, len(field.alias.value) if field.alias else 0),
        )


class Selections:
    """Selection sets of one document. Each fragment is measured once, however often it is spread."""

    def __init__(self, document: DocumentNode) -> None:
        """Index the document's fragments by name; nothing is measured yet."""
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._measures: dict[str, Measure] = {}
        self.visited = 0
        """Number of selections visited, for tests of the linear time."""

    def measure(self, selection_set: SelectionSetNode) -> Measure:
        """Measure a selection set. Unknown and cyclic fragments count as empty: GraphQL's own rules report them."""
        self._measure_fragments(selection_set)
        return self._expanded(selection_set)

    def _measure_fragments(self, selection_set: SelectionSetNode) -> None:
        # Without recursion, because a chain of fragments may be deeper than Python's stack. A fragment is measured when
        # the walk returns to it, after the fragments that it spreads.
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


def limit_errors(document: DocumentNode, limits: DocumentLimits = LIMITS) -> Iterator[GraphQLError]:
    """Yield an error for each limit that an operation of the document exceeds, with count and limit."""
    selections = Selections(document)
    fragments = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    on_fragments = sum(map(_directives, fragments))
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            around = on_fragments + sum(map(_directives, (operation, *(operation.variable_definitions or ()))))
            size = selections.measure(operation.selection_set).plus(Measure(directives=around))
            for problem, count, limit in _compare(size, limits, operation.operation):
                if count > limit:
                    yield GraphQLError(f"The {operation.operation.value} {problem}; the limit is {limit:,}.", operation)


def document_rules(limits: DocumentLimits = LIMITS) -> DocumentRules:
    """Return the rules for documents with these limits. Cached errors are reused only for the rules that found them."""
    return DocumentRules(partial(limit_errors, limits=limits), limits.tokens, limits.errors)


def extensions(rules: DocumentRules | None = None) -> list[Callable[[], SchemaExtension]]:
    """Return the server's schema extensions: documents with limits and a cache, limits of requests, lazy contexts."""
    # One object for all requests, so that they share cached errors.
    return [partial(DocumentCache, rules or document_rules()), RequestLimitsExtension, LazyContextExtension]


def _compare(size: Measure, limits: DocumentLimits, operation: OperationType) -> list[tuple[str, int, int]]:
    """Return the description, the count and the maximum for each limit."""
    root_fields = limits.root_mutations if operation is OperationType.MUTATION else limits.root_fields
    return [
        (f"is {_format_count(size.depth)} levels deep", size.depth, limits.depth),
        (
            f"goes {_format_count(size.introspection_depth)} levels deep into the schema",
            size.introspection_depth,
            limits.introspection_depth,
        ),
        (
            f"selects __schema and __type {_format_count(size.introspections)} times",
            size.introspections,
            limits.introspections,
        ),
        (f"selects {_format_count(size.fields)} fields", size.fields, limits.fields),
        (f"selects {_format_count(size.root_fields)} fields at its root", size.root_fields, root_fields),
        (f"uses {_format_count(size.aliases)} aliases", size.aliases, limits.aliases),
        (f"has an alias of {size.alias_characters:,} characters", size.alias_characters, limits.alias_characters),
        (f"uses {_format_count(size.directives)} directives", size.directives, limits.directives),
    ]


def _format_count(count: int) -> str:
    return f"{COUNT_CAP:,} or more" if count >= COUNT_CAP else f"{count:,}"


def _directives(node: Any) -> int:
    return len(node.directives or ())


def _spread(selection_set: SelectionSetNode) -> Iterator[str]:
    """Yield the names of all fragments that are spread within the selection set."""
    pending: list[SelectionSetNode | None] = [selection_set]
    while pending:
        for selection in _selections(pending.pop()):
            if isinstance(selection, FragmentSpreadNode):
                yield selection.name.value
            elif isinstance(selection, FieldNode | InlineFragmentNode):
                pending.append(selection.selection_set)


def _selections(selection_set: SelectionSetNode | None) -> tuple[SelectionNode, ...]:
    return selection_set.selections if selection_set else ()
