"""Provisioning by administrators: users and groups, and the members of groups."""

from collections.abc import Mapping
from typing import Any

from resolvers.write.input import InputReader, graph_name
from resolvers.write.principal_input import find_principal, load_principals
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import MutationRejectedError, UserError, UserErrorCode
from store.people.members import GroupWrite
from store.people.refusal import PeopleRefusedError, RefusalReason
from store.people.writer import PeopleWriter, UserColumns
from store.rows import PrincipalRow
from store.tables import PrincipalKind, PrincipalSource

CODES: Mapping[RefusalReason, UserErrorCode] = {
    RefusalReason.OTHER_SOURCE: UserErrorCode.OTHER_SOURCE,
    RefusalReason.OTHER_KIND: UserErrorCode.TAKEN,
    RefusalReason.LAST_ADMINISTRATOR: UserErrorCode.LAST_ADMINISTRATOR,
}


async def upsert_user(tx: MutationTransaction, reader: InputReader) -> Result:
    """Create a user, or update the one with this id in the platform."""
    external_id, columns = reader.external_id(), _user_columns(reader)
    reader.raise_errors()
    try:
        written = await _writer(tx, reader).write_users({external_id: columns})
    except PeopleRefusedError as error:
        raise _rejected(error, "externalId") from None
    return {"user": written.ids[external_id]}


def _user_columns(reader: InputReader) -> UserColumns:
    columns: UserColumns = {"name": reader.name()}
    if reader.has("email"):
        columns["email"] = reader.email()
    is_admin = reader.non_null("is_admin")
    if is_admin is not None:
        columns["is_admin"] = is_admin
    return columns


async def deactivate_user(tx: MutationTransaction, reader: InputReader) -> Result:
    """Deactivate a user: their tokens stop working, their grants stay."""
    return await _set_active(tx, reader, is_active=False)


async def reactivate_user(tx: MutationTransaction, reader: InputReader) -> Result:
    """Reactivate a user, who needs new tokens."""
    return await _set_active(tx, reader, is_active=True)


async def _set_active(tx: MutationTransaction, reader: InputReader, *, is_active: bool) -> Result:
    user = await find_principal(tx, reader, PrincipalKind.USER, "user_id")
    reader.raise_errors()
    assert user is not None  # noqa: S101 - raised above
    try:
        await _writer(tx, reader).set_active(user, is_active=is_active)
    except PeopleRefusedError as error:
        raise _rejected(error, "userId") from None
    return {"user": user.id}


async def upsert_group(tx: MutationTransaction, reader: InputReader) -> Result:
    """Create a group, or update the one with this id in the platform."""
    external_id, name = reader.external_id(), reader.name()
    reader.raise_errors()
    return await _write_group(tx, reader, external_id, GroupWrite(name), "externalId")


async def update_members(tx: MutationTransaction, reader: InputReader) -> Result:
    """Add users to a group and remove others."""
    group = await find_principal(tx, reader, PrincipalKind.GROUP, "group_id")
    lists = {name: reader.input.get(name) or () for name in ("add", "remove")}
    if not any(lists.values()):
        reader.add_error(UserErrorCode.REQUIRED, "Give at least one user to add or to remove.", "add")
    principals = await load_principals(tx, [reference for references in lists.values() for reference in references])
    users = {
        name: [principals.find_user(reader, reference, name, str(index)) for index, reference in enumerate(references)]
        for name, references in lists.items()
    }
    pks = {name: [user.pk for user in found if user is not None] for name, found in users.items()}
    _check_sides(reader, users["remove"], pks["add"])
    reader.raise_errors()
    assert group is not None  # noqa: S101 - raised above
    write = GroupWrite(add=pks["add"], remove=pks["remove"])
    return await _write_group(tx, reader, group.external_id, write, "groupId")


def _check_sides(reader: InputReader, removed: list[PrincipalRow | None], added_pks: list[int]) -> None:
    for index, user in enumerate(removed):
        if user is not None and user.pk in added_pks:
            message = f"{user.name} is both added and removed. Name them once."
            reader.add_error(UserErrorCode.INVALID, message, "remove", str(index))


async def _write_group(
    tx: MutationTransaction, reader: InputReader, external_id: str, write: GroupWrite, field: str
) -> Result:
    try:
        written = await _writer(tx, reader).write_groups({external_id: write})
    except PeopleRefusedError as error:
        raise _rejected(error, field) from None
    return {"group": written.ids[external_id]}


def _writer(tx: MutationTransaction, reader: InputReader) -> PeopleWriter:
    source: Any = reader.input.get("provisioned_by")
    hand_over_to = None if source is None else PrincipalSource(source)
    return PeopleWriter(tx.connection, tx.log, PrincipalSource.MANUAL, hand_over_to)


def _rejected(error: PeopleRefusedError, field: str) -> MutationRejectedError:
    path = ("input", graph_name(field))
    return MutationRejectedError(
        UserError(CODES[refusal.reason], refusal.message, path) for refusal in error.refusals.values()
    )
