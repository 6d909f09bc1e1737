"""Import of users and groups: a group's line replaces all of its members."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import select

from store import sql
from store.catalogue.lines import UserLine
from store.catalogue.parsed import InvalidCatalogueError, LineProblem, ParsedCatalogue
from store.catalogue.upsert import ImportSession
from store.people.members import GroupWrite
from store.people.refusal import PeopleRefusedError
from store.people.writer import PeopleWriter, UserColumns, WrittenPeople
from store.tables import PrincipalSource


class ForeignLine(NamedTuple):
    """A line that would change a user or group of another source, and is left out, with that source."""

    kind: str
    id: str
    source: PrincipalSource


class WrittenPrincipals(NamedTuple):
    """Pks by external id, of all principals including `everyone` and `public`, and the lines left out."""

    pks: dict[str, int]
    foreign: list[ForeignLine]


async def write_principals(session: ImportSession, catalogue: ParsedCatalogue) -> WrittenPrincipals:
    """Write users and groups; leave those of another source as they are.

    Raises InvalidCatalogueError if the lines demote or deactivate the last active administrator.
    """
    writer = PeopleWriter(session.connection, session.log, PrincipalSource.CATALOGUE, skips_foreign=True)
    try:
        users = await writer.write_users({id_: _columns(line) for id_, line in catalogue.users.items()})
        pks = await _load_pks(session)
        groups = await writer.write_groups(
            {
                id_: GroupWrite(line.name, members=[pks[user] for user in line.members])
                for id_, line in catalogue.groups.items()
            }
        )
    except PeopleRefusedError as error:
        raise InvalidCatalogueError(_problems(catalogue, error)) from None
    _count(session, "user", users, catalogue.users)
    _count(session, "group", groups, catalogue.groups)
    foreign = [*_foreign_lines("user", users.skipped), *_foreign_lines("group", groups.skipped)]
    return WrittenPrincipals({**pks, **groups.pks}, foreign)


def _foreign_lines(kind: str, skipped: Mapping[str, PrincipalSource]) -> list[ForeignLine]:
    return [ForeignLine(kind, id_, source) for id_, source in skipped.items()]


def _columns(line: UserLine) -> UserColumns:
    columns: UserColumns = {"name": line.name, "email": line.email, "is_admin": line.isAdmin}
    if line.isActive is not None:
        columns["is_active"] = line.isActive
    return columns


async def _load_pks(session: ImportSession) -> dict[str, int]:
    principals = await session.connection.execute(select(sql.principal.c.external_id, sql.principal.c.pk))
    return {row.external_id: row.pk for row in principals}


def _problems(catalogue: ParsedCatalogue, error: PeopleRefusedError) -> list[LineProblem]:
    numbers = {id_: number for (kind, id_), number in catalogue.line_numbers.items() if kind in {"user", "group"}}
    return [LineProblem(numbers[id_], refusal.message.removesuffix(".")) for id_, refusal in error.refusals.items()]


def _count(session: ImportSession, kind: str, written: WrittenPeople, lines: Collection[str]) -> None:
    created, updated = len(written.created), len(written.updated)
    session.created[kind] += created
    session.updated[kind] += updated
    session.unchanged[kind] += len(lines) - created - updated - len(written.skipped)
