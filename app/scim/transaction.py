"""Transaction of one SCIM request that writes: change log, writer of users and groups, and checks that both share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from scim2_models import ConflictException, InvalidValueException, UniquenessException
from sqlalchemy.ext.asyncio import AsyncConnection

from app.scim.resource import Group, User, stored_form
from app.scim.user_id import UserId
from store import scim
from store.changes import ChangeLog, open_change_log
from store.database import ConnectionSnapshot, Database
from store.people.refusal import PeopleRefusedError, refuse_other_kind, refuse_other_source
from store.people.writer import PeopleWriter
from store.scim import Filter, StoredResource
from store.tables import PrincipalKind, PrincipalSource
from store.text import MAX_NAME_LENGTH, MAX_PRINCIPAL_ID_LENGTH, clean_text, fit_name


@dataclass(frozen=True)
class ScimTransaction:
    """Write transaction, which holds the writers' lock until its end: its checks stay true."""

    connection: AsyncConnection
    log: ChangeLog
    user_id: UserId

    @property
    def snapshot(self) -> ConnectionSnapshot:
        """Reads of the transaction."""
        return ConnectionSnapshot(self.connection)

    @property
    def people(self) -> PeopleWriter:
        """Writer of users and groups of the identity provider."""
        return PeopleWriter(self.connection, self.log, PrincipalSource.SCIM)

    async def require_unique(
        self, kind: PrincipalKind, stored: StoredResource | None, match: Filter, attribute: str
    ) -> None:
        """Raise UniquenessException if another resource has the value of the attribute. One statement."""
        other = await scim.find(self.snapshot, kind, match)
        if other is not None and (stored is None or other.pk != stored.pk):
            raise UniquenessException(detail=f"Another {kind.lower()} has this {attribute}.")

    async def require_free(self, kind: PrincipalKind, principal_id: str) -> None:
        """Raise UniquenessException unless the id is free, or that of a principal of the provider without a resource.

        Two statements.
        """
        row = await scim.find_principal(self.snapshot, principal_id)
        if row is None:
            return
        if row.kind != kind:
            raise UniquenessException(detail=refuse_other_kind(row, kind).message)
        if row.source != PrincipalSource.SCIM:
            raise UniquenessException(detail=refuse_other_source(row).message)
        if await scim.find(self.snapshot, kind, Filter(id=row.id)) is not None:
            raise UniquenessException(detail=f"Another {kind.lower()} was created with the id {principal_id!r}.")

    async def save(self, pk: int, kind: PrincipalKind, name: str, resource: User | Group) -> None:
        """Store the resource of a principal. Up to two statements."""
        await scim.save(self.connection, pk, kind, name=name, resource=stored_form(resource), at=self.log.at)


@asynccontextmanager
async def open_transaction(database: Database, request_id: str, user_id: UserId) -> AsyncIterator[ScimTransaction]:
    """Open a transaction. Raises ConflictException for a write that is refused."""
    async with database.write(database.operation_seconds) as connection:
        log = await open_change_log(connection, request_id)
        try:
            yield ScimTransaction(connection, log, user_id)
        except PeopleRefusedError as refused:
            raise ConflictException(detail=str(refused)) from None


def usable_text(value: str | None, attribute: str, max_length: int = MAX_PRINCIPAL_ID_LENGTH) -> str:
    """Return a text that can be stored; raise InvalidValueException for one that is empty, too long or unprintable."""
    try:
        text = clean_text(value or "", max_length)
    except ValueError as error:
        raise InvalidValueException(detail=f"The {attribute} {error}.") from None
    if not text:
        raise InvalidValueException(detail=f"The {attribute} is empty.")
    return text


def usable_name(value: str | None, attribute: str) -> str:
    """Return a text as a name that a catalogue accepts, without invisible characters and repeated white space.

    Raises InvalidValueException like `usable_text`, also if nothing is left.
    """
    return usable_text(fit_name(usable_text(value, attribute, MAX_NAME_LENGTH)), attribute)
