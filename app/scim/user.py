"""Users of the identity provider: created, replaced and deleted by SCIM."""

from typing import Any

from app.scim.resource import User, display_name, email_address, is_admin
from app.scim.transaction import ScimTransaction, usable_name, usable_text
from app.scim.user_id import UserId
from store import scim
from store.people.members import GroupWrite
from store.people.writer import UserColumns
from store.scim import Filter, StoredResource
from store.tables import PrincipalKind
from store.text import MAX_NAME_LENGTH


async def write(tx: ScimTransaction, user: User, stored: StoredResource | None) -> int:
    """Create a user, or replace the stored one; return the pk. Raises SCIMException."""
    user_name = usable_text(user.user_name, "userName")
    await tx.require_unique(PrincipalKind.USER, stored, Filter(name=user_name), "userName")
    if user.external_id is not None:
        await tx.require_unique(PrincipalKind.USER, stored, Filter(external_id=user.external_id), "externalId")
    if stored is None:
        principal_id = _principal_id(tx, user)
        await tx.require_free(PrincipalKind.USER, principal_id)
        former = None
    else:
        principal_id, former = stored.principal_id, User.model_validate(dict(stored.resource))
    columns = _columns(user, former, is_active=stored is None or stored.is_active)
    pk = (await tx.people.write_users({principal_id: columns})).pks[principal_id]
    await tx.save(pk, PrincipalKind.USER, user_name, user)
    return pk


async def delete(tx: ScimTransaction, stored: StoredResource) -> None:
    """Deactivate a user and take them out of the provider's groups. The user's grants stay."""
    await tx.people.write_users({stored.principal_id: {"is_active": False}})
    groups = await scim.fetch_group_ids(tx.snapshot, stored.pk)
    await tx.people.write_groups({group: GroupWrite(remove=[stored.pk]) for group in groups})


def _principal_id(tx: ScimTransaction, user: User) -> str:
    """Return the id in Atoll of a new user."""
    if tx.user_id is UserId.EXTERNAL_ID and user.external_id:
        return usable_text(user.external_id, "externalId")
    return usable_text(user.user_name, "userName")


def _columns(user: User, former: User | None, *, is_active: bool) -> UserColumns:
    """Return the columns of the user. Without `active`, it stays as it is; so does the role, unless roles are sent."""
    columns: UserColumns = {
        "name": usable_name(display_name(user), "displayName"),
        "email": _email(user),
        "is_active": is_active if user.active is None else user.active,
    }
    admin = is_admin(user, former)
    if admin is not None:
        columns["is_admin"] = admin
    return columns


def _email(user: User) -> str | None:
    address: Any = email_address(user)
    return None if address is None else usable_text(address, "emails", MAX_NAME_LENGTH)
