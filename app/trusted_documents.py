"""Trusted documents: GraphQL documents that clients request by their ids, from manifests of their builds.

The ids are those of the GraphQL over HTTP specification, appendix "Persisted Documents". A manifest is a JSON object of
documents by id, as relay-compiler and the client preset of GraphQL Code Generator write it, or one of Apollo's.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import orjson
from graphql import GraphQLError, OperationDefinitionNode
from strawberry.schema import BaseSchema

from app.documents import DocumentRules, parse_trusted
from app.request_limits import RequestLimits
from resolvers.limits import LIMITS

APOLLO_FORMAT: Final = "apollo-persisted-query-manifest"
MAX_PROBLEMS: Final = 20

_SHA256_PREFIX: Final = "sha256:"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_WAY_OUT: Final = (
    "ATOLL_DOCUMENTS cannot be served. Correct its files, or generate the manifests again, from the schema of this"
    " version (atoll schema)."
)


class InvalidDocumentsError(Exception):
    """Manifests that cannot be read, or with documents that cannot be served: a line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Take the problems, each with the file and, if it is about a document, the id."""
        super().__init__("\n".join([*problems[:MAX_PROBLEMS], _WAY_OUT]))
        self.problems = problems[:MAX_PROBLEMS]


@dataclass(frozen=True)
class TrustedDocuments:
    """The documents of a deployment by their ids, and whether it answers no others."""

    texts: Mapping[str, str] = field(default_factory=dict)
    is_only: bool = False

    def find(self, document_id: str) -> tuple[str, str] | None:
        """Return the text and the id of a document, in the form of the log; None for an unknown id."""
        bare = _bare(document_id)
        return (self.texts[bare], bare) if bare in self.texts else None


def read_documents(paths: Sequence[str], schema: BaseSchema, rules: DocumentRules) -> dict[str, str]:
    """Return the texts of the manifests' documents by id, validated. Raises InvalidDocumentsError."""
    texts: dict[str, str] = {}
    problems: list[str] = []
    for path in paths:
        try:
            manifest = _read_manifest(Path(path))
        except ValueError as error:
            problems.append(f"{path}: {error}")
            continue
        for document_id, text in manifest:
            place, bare = f"{path}: document {document_id}", _bare(document_id)
            if texts.setdefault(bare, text) != text:
                problems.append(f"{place}: another document has the same id.")
            problems += [f"{place}{problem}" for problem in _find_problems(bare, text, schema, rules)]
    if problems:
        raise InvalidDocumentsError(problems)
    return texts


def _bare(document_id: str) -> str:
    """Return the id without the prefix of SHA-256, which clients may send or leave out."""
    bare = document_id.removeprefix(_SHA256_PREFIX)
    return bare if _SHA256.fullmatch(bare) else document_id


def _read_manifest(path: Path) -> list[tuple[str, str]]:
    """Return ids and texts. Raises ValueError for a file that cannot be read or is no manifest."""
    try:
        manifest = orjson.loads(path.read_bytes())
    except OSError as error:
        message = f"cannot be read: {(error.strerror or str(error)).lower()}."
        raise ValueError(message) from None
    except orjson.JSONDecodeError as error:
        message = f"line {error.lineno}, column {error.colno}: not JSON."
        raise ValueError(message) from None
    documents = _apollo_documents(manifest) if _is_apollo(manifest) else manifest
    if not isinstance(documents, dict) or not all(isinstance(text, str) for text in documents.values()):
        message = f'not a manifest. Use an object of documents by id, or one of the format "{APOLLO_FORMAT}".'
        raise ValueError(message)
    return list(documents.items())


def _is_apollo(manifest: Any) -> bool:
    return isinstance(manifest, dict) and manifest.get("format") == APOLLO_FORMAT


def _apollo_documents(manifest: dict[str, Any]) -> Any:
    """Return the documents by id; None if an entry is malformed. Version 1 is the only one that there is."""
    try:
        return {each["id"]: each["body"] for each in manifest["operations"]} if manifest["version"] == 1 else None
    except (KeyError, TypeError):
        return None


def _find_problems(bare: str, text: str, schema: BaseSchema, rules: DocumentRules) -> Iterator[str]:
    """Yield the reasons why a document cannot be served, each after its position if it has one."""
    actual = sha256(text.encode()).hexdigest()
    if bare.startswith(_SHA256_PREFIX) or (_SHA256.fullmatch(bare) and bare != actual):
        yield f": the SHA-256 of the document is {actual}."
    elif len(text) > LIMITS.query_characters:
        yield f": {len(text):,} characters; at most {LIMITS.query_characters:,} are allowed."
    else:
        yield from map(_format_error, _find_errors(text, schema, rules))


def _find_errors(text: str, schema: BaseSchema, rules: DocumentRules) -> Iterator[GraphQLError]:
    """Yield the errors that all requests with the document would get.

    The cost of an operation with variables depends on them: it is measured with each request.
    """
    document, errors = parse_trusted(schema, text, rules)
    yield from errors
    if document is None or errors:
        return
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode) and not operation.variable_definitions:
            yield from RequestLimits(schema, document, operation).check(None, is_visitor=False).errors


def _format_error(error: GraphQLError) -> str:
    place = "".join(f", line {each.line}, column {each.column}" for each in (error.locations or [])[:1])
    return f"{place}: {error.message}"
