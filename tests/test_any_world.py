"""This file is the lists of small worlds made at random: whatever is written, the graph answers as the oracle does."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from app.tokens import make_token
from store.catalogue.write import write_catalogue
from store.database import Database
from store.migrate import migrate
from tests.conftest import ANONYMOUS, Ask, World, share, write_lines
from tests.lists import ask_lists, every_list, names, walk
from tests.oracle import ACCESS, KINDS
from tests.test_listing import model_of

USERS = ("ann", "bob", "cat")
GROUPS = ("one", "two")
NAMES = ("a", "A", "b", "é", "e\u0301", "Straße", "STRASSE", "🦊", "\ufb01", "Z", "_")
DAYS = (None, "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-02T00:00:00.001Z")
Lines = list[dict[str, Any]]


@st.composite
def worlds(draw: st.DrawFn) -> Lines:
    """Return the lines of a catalogue of at most twelve assets and five collections."""

    def some(values: tuple[Any, ...] | list[Any], most: int) -> list[Any]:
        return draw(st.lists(st.sampled_from(values), max_size=most, unique=True)) if values else []

    def one(*values: Any) -> Any:
        return draw(st.sampled_from(values))

    admins = some(USERS, 1)
    lines: Lines = [{"kind": "user", "id": user, "name": user, "isAdmin": user in admins} for user in USERS]
    lines += [{"kind": "group", "id": group, "name": group, "members": some(USERS, 3)} for group in GROUPS]
    lines += [{"kind": "topic", "slug": slug, "name": slug} for slug in ("top-0", "top-1")]
    assets = [f"asset{index}" for index in range(draw(st.integers(0, 12)))]
    for id_ in assets:
        holders = some([*USERS, *GROUPS, "everyone", "public"], 3)
        line = {"kind": "asset", "id": id_, "type": one(*KINDS), "name": one(*NAMES), "owner": one(*USERS)}
        line |= {"grants": [{"to": to, "role": one(*ACCESS)} for to in holders], "uses": some(assets, 3)}
        line |= {field: day for field in ("createdAt", "updatedAt") if (day := one(*DAYS))}
        line |= dict.fromkeys(some(["archived", "withdrawn"], 1), draw(st.booleans()))
        line |= {"released": draw(st.booleans()) or draw(st.booleans())}
        lines.append(line | {"state": one("READY", "READY", "DRAFT", "FAILED")})
    topics: dict[str, str] = {}
    for index in range(draw(st.integers(0, 5))):
        slug, topic = f"held-{index}", one("top-0", "top-1")
        line = {"kind": "collection", "slug": slug, "name": f"{one(*NAMES)}{index}", "topic": topic}
        parents = [None, *(above for above, theirs in topics.items() if theirs == topic)]
        line |= {"parent": one(*parents), "visibility": one("PUBLIC", "INTERNAL"), "assets": some(assets, 8)}
        topics[slug] = topic
        lines.append(line)
    return lines


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a database with tables and nothing in them, to be copied for each world."""
    path = tmp_path_factory.mktemp("any") / "empty.db"

    async def make() -> None:
        database = Database(f"sqlite+aiosqlite:///{path}")
        await migrate(database)
        await database.close()

    asyncio.run(make())
    return path


@seed(1)
@settings(max_examples=40, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck))
@given(lines=worlds(), who=st.sampled_from([*USERS, ANONYMOUS]), is_shared=st.booleans(), data=st.data())
def test_any_list_of_any_world_is_what_the_oracle_says(
    empty: Path, lines: Lines, who: str, *, is_shared: bool, data: st.DataObject
) -> None:
    note(f"{who}, shared: {is_shared}")
    asyncio.run(_compare(empty, lines, who, is_shared=is_shared, data=data))


async def _compare(empty: Path, lines: Lines, who: str, *, is_shared: bool, data: st.DataObject) -> None:
    path = empty.with_name("world.db")
    shutil.copy(empty, path)
    url = f"sqlite+aiosqlite:///{path}"
    database = Database(url)
    await write_catalogue(database, write_lines(empty.with_name("world.jsonl"), lines), "any", lambda _bytes: None)
    await share(database, publicly=is_shared)
    tokens = {} if who == ANONYMOUS else {who: await make_token(database, who, 60)}
    await database.close()
    ask = Ask(World(url, tokens))
    try:
        model = await model_of(ask, lines)
        model.is_shared = is_shared
        lists = data.draw(st.lists(st.sampled_from(list(every_list(model, who))), min_size=4, max_size=6))
        whole: dict[int, list[str]] = {}
        for index, (each, found) in enumerate(zip(lists, await ask_lists(ask, who, lists), strict=True)):
            assert (found is not None) == each.exists(model, who), each
            if found is not None:
                expected = each.expected(model, who, None)
                assert (names(found, each.item), found["totalCount"]) == (expected, len(expected)), each
                whole[index] = [edge["cursor"] for edge in found["edges"]]
        size = data.draw(st.integers(1, 4))
        pages = await walk(ask, who, [lists[index] for index in whole], [size] * len(whole), backward=False)
        for index, walked in zip(whole, pages, strict=True):
            assert [edge["cursor"] for page in walked for edge in page["edges"]] == whole[index], lists[index]
    finally:
        await ask.close()
