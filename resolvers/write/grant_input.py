"""Input of grants: finds the principals, and checks that each occurs only once and may hold the requested access."""

from collections.abc import Sequence

from permissions.may import MAX_ACCESS, may_hold
from resolvers.write.input import Input, InputReader
from resolvers.write.principal_input import Principals
from resolvers.write.user_error import UserErrorCode
from store.rows import PrincipalRow
from store.tables import AssetAccess, PrincipalKind

OWNER_STAYS = "The asset's owner keeps OWNER: every asset has an owner."


class GrantReader:
    """Reader of the grants of one asset. It adds an error for each invalid grant and each repeated principal."""

    def __init__(self, reader: InputReader, principals: Principals, owner_pk: int | None = None) -> None:
        """Take the reader that collects errors, the referenced principals, and the owner, who must keep OWNER."""
        self._reader, self._principals, self._owner_pk = reader, principals, owner_pk
        self._seen: set[int] = set()

    def grants(self, grants: Sequence[Input], *path: str) -> list[tuple[PrincipalRow, int]]:
        """Return the principal and access of each grant whose principal is valid, in order."""
        valid: list[tuple[PrincipalRow, int]] = []
        for index, grant in enumerate(grants):
            principal = self._principal(grant["to"], *path, str(index), "to")
            if principal is None:
                continue
            kind = PrincipalKind(principal.kind)
            if not may_hold(kind, grant["access"]):
                message = f"{principal.name} can hold {MAX_ACCESS[kind].name} at most."
                self._reader.add_error(UserErrorCode.INVALID, message, *path, str(index), "access")
            if principal.pk == self._owner_pk and grant["access"] < AssetAccess.OWNER:
                self._reader.add_error(UserErrorCode.INVALID, OWNER_STAYS, *path, str(index), "access")
            valid.append((principal, grant["access"]))
        return valid

    def principals(self, references: Sequence[Input], *path: str) -> list[PrincipalRow]:
        """Return the principals whose grants are to be revoked, in order, without invalid ones."""
        valid = []
        for index, reference in enumerate(references):
            principal = self._principal(reference, *path, str(index))
            if principal is None:
                continue
            if principal.pk == self._owner_pk:
                self._reader.add_error(UserErrorCode.INVALID, OWNER_STAYS, *path, str(index))
            valid.append(principal)
        return valid

    def _principal(self, reference: Input, *path: str) -> PrincipalRow | None:
        principal = self._principals.find(self._reader, reference, *path)
        if principal is None:
            return None
        if principal.pk in self._seen:
            self._reader.add_error(UserErrorCode.INVALID, f"{principal.name} occurs twice.", *path)
            return None
        self._seen.add(principal.pk)
        return principal
