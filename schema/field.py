"""This file is how a field is declared: its resolver, its description, its arguments, its permissions, and no code.

A field without a resolver is the attribute of that name of its row. A resolver is called with the row, the operation's
context and the arguments, and knows nothing of the graph.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

import strawberry
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.extensions import FieldExtension
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.field import StrawberryField

from permissions.directive import permission
from resolvers.listing.listing import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, DefaultPageSize

Resolver = Callable[..., Any]
QUERY_DESCRIPTION = (
    'What to look for: words in any order, the last of which may go on, "a phrase", or tag:, owner:, kind: or doi:'
    " and what to look for there; one typing error is looked past. At most 500 characters and 30 words."
)


class Field(StrawberryField):
    """A field that calls `resolver(row, context, **arguments)`."""

    resolver: Resolver | None = None

    def __copy__(self) -> "Field":
        """Return the field as another type has it."""
        field = super().__copy__()
        field.resolver = self.resolver
        return field

    @property
    def is_basic_field(self) -> bool:
        """Whether the field is an attribute of its row and nothing more."""
        return self.resolver is None and super().is_basic_field

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> Any:
        """Return what the resolver gives."""
        if self.resolver is None:
            return super().get_result(source, info, args, kwargs)
        return self.resolver(source, info.context, **kwargs)


def argument(kind: Any, description: str, default: Any = UNSET) -> StrawberryArgument:
    """Declare an argument; `field` names it."""
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
) -> Any:
    """Declare a field of the type its annotation names; `name` is for what Python cannot call so."""
    extensions: list[FieldExtension] = list(permissions)
    declared = Field(description=description, extensions=extensions, graphql_name=name)
    declared.resolver = resolver
    for python_name, each in (arguments or {}).items():
        each.python_name = python_name
    declared.arguments = list((arguments or {}).values())
    return declared


def mutation(description: str, *permissions: permission, resolver: Resolver, of: type) -> Any:
    """Declare a mutation: its resolver is called with the operation's context and the input as plain values."""

    def resolve(_root: None, context: Any, **arguments: Any) -> Any:
        return resolver(context, to_plain(arguments["input"]))

    return field(description, *permissions, resolver=resolve, arguments={"input": argument(of, "What is asked for.")})


def to_plain(value: Any) -> Any:
    """Return an input as a dictionary by Python's names, without what was left out; enums as what they stand for."""
    if isinstance(value, list):
        return [to_plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    if not hasattr(value, "__strawberry_definition__"):
        return value
    fields = [each.python_name for each in value.__strawberry_definition__.fields]
    given = {name: getattr(value, name) for name in fields}
    return {name: to_plain(each) for name, each in given.items() if each is not UNSET}


def omittable(description: str) -> Any:
    """Declare a field of an input that may be left out, which is not the same as null."""
    return strawberry.field(default=UNSET, description=description)


def optional(description: str, name: str | None = None) -> Any:
    """Declare a field of an input that may be left out, and then is None."""
    declared = strawberry.field(default=None, description=description, name=name)
    declared.default_value = UNSET  # left out is not null: the schema names no default
    return declared


def query_argument() -> StrawberryArgument:
    """Declare what is typed into a search."""
    return argument(str | None, QUERY_DESCRIPTION)


def forward_arguments(**further: StrawberryArgument) -> dict[str, StrawberryArgument]:
    """Declare the arguments of a page from the start of a list, and further ones."""
    first = f"Number of items of the page, counted from the start; at most {MAX_PAGE_SIZE}."
    return {
        "first": argument(int | None, first, DefaultPageSize(DEFAULT_PAGE_SIZE)),
        "after": argument(str | None, "Cursor of the item right before the page."),
        **further,
    }


def paging_arguments(**further: StrawberryArgument) -> dict[str, StrawberryArgument]:
    """Declare the arguments of a page from either end of a list, and further ones."""
    last = f"Number of items of the page, counted from the end; at most {MAX_PAGE_SIZE}."
    return forward_arguments(
        last=argument(int | None, last),
        before=argument(str | None, "Cursor of the item right after the page."),
        **further,
    )
