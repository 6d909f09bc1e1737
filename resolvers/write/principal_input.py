"""Input of principals: users, groups, everyone and public, each named by id or by id in the platform."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import or_

from permissions import visible
from resolvers.write.input import Input, InputReader, graph_name
from resolvers.write.transaction import MutationTransaction
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.rows import PrincipalRow
from store.tables import PrincipalKind

KIND_BY_FIELD = {
    "user_id": PrincipalKind.USER,
    "user_external_id": PrincipalKind.USER,
    "group_id": PrincipalKind.GROUP,
    "group_external_id": PrincipalKind.GROUP,
    "everyone": PrincipalKind.EVERYONE,
    "public": PrincipalKind.PUBLIC,
}
BUILT_IN_KINDS = {PrincipalKind.EVERYONE, PrincipalKind.PUBLIC}


class Principals:
    """The principals that an input names, by the fields that name them."""

    def __init__(self, rows: Iterable[PrincipalRow]) -> None:
        """Take the rows of the named principals."""
        self._by_name: dict[tuple[str, str], PrincipalRow] = {}
        for row in rows:
            noun = row.kind.lower()
            self._by_name |= {(f"{noun}_id", row.id): row, (f"{noun}_external_id", row.external_id): row}
            if row.kind in BUILT_IN_KINDS:
                self._by_name[noun, noun] = row

    def find(self, reader: InputReader, reference: Input, *path: str) -> PrincipalRow | None:
        """Return the principal; add an error and return None if there is none, or everyone or public is not true."""
        ((field, value),) = reference.items()
        kind = KIND_BY_FIELD[field]
        if kind in BUILT_IN_KINDS and value is not True:
            reader.add_error(UserErrorCode.INVALID, f"{field} must be true.", *path, field)
            return None
        row = self._by_name.get((field, field if kind in BUILT_IN_KINDS else value))
        if row is None:
            reader.add_not_found(kind.lower(), *path)
        return row

    def find_user(self, reader: InputReader, reference: Input, *path: str) -> PrincipalRow | None:
        """Return the user; add NOT_FOUND and return None if there is none, or the reference names no user."""
        ((field, value),) = reference.items()
        row = self._by_name.get((field, value)) if KIND_BY_FIELD[field] is PrincipalKind.USER else None
        if row is None:
            reader.add_not_found("user", *path)
        return row


async def load_principals(tx: MutationTransaction, references: Iterable[Input]) -> Principals:
    """Return the visible principals that the references name, and everyone and public. One statement."""
    named = [(field, value) for reference in references for field, value in reference.items() if isinstance(value, str)]
    ids = [value for field, value in named if not field.endswith("external_id")]
    external_ids = [value for field, value in named if field.endswith("external_id")]
    principal = sql.principal.c
    is_named = or_(
        principal.id.in_(sql.text_list([*ids, *(kind.lower() for kind in BUILT_IN_KINDS)])),
        principal.external_id.in_(sql.text_list(external_ids)),
    )
    rows: Sequence[Any] = await tx.rows(visible(sql.principal, tx.viewer).where(is_named))
    return Principals(rows)


async def find_principal(
    tx: MutationTransaction, reader: InputReader, kind: PrincipalKind, field: str
) -> PrincipalRow | None:
    """Return the user or group whose id the input field holds; add NOT_FOUND if there is none. One statement."""
    reference = {f"{kind.lower()}_id": reader.input[field]}
    return (await load_principals(tx, [reference])).find(reader, reference, graph_name(field))
