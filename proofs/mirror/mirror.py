"""Copy of all rows that a viewer sees, kept by sync tokens as docs/analysts.md says, and the checks of each sync."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from proofs.proof import BrokenPromiseError
from tests.conftest import GraphQLClient
from tests.oracle import ANONYMOUS

Row = dict[str, Any]
Page = dict[str, Any]

COLUMNS = {
    "topics": "id slug name description version createdAt updatedAt createdBy { id }",
    "collections": """id slug name description visibility version createdAt updatedAt createdBy { id } topic { id }
      parent { id }""",
    "assets": """... on AssetFields { id externalId kind status name description owner { id } tags
      properties { name values } license doi version url createdAt updatedAt viewerAccess
      goldStandard { awardedAt awardedBy { id } note } } ... on Model { framework source }""",
    "memberships": "collectionId assetId addedAt addedBy { id } note",
    "uses": "assetId usesAssetId",
    "users": "id name email externalId isAdmin isActive provisionedBy",
    "removedMemberships": "collectionId assetId",
    "removedUses": "assetId usesAssetId",
}
"""Columns of the rows, by list."""
OBJECTS = ("topics", "collections", "assets", "users")
LISTS = (*COLUMNS, "removedIds")
OF_OTHERS = ("createdBy", "awardedBy", "addedBy")
"""Users that visitors see while these own an asset that they see: when that changes, the row does not."""
VISITORS_PAGE = 300
"""Largest page within the limits of cost for visitors."""
SYNC = f"""query($first: Int, $after: String, $include: [GraphPart!], $since: String) {{
  collectionGraph(first: $first, after: $after, include: $include, since: $since) {{
    {" ".join(f"{name} {{ {columns} }}" for name, columns in COLUMNS.items())} removedIds syncToken
    pageInfo {{ hasNextPage endCursor }} }} }}"""


async def read_page(
    client: GraphQLClient, who: str, first: int, after: str | None, since: str | None, **further: Any
) -> Page:
    """Return a page of the rows since the token, or of a new pull."""
    document = SYNC
    if who == ANONYMOUS:
        first = min(first, VISITORS_PAGE)
        for column in OF_OTHERS:
            document = document.replace(f"{column} {{ id }}", "")
    page: Page = (await client(who, document, first=first, after=after, since=since, **further))["collectionGraph"]
    if sum(len(page[name]) for name in LISTS) > first:
        raise BrokenPromiseError(f"A page of {who} has more than {first} rows.")
    if (page["syncToken"] is None) != page["pageInfo"]["hasNextPage"]:
        raise BrokenPromiseError(f"{who} has a token on another page than the last one.")
    return page


async def sync(client: GraphQLClient, who: str, since: str | None, first: int = 1_000, **further: Any) -> Page:
    """Return the rows of all pages since the token, or of a new pull, and the new token."""
    rows: Page = {name: [] for name in LISTS}
    after = None
    while True:
        page = await read_page(client, who, first, after, since, **further)
        for name in LISTS:
            rows[name] += page[name]
        if page["syncToken"] is not None:
            return rows | {"syncToken": page["syncToken"]}
        after = page["pageInfo"]["endCursor"]


class Mirror:
    """Copy of all rows that a viewer sees."""

    def __init__(self, who: str) -> None:
        """Create an empty copy of a viewer."""
        self.who = who
        self.token: str | None = None
        self._was_torn = False
        self.objects: dict[str, dict[str, Row]] = {name: {} for name in OBJECTS}  # by id
        self.members: defaultdict[str, list[Row]] = defaultdict(list)  # by collection, in its order
        self.uses: defaultdict[str, list[str]] = defaultdict(list)  # by asset, in the platform's order

    def apply(self, changes: Page, *, is_torn: bool = False) -> None:
        """Apply the changes of a sync; `is_torn` if others wrote between its pages.

        Raises BrokenPromiseError for a row that is unchanged, and for an unknown key that is removed, unless rows may
        have changed between the pages of this sync or the one before.
        """
        if not (is_torn or self._was_torn):
            for problem in self._problems(changes):
                raise BrokenPromiseError(f"{self.who}, since {self.token}: {problem}")
        self._was_torn = is_torn
        for id_ in changes["removedIds"]:
            for rows in self.objects.values():
                rows.pop(id_, None)
        for key in changes["removedMemberships"]:
            members = self.members[key["collectionId"]]
            members[:] = [row for row in members if row["assetId"] != key["assetId"]]
        for key in changes["removedUses"]:
            used = self.uses[key["assetId"]]
            used[:] = [id_ for id_ in used if id_ != key["usesAssetId"]]
        for name in OBJECTS:
            self.objects[name] |= {row["id"]: row for row in changes[name]}
        self.members |= _grouped(changes["memberships"], "collectionId")
        self.uses |= _used(changes)
        self.token = changes["syncToken"]

    def contents(self) -> dict[str, dict[str, Any]]:
        """Return the rows of each list, for comparison."""
        members = {id_: rows for id_, rows in self.members.items() if rows}
        return {**self.objects, "memberships": members, "uses": {id_: used for id_, used in self.uses.items() if used}}

    def _problems(self, changes: Page) -> Iterator[str]:
        known = {id_ for rows in self.objects.values() for id_ in rows}
        yield from (f"unknown id {id_} was removed" for id_ in changes["removedIds"] if id_ not in known)
        for key in changes["removedMemberships"]:
            if key["assetId"] not in {row["assetId"] for row in self.members[key["collectionId"]]}:
                yield f"unknown membership {key} was removed"
        for key in changes["removedUses"]:
            if key["usesAssetId"] not in self.uses[key["assetId"]]:
                yield f"unknown use {key} was removed"
        for name in OBJECTS:
            yield from (f"{row} is unchanged" for row in changes[name] if self.objects[name].get(row["id"]) == row)
        for id_, rows in _grouped(changes["memberships"], "collectionId").items():
            if self.members[id_] == rows:
                yield f"the members of {id_} are unchanged"
        for id_, used in _used(changes).items():
            if self.uses[id_] == used:
                yield f"the uses by {id_} are unchanged"


def _grouped(rows: list[Row], column: str) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row[column], []).append(row)
    return grouped


def _used(changes: Page) -> dict[str, list[str]]:
    return {id_: [row["usesAssetId"] for row in rows] for id_, rows in _grouped(changes["uses"], "assetId").items()}
