"""Tests of docs/errors.md: it lists every error code and the limits."""

import re
from itertools import chain
from pathlib import Path

from app.errors import RequestErrorCode
from app.limits import LIMITS
from app.request import BODY_BYTES, BODY_SECONDS, QUERY_CHARACTERS, VISITOR_BODY_BYTES
from permissions import ErrorCode
from resolvers.write.user_error import UserErrorCode

DOC = Path(__file__).parents[1] / "docs" / "errors.md"


def listed_codes(heading: str) -> list[str]:
    """Return the codes in the first column of the table below the heading, in their order."""
    section = DOC.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_code_of_extensions_is_listed() -> None:
    assert listed_codes("Codes of `extensions.code`") == sorted({*chain(RequestErrorCode, ErrorCode)})


def test_every_code_of_user_errors_is_listed() -> None:
    assert listed_codes("Codes of `UserError.code`") == sorted(UserErrorCode)


def test_the_limits_of_documents_are_listed() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert f"more than {LIMITS.tokens:,} tokens" in text
    assert (
        f"{LIMITS.depth} levels, {LIMITS.fields:,} fields, {LIMITS.root_fields} fields at the root (of a mutation"
        f" {LIMITS.root_mutations}),"
        f" {LIMITS.aliases} aliases, {LIMITS.directives} directives"
    ) in text
    assert f"more than {BODY_BYTES // 2**20} MiB, without a token {VISITOR_BODY_BYTES // 2**10} KiB" in text
    assert f"`query` has more than {QUERY_CHARACTERS:,} characters" in text
    assert f"within {BODY_SECONDS} seconds" in text
