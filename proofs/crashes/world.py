"""Random world of a trial, as catalogue lines."""

from random import Random
from typing import Any

from tests.conftest import GROUPS, MEMBERS

Lines = list[dict[str, Any]]
ASSETS, TOPICS, COLLECTIONS = 40, 3, 8
OWNER = "olu"
"""Owner of most assets, who may add many at once."""


def draw_lines(random: Random) -> Lines:
    """Draw a world's lines. Every asset is visible to all members."""
    users: Lines = [{"kind": "user", "id": name, "name": name, "isAdmin": name == "ada"} for name in MEMBERS]
    groups: Lines = [
        {"kind": "group", "id": name, "name": name, "members": members} for name, members in GROUPS.items()
    ]
    assets = [_asset(random, f"asset-{number}") for number in range(ASSETS)]
    topics: Lines = [{"kind": "topic", "slug": slug, "name": slug} for slug in (f"topic-{n}" for n in range(TOPICS))]
    collections: Lines = []
    for number in range(COLLECTIONS):
        members = random.sample([asset["id"] for asset in assets], random.randint(0, ASSETS // 2))
        slug, topic = f"collection-{number}", f"topic-{random.randrange(TOPICS)}"
        line = {"kind": "collection", "slug": slug, "name": slug, "topic": topic, "assets": members}
        above = [each["slug"] for each in collections if each["topic"] == topic and each["parent"] is None]
        parent = random.choice([None, *above])
        collections.append(line | {"parent": parent, "visibility": random.choice(("INTERNAL", "PUBLIC"))})
    return [*users, *groups, *topics, *assets, *collections]


def _asset(random: Random, name: str) -> dict[str, Any]:
    line: dict[str, Any] = {"kind": "asset", "id": name, "type": "MODEL", "name": name}
    line |= {"owner": random.choice((OWNER, OWNER, OWNER, OWNER, "sam")), "released": bool(random.randrange(10))}
    access = random.choice(("VIEWER", "DISCOVERABLE"))
    return line | {"archived": False, "withdrawn": False, "grants": [{"to": "everyone", "role": access}]}
