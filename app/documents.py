"""Cached parsing and validation of GraphQL documents. An operation's context is opened only afterwards."""

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
    OperationType,
    StringValueNode,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.rules import overlapping_fields_can_be_merged
from graphql.validation.validate import ValidationAbortedError
from strawberry.extensions import SchemaExtension
from strawberry.schema import BaseSchema
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.types.execution import ExecutionContext
from strawberry.types.graphql import OperationType as StrawberryOperationType

from app.one_of_rule import OneOfVariablesRule
from app.operation import current_operation
from schema.graph import graphql_schema

TOO_COMPLEX: Final = "The document repeats fields or spreads fragments too often. Simplify it."
CACHE_SIZE: Final = 128
"""Number of parsed documents kept with their errors; the least recently used is dropped first."""

MAX_CACHED_LENGTH: Final = 4_096
"""In characters. Each takes up to 300 bytes once parsed, so hostile documents fill the cache with at most 150 MB."""

# graphql-core's own budget is 500,000, and validation takes a second to use it up. Real documents need some hundreds.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = 20_000

LimitCheck = Callable[[DocumentNode], Iterator[GraphQLError]]
"""Yields an error for each limit that a document exceeds."""


@dataclass(frozen=True)
class DocumentRules:
    """Check of a document's limits, and the maximum numbers of parsed tokens and of reported errors."""

    check_limits: LimitCheck
    max_tokens: int
    max_errors: int


class LazyContext:
    """Placeholder context; the real one is opened after validation succeeds."""

    def __init__(self, opening: Callable[[StrawberryOperationType], Awaitable[object]], *, is_visitor: bool) -> None:
        """Take the function that opens the real context, and whether the request has no token."""
        self.open, self.is_visitor = opening, is_visitor


class LazyContextExtension(SchemaExtension):
    """Opens the operation's context after its document was validated."""

    async def on_execute(self) -> AsyncIterator[None]:
        """Replace a LazyContext by the real context; keep any other."""
        execution = self.execution_context
        if isinstance(execution.context, LazyContext):
            execution.context = await execution.context.open(execution.operation_type)
        yield


class DocumentCache(SchemaExtension):
    """Parses and validates documents, with a cache of the short ones.

    The limits are checked before GraphQL's own rules, because those take more than linear time.
    """

    def __init__(self, rules: DocumentRules) -> None:
        """Take the server's rules."""
        self._rules = rules
        self._document: _ParsedDocument | None = None

    def on_parse(self) -> Iterator[None]:
        """Parse the document; raise GraphQLError unless the request selects one of its operations."""
        execution, text = self.execution_context, self.execution_context.query
        if text and execution.graphql_document is None:
            self._document = _parse(text, self._rules)
            execution.graphql_document = self._document.document
        if execution.graphql_document:
            name = execution._provided_operation_name  # noqa: SLF001 - the public name falls back to the first operation's
            _require_operation(execution.graphql_document, name)
            record, operation = current_operation.get(), get_operation_ast(execution.graphql_document, name)
            if record is not None and operation is not None:
                record.set_operation(operation)
        yield

    def on_validate(self) -> Iterator[None]:
        """Set the document's validation errors, at most `max_errors`."""
        execution = self.execution_context
        if execution.graphql_document:
            document = self._document or _ParsedDocument(execution.graphql_document)
            execution.pre_execution_errors = document.errors(self._validation(execution))
        yield

    def _validation(self, execution: ExecutionContext) -> "_Validation":
        return _validation(execution.schema, self._rules, execution.validation_rules)


class NullCharacterRule(ASTValidationRule):
    """Rejects U+0000, a character that GraphQL strings may contain but databases cannot store."""

    def enter_string_value(self, text: StringValueNode, *_: Any) -> None:
        """Report a string with the character U+0000."""
        if "\0" in text.value:
            message = "A string must not contain the character U+0000."
            self.report_error(GraphQLError(message, text, extensions={"code": "BAD_USER_INPUT"}))


@dataclass(frozen=True)
class _Validation:
    """Inputs of validation other than the document. Equal inputs give the same document equal errors."""

    schema: GraphQLSchema
    check_limits: LimitCheck
    rules: tuple[type[ASTValidationRule], ...]
    max_errors: int
    hides_suggestions: bool

    def errors(self, document: DocumentNode) -> list[GraphQLError]:
        limit_errors = list(islice(self.check_limits(document), self.max_errors))
        if limit_errors:
            return limit_errors
        errors = validate(self.schema, document, self.rules, self.max_errors, self.hides_suggestions)
        return [_rewrite_abort(error) for error in errors[: self.max_errors]]


def _rewrite_abort(error: GraphQLError) -> GraphQLError:
    return GraphQLError(TOO_COMPLEX) if isinstance(error, ValidationAbortedError) else error


@dataclass
class _ParsedDocument:
    """A parsed document with the errors of its last validation."""

    document: DocumentNode
    _last: tuple[_Validation, list[GraphQLError]] | None = None

    @classmethod
    def parse(cls, text: str, max_tokens: int) -> Self:
        if (record := current_operation.get()) is not None:
            record.parsed_characters = len(text)
        return cls(parse(text, max_tokens=max_tokens))

    def errors(self, validation: _Validation) -> list[GraphQLError]:
        if self._last is None or self._last[0] != validation:
            self._last = (validation, validation.errors(self.document))
        return list(self._last[1])


_parse_cached = lru_cache(CACHE_SIZE)(_ParsedDocument.parse)
# If the engine cannot execute a long document, graphql-core parses and validates the same one right after.
_parse_long = lru_cache(1)(_ParsedDocument.parse)


def parse_query(schema: BaseSchema, text: str, operation_name: str | None, rules: DocumentRules) -> DocumentNode | None:
    """Return the document if it is valid and its operation of that name, or its only one, is a query; else None."""
    try:
        parsed = _parse(text, rules)
    except GraphQLError:
        return None
    operation = get_operation_ast(parsed.document, operation_name)
    if operation is None or operation.operation is not OperationType.QUERY:
        return None
    return None if parsed.errors(_validation(schema, rules, tuple(specified_rules))) else parsed.document


class DocumentError(Exception):
    """A document that is not executed, with its errors."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        """Take the errors."""
        super().__init__()
        self.errors = errors


def parse_operation(
    schema: BaseSchema, text: str, operation_name: str | None, rules: DocumentRules
) -> tuple[DocumentNode, OperationDefinitionNode]:
    """Return a valid document, and its operation of that name, or its only one. Raises DocumentError for others."""
    try:
        parsed = _parse(text, rules)
        _require_operation(parsed.document, operation_name)
    except GraphQLError as error:
        raise DocumentError([error]) from None
    if errors := parsed.errors(_validation(schema, rules, tuple(specified_rules))):
        raise DocumentError(errors)
    operation = get_operation_ast(parsed.document, operation_name)
    assert operation is not None  # noqa: S101 - it was required above
    return parsed.document, operation


def parse_trusted(
    schema: BaseSchema, text: str, rules: DocumentRules
) -> tuple[DocumentNode | None, list[GraphQLError]]:
    """Return a document, and its errors, without a look into the cache, which it would fill at the start."""
    try:
        parsed = _ParsedDocument.parse(text, rules.max_tokens)
    except GraphQLError as error:
        return None, [error]
    return parsed.document, parsed.errors(_validation(schema, rules, tuple(specified_rules)))


def _parse(text: str, rules: DocumentRules) -> _ParsedDocument:
    return (_parse_cached if len(text) <= MAX_CACHED_LENGTH else _parse_long)(text, rules.max_tokens)


def _validation(
    schema: BaseSchema, rules: DocumentRules, graphql_rules: tuple[type[ASTValidationRule], ...]
) -> _Validation:
    return _Validation(
        schema=graphql_schema(schema),
        check_limits=rules.check_limits,
        rules=(*graphql_rules, MaybeNullValidationRule, OneOfVariablesRule, NullCharacterRule),
        max_errors=rules.max_errors,
        hides_suggestions=schema.config.disable_field_suggestions,
    )


def _require_operation(document: DocumentNode, name: str | None) -> None:
    """Raise GraphQLError unless the document has the named operation, or exactly one if there is no name."""
    names = [
        definition.name.value if definition.name else None
        for definition in document.definitions
        if isinstance(definition, OperationDefinitionNode)
    ]
    if not names:
        problem = "The document has no operation."
    elif name is not None and name not in names:
        problem = f"The document has no operation named '{name}'."
    elif name is None and len(names) > 1:
        problem = f"The document has {len(names)} operations. Select one with operationName."
    else:
        return
    raise GraphQLError(problem, extensions={"code": "OPERATION_RESOLUTION_FAILURE"})
