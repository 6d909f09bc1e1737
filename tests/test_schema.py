"""Tests of the schema: current, described, with bounded lists and printed permissions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import graphql
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_specified_scalar_type,
)

from engine.field import ResolverField
from schema.asset import Asset
from schema.change import Change
from schema.collection import Collection
from schema.graph import build_schema, print_schema
from schema.topic import Topic
from schema.user import Group, User
from store import sql

COMMITTED = Path(__file__).parent.parent / "schema.graphql"
ROWS = {
    Topic: sql.topic,
    Collection: sql.collection,
    User: sql.principal,
    Group: sql.principal,
    Change: sql.change,
    **dict.fromkeys(get_args(get_args(Asset)[0]), sql.asset),
}
# Lists that are not connections, with the reason why each is bounded.
BOUNDED = {
    "Query.nodes": "its ids, at most 100",
    "Collection.ancestors": "the depth of collections",
    "CollectionGraph.topics": "`first` of the graph, at most 1,000, which counts the rows of all lists",
    "CollectionGraph.collections": "the same",
    "CollectionGraph.assets": "the same",
    "CollectionGraph.memberships": "the same",
    "CollectionGraph.uses": "the same",
    "CollectionGraph.users": "the same",
    "CollectionGraph.removedIds": "the same",
    "CollectionGraph.removedMemberships": "the same",
    "CollectionGraph.removedUses": "the same",
    "Change.fields": "the fields of one object",
    "AssetFields.tags": "the platform, which sends all tags of an asset",
    "AssetFields.properties": "the platform, at most 100",
    "AssetProperty.values": "the platform, which sends all values of a property",
    "AssetFields.grants": "the owner, who shares with each principal by hand",
    "UserError.path": "the depth of the input",
    "Job.userErrors": "at most 100 are kept",
    "Job.collections": "the input: two at most",
    "Job.changes": "the number of chunks of 4,000 items, of which there are at most 25",
    "AssetFacets.kinds": "the number of kinds",
    "AssetFacets.tags": "its `first`, at most 100",
    "AssetFacets.owners": "its `first`, at most 100",
    "CollectionEvent.addedEdges": "at most 100; an event with more says to read the list",
    "CollectionEvent.removedAssetIds": "at most 1,000",
    "TopicTreeEvent.topics": "at most 100, with the collections",
    "TopicTreeEvent.collections": "at most 100, with the topics",
    "TopicTreeEvent.removedIds": "at most 1,000",
}
BOUNDED_IN_PAYLOADS = {
    "effects": "the number of audiences",
    "userErrors": "the input: at most one for each element",
    "results": "the input: one for each item",
    "deletedTopicIds": "the input, at most 100",
    "addedEdges": "the input: one for each item",
    "removedAssetIds": "the input: one for each item",
    "revokedTokenIds": "the tokens of one user, which are limited",
    "removedCollectionIds": "the input: one for each item",
    "changes": "the input: one for each collection; a transfer has three for each of at most 1,000 assets",
    "subjects": "the undone change: two collections at most",
    "movedCollections": "the merged or deleted topics, whose collections administrators created by hand",
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema()._schema  # noqa: SLF001 - it has no public name in Strawberry


def _types(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    for type_ in schema.type_map.values():
        if not type_.name.startswith("__") and not is_specified_scalar_type(type_):
            yield type_


def _fields(schema: GraphQLSchema) -> Iterator[tuple[GraphQLNamedType, str, GraphQLField]]:
    for type_ in _types(schema):
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in type_.fields.items():
                yield type_, name, field


def _permissions(field: GraphQLField) -> list[object]:
    declared = field.extensions["strawberry-definition"]
    return [rule for rule in declared.directives if type(rule).__name__ == "PermissionDirective"]


def _description(field: GraphQLField) -> str:
    """Return the field's description without the lines of its permissions."""
    return (field.description or "").split("\n`@permission(")[0]


def _is_page(type_: GraphQLNamedType) -> bool:
    return type_.name.endswith(("Connection", "Edge"))


def test_the_committed_schema_is_current_and_valid() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == print_schema(), "run: make schema"
    graphql.build_schema(print_schema())


async def test_introspection_says_which_inputs_need_exactly_one_field() -> None:
    document = "{ __schema { types { name isOneOf fields { type { isOneOf ofType { isOneOf } } } } } }"
    result = await build_schema().execute(document)
    assert (result.errors, result.data is not None) == (None, True)
    types = {type_["name"]: type_ for type_ in (result.data or {})["__schema"]["types"]}
    assert {name for name, type_ in types.items() if type_["isOneOf"]} == {
        *("AssetRef", "CollectionRef", "GroupRef", "TopicRef", "UserRef", "PositionInput", "PrincipalRef")
    }
    assert types["TopicCreateInput"]["isOneOf"] is False
    assert types["Asset"]["isOneOf"] is types["ID"]["isOneOf"] is None


def test_everything_is_described(schema: GraphQLSchema) -> None:
    missing = [type_.name for type_ in _types(schema) if not type_.description]
    for type_, name, field in _fields(schema):
        missing += [] if _description(field) else [f"{type_.name}.{name}"]
        missing += [
            f"{type_.name}.{name}({name_}:)" for name_, argument in field.args.items() if not argument.description
        ]
    for type_ in _types(schema):
        if isinstance(type_, GraphQLInputObjectType):
            missing += [f"{type_.name}.{name}" for name, field in type_.fields.items() if not field.description]
        if isinstance(type_, GraphQLEnumType):
            missing += [f"{type_.name}.{name}" for name, value in type_.values.items() if not value.description]
    assert missing == []


def test_descriptions_are_sentences(schema: GraphQLSchema) -> None:
    texts = {f"{type_.name}.{name}": _description(field) for type_, name, field in _fields(schema)}
    assert [name for name, description in texts.items() if not description.endswith((".", "Z", "?"))] == []


def test_every_field_that_returns_assets_prints_its_permission(schema: GraphQLSchema) -> None:
    asset_types = {"Asset", "AssetConnection", "CollectionAssetConnection", "AddableAssetConnection", "AssetCounts"}
    without_permission = [
        f"{type_.name}.{name}"
        for type_, name, field in _fields(schema)
        if get_named_type(field.type).name in asset_types and not _is_page(type_) and not _permissions(field)
    ]
    assert without_permission == []


def test_every_mutation_prints_its_permission(schema: GraphQLSchema) -> None:
    mutation = schema.mutation_type
    assert [name for name, field in (mutation.fields if mutation else {}).items() if not _permissions(field)] == []


def test_every_list_has_a_page_or_a_bound(schema: GraphQLSchema) -> None:
    unbounded = []
    for type_, name, field in _fields(schema):
        kind = field.type.of_type if is_non_null_type(field.type) else field.type
        interfaces = [interface.name for interface in getattr(type_, "interfaces", ())]
        has_bound = any(f"{owner}.{name}" in BOUNDED for owner in (type_.name, *interfaces))
        has_bound = has_bound or (type_.name.endswith("Payload") and name in BOUNDED_IN_PAYLOADS)
        if is_list_type(kind) and not _is_page(type_) and not has_bound:
            unbounded.append(f"{type_.name}.{name}")
        if get_named_type(field.type).name.endswith("Connection") and "first" not in field.args:
            unbounded.append(f"{type_.name}.{name}")
    assert unbounded == []


def test_a_field_that_a_permission_can_null_or_refuse_is_nullable(schema: GraphQLSchema) -> None:
    assert [
        f"{type_.name}.{name}"
        for type_, name, field in _fields(schema)
        if is_non_null_type(field.type) and any(rule.denied in {"NULL", "ERROR"} for rule in _permissions(field))  # type: ignore[attr-defined]  # of PermissionDirective
    ] == []


def test_every_field_of_a_root_is_nullable(schema: GraphQLSchema) -> None:
    roots = (schema.query_type, schema.mutation_type)
    assert [name for root in roots if root for name, field in root.fields.items() if is_non_null_type(field.type)] == []


def test_every_plain_field_is_a_column_of_its_row() -> None:
    for kind, table in ROWS.items():
        for field in kind.__strawberry_definition__.fields:
            assert isinstance(field, ResolverField)
            if field.resolver is None:
                assert field.python_name in {*table.c.keys(), "viewer_access"}, f"{kind.__name__}.{field.python_name}"


def test_permissions_are_printed_with_all_arguments() -> None:
    assert "email: String @permission(requires: SIGNED_IN, on: VIEWER, denied: NULL)" in print_schema()
    assert "grants: [Grant!] @permission(requires: ASSET_GRANTS_VIEW, on: PARENT, denied: NULL)" in print_schema()
    assert print_schema().count("\ndirective @permission(") == 1


async def test_introspection_describes_every_permission_as_the_schema_prints_it() -> None:
    result = await build_schema().execute("{ __schema { types { name fields { name description } } } }")
    described = {
        f"{type_['name']}.{field['name']}": re.findall(r"^`(@permission\(.*\))`$", field["description"], re.MULTILINE)
        for type_ in (result.data or {})["__schema"]["types"]
        if not type_["name"].startswith("__")
        for field in type_["fields"] or ()
    }
    printed = {
        f"{type_.name.value}.{field.name.value}": [graphql.print_ast(rule) for rule in field.directives or ()]
        for type_ in graphql.parse(print_schema()).definitions
        if isinstance(type_, graphql.ObjectTypeDefinitionNode | graphql.InterfaceTypeDefinitionNode)
        for field in type_.fields or ()
    }
    assert described["User.email"] == ["@permission(requires: SIGNED_IN, on: VIEWER, denied: NULL)"]
    assert described == printed
