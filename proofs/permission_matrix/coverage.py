"""This file is what of the schema tells of assets or takes ids, and which of it the surfaces ask for.

A field tells of assets where it gives one, or something that has one and is no object with an id of its own, and where
its name or its type's says so. Whatever takes an id might take an asset's.
"""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    ObjectFieldNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    parse,
    visit,
)

from proofs.permission_matrix.surface import Surface

Composite = GraphQLObjectType | GraphQLInterfaceType

# What no surface asks for, and why.
EXCEPTIONS = {
    "*Edge.cursor": "tests of cursors hold what it may tell",
    "AssetRegistration.*": "what is written of an asset, and asked for as what it has",
    "*Input.idempotencyKey": "whoever sends one again is answered anew: tests of every mutation do",
    "ConflictError.current": "what has a version is a topic or a collection",
    "CollectionViewerCan.*Assets": "what members and administrators can do, whatever the collection holds",
    "Collection*Input.id": "a collection's",
    "Collection*Input.parentId": "a collection's",
    "Collection*.topicId*": "a topic's",
    "Topic*Input.*": "a topic's",
    "ChangeFilter.actorIds": "users'",
    "PrincipalInput.groupId": "a group's",
    "JobCancelInput.id": "a job's, of the viewer's own",
}


def reaching(schema: GraphQLSchema) -> set[str]:
    """Return what tells of assets or takes ids, each as `Type.field`, `Type.field(argument:)` or `Input.field`."""
    return {*_telling(schema), *_taking(schema)}


def asked(schema: GraphQLSchema, surfaces: Iterable[Surface]) -> set[str]:
    """Return what the documents of the surfaces ask for, written likewise."""
    found: set[str] = set()
    for surface in surfaces:
        info = TypeInfo(schema)
        visit(parse(surface.shape.document([surface])), TypeInfoVisitor(info, _Asked(info, found)))
        found.update(surface.covers)
    return found


def exceptions_to(coordinate: str) -> list[str]:
    """Return the exceptions that speak of it."""
    return [pattern for pattern in EXCEPTIONS if fnmatchcase(coordinate, pattern)]


class _Asked(Visitor):
    """Keeps what a document asks for."""

    def __init__(self, info: TypeInfo, found: set[str]) -> None:
        super().__init__()
        self.info, self.found = info, found

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """Keep the field and its arguments."""
        parent = self.info.get_parent_type()
        assert isinstance(parent, Composite | GraphQLUnionType)
        field = _coordinate(parent, node.name.value)
        self.found |= {field, *(f"{field}({argument.name.value}:)" for argument in node.arguments or ())}

    def enter_object_field(self, node: ObjectFieldNode, *_: object) -> None:
        """Keep the field of an input."""
        self.found.add(f"{get_named_type(self.info.get_parent_input_type())}.{node.name.value}")


def _telling(schema: GraphQLSchema) -> Iterator[str]:
    assets = {*_assets(schema), *_holding(schema)}
    for each in _composites(schema):
        for name, field in each.fields.items():
            gives = get_named_type(field.type)
            is_told = each.name in assets or gives.name in assets or _says(name)
            if is_told or (_says(each.name, gives.name) and not isinstance(gives, GraphQLEnumType)):
                yield _coordinate(each, name)


def _taking(schema: GraphQLSchema) -> Iterator[str]:
    for each in _composites(schema):
        for name, field in each.fields.items():
            for argument, takes in field.args.items():
                if _says(argument) or _is_id(takes.type):
                    yield f"{_coordinate(each, name)}({argument}:)"
    for given in schema.type_map.values():
        if isinstance(given, GraphQLInputObjectType):
            for name, taken in given.fields.items():
                if _says(name, given.name) or _is_id(taken.type):
                    yield f"{given.name}.{name}"


def _assets(schema: GraphQLSchema) -> set[str]:
    """Return the names of the types that an asset is of."""
    union = schema.type_map["Asset"]
    assert isinstance(union, GraphQLUnionType)
    return {union.name, *(each.name for kind in union.types for each in (kind, *kind.interfaces))}


def _holding(schema: GraphQLSchema) -> set[str]:
    """Return the names of the types that have an asset, or something that has one, and no id of their own."""
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    node = schema.type_map["Node"]
    holding: set[str] = set()
    while True:
        found = {
            each.name
            for each in _composites(schema)
            if node not in each.interfaces and each not in (*roots, node)
            for name, field in each.fields.items()
            if get_named_type(field.type).name in _assets(schema) | holding
            and not exceptions_to(_coordinate(each, name))
        }
        if found == holding:
            return holding
        holding = found


def _composites(schema: GraphQLSchema) -> Iterator[Composite]:
    for each in schema.type_map.values():
        if isinstance(each, Composite) and not each.name.startswith("__"):
            yield each


def _coordinate(parent: GraphQLNamedType, name: str) -> str:
    """Return a field as it is written: of the topmost interface that has it, if one does."""
    interfaces = parent.interfaces if isinstance(parent, Composite) else ()
    above = [each for each in interfaces if name in each.fields]
    return _coordinate(above[0], name) if above else f"{parent.name}.{name}"


def _says(*names: str) -> bool:
    return any(re.search("asset", name, re.IGNORECASE) for name in names)


def _is_id(takes: GraphQLInputType) -> bool:
    return bool(get_named_type(takes) is GraphQLID)
