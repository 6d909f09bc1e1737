"""Declarations that the engine understands: fields with a resolver, and tests of an object's type."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from strawberry.types.field import StrawberryField

Resolver = Callable[..., Any]


class ResolverField(StrawberryField):
    """A field that calls `resolver(source, context, **arguments)`, or reads the attribute of its name without one.

    The resolver returns a value or an awaitable. Under the engine, it may await only loads of an `engine.LoadQueue`,
    and the field's extensions get an `info` that has nothing but `context`.
    """

    resolver: Resolver | None = None

    def __copy__(self) -> "ResolverField":
        """Return a copy that keeps the resolver."""
        copy = super().__copy__()
        copy.resolver = self.resolver
        return copy

    @property
    def is_basic_field(self) -> bool:
        """Whether the field only reads an attribute of its source."""
        return self.resolver is None and super().is_basic_field

    def get_result(self, source: Any, info: Any, args: list[Any], kwargs: Any) -> Any:
        """Return the resolver's result."""
        if self.resolver is None:
            return super().get_result(source, info, args, kwargs)
        return self.resolver(source, info.context, **kwargs)


@dataclass(frozen=True)
class TypeTest:
    """An `is_type_of` whose result depends on a key of the object only, so that the engine tests each key once.

    The possible types of an interface or a union must share the function that returns the key.
    """

    key: Callable[[Any], Hashable]
    matches: Callable[[Any], bool]

    def __call__(self, source: object, _info: object) -> bool:
        """Return whether the object is of the type."""
        return self.matches(self.key(source))
