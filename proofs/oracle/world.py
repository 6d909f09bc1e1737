"""This file is worlds made at random: the lines of a catalogue, and what changes when they are in a database."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from sqlalchemy import Table, and_, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store import sql
from store.database import Database
from tests.oracle import ACCESS, KINDS, Line, name_key
from tests.random_actions import PEOPLE

GROUPS = ("lab", "core")
TOPICS = ("top-0", "top-1", "top-2")
TAGS = ("a", "A", "all", "é", "%", "_")
NAMES = ("a", "A", "b", "é", "e\u0301", "Straße", "STRASSE", "🦊", "\ufb01", "Z", "_", "a b", "\uffee")
DAYS = (None, "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-02T00:00:00.001Z", "2025-01-01T00:00:00Z")
STATUSES: tuple[dict[str, Any], ...] = (
    *[{}] * 7,
    {"released": False},
    {"state": "DRAFT"},
    {"state": "FAILED"},
    {"archived": True},
    {"withdrawn": True},
    {"archived": True, "withdrawn": True, "released": False},
)
ASSETS = (0, 1, 2, 4, 5, 6, 7, 8, 8, 9, 10, 12, 14, 17, 20, 25, 30)
COLLECTIONS = (0, 1, 3, 4, 5, 6, 6, 7, 7, 8, 8)
DEEPEST = 5
HIGH = 1 << 40  # above all ranks of an import
MOSTLY = 0.8
SHARED = 0.6  # of the deployments share
MOMENTS = (0, 1, 1_000, 1_000, 1_700_000_000_000, 1_700_000_000_001)
NOTES = (None, "", "why", "🦊")


def drawn(chance: Random) -> list[Line]:
    """Return the lines of a catalogue: up to 30 assets and 8 collections, of three topics, five people and two groups.

    Mostly `ada` is the only administrator; in some worlds there is none, or another.
    """
    people = ["ada", *chance.sample(PEOPLE[1:], chance.choice((3, 4)))]
    admin = chance.choice((*["ada"] * 6, people[1], None))
    users = [
        {"kind": "user", "id": who, "name": who, "email": f"{who}@example.org", "isAdmin": who == admin}
        for who in people
    ]
    groups = [
        {"kind": "group", "id": group, "name": group, "members": _some(chance, people[1:], 2)} for group in GROUPS
    ]
    topics = [{"kind": "topic", "slug": slug, "name": f"{slug} {chance.choice(NAMES)}"} for slug in TOPICS]
    assets = [f"asset-{index}" for index in range(chance.choice(ASSETS))]
    collections = _collections(chance, assets)
    return [*users, *groups, *topics, *(_asset(chance, id_, assets, people) for id_ in assets), *collections]


def _asset(chance: Random, id_: str, assets: Sequence[str], people: Sequence[str]) -> Line:
    holders = _some(chance, [*people, *GROUPS], 3) + [to for to in ("everyone", "public") if chance.randrange(2)]
    line: dict[str, Any] = {"kind": "asset", "id": id_, "type": chance.choice(KINDS), "name": chance.choice(NAMES)}
    line |= {"owner": chance.choice(people), "tags": _some(chance, TAGS, 3), "uses": _some(chance, assets, 4)}
    line |= {"grants": [{"to": to, "role": chance.choice(list(ACCESS))} for to in holders]}
    line |= {field: day for field in ("createdAt", "updatedAt") if (day := chance.choice(DAYS))}
    told = {"url": f"https://example.org/{id_}", "source": f"s3://bucket/{id_}", "description": id_, "version": "1.0"}
    line |= {field: value for field, value in told.items() if chance.random() < MOSTLY}
    return line | chance.choice(STATUSES)


def _collections(chance: Random, assets: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    depths: dict[str | None, int] = {None: 0}
    taken: set[tuple[str, str | None, str]] = set()
    for index in range(chance.choice(COLLECTIONS)):
        slug, topic = f"held-{index}", chance.choice((*TOPICS, *[TOPICS[0]] * 4))
        above = [line["slug"] for line in lines if line["topic"] == topic and depths[line["slug"]] < DEEPEST]
        line: dict[str, Any] = {"kind": "collection", "slug": slug, "name": chance.choice(NAMES), "topic": topic}
        line |= {
            "parent": chance.choice([None, *above[-1:] * 4, *above]),
            "visibility": chance.choice(("PUBLIC", "INTERNAL")),
        }
        if (sibling := (topic, line["parent"], name_key(line))) in taken:
            line["name"] += f" {index}"
        taken.add(sibling)
        depths[slug] = depths[line["parent"]] + 1
        lines.append(line | {"assets": _some(chance, assets, chance.choice((2, 4, 14)))})
    return lines


def _some(chance: Random, values: Sequence[str], most: int) -> list[str]:
    """Return up to so many of the values, each once, in any order."""
    distinct = list(dict.fromkeys(chance.sample(values, len(values))))
    return distinct[: chance.randint(0, most)]


async def vary(database: Database, chance: Random) -> None:
    """Change what lines do not tell, so that nothing stands in the file's order and much happened at one time.

    What the database drew by itself, the key of its cursors, comes from the given chance as well.
    """
    async with database.write() as connection:
        shared = {"public_sharing": chance.random() < SHARED, "cursor_key": chance.randbytes(64)}
        await connection.execute(update(sql.deployment).values(shared))
        by_pk = select(sql.principal.c.pk).where(sql.principal.c.kind == "USER").order_by(sql.principal.c.pk)
        people = [None, *await connection.scalars(by_pk)]

        def added(rank: int) -> dict[str, Any]:
            who = {"added_by_pk": chance.choice(people), "note": chance.choice(NOTES)}
            return {"rank": rank, "added_at": chance.choice(MOMENTS)} | who

        def awarded(_rank: int) -> dict[str, Any]:
            is_gold = chance.random() > MOSTLY
            why = {"gold_by_pk": chance.choice(people), "gold_note": chance.choice(NOTES)}
            award = {"gold_at": chance.choice(MOMENTS)} | why
            return {"is_gold": int(is_gold), **(award if is_gold else dict.fromkeys(award))}

        def changed(rank: int) -> dict[str, Any]:
            return {"rank": rank, "updated_at": chance.choice(MOMENTS)}

        await _change(connection, chance, sql.topic, lambda rank: {"rank": rank})
        await _change(connection, chance, sql.collection, changed)
        await _change(connection, chance, sql.membership, added)
        await _change(connection, chance, sql.asset, awarded)


async def _change(
    connection: AsyncConnection, chance: Random, table: Table, values: Callable[[int], dict[str, Any]]
) -> None:
    """Give each row of a table new values, told of their places in an order made at random."""
    keys = list(table.primary_key.columns)
    rows = [tuple(row) for row in await connection.execute(select(*keys).order_by(*keys))]
    chance.shuffle(rows)
    new = [values(HIGH + place) for place in range(len(rows))]
    if not rows:
        return
    one = and_(*(key == bindparam(f"of_{key.name}") for key in keys))
    of = [{f"of_{key.name}": value for key, value in zip(keys, row, strict=True)} for row in rows]
    await connection.execute(
        update(table).where(one).values({name: bindparam(f"to_{name}") for name in new[0]}),
        [row | {f"to_{name}": value for name, value in to.items()} for row, to in zip(of, new, strict=True)],
    )
