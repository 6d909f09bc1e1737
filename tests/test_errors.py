"""Tests of docs/errors.md: it lists every error code and the limits."""

import re
from itertools import chain
from pathlib import Path

from app.errors import RequestErrorCode
from app.request import BODY_SECONDS
from permissions import ErrorCode
from resolvers.limits import LIMITS, VISITOR_LIMITS
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


def test_every_code_of_user_errors_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (DOC.parents[1] / "resolvers").rglob("*.py"))
    assert [code for code in UserErrorCode if f"UserErrorCode.{code}" not in sources] == []


def test_the_limits_of_documents_are_listed() -> None:
    text = DOC.read_text(encoding="utf-8")
    assert f"more than {LIMITS.tokens:,} tokens" in text
    assert (
        f"{LIMITS.depth} levels, {LIMITS.selected_fields:,} fields, {LIMITS.root_fields} fields at the root (of a"
        f" mutation {LIMITS.root_mutations}), {LIMITS.aliases} aliases of {LIMITS.alias_characters} characters,"
        f" {LIMITS.directives} directives"
    ) in text
    largest, without_token = LIMITS.body_bytes // 2**20, VISITOR_LIMITS.body_bytes // 2**10
    assert f"more than {largest} MiB, without a token {without_token} KiB" in text
    assert f"`query` has more than {LIMITS.query_characters:,} characters" in text
    assert f"{LIMITS.objects:,} objects, {LIMITS.fields:,} fields or {LIMITS.reads:,} units of reads" in text
    assert f"more than {LIMITS.list_items} values" in text
    size, of_visitors = (each.response_bytes // 2**20 for each in (LIMITS, VISITOR_LIMITS))
    assert f"more than {size} MiB (for visitors {of_visitors} MiB)" in text
    assert f"a mutation have more than {of_visitors} MiB" in text
    assert f"within {BODY_SECONDS} seconds" in text
