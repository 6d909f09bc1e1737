"""Shrinker: removes parts of a failing request as long as it keeps failing."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

from graphql import (
    REMOVE,
    DocumentNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    validate,
    visit,
)
from graphql.language import ArgumentNode, DirectiveNode, ObjectFieldNode

from proofs.differential.generator import Request
from proofs.interference.operations import SCHEMA

ATTEMPTS = 400
"""Maximum number of requests while a failing one is shrunk."""

REMOVABLE = (OperationDefinitionNode, SelectionNode, DirectiveNode, ArgumentNode, ObjectFieldNode)

Fails = Callable[[Request], Awaitable[bool]]
"""Returns whether the two applications respond differently."""


async def shrink(request: Request, fails: Fails) -> Request:
    """Return a smaller request that fails as well: the last one found before no part can be removed."""
    attempts = ATTEMPTS
    candidates = smaller_requests(request)
    while attempts and (smaller := next(candidates, None)):
        attempts -= 1
        if await fails(smaller):
            request, candidates = smaller, smaller_requests(smaller)
    return request


def smaller_requests(request: Request) -> Iterator[Request]:
    """Yield valid requests without one part, the largest parts first, then those with a fragment written in place."""
    document = parse(request.document, no_location=True)
    removable = [node for node in _walk(document) if isinstance(node, REMOVABLE)]
    for node in sorted(removable, key=lambda node: -len(print_ast(node))):
        yield from _valid(request, visit(document, _Replacement(node, REMOVE)))
    for spread in removable:
        if isinstance(spread, FragmentSpreadNode):
            yield from _valid(request, visit(document, _Replacement(spread, _inline(document, spread))))


def _valid(request: Request, document: DocumentNode) -> Iterator[Request]:
    """Yield the request with the document, without unused definitions and variables, if it is valid."""
    document = _without_unused(document)
    if _has_empty_selections(document) or validate(SCHEMA, document):
        return
    text = print_ast(document)
    names = {node.variable.name.value for node in _walk(document) if isinstance(node, VariableDefinitionNode)}
    variables = {name: value for name, value in request.variables.items() if name in names}
    if len(text) < len(print_ast(parse(request.document))):
        yield replace(request, document=text, variables=variables)


def _inline(document: DocumentNode, spread: FragmentSpreadNode) -> InlineFragmentNode:
    """Return the inline fragment that the spread stands for."""
    fragment = next(
        node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode) and node.name.value == spread.name.value
    )
    return InlineFragmentNode(
        type_condition=fragment.type_condition, directives=spread.directives, selection_set=fragment.selection_set
    )


def _without_unused(document: DocumentNode) -> DocumentNode:
    """Remove fragments that no operation spreads, and variables that their operation does not use."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    kept: dict[str, FragmentDefinitionNode] = {}
    operations = []
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            reached = _reachable(operation, fragments)
            kept |= {name: fragments[name] for name in reached}
            used = {
                node.name.value
                for part in (operation.selection_set, *(fragments[name].selection_set for name in reached))
                for node in _walk(part)
                if isinstance(node, VariableNode)
            }
            defined = [node for node in operation.variable_definitions or () if node.variable.name.value in used]
            operations.append(_copy(operation, variable_definitions=tuple(defined)))
    return DocumentNode(definitions=(*operations, *kept.values()))


def _reachable(operation: OperationDefinitionNode, fragments: dict[str, FragmentDefinitionNode]) -> list[str]:
    """Return the names of the fragments that the operation spreads, directly or not."""
    names: list[str] = []
    pending: list[Node] = [operation]
    while pending:
        for node in _walk(pending.pop()):
            if isinstance(node, FragmentSpreadNode) and node.name.value not in names and node.name.value in fragments:
                names.append(node.name.value)
                pending.append(fragments[node.name.value])
    return names


def _has_empty_selections(document: DocumentNode) -> bool:
    return not document.definitions or any(
        isinstance(node, SelectionSetNode) and not node.selections for node in _walk(document)
    )


def _walk(root: Node) -> Iterator[Node]:
    """Yield the node and all nodes within it."""
    yield root
    for key in root.keys:
        value = getattr(root, key, None)
        for child in value if isinstance(value, list | tuple) else [value]:
            if isinstance(child, Node):
                yield from _walk(child)


def _copy(operation: OperationDefinitionNode, **changes: Any) -> OperationDefinitionNode:
    parts = {name: getattr(operation, name) for name in ("operation", "name", "directives", "selection_set")}
    return OperationDefinitionNode(**parts | changes)


class _Replacement(Visitor):
    """Visitor that replaces one node, found by identity."""

    def __init__(self, node: Node, replacement: Any) -> None:
        super().__init__()
        self._node, self._replacement = node, replacement

    def enter(self, node: Node, *_: Any) -> Any:
        return self._replacement if node is self._node else None
