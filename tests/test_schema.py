"""This file is what the graph promises of its own form: current, described, bounded, and permissioned."""

from collections.abc import Iterator
from pathlib import Path

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

from schema.asset import Capsule, DataAsset, Model, NoCodeApp, Pipeline
from schema.change import Change
from schema.collection import Collection
from schema.field import Field
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
    **dict.fromkeys((Capsule, Pipeline, NoCodeApp, DataAsset, Model), sql.asset),
}
# Lists without a page, and what bounds each.
BOUNDED = {
    "Query.nodes": "its ids, at most 100",
    "Collection.ancestors": "the depth of collections",
    "Change.fields": "what one mutation changes of one object",
    "AssetFields.tags": "the platform, which gives a record's tags whole",
    "AssetFields.grants": "the owner, who shares with each by hand",
    "UserError.path": "the depth of the input",
    "Job.userErrors": "at most 100 are kept",
    "AssetFacets.kinds": "the kinds there are",
    "AssetFacets.tags": "its `first`, at most 100",
    "AssetFacets.owners": "its `first`, at most 100",
}
BOUNDED_IN_PAYLOADS = {
    "userErrors": "the input: each of its elements has one at most",
    "results": "the input, an item each",
    "deletedTopicIds": "the input, at most 100",
    "movedCollections": "the topics that go, which hold what administrators made by hand",
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema()._schema  # noqa: SLF001 - Strawberry gives it no other name


def _types(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    for each in schema.type_map.values():
        if not each.name.startswith("__") and not is_specified_scalar_type(each):
            yield each


def _fields(schema: GraphQLSchema) -> Iterator[tuple[GraphQLNamedType, str, GraphQLField]]:
    for each in _types(schema):
        if isinstance(each, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in each.fields.items():
                yield each, name, field


def _permissions(field: GraphQLField) -> list[object]:
    declared = field.extensions["strawberry-definition"]
    return [each for each in declared.directives if type(each).__name__ == "PermissionDirective"]


def _is_page(each: GraphQLNamedType) -> bool:
    return each.name.endswith(("Connection", "Edge"))


def test_the_committed_schema_is_current_and_valid() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == print_schema(), "write it again: make schema"
    graphql.build_schema(print_schema())


def test_everything_is_described(schema: GraphQLSchema) -> None:
    silent = [each.name for each in _types(schema) if not each.description]
    for each, name, field in _fields(schema):
        silent += [] if field.description else [f"{each.name}.{name}"]
        silent += [f"{each.name}.{name}({arg}:)" for arg, of in field.args.items() if not of.description]
    for each in _types(schema):
        if isinstance(each, GraphQLInputObjectType):
            silent += [f"{each.name}.{name}" for name, field in each.fields.items() if not field.description]
        if isinstance(each, GraphQLEnumType):
            silent += [f"{each.name}.{name}" for name, value in each.values.items() if not value.description]
    assert silent == []


def test_descriptions_are_sentences(schema: GraphQLSchema) -> None:
    texts = {f"{each.name}.{name}": field.description or "" for each, name, field in _fields(schema)}
    assert [name for name, description in texts.items() if not description.endswith((".", "Z", "?"))] == []


def test_every_field_that_gives_assets_prints_its_rule(schema: GraphQLSchema) -> None:
    of_assets = {"Asset", "AssetConnection", "CollectionAssetConnection", "AddableAssetConnection", "AssetCounts"}
    bare = [
        f"{each.name}.{name}"
        for each, name, field in _fields(schema)
        if get_named_type(field.type).name in of_assets and not _is_page(each) and not _permissions(field)
    ]
    assert bare == []


def test_every_mutation_prints_its_rule(schema: GraphQLSchema) -> None:
    mutation = schema.mutation_type
    assert [name for name, field in (mutation.fields if mutation else {}).items() if not _permissions(field)] == []


def test_every_list_has_a_page_or_a_bound(schema: GraphQLSchema) -> None:
    endless = []
    for each, name, field in _fields(schema):
        kind = field.type.of_type if is_non_null_type(field.type) else field.type
        interfaces = [of.name for of in getattr(each, "interfaces", ())]
        known = any(f"{owner}.{name}" in BOUNDED for owner in (each.name, *interfaces))
        known = known or (each.name.endswith("Payload") and name in BOUNDED_IN_PAYLOADS)
        if is_list_type(kind) and not _is_page(each) and not known:
            endless.append(f"{each.name}.{name}")
        if get_named_type(field.type).name.endswith("Connection") and "first" not in field.args:
            endless.append(f"{each.name}.{name}")
    assert endless == []


def test_what_can_be_denied_can_be_null(schema: GraphQLSchema) -> None:
    assert [
        f"{each.name}.{name}"
        for each, name, field in _fields(schema)
        if is_non_null_type(field.type) and any(rule.denied == "NULL" for rule in _permissions(field))  # type: ignore[attr-defined]  # of PermissionDirective
    ] == []


def test_every_plain_field_is_a_column_of_its_row() -> None:
    for kind, table in ROWS.items():
        for field in kind.__strawberry_definition__.fields:  # type: ignore[attr-defined]  # every Strawberry type has it
            assert isinstance(field, Field)
            if field.resolver is None:
                assert field.python_name in {*table.c.keys(), "viewer_access"}, f"{kind.__name__}.{field.python_name}"


def test_rules_are_printed_with_all_they_say() -> None:
    assert "email: String @permission(requires: SIGNED_IN, on: VIEWER, denied: NULL)" in print_schema()
    assert "grants: [Grant!] @permission(requires: ASSET_OWN, on: PARENT, denied: NULL)" in print_schema()
    assert print_schema().count("\ndirective @permission(") == 1
