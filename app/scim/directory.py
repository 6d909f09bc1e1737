"""Operations of SCIM on one kind of resource: read, list, create, replace, patch and delete."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from scim2_models import (
    Context,
    GroupMember,
    InvalidPathException,
    ListResponse,
    NotFoundException,
    PatchOp,
    ResponseParameters,
    SearchRequest,
)

from app.request import strings_in
from app.scim import group, user
from app.scim.filter import read_filter
from app.scim.patch import (
    MemberChange,
    Operation,
    apply_changes,
    read_operations,
    require_comparable,
    split_operations,
    with_operations,
)
from app.scim.resource import MAX_PAGE, Group, User
from app.scim.transaction import ScimTransaction, open_transaction
from app.scim.user_id import UserId
from store import scim
from store.database import Database, Snapshot
from store.date_time import format_rfc_3339
from store.scim import Filter, Reference, StoredResource
from store.tables import PrincipalKind
from store.text import is_storable

MAX_START_INDEX: Final = 2**31 - 1
"""Start of a page after all resources, within the integers of databases and of JSON."""

Payload = Mapping[str, Any]
"""JSON of a request or a response."""


class Kind(NamedTuple):
    """A kind of resource: its principals and model, how it is written and deleted, and the references that it has."""

    principal: PrincipalKind
    model: type[User] | type[Group]
    query: type[SearchRequest[User]] | type[SearchRequest[Group]]
    patch: "type[PatchOp[Any]]"  # quoted, because the class takes no Any at run time
    write: Callable[[ScimTransaction, Any, StoredResource | None], Awaitable[int]]
    delete: Callable[[ScimTransaction, StoredResource], Awaitable[None]]
    references: str
    fetch_references: Callable[[Snapshot, Sequence[int]], Awaitable[dict[int, list[Reference]]]]


KINDS: Final[Mapping[str, Kind]] = {
    "Users": Kind(
        PrincipalKind.USER,
        User,
        SearchRequest[User],
        PatchOp[User],
        user.write,
        user.delete,
        "groups",
        scim.fetch_groups,
    ),
    "Groups": Kind(
        PrincipalKind.GROUP,
        Group,
        SearchRequest[Group],
        PatchOp[Group],
        group.write,
        group.delete,
        "members",
        scim.fetch_members,
    ),
}
"""Kinds by the name of their endpoint."""


@dataclass(frozen=True)
class Directory:
    """Resources of one kind, as the identity provider sees them: those that it sent, and did not delete.

    Methods raise SCIMException or pydantic's ValidationError for an invalid request, and StorageError.
    """

    database: Database
    kind: Kind
    user_id: UserId
    location: str
    """URL of the kind's endpoint."""
    request_id: str

    async def read(self, id_: str, query: Payload) -> Payload:
        """Return a resource."""
        parameters = self.kind.query.model_validate(query)
        async with self.database.snapshot() as snapshot:
            stored = await self._find(snapshot, id_)
            [payload] = await self._render(snapshot, [stored], parameters)
        return payload

    async def search(self, query: Payload) -> Payload:
        """Return a page of the resources that match the filter."""
        request = self.kind.query.model_validate(query)
        match = read_filter(request.filter, self.kind.principal)
        start = min(request.start_index or 1, MAX_START_INDEX)
        limit = MAX_PAGE if request.count is None else min(request.count, MAX_PAGE)
        async with self.database.snapshot() as snapshot:
            total = await scim.count(snapshot, self.kind.principal, match)
            stored = await scim.fetch_page(snapshot, self.kind.principal, match, start - 1, limit) if limit else []
            resources = await self._render(snapshot, stored, request)
        page = {"totalResults": total, "startIndex": start, "itemsPerPage": len(resources)}
        return {"schemas": [str(ListResponse.__schema__)], **page, "Resources": resources}

    async def create(self, payload: Payload) -> Payload:
        """Create a resource and return it."""
        created = self.kind.model.model_validate(payload, scim_ctx=Context.RESOURCE_CREATION_REQUEST)
        async with open_transaction(self.database, self.request_id, self.user_id) as tx:
            pk = await self.kind.write(tx, created, None)
            return await self._render_written(tx, pk)

    async def replace(self, id_: str, payload: Payload) -> Payload:
        """Replace a resource and return it."""
        async with open_transaction(self.database, self.request_id, self.user_id) as tx:
            stored = await self._find(tx.snapshot, id_)
            replaced = self.kind.model.model_validate(payload, scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST)
            pk = await self.kind.write(tx, replaced, stored)
            return await self._render_written(tx, pk)

    async def patch(self, id_: str, payload: Payload) -> Payload:
        """Apply the operations of a PATCH, all or none, and return the resource. Raises HTTPError for too many."""
        patch, changes = self._read_patch(payload)
        async with open_transaction(self.database, self.request_id, self.user_id) as tx:
            stored = await self._find(tx.snapshot, id_)
            resource = await self._changeable(tx.snapshot, stored)
            members = resource.pop("members", ()) if changes else ()
            require_comparable(patch.operations or (), resource)
            patched = self.kind.model.model_validate(resource)
            patch.patch(patched)
            if isinstance(patched, Group) and changes:
                ids = apply_changes(changes, [member["value"] for member in members])
                patched.members = [GroupMember.model_validate({"value": id_}) for id_ in ids]
            # The body has no such text, but values of filters in its paths have escapes of their own.
            if not all(map(is_storable, strings_in(patched.model_dump(scim_ctx=Context.DEFAULT)))):
                raise InvalidPathException(detail="A path must not contain U+0000 or lone surrogates.")
            pk = await self.kind.write(tx, patched, stored)
            return await self._render_written(tx, pk)

    async def delete(self, id_: str) -> None:
        """Delete a resource; its principal stays."""
        async with open_transaction(self.database, self.request_id, self.user_id) as tx:
            stored = await self._find(tx.snapshot, id_)
            await self.kind.delete(tx, stored)
            await scim.forget(tx.connection, stored.pk)

    async def _find(self, snapshot: Snapshot, id_: str) -> StoredResource:
        stored = await scim.find(snapshot, self.kind.principal, Filter(id=id_))
        if stored is None:
            raise NotFoundException(detail=f"No {self.kind.principal.lower()} has the id {id_!r}.")
        return stored

    def _read_patch(self, payload: Payload) -> "tuple[PatchOp[Any], Sequence[MemberChange]]":  # quoted as in `Kind`
        """Return the operations that the library applies, and the changes of members."""
        operations: Sequence[Operation] = read_operations(payload)
        changes: Sequence[MemberChange] = ()
        if operations and self.kind.principal is PrincipalKind.GROUP:
            operations, changes = split_operations(operations)
            payload = with_operations(payload, operations)
        return self.kind.patch.model_validate(payload, scim_ctx=Context.RESOURCE_PATCH_REQUEST), changes

    async def _changeable(self, snapshot: Snapshot, stored: StoredResource) -> dict[str, Any]:
        """Return the resource with the attributes that a PATCH can change. One statement for a group, else none."""
        resource = {**stored.resource, "id": stored.id}
        if self.kind.principal is PrincipalKind.USER:
            return resource | {"active": stored.is_active}
        members = await scim.fetch_members(snapshot, [stored.pk])
        return resource | {"members": [{"value": member.id} for member in members[stored.pk]]}

    async def _render_written(self, tx: ScimTransaction, pk: int) -> Payload:
        stored = await scim.get(tx.snapshot, self.kind.principal, pk)
        [payload] = await self._render(tx.snapshot, [stored], None)
        return payload

    async def _render(
        self, snapshot: Snapshot, stored: Sequence[StoredResource], parameters: ResponseParameters[Any] | None
    ) -> list[Payload]:
        """Return the resources with the requested attributes. One statement, none for no resources."""
        references = await self.kind.fetch_references(snapshot, [row.pk for row in stored]) if stored else {}
        return [self._dump(row, references[row.pk], parameters) for row in stored]

    def _dump(
        self, row: StoredResource, references: Sequence[Reference], parameters: ResponseParameters[Any] | None
    ) -> Payload:
        """Return the requested attributes. The library selects those of one reference, and the others follow it."""
        values = [{"value": each.id, "display": each.name} for each in references]
        payload: dict[str, Any] = self.kind.model.model_validate(self._complete(row, values[:1])).model_dump(
            scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=parameters
        )
        for first in payload.get(self.kind.references, ())[:1]:
            payload[self.kind.references] = [{name: value[name] for name in first} for value in values]
        return payload

    def _complete(self, row: StoredResource, references: Sequence[Payload]) -> Payload:
        is_user = self.kind.principal is PrincipalKind.USER
        return {
            **row.resource,
            "schemas": [str(self.kind.model.__schema__)],
            "id": row.id,
            **({"active": row.is_active} if is_user else {}),
            self.kind.references: references,
            "meta": {
                "resourceType": self.kind.model.__name__,
                "created": format_rfc_3339(row.created_at),
                "lastModified": format_rfc_3339(row.updated_at),
                "location": f"{self.location}/{row.id}",
            },
        }
