"""The GraphQL schema: built from the types, and printed as `schema.graphql`."""

from collections.abc import Iterable
from typing import Any

import strawberry
from strawberry.schema.config import StrawberryConfig

from schema.query import Query
from schema.scalars import SCALARS
from schema.write.mutation import Mutation
from schema.write.user_error import ConflictError, InputError, LimitError


def build_schema(extensions: Iterable[Any] = (), executor: type[Any] | None = None) -> strawberry.Schema:
    """Build the schema with the server's extensions and its executor, a subclass of Strawberry's."""
    return strawberry.Schema(
        query=Query,
        mutation=Mutation,
        types=[InputError, LimitError, ConflictError],
        extensions=list(extensions),
        execution_context_class=executor,
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def print_schema() -> str:
    """Return the schema as SDL, types sorted by name: the content of `schema.graphql`."""
    return build_schema().as_str() + "\n"
