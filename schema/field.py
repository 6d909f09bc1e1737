"""Declaration of fields: description, permissions, arguments and resolver.

A field without a resolver returns the row's attribute of the same name. A resolver is called with the row, the
operation's context and the arguments, so that it does not depend on the schema.
"""

from enum import Enum
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument

from engine.field import Resolver, ResolverField
from permissions.directive import PermissionScope, permission
from permissions.permission import Permission
from resolvers.listing.listing import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, DefaultPageSize
from resolvers.write.transaction import MutationFunction, run_mutation

QUERY_DESCRIPTION = (
    'Search query: words in any order, the last of which matches as a prefix, "a phrase", or tag:, owner:, kind: or'
    " doi: followed by a value. OR joins alternatives, - or NOT excludes. Matching is fuzzy: one typing error is"
    " tolerated. At most 500 characters; words after the first 30 are left aside."
)


class MutationField(ResolverField):
    """A field that runs its resolver as a mutation, which requires the site-wide permission that the field prints."""

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> Any:
        """Return the mutation's payload."""
        del source, args
        assert self.resolver is not None  # noqa: S101 - `mutation` sets it
        required, values = site_wide_permission(self), to_plain(kwargs["input"])
        return run_mutation(info.context, required, info.field_name, values, self.resolver)


def argument(kind: Any, description: str, default: Any = UNSET) -> StrawberryArgument:
    """Declare an argument. Its name is its key in the `arguments` of `field`."""
    return StrawberryArgument(
        python_name="",
        graphql_name=None,
        type_annotation=StrawberryAnnotation(kind),
        description=description,
        default=default,
    )


def field(
    description: str,
    *permissions: permission,
    resolver: Resolver | None = None,
    arguments: dict[str, StrawberryArgument] | None = None,
    name: str | None = None,
    kind: type[ResolverField] = ResolverField,
) -> Any:
    """Declare a field, whose type is its annotation; `name` is its GraphQL name if that is a Python keyword."""
    extensions: list[FieldExtension] = list(permissions)
    declared = kind(description=description, extensions=extensions, graphql_name=name)
    declared.resolver = resolver
    for python_name, each in (arguments or {}).items():
        each.python_name = python_name
    declared.arguments = list((arguments or {}).values())
    return declared


def mutation(description: str, *permissions: permission, resolver: MutationFunction, of: type) -> Any:
    """Declare a mutation, which runs in a transaction and requires the site-wide permission that it prints."""
    name = of.__name__.removesuffix("Input")
    arguments = {"input": argument(of, f"Input for `{name[0].lower()}{name[1:]}`.")}
    declared = field(description, *permissions, resolver=resolver, arguments=arguments, kind=MutationField)
    site_wide_permission(declared)
    return declared


def site_wide_permission(declared: ResolverField) -> Permission:
    """Return the one permission on the viewer that the field prints and enforces."""
    (required,) = (
        rule.requires
        for rule in declared.extensions
        if isinstance(rule, permission) and rule.on is PermissionScope.VIEWER
    )
    return required


def to_plain(value: Any) -> Any:
    """Convert an input to a dictionary with Python names, without omitted fields, and with enums as their values."""
    if isinstance(value, list):
        return [to_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if not hasattr(value, "__strawberry_definition__"):
        return value
    names = [each.python_name for each in value.__strawberry_definition__.fields]
    values = {name: getattr(value, name) for name in names}
    return {name: to_plain(each) for name, each in values.items() if each is not UNSET}


def omittable(description: str) -> Any:
    """Declare an input field that can be omitted; omission and null have different effects."""
    return strawberry.field(default=UNSET, description=description)


def optional(description: str, name: str | None = None) -> Any:
    """Declare an input field that can be omitted; omission and null have the same effect."""
    declared = strawberry.field(default=None, description=description, name=name)
    declared.default_value = UNSET  # so that the schema prints no default
    return declared


def query_argument() -> StrawberryArgument:
    """Declare the search query of a list."""
    return argument(str | None, QUERY_DESCRIPTION)


def forward_arguments(**further: StrawberryArgument) -> dict[str, StrawberryArgument]:
    """Declare the arguments of forward pagination, and further ones."""
    first = f"Page size, counted from the start of the list; at most {MAX_PAGE_SIZE}."
    return {
        "first": argument(int | None, first, DefaultPageSize(DEFAULT_PAGE_SIZE)),
        "after": argument(str | None, "Cursor of the item right before the page."),
        **further,
    }


def paging_arguments(**further: StrawberryArgument) -> dict[str, StrawberryArgument]:
    """Declare the arguments of forward and backward pagination, and further ones."""
    last = f"Page size, counted from the end of the list; at most {MAX_PAGE_SIZE}."
    return forward_arguments(
        last=argument(int | None, last),
        before=argument(str | None, "Cursor of the item right after the page."),
        **further,
    )
