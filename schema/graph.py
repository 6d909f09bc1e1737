"""The GraphQL schema: built from the types, and printed as `schema.graphql`."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLType,
    introspection_types,
)
from strawberry.schema import BaseSchema
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.scalar import ScalarDefinition

from schema.input_errors import locate_errors
from schema.query import Query
from schema.scalars import SCALARS
from schema.subscription import Subscription
from schema.write.mutation import Mutation
from schema.write.user_error import ConflictError, InputError, LimitError


def build_schema(
    extensions: Iterable[Any] = (),
    executor: type[Any] | None = None,
    query: type[Any] = Query,
    scalars: Mapping[object, ScalarDefinition] = SCALARS,
) -> strawberry.Schema:
    """Build the schema with the server's extensions and its executor, a subclass of Strawberry's."""
    schema = strawberry.Schema(
        query=query,
        mutation=Mutation,
        subscription=Subscription,
        types=[InputError, LimitError, ConflictError],
        extensions=list(extensions),
        execution_context_class=executor,
        config=StrawberryConfig(scalar_map=scalars),
    )
    locate_errors(graphql_schema(schema).type_map.values())
    introspected = cast(GraphQLObjectType, introspection_types["__Type"])
    introspected.fields["isOneOf"].resolve = _is_one_of
    return schema


def graphql_schema(schema: BaseSchema) -> GraphQLSchema:
    """Return graphql-core's schema of a schema."""
    return schema._schema  # type: ignore[attr-defined,no-any-return]  # noqa: SLF001 - Strawberry gives it no public name, and declares it in `Schema` only


def _is_one_of(type_: GraphQLType, _info: GraphQLResolveInfo[Any]) -> bool | None:
    """Return whether exactly one field of the type must be set; None if it is no input object, as graphql-js does.

    Strawberry's resolver raises AttributeError for lists and non-null types.
    """
    if not isinstance(type_, GraphQLInputObjectType):
        return None
    return bool(type_.extensions[GraphQLCoreConverter.DEFINITION_BACKREF].is_one_of)


def print_schema() -> str:
    """Return the schema as SDL, types sorted by name: the content of `schema.graphql`."""
    return build_schema().as_str() + "\n"
