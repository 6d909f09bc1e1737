"""Random world of a trial, as catalogue lines: some assets and collections are hidden from some viewers."""

from random import Random
from typing import Any

from tests.conftest import GROUPS, MEMBERS
from tests.oracle import ANONYMOUS

Lines = list[dict[str, Any]]
ASSETS, TOPICS, COLLECTIONS = 36, 9, 16
ADMINISTRATOR, OWNER = "ada", "olu"
"""Users that write: the owner, of all assets, adds them."""
READERS = (ADMINISTRATOR, "mei", ANONYMOUS)
"""Viewers that walk. The second sees some assets, the last some collections and some of their assets."""


def draw_lines(random: Random) -> Lines:
    """Draw a world's lines. The first topic and the first collection have the most rows."""
    users: Lines = [{"kind": "user", "id": name, "name": name, "isAdmin": name == ADMINISTRATOR} for name in MEMBERS]
    groups: Lines = [
        {"kind": "group", "id": name, "name": name, "members": members} for name, members in GROUPS.items()
    ]
    assets = [_asset(random, f"asset-{number:02}") for number in range(ASSETS)]
    topics: Lines = [{"kind": "topic", "slug": f"topic-{n}", "name": f"topic-{n}"} for n in range(TOPICS)]
    collections: Lines = []
    for number in range(COLLECTIONS):
        size = random.randint(16, 28) if number == 0 else random.randint(0, 8)
        members = random.sample([asset["id"] for asset in assets], size)
        slug, topic = f"collection-{number:02}", f"topic-{random.choice((0, 0, random.randrange(TOPICS)))}"
        above = [each["slug"] for each in collections if each["topic"] == topic]
        parent = random.choice([None, above[0]]) if above else None
        line = {"kind": "collection", "slug": slug, "name": slug, "topic": topic, "parent": parent, "assets": members}
        collections.append(line | {"visibility": random.choice(("INTERNAL", "PUBLIC", "PUBLIC"))})
    return [*users, *groups, *topics, *assets, *collections]


def _asset(random: Random, name: str) -> dict[str, Any]:
    line: dict[str, Any] = {"kind": "asset", "id": name, "type": random.choice(("MODEL", "CAPSULE")), "name": name}
    holders = random.choice(((), ("everyone",), ("everyone", "public"), ("everyone", "public")))
    return line | {"owner": OWNER, "grants": [{"to": holder, "role": "VIEWER"} for holder in holders]}
