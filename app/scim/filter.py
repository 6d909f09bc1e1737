"""Filters of lists: the comparisons that identity providers send before they create or change a resource."""

from collections.abc import Iterator
from typing import Any, Final

from scim2_models import InvalidFilterException, ScimFilter
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from store.scim import Filter
from store.tables import PrincipalKind

FIELDS: Final = {
    PrincipalKind.USER: {"id": "id", "username": "name", "externalid": "external_id"},
    PrincipalKind.GROUP: {"id": "id", "displayname": "name", "externalid": "external_id"},
}
"""Fields of `Filter` by the attributes that a filter may compare, in lower case."""


def read_filter(requested: ScimFilter[Any] | None, kind: PrincipalKind) -> Filter:
    """Return the values that resources must have. Raises InvalidFilterException for a filter that is not supported."""
    values: dict[str, str] = {}
    for comparison in _comparisons(requested.ast) if requested is not None else ():
        path, fields = comparison.attr_path, FIELDS[kind]
        field = fields.get(path.attr.lower())
        is_supported = comparison.op is CompareOperator.eq and path.sub_attr is None and field not in {None, *values}
        if not is_supported or not isinstance(comparison.value, str):
            raise _unsupported()
        values[str(field)] = comparison.value
    return Filter(**values)


def _comparisons(node: FilterNode) -> Iterator[Comparison]:
    """Yield the comparisons of a filter, which are joined by `and`."""
    if isinstance(node, Comparison):
        yield node
    elif isinstance(node, LogicalExpr) and node.op is LogicalOperator.and_:
        for term in node.terms:
            yield from _comparisons(term)
    else:
        raise _unsupported()


def _unsupported() -> InvalidFilterException:
    return InvalidFilterException(
        detail="Supported filters compare userName, displayName of groups, externalId or id by eq, joined by and."
    )
