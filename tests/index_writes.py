"""Writes after each of which answers from memory must be those of graphql-core."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from app.settings import Executor
from proofs.proof import BrokenPromiseError
from tests.conftest import ANONYMOUS, World
from tests.memory_client import MemoryClient, fill, read_ids
from tests.test_row_versions import execute

SETUP = (
    "UPDATE asset SET is_gold = 1, gold_by_pk = :ada, gold_at = 7, gold_note = 'best' WHERE pk IN (:align, :images)",
    "UPDATE collection SET created_by_pk = :ada WHERE pk <> :bare",
    "UPDATE topic SET created_by_pk = :olu WHERE pk = :imaging",
    "UPDATE asset SET description = 'A \"quoted\" line\nand 🦊' WHERE pk = :align",
)
"""Statements for fields that catalogues leave empty."""

Mutation = tuple[str, str, Mapping[str, Any]]
"""Viewer, mutation and input."""

OPEN = {"collectionId": "<open>"}
WRITES: Mapping[str, str | Mutation] = {
    "an owner is renamed": "UPDATE principal SET name = 'Other' WHERE pk = :olu",
    "an administrator who gave awards is renamed": "UPDATE principal SET name = 'Another' WHERE pk = :ada",
    "a collection is renamed": "UPDATE collection SET name = 'New name' WHERE pk = :deep",
    "a parent is renamed": "UPDATE collection SET name = 'New parent' WHERE pk = :inner",
    "a grandparent is renamed": ("ada", "collectionUpdate", {"id": "<open>", "name": "Newly open"}),
    "a topic is renamed": ("ada", "topicUpdate", {"id": "<imaging>", "name": "Images"}),
    "an asset is renamed": "UPDATE asset SET name = 'New asset' WHERE pk = :lens",
    "an asset is archived": "UPDATE asset SET status = 'ARCHIVED' WHERE pk = :blast",
    "an asset is released again": "UPDATE asset SET status = 'RELEASED' WHERE pk IN (:blast, :junk)",
    "a grant is added": (
        "olu",
        "assetGrantsUpdate",
        {"assetId": "<hidden>", "set": [{"to": {"userId": "<eve>"}, "access": "DISCOVERABLE"}]},
    ),
    "a grant is raised": "UPDATE access_grant SET access = 3 WHERE asset_pk = :hidden AND principal_pk = :eve",
    "a grant is revoked": (
        "olu",
        "assetGrantsUpdate",
        {"assetId": "<hidden>", "set": [], "revoke": [{"userId": "<eve>"}]},
    ),
    "assets have another order": (
        "ada",
        "collectionAssetsReorder",
        OPEN | {"assetIds": ["<blast>"], "position": {"atStart": True}},
    ),
    "assets are added": ("olu", "collectionAssetsAdd", OPEN | {"assetIds": ["<explore>", "<genomes>"]}),
    "assets are removed": ("olu", "collectionAssetsRemove", OPEN | {"assetIds": ["<align>"]}),
    "a collection is published": ("ada", "collectionUpdate", {"id": "<inner>", "visibility": "PUBLIC"}),
    "a parent is hidden": "UPDATE collection SET visibility = 'INTERNAL' WHERE pk = :open",
    "a parent is visible again": "UPDATE collection SET visibility = 'PUBLIC' WHERE pk = :open",
    "public sharing is off": ("ada", "deploymentUpdate", {"publicSharing": False}),
    "public sharing is on": ("ada", "deploymentUpdate", {"publicSharing": True}),
    "an award is taken back": "UPDATE asset SET is_gold = 0 WHERE pk = :images",
    "topics have another order": "UPDATE topic SET rank = -rank",
    "a collection has no parent": "UPDATE collection SET parent_pk = NULL WHERE pk = :deep",
    "a collection is deleted": ("ada", "collectionDelete", {"id": "<bare>", "dryRun": False}),
    "a member leaves a group": "DELETE FROM group_member WHERE user_pk = :mei",
    "a member becomes an administrator": "UPDATE principal SET is_admin = true WHERE pk = :eve",
    "a token is revoked": "UPDATE api_token SET revoked_at = 1 WHERE user_pk = :mei",
}
"""SQL statements and mutations by description. Names in angle brackets stand for ids."""

ASSETS = "assets(first: 50)"
DOCUMENTS = (
    "{ topics { totalCount } collections { totalCount } }",  # shows rows of which no fragment could be read
    """{ topics { totalCount nodes { slug name collections { nodes { slug } } } } collections { nodes { slug name
    version parent { name visibility parent { name } } topic { name } assetCounts { total models goldStandards }
    children { nodes { slug name } } viewerCan { update addAssets } } } }""",
    f"""{{ collections {{ nodes {{ slug {ASSETS} {{ totalCount nodes {{ __typename ... on AssetFields {{ name status
    viewerAccess owner {{ name }} url }} ... on Model {{ source }} }} }} }} }} }}""",
    f"""{{ collections {{ nodes {{ {ASSETS} {{ edges {{ cursor node {{ ... on AssetFields {{ name kind }} }} }} }} }} }}
    a: node(id: "<hidden>") {{ id }} b: asset(by: {{id: "<blast>"}}) {{ ... on AssetFields {{ name }} }}
    c: collection(by: {{slug: "inner"}}) {{ name }} d: topic(by: {{slug: "genomics"}}) {{ name }} }}""",
    f"""{{ collections {{ nodes {{ slug createdBy {{ name }} {ASSETS} {{ nodes {{ ... on AssetFields {{ goldStandard {{
    awardedBy {{ name }} }} }} }} }} }} }} }}""",
)
BEFORE = "before all writes"
PEOPLE = ("ada", "mei", "eve", ANONYMOUS)


async def compare_after_writes(world: World, names: Iterable[str] = tuple(WRITES), setup: Sequence[str] = ()) -> None:
    """Compare the answers before the writes and after each. Raises BrokenPromiseError at the first difference.

    `names` are those of the writes, `setup` are further statements to begin with.
    """
    indexed, reference = MemoryClient(world), MemoryClient(world, engine=Executor.REFERENCE)
    try:
        await execute(reference.database, *SETUP, *setup)
        ids = await read_ids(reference.database)
        await indexed.refresh()
        await _compare(indexed, reference, ids, BEFORE, 0)
        for number, name in enumerate(names):
            await _write(reference, WRITES[name], ids)
            await _compare(indexed, reference, ids, name, number)
    finally:
        await indexed.close()
        await reference.close()


async def _write(client: MemoryClient, write: str | Mutation, ids: Mapping[str, str]) -> None:
    if isinstance(write, str):
        await execute(client.database, write)
        return
    who, name, given = write
    kind = f"{name[0].upper()}{name[1:]}Input"
    document = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{ code path }} }} }}"
    body = orjson.loads(await client.send(who, document, input=orjson.loads(fill(orjson.dumps(given).decode(), ids))))
    assert body["data"] == {name: {"userErrors": []}}, body


async def _compare(
    indexed: MemoryClient, reference: MemoryClient, ids: Mapping[str, str], when: str, first: int
) -> None:
    """Compare all answers, beginning with another request after each write: it has to catch up."""
    requests = [(who, fill(document, ids)) for who in PEOPLE for document in DOCUMENTS]
    start = first * 7 % len(requests)
    for who, document in requests[start:] + requests[:start]:
        expected, found = await reference.send(who, document), await indexed.send(who, document)
        if found != expected:
            raise BrokenPromiseError(f"{when}, as {who}:\n{document}\nreference {expected!r}\nindex     {found!r}")
