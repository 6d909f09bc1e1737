"""Events of subscriptions that expose an asset, as surfaces of the permission matrix.

Each event is that of a subscriber who saw an empty collection before, so that it has all members that are visible now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from strawberry.types.graphql import OperationType

from app.errors import response_body
from app.export import identify
from proofs.permission_matrix import extractors
from proofs.permission_matrix.surface import Cells, RequestForm, ResponsePart, Surface, ViewerClient
from proofs.permission_matrix.world import Asset, Ids
from resolvers.context import open_context
from resolvers.subscription.collection import CollectionEvent, CollectionState, CollectionWatch, Members
from resolvers.subscription.watch import States
from schema.graph import build_schema
from tests.conftest import ANONYMOUS

EMPTY = CollectionState(Members.of_text(""), version=0, change_id=None)
DOCUMENT = """subscription($id: ID!) { collectionChanged(id: $id) {
  cursor collectionId reload removedAssetIds collection { id } change { id }
  addedEdges { node { ... on AssetFields { id } } }
} }"""


_schema = cache(build_schema)


@dataclass(frozen=True)
class EventRequest(RequestForm):
    """Event of each asset's own collection."""

    is_batched = False

    def document(self, surfaces: Sequence[Surface]) -> str:
        """Return the document, which is the same for all surfaces."""
        del surfaces
        return DOCUMENT

    async def cells(self, client: ViewerClient, surfaces: Sequence[Surface], assets: Sequence[Asset]) -> Cells:
        """Yield the values of the surfaces; "absent" for an event without the collection."""
        for asset in assets:
            event = await _event(client, client.ids[asset]["collection"])
            for surface in surfaces:
                yield surface, asset, event if isinstance(event, str) else surface.extract(event, client.ids[asset])


async def _event(client: ViewerClient, id_: str) -> ResponsePart:
    """Return the event as the operation's response has it, or the code of its error."""
    user = None if client.who == ANONYMOUS else client.who
    watch = CollectionWatch(States(), id=id_)
    watch.accept(CollectionEvent("", id_, None, (), (), reload=False, state=EMPTY, revision=-1))
    async with open_context(client.graphql.database, identify(user, is_anonymous=user is None), "event") as context:
        result = await _schema().execute(
            DOCUMENT,
            variable_values={"id": id_},
            context_value=context,
            root_value=await watch.look(context),
            allowed_operation_types={OperationType.SUBSCRIPTION},
        )
    body = response_body(result, "event")
    return body["errors"][0]["extensions"]["code"] if "errors" in body else body["data"]["collectionChanged"]


def is_added(event: ResponsePart, ids: Ids) -> str:
    """Return whether the event has the edge of the asset, and nothing that the subscriber did not see before."""
    if event["removedAssetIds"]:
        return f"the removal of {event['removedAssetIds']}"
    if event["collection"] is None:
        return "absent" if not event["addedEdges"] and event["change"] is None else "edges of a hidden collection"
    return extractors.yes_or_no(ids["asset"] in [edge["node"]["id"] for edge in event["addedEdges"]])


EVENT_SURFACES: Sequence[Surface] = (
    Surface("`addedEdges` of `collectionChanged`", "event", EventRequest(), "", is_added),
)
