"""Command `atoll audit`: the change log for an archive, in two forms."""

import csv
import io
import json
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from app.audit import FIELDS, AuditFormat, SinceError, parse_since, write_audit_log
from store.date_time import parse_rfc_3339
from tests.cli_process import CommandRunner
from tests.conftest import GraphQLClient, World
from tests.test_membership_write import ADD, ids
from tests.test_topic_write import CREATE, DELETE


@pytest.fixture
def atoll(forker: Popen[str], tmp_path: Path, own_world: World) -> CommandRunner:
    """Return a runner of commands on a copy of the world."""
    return CommandRunner(forker, tmp_path, own_world.url)


async def test_the_log_is_printed_in_both_forms_the_oldest_change_first(
    ask_own: GraphQLClient, atoll: CommandRunner
) -> None:
    id_ = await ids(ask_own)
    await ADD(ask_own, "olu", collectionId=id_["bare"], assetIds=[id_["blast"], id_["align"]])
    topic = (await CREATE(ask_own, "ada", name="Maps"))["topic"]["id"]
    await DELETE(ask_own, "ada", id=topic)
    printed = atoll("audit").out
    lines = [json.loads(line) for line in printed.splitlines()]
    assert all(tuple(line) == FIELDS for line in lines)
    assert [(line["action"], line["subjectName"], line["actorId"], line["assets"]) for line in lines[-3:]] == [
        ("ASSETS_ADDED", "bare", "olu", ["align", "blast"]),
        ("CREATED", "Maps", "ada", []),
        ("DELETED", "Maps", "ada", []),
    ]
    assert (lines[-1]["subjectType"], lines[-1]["subjectId"]) == ("TOPIC", topic)
    assert lines[0]["origin"].startswith("import of ")
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    rows = list(csv.DictReader(io.StringIO(atoll("audit", "--format", "csv", "--since", "1d").out)))
    assert rows == [{name: _as_text(value) for name, value in line.items()} for line in lines]
    assert atoll("audit", "--since", "2999-01-01").out == ""


def _as_text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) if isinstance(value, list) else value or ""


async def test_the_log_is_read_in_pages(ask: GraphQLClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def printed() -> list[str]:
        lines: list[str] = []
        await write_audit_log(ask.database, 0, AuditFormat.JSONL, lines.append)
        return lines

    whole = await printed()
    monkeypatch.setattr("store.audit_rows.PAGE_ROWS", 3)
    assert await printed() == whole
    assert len(whole) > 2 * 3


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", "1h", ""])
def test_an_invalid_start_is_refused(since: str) -> None:
    with pytest.raises(SinceError, match=r"Invalid --since .*Use for example 30d, 2026-11-01 or 2026-11-01T08:00:00Z"):
        parse_since(since)


def test_a_start_is_an_age_a_date_or_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.audit.now_ms", lambda: 10 * 24 * 3_600_000)
    assert parse_since("3d") == 7 * 24 * 3_600_000
    assert parse_since("2026-11-01") == parse_since("2026-11-01T00:00:00Z") == parse_rfc_3339("2026-11-01T00:00:00Z")
