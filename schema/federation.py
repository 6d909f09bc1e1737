"""Apollo Federation 2: the schema of Atoll as a subgraph, which a gateway composes with others to a supergraph."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Annotated, Any, Final, get_args

import strawberry
from graphql import (
    ConstArgumentNode,
    ConstDirectiveNode,
    DefinitionNode,
    DocumentNode,
    GraphQLError,
    InterfaceTypeDefinitionNode,
    NameNode,
    ObjectTypeDefinitionNode,
    StringValueNode,
    parse,
    print_ast,
)

from resolvers import node as resolve_node
from resolvers.node import Representation
from schema.asset import AssetFields, Capsule, DataAsset, Model, NoCodeApp, Pipeline
from schema.change import Change
from schema.collection import Collection
from schema.connection import PageInfo
from schema.field import argument, field
from schema.graph import build_schema
from schema.job import Job
from schema.query import DESCRIPTION, OwnQuery, Query
from schema.scalars import SCALARS
from schema.token import ApiToken
from schema.topic import Topic
from schema.user import Group, User

# Interfaces can have keys since version 2.3. The second URL is a name, from which nothing is fetched.
LINKS: Final = """
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@composeDirective", "@key", "@shareable"])
  @link(url: "https://specs.atoll.example/permission/v1.0", import: ["@permission"])
  @composeDirective(name: "@permission")
"""
KEY: Final = ConstDirectiveNode(
    name=NameNode(value="key"),
    arguments=(ConstArgumentNode(name=NameNode(value="fields"), value=StringValueNode(value="id")),),
)
SHAREABLE: Final = ConstDirectiveNode(name=NameNode(value="shareable"))

Entity = Annotated[
    ApiToken | Capsule | Change | Collection | DataAsset | Group | Job | Model | NoCodeApp | Pipeline | Topic | User,
    strawberry.union("_Entity", description="An object that other subgraphs can refer to by its id."),
]
ENTITIES: Final[tuple[Any, ...]] = get_args(get_args(Entity)[0])


def _type_test(type_: type) -> Callable[[object], bool]:
    """Return the test of rows that are objects of the type, or of a type that implements it."""
    tests = [each.is_type_of for each in ENTITIES if issubclass(each, type_)]
    return lambda row: any(test(row, None) for test in tests)


TYPE_TESTS: Final = {type_.__name__: _type_test(type_) for type_ in (*ENTITIES, AssetFields)}
"""Test of each type with a key. By the interface, another subgraph adds fields to the assets of all kinds."""


def _parse_representation(value: Any) -> Representation:
    type_, id_ = (value.get("__typename"), value.get("id")) if isinstance(value, dict) else (None, None)
    if not isinstance(type_, str) or not isinstance(id_, str) or type_ not in TYPE_TESTS:
        types = ", ".join(TYPE_TESTS)
        raise GraphQLError(f"A representation is an object with the id as a text, and as __typename one of {types}.")
    return Representation(id_, TYPE_TESTS[type_])


REPRESENTATION: Final = strawberry.scalar(
    name="_Any",
    description="Reference to an object: its `__typename` and `id`. Other fields are ignored.",
    parse_value=_parse_representation,
)


@strawberry.type(name="_Service", description="A subgraph.")
class Subgraph:
    """A subgraph."""

    sdl: str = field("The subgraph's schema as SDL, from which supergraphs are composed.")


def build_subgraph(
    extensions: Iterable[Any] = (), executor: type[Any] | None = None, *, has_common_fields: bool = False
) -> strawberry.Schema:
    """Build the schema of the subgraph; see `build_schema`. `has_common_fields` keeps `node`, `nodes` and `viewer`."""
    subgraph = Subgraph(sdl=print_subgraph(has_common_fields=has_common_fields))

    @strawberry.type
    class FederationFields:
        """Fields of the root that gateways query."""

        entities: list[Entity | None] = field(
            "The objects that the representations refer to, in the same order; null where an object does not exist or"
            " is hidden from the viewer.",
            name="_entities",
            resolver=resolve_node.entities,
            arguments={"representations": argument(list[Representation], "References to the objects, at most 100.")},
        )
        service: Subgraph = field("This subgraph.", name="_service", resolver=lambda _root, _context: subgraph)

    query = type("Query", (_own_query(has_common_fields=has_common_fields), FederationFields), {})
    described = strawberry.type(query, description=DESCRIPTION)
    return build_schema(extensions, executor, described, {**SCALARS, Representation: REPRESENTATION})


def print_subgraph(*, has_common_fields: bool = False) -> str:
    """Return the schema of the subgraph as SDL, without the fields that every subgraph has."""
    own = build_schema(query=_own_query(has_common_fields=has_common_fields))
    definitions = map(_with_directives, parse(LINKS + own.as_str()).definitions)
    return print_ast(DocumentNode(definitions=tuple(definitions))) + "\n"


def _own_query(*, has_common_fields: bool) -> type[Any]:
    return Query if has_common_fields else OwnQuery


def _with_directives(definition: DefinitionNode) -> DefinitionNode:
    """Return the definition with @key if others can refer to it, and with @shareable if subgraphs have it in common."""
    if not isinstance(definition, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        return definition
    name = definition.name.value
    added = [KEY] if name in TYPE_TESTS else [SHAREABLE] if name == PageInfo.__name__ else []
    return replace(definition, directives=(*(definition.directives or ()), *added))
