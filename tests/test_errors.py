"""Tests of docs/errors.md: it lists every error code of the API."""

import re
from itertools import chain
from pathlib import Path

from app.errors import RequestErrorCode
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
