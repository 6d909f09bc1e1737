"""This file is small worlds made at random: a catalogue's lines, and what is written to its tables beside them."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from random import Random
from typing import Any

from tests.oracle import ACCESS, ANONYMOUS, KINDS, Line

USERS = ("ann", "bob", "cat", "dan", "eva")  # the first administers
GROUPS = ("lab", "team")
TOPICS = ("top-0", "top-1", "top-2")
EVERYBODY = (*USERS, ANONYMOUS)
NAMES = ("a", "A", "b", "é", "é", "Straße", "STRASSE", "🦊", "Z", "_", "secret")
NEAR_NAMES = ("secrets", "screts")  # of hidden things alone: one is typed, and errors in it are looked past
TAGS = ("all", "dna", "rna", "secret")
DAYS = (None, "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-02T00:00:00.001Z", "2025-06-01T00:00:00Z")
PREFIXES = {"USER": "usr", "GROUP": "grp", "EVERYONE": "all", "PUBLIC": "pub"}
ALPHABET = "0123456789abcdefghijklmnopqrstuv"


class Drawing:
    """Draws parts of worlds."""

    def __init__(self, chance: Random) -> None:
        """Take where chance comes from."""
        self.chance = chance

    def one(self, *values: Any) -> Any:
        """Return one of the values."""
        return self.chance.choice(values)

    def some(self, values: Sequence[Any], most: int) -> list[Any]:
        """Return at most so many of the values, in any order."""
        return self.chance.sample(values, self.chance.randint(0, min(most, len(values))))

    def is_so(self, chances: int, of: int = 8) -> bool:
        """Return whether a chance comes true."""
        return self.chance.randrange(of) < chances


def lines_of(chance: Random) -> list[Line]:
    """Return the lines of a catalogue of 4 to 20 assets in up to nine collections."""
    draw = Drawing(chance)
    lines: list[dict[str, Any]] = [
        {"kind": "user", "id": user, "name": user, "email": f"{user}@example.org", "isAdmin": user == USERS[0]}
        for user in USERS
    ]
    lines += [{"kind": "group", "id": group, "name": group, "members": draw.some(USERS[1:], 2)} for group in GROUPS]
    lines += [{"kind": "topic", "slug": slug, "name": slug} for slug in TOPICS]
    assets = [f"asset{index}" for index in range(chance.randint(4, 20))]
    lines += [asset_line(draw, id_, assets) for id_ in assets]
    placed: dict[str, tuple[str, int]] = {}  # topic and depth of each collection
    for index in range(chance.randint(2, 9)):
        slug, topic = f"held-{index}", draw.one(TOPICS[0], TOPICS[0], TOPICS[1])
        parent = draw.one(None, *(each for each, (theirs, depth) in placed.items() if theirs == topic and depth < 4))  # noqa: PLR2004 - the fifth level is the last
        placed[slug] = topic, placed[parent][1] + 1 if parent else 0
        line = {"kind": "collection", "slug": slug, "name": f"{draw.one(*NAMES)}{index}", "topic": topic}
        visibility = draw.one("PUBLIC", "PUBLIC", "INTERNAL")
        lines.append(line | {"parent": parent, "visibility": visibility, "assets": draw.some(assets, len(assets))})
    return list(lines)


def asset_line(draw: Drawing, id_: str, others: Sequence[str]) -> dict[str, Any]:
    """Return the line of an asset, which may use the others."""
    kind = draw.one(*KINDS)
    holders = draw.some([*USERS[1:], *GROUPS, "everyone", "public", "public"], 3)
    grants = [{"to": to, "role": draw.one(*ACCESS)} for to in dict.fromkeys(holders)]
    line = {"kind": "asset", "id": id_, "type": kind, "name": draw.one(*NAMES), "owner": draw.one(*USERS)}
    line |= {"grants": grants, "uses": draw.some(others, 3), "tags": draw.some(TAGS, 2), "url": f"https://x.org/{id_}"}
    line |= {"source": f"s3://bucket/{id_}"} if kind in {"DATA_ASSET", "MODEL"} else {}
    line |= {field: day for field in ("createdAt", "updatedAt") if (day := draw.one(*DAYS))}
    line |= {draw.one("archived", "withdrawn"): True} if draw.is_so(1, 5) else {}
    return line | {"released": draw.is_so(5, 6), "state": draw.one("READY", "READY", "READY", "DRAFT", "FAILED")}


def beginning(chance: Random, lines: Sequence[Line]) -> list[str]:
    """Return the statements that give the lines' objects ids of their own, and what no line tells.

    An id depends on the name of its object alone, so that a world with one object less has the same ids.
    """
    draw = Drawing(chance)
    statements = []
    for line in lines:
        name = line.get("slug") or line["id"]
        if line["kind"] in {"topic", "collection"}:
            at = {"updated_at": draw.one(100, 500, 900), "created_at": 50}
            statements.append(update(line["kind"], f"slug = {text(name)}", id=id_of(line["kind"][:3], name), **at))
        elif line["kind"] == "asset":
            gold = {"is_gold": 1, "gold_at": 7, "gold_note": "best"} if draw.is_so(1, 6) else {}
            statements.append(update("asset", f"external_id = {text(name)}", id=id_of("ast", name), **gold))
        else:
            prefix = PREFIXES[line["kind"].upper()]
            statements.append(update("principal", f"external_id = {text(name)}", id=id_of(prefix, name)))
    statements.append(f"UPDATE membership SET added_at = 1000 + (asset_pk * {draw.one(3, 7)} + collection_pk) % 5")
    statements.append(update("deployment", "true", public_sharing=draw.is_so(6)))
    return statements


def id_of(prefix: str, name: str) -> str:
    """Return the id that the object of that name has."""
    return f"{prefix}_" + "".join(ALPHABET[byte % 32] for byte in sha256(name.encode()).digest()[:24])


def text(value: Any) -> str:
    """Return the value as SQL writes it."""
    if value is None or isinstance(value, bool | int):
        return {None: "NULL", True: "true", False: "false"}[value] if isinstance(value, bool | None) else str(value)
    if isinstance(value, list):
        return text(json.dumps(value))
    return "'" + str(value).replace("'", "''") + "'"


def update(table: str, where: str, **values: Any) -> str:
    """Return the statement that gives rows of the table these values."""
    return f"UPDATE {table} SET {', '.join(f'{name} = {text(value)}' for name, value in values.items())} WHERE {where}"


def insert(table: str, rows: str, where: str, values: Mapping[str, str]) -> str:
    """Return the statement that inserts, for each of those rows of other tables, these expressions, unless it is in."""
    names, expressions = ", ".join(values), ", ".join(values.values())
    return f"INSERT INTO {table} ({names}) SELECT {expressions} FROM {rows} WHERE {where} ON CONFLICT DO NOTHING"
