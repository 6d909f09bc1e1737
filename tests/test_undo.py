"""Undo: of each mutation, of undos, and never past a later change."""

import random

from proofs.databases import Databases
from proofs.undo.trial import run_trial
from tests.conftest import GraphQLClient, set_public_sharing
from tests.mutations import Mutation
from tests.test_collection_write import ids

UPDATE_COLLECTION = Mutation("collectionUpdate", "collection { id }")
UPDATE_TOPIC = Mutation("topicUpdate", "topic { id }")

MUTATIONS = 12


async def test_undoing_random_mutations_restores_the_world(databases: Databases) -> None:
    assert await run_trial(databases, random.randrange(1 << 32), MUTATIONS) == MUTATIONS


SLUG = "query($slug: String!) { collection(by: {slug: $slug}) { id } topic(by: {slug: $slug}) { id } }"


async def find(ask: GraphQLClient, slug: str, who: str = "ada") -> tuple[str | None, str | None]:
    """Return the ids of the collection and of the topic with the slug."""
    found = await ask(who, SLUG, slug=slug)
    return tuple(found[kind] and found[kind]["id"] for kind in ("collection", "topic"))


async def test_a_former_slug_finds_its_object_until_a_visible_one_has_it(ask_own: GraphQLClient) -> None:
    id_ = await ids(ask_own)
    for slug in ("second", "third"):
        await UPDATE_COLLECTION(ask_own, "ada", id=id_["members"], slug=slug)
        await UPDATE_TOPIC(ask_own, "ada", id=id_["empty"], slug=slug)
    for slug in ("members", "second", "third"):
        assert (await find(ask_own, slug, "eve"))[0] == id_["members"]
    for slug in ("empty", "second", "third"):
        assert (await find(ask_own, slug, "eve"))[1] == id_["empty"]
    assert await find(ask_own, "none") == (None, None)
    # `bare` takes the slug, and is visible to members only while sharing is on.
    await UPDATE_COLLECTION(ask_own, "ada", id=id_["bare"], slug="members", visibility="PUBLIC")
    assert (await find(ask_own, "members", "eve"))[0] == id_["bare"]
    await set_public_sharing(ask_own.database, is_on=False)
    assert (await find(ask_own, "members", "eve"))[0] == id_["members"]
    assert (await find(ask_own, "members"))[0] == id_["bare"]
    await UPDATE_COLLECTION(ask_own, "ada", id=id_["bare"], slug="bare")
    assert (await find(ask_own, "members"))[0] == id_["bare"]  # which had it last
