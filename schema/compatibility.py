"""Compatibility of schemas: changes that break clients which were written for another version."""

from graphql import build_schema
from graphql.utilities import find_breaking_changes


def breaking_changes(old: str, new: str) -> list[str]:
    """Return a description of each change from the old schema to the new one, both as SDL, that can break a client.

    Raises GraphQLError if one of them is no schema.
    """
    return sorted(change.description for change in find_breaking_changes(build_schema(old), build_schema(new)))
