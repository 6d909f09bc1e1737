"""This file is whoever an input names to hold a grant: found, each once, with an access they may have."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from resolvers.write.input import Input, InputReader
from resolvers.write.transaction import MutationTransaction
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.tables import AssetAccess, PrincipalKind

MAX_GRANTS = 100
OWNER_STAYS = "This is the asset's owner, who stays OWNER: no asset is ever without one."
KIND_BY_FIELD = {
    "user_id": PrincipalKind.USER,
    "group_id": PrincipalKind.GROUP,
    "everyone": PrincipalKind.EVERYONE,
    "public": PrincipalKind.PUBLIC,
}
BUILT_IN_KINDS = {PrincipalKind.EVERYONE, PrincipalKind.PUBLIC}
PrincipalById = Mapping[str, Row[Any]]


async def principals_by_id(write: MutationTransaction, ids: Iterable[str]) -> PrincipalById:
    """Return the principals of those ids, and everyone and public, by id. One statement."""
    return await write.visible_by_id(sql.principal, [*ids, *(kind.lower() for kind in BUILT_IN_KINDS)])


def principal_ids(named: Iterable[Input]) -> list[str]:
    """Return the ids of the users and groups among those named."""
    return [value for each in named for value in each.values() if isinstance(value, str)]


def check_count(reading: InputReader, given: Sequence[object], *path: str) -> None:
    """Refuse a list of more grants than are taken at once."""
    if len(given) > MAX_GRANTS:
        message = f"{path[-1]} has {len(given):,} entries; at most {MAX_GRANTS} are allowed."
        reading.add_error(UserErrorCode.LIMIT_EXCEEDED, message, *path, limit=MAX_GRANTS)


class GrantReader:
    """Reads who is to hold which access to one asset, or none; whoever is named twice is refused."""

    def __init__(self, reading: InputReader, principals: PrincipalById, owner_pk: int | None = None) -> None:
        """Take where faults are kept, the principals that are named, and whose access must stay OWNER."""
        self._reading, self._principals, self._owner_pk = reading, principals, owner_pk
        self._seen: set[int] = set()

    def grants(self, given: Sequence[Input], *path: str) -> list[tuple[Row[Any], int]]:
        """Return each principal with their access, in the order given; refuse what cannot be."""
        found = []
        for index, grant in enumerate(given):
            principal = self._principal(grant["to"], *path, str(index), "to")
            if principal is None:
                continue
            if principal.kind in BUILT_IN_KINDS and grant["access"] > AssetAccess.VIEWER:
                message = f"{principal.name} can hold VIEWER at most."
                self._reading.add_error(UserErrorCode.INVALID, message, *path, str(index), "access")
            if principal.pk == self._owner_pk and grant["access"] < AssetAccess.OWNER:
                self._reading.add_error(UserErrorCode.INVALID, OWNER_STAYS, *path, str(index), "access")
            found.append((principal, grant["access"]))
        return found

    def principals(self, given: Sequence[Input], *path: str) -> list[Row[Any]]:
        """Return each principal, in the order given; refuse those there are not."""
        found = []
        for index, named in enumerate(given):
            principal = self._principal(named, *path, str(index))
            if principal is None:
                continue
            if principal.pk == self._owner_pk:
                self._reading.add_error(UserErrorCode.INVALID, OWNER_STAYS, *path, str(index))
            found.append(principal)
        return found

    def _principal(self, named: Input, *path: str) -> Row[Any] | None:
        ((field, value),) = named.items()
        kind = KIND_BY_FIELD[field]
        if kind in BUILT_IN_KINDS and value is not True:
            self._reading.add_error(UserErrorCode.INVALID, f"{field} must be true.", *path, field)
            return None
        principal = self._principals.get(kind.lower() if kind in BUILT_IN_KINDS else value)
        if principal is None or principal.kind != kind:
            self._reading.add_not_found(kind.lower(), *path)
            return None
        if principal.pk in self._seen:
            self._reading.add_error(UserErrorCode.INVALID, f"{principal.name} is named twice.", *path)
            return None
        self._seen.add(principal.pk)
        return principal
