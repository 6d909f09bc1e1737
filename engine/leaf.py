"""Serialisation of leaf values, column by column."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
)
from graphql.pyutils import Undefined, is_awaitable
from graphql.type import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

from engine.error import UnsupportedError

CACHED_TYPES, CACHED_VALUES = 256, 4_096
Occurrences = Sequence[int] | None
"""How often each value of a column occurs in the response; None: once each."""

Serialize = Callable[[Sequence[Any]], list[Any]]
"""Function from the values of a column, none of them None, to their serialised values."""


@lru_cache(CACHED_TYPES)  # so that all fields of a type share the cache of its values
def serializer(leaf: GraphQLLeafType) -> Serialize:
    """Return the function that serialises values of the type.

    It gives what `coerce_output_value` of the type gives, but returns values of the usual class as they are. Raises
    UnsupportedError where that raises an error.
    """
    coerce = _coercion(leaf)
    if leaf is GraphQLString or leaf is GraphQLID:
        return lambda values: [value if value.__class__ is str else coerce(value) for value in values]
    if leaf is GraphQLBoolean:
        return lambda values: [value if value.__class__ is bool else coerce(value) for value in values]
    if leaf is GraphQLInt:
        return lambda values: [
            value if value.__class__ is int and GRAPHQL_MIN_INT <= value <= GRAPHQL_MAX_INT else coerce(value)
            for value in values
        ]
    # Columns of enums and dates repeat their values.
    cached = lru_cache(CACHED_VALUES, typed=True)(coerce)
    if not isinstance(leaf, GraphQLEnumType):
        # Equal values of other classes may be written differently, as 0.0 and -0.0.
        return lambda values: [
            cached(value) if value.__class__ is int or value.__class__ is str else coerce(value) for value in values
        ]

    def serialize(values: Sequence[Any]) -> list[Any]:
        try:
            return list(map(cached, values))
        except TypeError:  # a value that cannot be hashed
            return list(map(coerce, values))

    return serialize


def is_text(leaf: GraphQLLeafType) -> bool:
    """Return whether values of the type may be long texts."""
    return not (isinstance(leaf, GraphQLEnumType) or leaf in (GraphQLBoolean, GraphQLFloat, GraphQLInt))


def count_characters(values: Sequence[Any], occurrences: Occurrences) -> int:
    """Return the number of characters that the texts of a serialised column have in the response."""
    if occurrences is None:
        return sum([len(value) for value in values if value.__class__ is str])
    return sum([len(value) * times for value, times in zip(values, occurrences, strict=True) if value.__class__ is str])


def require_value(value: object) -> None:
    """Raise UnsupportedError for an exception, which graphql-core raises, and an awaitable, which it awaits."""
    if isinstance(value, Exception) or is_awaitable(value):
        raise UnsupportedError("A resolver returned an exception, or an awaitable in a list.")


def _coercion(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    def coerce(value: Any) -> Any:
        require_value(value)
        try:
            coerced = leaf.coerce_output_value(value)
        except Exception as error:
            raise UnsupportedError(f"A value of the type {leaf.name} cannot be serialised.") from error
        if coerced is None or coerced is Undefined:
            raise UnsupportedError(f"A value of the type {leaf.name} is serialised as null.")
        return coerced

    return coerce
