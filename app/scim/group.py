"""Groups of the identity provider: created, replaced and deleted by SCIM."""

from typing import Final

from scim2_models import InvalidValueException

from app.scim.patch import too_large
from app.scim.resource import Group
from app.scim.transaction import ScimTransaction, usable_name, usable_text
from store import scim
from store.people.members import GroupWrite
from store.scim import Filter, StoredResource
from store.tables import PrincipalKind

MAX_MEMBERS: Final = 50_000
"""Most members of a group."""


async def write(tx: ScimTransaction, group: Group, stored: StoredResource | None) -> int:
    """Create a group, or replace the stored one with its members; return the pk. Raises SCIMException."""
    name = usable_name(group.display_name, "displayName")
    if group.external_id is not None:
        await tx.require_unique(PrincipalKind.GROUP, stored, Filter(external_id=group.external_id), "externalId")
    if stored is None:
        principal_id = usable_text(group.external_id or name, "externalId")
        await tx.require_free(PrincipalKind.GROUP, principal_id)
    else:
        principal_id = stored.principal_id
    members = await _find_members(tx, group)
    written = await tx.people.write_groups({principal_id: GroupWrite(name, members=members)})
    pk = written.pks[principal_id]
    await tx.save(pk, PrincipalKind.GROUP, name, group)
    return pk


async def delete(tx: ScimTransaction, stored: StoredResource) -> None:
    """Take all members out of a group. The group's grants stay, for nobody."""
    await tx.people.write_groups({stored.principal_id: GroupWrite(members=[])})


async def _find_members(tx: ScimTransaction, group: Group) -> list[int]:
    """Return the pks of the members.

    Raises InvalidValueException unless all are users of the provider, and HTTPError for too many.
    """
    ids = {member.value for member in group.members or () if member.value}
    if len(ids) > MAX_MEMBERS:
        raise too_large(f"A group has at most {MAX_MEMBERS:,} members.")
    pks = await scim.find_users(tx.snapshot, ids)
    unknown = sorted(ids - pks.keys())
    if unknown:
        raise InvalidValueException(detail=f"No user has the id {unknown[0]!r}. Members of groups are users.")
    return list(pks.values())
