"""Fields and arguments of the schema that concern assets, and those of them that the surfaces use.

A field exposes assets if its name or its type's name says so, if it returns an asset, or if it returns a type without
an id of its own that contains one. Every argument or input field of type ID may accept an asset's id.
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

# Patterns of schema coordinates that no surface needs to use, with the reason.
EXCEPTIONS = {
    "*Edge.cursor": "covered by the tests of cursors",
    "AssetRegistration.*": "written to an asset, and read back by its fields",
    "*Input.idempotencyKey": "covered by the tests of every mutation",
    "ConflictError.current": "only topics and collections have versions",
    "CollectionViewerCan.*Assets": "permissions of members and administrators, independent of the collection's assets",
    "Collection*Input.id": "ids of collections",
    "Collection*Input.parentId": "ids of collections",
    "CollectionFilter.parentIds": "ids of collections",
    "Collection*.topicId*": "ids of topics",
    "Topic*Input.*": "ids of topics",
    "SharingEffect.assets": "for administrators only, who see all assets; tests/test_asset_write.py has the numbers",
    "ChangeFilter.actorIds": "ids of users",
    "PrincipalRef.groupId": "ids of groups",
    "GroupRef.id": "ids of groups",
    "UserFilter.groupIds": "ids of groups",
    "UserRef.id": "ids of users",
    "User*Input.userId": "ids of users",
    "GroupMembersUpdateInput.groupId": "ids of groups",
    "JobCancelInput.id": "the viewer's own jobs",
    "ChangeUndoInput.jobId": "the viewer's own jobs",
    "Subscription.jobUpdated(id:)": "the viewer's own jobs",
    "Token*Input.*": "the viewer's own tokens, and ids of users; covered by tests/test_token.py",
}


def asset_coordinates(schema: GraphQLSchema) -> set[str]:
    """Return the coordinates that expose assets or accept ids.

    A coordinate is `Type.field`, `Type.field(argument:)` or `Input.field`.
    """
    return {*_exposing_fields(schema), *_accepting_arguments(schema)}


def covered_coordinates(schema: GraphQLSchema, surfaces: Iterable[Surface]) -> set[str]:
    """Return the coordinates that the surfaces' documents use."""
    collected: set[str] = set()
    for surface in surfaces:
        info = TypeInfo(schema)
        visit(parse(surface.request.document([surface])), TypeInfoVisitor(info, _CoordinateCollector(info, collected)))
        collected.update(surface.covers)
    return collected


def exceptions_to(coordinate: str) -> list[str]:
    """Return the patterns of EXCEPTIONS that match a coordinate."""
    return [pattern for pattern in EXCEPTIONS if fnmatchcase(coordinate, pattern)]


class _CoordinateCollector(Visitor):
    """Collector of the coordinates that a document uses."""

    def __init__(self, info: TypeInfo, collected: set[str]) -> None:
        super().__init__()
        self.info, self.collected = info, collected

    def enter_field(self, node: FieldNode, *_: object) -> None:
        """Collect the field and its arguments."""
        parent = self.info.get_parent_type()
        assert isinstance(parent, Composite | GraphQLUnionType)
        field = _coordinate(parent, node.name.value)
        self.collected |= {field, *(f"{field}({argument.name.value}:)" for argument in node.arguments or ())}

    def enter_object_field(self, node: ObjectFieldNode, *_: object) -> None:
        """Collect the input field."""
        self.collected.add(f"{get_named_type(self.info.get_parent_input_type())}.{node.name.value}")


def _exposing_fields(schema: GraphQLSchema) -> Iterator[str]:
    assets = {*_asset_types(schema), *_containing_types(schema)}
    for kind in _composite_types(schema):
        for name, field in kind.fields.items():
            returned = get_named_type(field.type)
            is_exposed = kind.name in assets or returned.name in assets or _mentions_asset(name)
            if is_exposed or (_mentions_asset(kind.name, returned.name) and not isinstance(returned, GraphQLEnumType)):
                yield _coordinate(kind, name)


def _accepting_arguments(schema: GraphQLSchema) -> Iterator[str]:
    for kind in _composite_types(schema):
        for name, field in kind.fields.items():
            for argument_name, argument in field.args.items():
                if _mentions_asset(argument_name) or _is_id(argument.type):
                    yield f"{_coordinate(kind, name)}({argument_name}:)"
    for input_type in schema.type_map.values():
        if isinstance(input_type, GraphQLInputObjectType):
            for name, input_field in input_type.fields.items():
                if _mentions_asset(name, input_type.name) or _is_id(input_field.type):
                    yield f"{input_type.name}.{name}"


def _asset_types(schema: GraphQLSchema) -> set[str]:
    """Return the names of the union Asset, its members and their interfaces."""
    union = schema.type_map["Asset"]
    assert isinstance(union, GraphQLUnionType)
    return {union.name, *(kind.name for kind in union.types for kind in (kind, *kind.interfaces))}


def _containing_types(schema: GraphQLSchema) -> set[str]:
    """Return the names of the types without an id of their own that contain an asset, directly or not."""
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    node = schema.type_map["Node"]
    holding: set[str] = set()
    while True:
        collected = {
            kind.name
            for kind in _composite_types(schema)
            if node not in kind.interfaces and kind not in (*roots, node)
            for name, field in kind.fields.items()
            if get_named_type(field.type).name in _asset_types(schema) | holding
            and not exceptions_to(_coordinate(kind, name))
        }
        if collected == holding:
            return holding
        holding = collected


def _composite_types(schema: GraphQLSchema) -> Iterator[Composite]:
    for kind in schema.type_map.values():
        if isinstance(kind, Composite) and not kind.name.startswith("__"):
            yield kind


def _coordinate(parent: GraphQLNamedType, name: str) -> str:
    """Return a field's coordinate, on the topmost interface that declares it."""
    interfaces = parent.interfaces if isinstance(parent, Composite) else ()
    interfaces_with_field = [kind for kind in interfaces if name in kind.fields]
    return _coordinate(interfaces_with_field[0], name) if interfaces_with_field else f"{parent.name}.{name}"


def _mentions_asset(*names: str) -> bool:
    return any(re.search("asset", name, re.IGNORECASE) for name in names)


def _is_id(argument_type: GraphQLInputType) -> bool:
    return bool(get_named_type(argument_type) is GraphQLID)
