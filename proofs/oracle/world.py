"""Random worlds: catalogue lines, and changes to the imported database."""

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
TAGS = ("a", "A", "all", "é", "%", "_", "RNA-seq", "rna-seq", "rna seq", "C++")
NAMES = (
    *("a", "A", "b", "é", "e\u0301", "Straße", "STRASSE", "🦊", "\ufb01", "Z", "_", "a b", "\uffee"),
    *("Sample 2", "sample 10", "Élan v3.14.0", "a11", "1.1", "C++", "C", "データ解析2", "كِتابُ", "ข้อมูล"),
)
PEOPLE_NAMES = ("Élan 2", "elan 10", "Zoë", "zoe", "Straße")
DESCRIPTIONS = ("<p>Made <b>of</b>&nbsp;a</p><span>1.1</span>", "基因组组装流程 &amp; R", "List<a11> < x")
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
MAX_DEPTH = 5
FIRST_RANK = 1 << 40  # above all ranks of an import
USUAL_CHANCE = 0.8
SHARING_CHANCE = 0.6  # of public sharing being on
MOMENTS = (0, 1, 1_000, 1_000, 1_700_000_000_000, 1_700_000_000_001)
NOTES = (None, "", "why", "🦊")


def random_catalogue(random: Random) -> list[Line]:
    """Return the lines of a catalogue: up to 30 assets and 8 collections, 3 topics, 4 or 5 users, 2 groups.

    Usually the only administrator is `ada`; some worlds have another one or none.
    """
    people = ["ada", *random.sample(PEOPLE[1:], random.choice((3, 4)))]
    admin = random.choice((*["ada"] * 6, people[1], None))
    users = [
        {
            "kind": "user",
            "id": who,
            "name": random.choice((who, *PEOPLE_NAMES)),
            "email": f"{who}@example.org",
            "isAdmin": who == admin,
        }
        for who in people
    ]
    groups = [
        {
            "kind": "group",
            "id": group,
            "name": random.choice((group, *PEOPLE_NAMES)),
            "members": _sample(random, people[1:], 2),
        }
        for group in GROUPS
    ]
    topics = [{"kind": "topic", "slug": slug, "name": f"{slug} {random.choice(NAMES)}"} for slug in TOPICS]
    assets = [f"asset-{index}" for index in range(random.choice(ASSETS))]
    collections = _collections(random, assets)
    return [*users, *groups, *topics, *(_asset(random, id_, assets, people) for id_ in assets), *collections]


def _asset(random: Random, id_: str, assets: Sequence[str], people: Sequence[str]) -> Line:
    holders = _sample(random, [*people, *GROUPS], 3) + [to for to in ("everyone", "public") if random.randrange(2)]
    line: dict[str, Any] = {"kind": "asset", "id": id_, "type": random.choice(KINDS), "name": random.choice(NAMES)}
    line |= {"owner": random.choice(people), "tags": _sample(random, TAGS, 3), "uses": _sample(random, assets, 4)}
    line |= {"grants": [{"to": to, "role": random.choice(list(ACCESS))} for to in holders]}
    line |= {field: day for field in ("createdAt", "updatedAt") if (day := random.choice(DAYS))}
    optional = {
        "url": f"https://example.org/{id_}",
        "source": f"s3://bucket/{id_}",
        "description": random.choice((id_, *DESCRIPTIONS)),
        "version": random.choice(("1.0", "v7.8.9")),
        "properties": {"team": id_, "creators": [id_, "Ada"]},
    }
    line |= {field: value for field, value in optional.items() if random.random() < USUAL_CHANCE}
    return line | random.choice(STATUSES)


def _collections(random: Random, assets: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    depths: dict[str | None, int] = {None: 0}
    names: set[tuple[str, str | None, str]] = set()
    for index in range(random.choice(COLLECTIONS)):
        slug, topic = f"held-{index}", random.choice((*TOPICS, *[TOPICS[0]] * 4))
        parents = [line["slug"] for line in lines if line["topic"] == topic and depths[line["slug"]] < MAX_DEPTH]
        line: dict[str, Any] = {"kind": "collection", "slug": slug, "name": random.choice(NAMES), "topic": topic}
        line |= {
            "parent": random.choice([None, *parents[-1:] * 4, *parents]),
            "visibility": random.choice(("PUBLIC", "INTERNAL")),
        }
        if (sibling := (topic, line["parent"], name_key(line))) in names:
            line["name"] += f" {index}"
        names.add(sibling)
        depths[slug] = depths[line["parent"]] + 1
        lines.append(line | {"assets": _sample(random, assets, random.choice((2, 4, 14)))})
    return lines


def _sample(random: Random, values: Sequence[str], most: int) -> list[str]:
    """Return at most `most` distinct values, in random order."""
    distinct = list(dict.fromkeys(random.sample(values, len(values))))
    return distinct[: random.randint(0, most)]


async def vary_database(database: Database, random: Random) -> None:
    """Change facts that lines cannot express: ranks differ from the file's order, and many timestamps are equal.

    The cursor key, which is random in every database, is also derived from the given source of randomness.
    """
    async with database.write() as connection:
        shared = {"public_sharing": random.random() < SHARING_CHANCE, "cursor_key": random.randbytes(64)}
        await connection.execute(update(sql.deployment).values(shared))
        by_pk = select(sql.principal.c.pk).where(sql.principal.c.kind == "USER").order_by(sql.principal.c.pk)
        people = [None, *await connection.scalars(by_pk)]

        def added(rank: int) -> dict[str, Any]:
            who = {"added_by_pk": random.choice(people), "note": random.choice(NOTES)}
            return {"rank": rank, "added_at": random.choice(MOMENTS)} | who

        def awarded(_rank: int) -> dict[str, Any]:
            is_gold = random.random() > USUAL_CHANCE
            why = {"gold_by_pk": random.choice(people), "gold_note": random.choice(NOTES)}
            award = {"gold_at": random.choice(MOMENTS)} | why
            return {"is_gold": int(is_gold), **(award if is_gold else dict.fromkeys(award))}

        def changed(rank: int) -> dict[str, Any]:
            return {"rank": rank, "updated_at": random.choice(MOMENTS)}

        await _update_rows(connection, random, sql.topic, lambda rank: {"rank": rank})
        await _update_rows(connection, random, sql.collection, changed)
        await _update_rows(connection, random, sql.membership, added)
        await _update_rows(connection, random, sql.asset, awarded)


async def _update_rows(
    connection: AsyncConnection, random: Random, table: Table, values: Callable[[int], dict[str, Any]]
) -> None:
    """Set new values on each row of a table. The values depend on the row's position in a random order."""
    keys = list(table.primary_key.columns)
    rows = [tuple(row) for row in await connection.execute(select(*keys).order_by(*keys))]
    random.shuffle(rows)
    new = [values(FIRST_RANK + place) for place in range(len(rows))]
    if not rows:
        return
    one = and_(*(key == bindparam(f"of_{key.name}") for key in keys))
    of = [{f"of_{key.name}": value for key, value in zip(keys, row, strict=True)} for row in rows]
    await connection.execute(
        update(table).where(one).values({name: bindparam(f"to_{name}") for name in new[0]}),
        [row | {f"to_{name}": value for name, value in to.items()} for row, to in zip(of, new, strict=True)],
    )
