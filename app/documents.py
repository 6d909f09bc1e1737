"""This file is how a document becomes an operation: parsed and validated once, then given its context and executed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Self

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    StringValueNode,
    parse,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from graphql.validation.validate import ValidationAbortedError
from strawberry.extensions import SchemaExtension
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.execution import ExecutionContext

TOO_COMPLEX: Final = "The document repeats fields or spreads fragments too often to be validated."
CACHE_SIZE: Final = 128
"""Documents remembered with their errors, least recently used first out."""

_MAX_CACHED_LENGTH: Final = 4_096
"""Characters. Parsed, each takes up to 300 bytes, and strangers choose the texts: 150 MB in all at worst."""

# GraphQL allows 500,000, which takes a second. What clients write, fragments and all, comes to some hundreds.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 20_000

LimitCheck = Callable[[DocumentNode], Iterator[GraphQLError]]
"""From a document to an error for each limit that it exceeds."""


class LazyContext:
    """A context that is not there yet: what an operation is executed with until it is known to be worth opening."""

    def __init__(self, opening: Callable[[], Awaitable[object]]) -> None:
        """Take the function that opens the context."""
        self.open = opening


class LazyContextExtension(SchemaExtension):
    """Opens the operation's context when its document has been found good, and not before."""

    async def on_execute(self) -> AsyncIterator[None]:
        """Put the context in the place of a pending one; leave any other as it is."""
        pending = self.execution_context.context
        if isinstance(pending, LazyContext):
            self.execution_context.context = await pending.open()
        yield


class DocumentCache(SchemaExtension):
    """Parses and validates documents, and remembers the short ones.

    A document that exceeds the limits is not looked at further: the rules of GraphQL itself cost more than linear time.
    """

    def __init__(self, excesses: LimitCheck, most_tokens: int, most_errors: int) -> None:
        """Take what finds the limits that are exceeded, and how many tokens are parsed and errors reported at most."""
        self._excesses = excesses
        self._most_tokens = most_tokens
        self._most_errors = most_errors
        self._known: _ParsedDocument | None = None

    def on_parse(self) -> Iterator[None]:
        """Parse the document; raise GraphQLError when it does not tell which one operation is meant."""
        execution, text = self.execution_context, self.execution_context.query
        if text and execution.graphql_document is None:
            know = _parse_cached if len(text) <= _MAX_CACHED_LENGTH else _ParsedDocument.parse
            self._known = know(text, self._most_tokens)
            execution.graphql_document = self._known.document
        if execution.graphql_document:
            # The public name falls back on that of the first operation, which a request that names none did not mean.
            _require_operation(execution.graphql_document, execution._provided_operation_name)  # noqa: SLF001 - the public name would be wrong, as just said
        yield

    def on_validate(self) -> Iterator[None]:
        """Set the errors that the document has, at most as many as are reported."""
        execution = self.execution_context
        if execution.graphql_document:
            known = self._known or _ParsedDocument(execution.graphql_document)
            execution.pre_execution_errors = known.errors(self._validation(execution))
        yield

    def _validation(self, execution: ExecutionContext) -> "_Validation":
        return _Validation(
            schema=execution.schema._schema,  # noqa: SLF001 - as Strawberry's own extensions do
            excesses=self._excesses,
            rules=(*execution.validation_rules, MaybeNullValidationRule, OneOfInputValidationRule, NullCharacterRule),
            most_errors=self._most_errors,
            hides_suggestions=execution.schema.config.disable_field_suggestions,
        )


class NullCharacterRule(ASTValidationRule):
    """Refuses the one character that strings may hold and databases do not take."""

    def enter_string_value(self, text: StringValueNode, *_: Any) -> None:
        """Report a string with the character U+0000."""
        if "\0" in text.value:
            message = "A string must not hold the character U+0000."
            self.report_error(GraphQLError(message, text, extensions={"code": "BAD_USER_INPUT"}))


@dataclass(frozen=True)
class _Validation:
    """All that the errors of a document depend on, the document aside."""

    schema: GraphQLSchema
    excesses: LimitCheck
    rules: tuple[type[ASTValidationRule], ...]
    most_errors: int
    hides_suggestions: bool

    def errors(self, document: DocumentNode) -> list[GraphQLError]:
        exceeded = list(islice(self.excesses(document), self.most_errors))
        if exceeded:
            return exceeded
        found = validate(self.schema, document, self.rules, self.most_errors, self.hides_suggestions)
        return [_explained(error) for error in found[: self.most_errors]]


def _explained(error: GraphQLError) -> GraphQLError:
    return GraphQLError(TOO_COMPLEX) if isinstance(error, ValidationAbortedError) else error


@dataclass
class _ParsedDocument:
    """A document, and its errors as they were last asked for."""

    document: DocumentNode
    _last: tuple[_Validation, list[GraphQLError]] | None = None

    @classmethod
    def parse(cls, text: str, most_tokens: int) -> Self:
        return cls(parse(text, max_tokens=most_tokens))

    def errors(self, validation: _Validation) -> list[GraphQLError]:
        if self._last is None or self._last[0] != validation:
            self._last = (validation, validation.errors(self.document))
        return list(self._last[1])


_parse_cached = lru_cache(CACHE_SIZE)(_ParsedDocument.parse)


def _require_operation(document: DocumentNode, name: str | None) -> None:
    """Raise GraphQLError unless the document holds the named operation, or without a name no more than one."""
    names = [
        definition.name.value if definition.name else None
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    ]
    if not names:
        problem = "The document holds no operation."
    elif name is not None and name not in names:
        problem = f"The document holds no operation named '{name}'."
    elif name is None and len(names) > 1:
        problem = f"The document holds {len(names)} operations; operationName must tell which one to execute."
    else:
        return
    raise GraphQLError(problem, extensions={"code": "OPERATION_RESOLUTION_FAILURE"})
