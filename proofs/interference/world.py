"""Small random worlds: catalogue lines, and SQL statements for the state that lines cannot express."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from random import Random
from typing import Any

from tests.oracle import ACCESS, ANONYMOUS, KINDS, Line

USERS = ("ann", "bob", "cat", "dan", "eva")  # the first is the administrator
GROUPS = ("lab", "team")
TOPICS = ("top-0", "top-1", "top-2")
VIEWERS = (*USERS, ANONYMOUS)
NAMES = ("a", "A", "b", "b1", "é", "é", "Straße", "STRASSE", "🦊", "Z", "_", "secret")
NEAR_NAMES = ("secrets", "screts")  # of hidden rows only; similar, so a search for one also matches the other
TAGS = ("all", "dna", "DNA", "D-N-A", "d-n-a", "secret")
DAYS = (None, "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2024-01-02T00:00:00.001Z", "2025-06-01T00:00:00Z")
PREFIXES = {"USER": "usr", "GROUP": "grp", "EVERYONE": "all", "PUBLIC": "pub"}
MAX_PARENT_DEPTH = 4
ALPHABET = "0123456789abcdefghijklmnopqrstuv"


class Chooser:
    """Random choices for parts of worlds."""

    def __init__(self, random: Random) -> None:
        """Use the source of randomness."""
        self.random = random

    def choose(self, *values: Any) -> Any:
        """Return one of the values."""
        return self.random.choice(values)

    def sample(self, values: Sequence[Any], most: int) -> list[Any]:
        """Return at most `most` of the values, in random order."""
        return self.random.sample(values, self.random.randint(0, min(most, len(values))))

    def happens(self, chances: int, of: int = 8) -> bool:
        """Return True with a probability of `chances` in `of`."""
        return self.random.randrange(of) < chances


def random_catalogue(random: Random) -> list[Line]:
    """Generate the lines of a catalogue with 4 to 20 assets and 2 to 9 collections."""
    chooser = Chooser(random)
    lines: list[dict[str, Any]] = [
        {"kind": "user", "id": user, "name": user, "email": f"{user}@example.org", "isAdmin": user == USERS[0]}
        for user in USERS
    ]
    lines += [
        {"kind": "group", "id": group, "name": group, "members": chooser.sample(USERS[1:], 2)} for group in GROUPS
    ]
    lines += [{"kind": "topic", "slug": slug, "name": slug} for slug in TOPICS]
    assets = [f"asset{index}" for index in range(random.randint(4, 20))]
    lines += [random_asset_line(chooser, id_, assets) for id_ in assets]
    topic_and_depth: dict[str, tuple[str, int]] = {}
    for index in range(random.randint(2, 9)):
        slug, topic = f"held-{index}", chooser.choose(TOPICS[0], TOPICS[0], TOPICS[1])
        parents = [
            name
            for name, (topic_of_name, depth) in topic_and_depth.items()
            if topic_of_name == topic and depth < MAX_PARENT_DEPTH
        ]
        parent = chooser.choose(None, *parents)
        topic_and_depth[slug] = topic, topic_and_depth[parent][1] + 1 if parent else 0
        line = {"kind": "collection", "slug": slug, "name": f"{chooser.choose(*NAMES)}{index}", "topic": topic}
        visibility = chooser.choose("PUBLIC", "PUBLIC", "INTERNAL")
        lines.append(line | {"parent": parent, "visibility": visibility, "assets": chooser.sample(assets, len(assets))})
    return list(lines)


def random_asset_line(chooser: Chooser, id_: str, others: Sequence[str]) -> dict[str, Any]:
    """Generate the line of an asset, which may use the others."""
    kind = chooser.choose(*KINDS)
    holders = chooser.sample([*USERS[1:], *GROUPS, "everyone", "public", "public"], 3)
    grants = [{"to": to, "role": chooser.choose(*ACCESS)} for to in dict.fromkeys(holders)]
    line = {"kind": "asset", "id": id_, "type": kind, "name": chooser.choose(*NAMES), "owner": chooser.choose(*USERS)}
    line |= {
        "grants": grants,
        "uses": chooser.sample(others, 3),
        "tags": chooser.sample(TAGS, 2),
        "properties": {"team": chooser.sample(TAGS, 2)},
        "url": f"https://x.org/{id_}",
    }
    line |= {"source": f"s3://bucket/{id_}"} if kind in {"DATA_ASSET", "MODEL"} else {}
    line |= {field: day for field in ("createdAt", "updatedAt") if (day := chooser.choose(*DAYS))}
    line |= {chooser.choose("archived", "withdrawn"): True} if chooser.happens(1, 5) else {}
    return line | {
        "released": chooser.happens(5, 6),
        "state": chooser.choose("READY", "READY", "READY", "DRAFT", "FAILED"),
    }


def initial_statements(random: Random, lines: Sequence[Line]) -> list[str]:
    """Return the statements that set public ids and the state that lines cannot express.

    An id depends only on its object's name, so a world without one of the objects has the same ids.
    """
    chooser = Chooser(random)
    statements = []
    for line in lines:
        name = line.get("slug") or line["id"]
        if line["kind"] in {"topic", "collection"}:
            at = {"updated_at": chooser.choose(100, 500, 900), "created_at": 50}
            id_ = public_id(line["kind"][:3], name)
            statements += _set_id(line["kind"], f"slug = {sql_literal(name)}", id_, **at)
        elif line["kind"] == "asset":
            gold = {"is_gold": 1, "gold_at": 7, "gold_note": "best"} if chooser.happens(1, 6) else {}
            statements += _set_id("asset", f"external_id = {sql_literal(name)}", public_id("ast", name), **gold)
        else:
            prefix = PREFIXES[line["kind"].upper()]
            statements += _set_id("principal", f"external_id = {sql_literal(name)}", public_id(prefix, name))
    statements.append(
        f"UPDATE membership SET added_at = 1000 + (asset_pk * {chooser.choose(3, 7)} + collection_pk) % 5"
    )
    statements.append(update_statement("deployment", "true", public_sharing=chooser.happens(6)))
    return statements


def _set_id(table: str, where: str, id_: str, **values: Any) -> list[str]:
    """Return the statements that set the public id of a row, also in the log, and other columns of the row."""
    former = f"(SELECT id FROM {table} WHERE {where})"
    logged = update_statement("change", f"subject_id = {former}", subject_id=id_)
    return [logged, update_statement(table, where, id=id_, **values)]


def public_id(prefix: str, name: str) -> str:
    """Return the public id of the object with that name."""
    return f"{prefix}_" + "".join(ALPHABET[byte % 32] for byte in sha256(name.encode()).digest()[:24])


def sql_literal(value: Any) -> str:
    """Format a value as an SQL literal."""
    if value is None or isinstance(value, bool | int):
        return {None: "NULL", True: "true", False: "false"}[value] if isinstance(value, bool | None) else str(value)
    if isinstance(value, list):
        return sql_literal(json.dumps(value))
    return "'" + str(value).replace("'", "''") + "'"


def update_statement(table: str, where: str, **values: Any) -> str:
    """Return an UPDATE that sets these values."""
    assignments = ", ".join(f"{name} = {sql_literal(value)}" for name, value in values.items())
    return f"UPDATE {table} SET {assignments} WHERE {where}"


def insert_statement(table: str, sources: str, where: str, values: Mapping[str, str]) -> str:
    """Return an INSERT of these expressions for each row of `sources` that matches; existing rows are left alone."""
    names, expressions = ", ".join(values), ", ".join(values.values())
    return f"INSERT INTO {table} ({names}) SELECT {expressions} FROM {sources} WHERE {where} ON CONFLICT DO NOTHING"
