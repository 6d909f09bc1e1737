"""Refused writes of users and groups: who owns them, and the way out."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from store.rows import PrincipalRow
from store.tables import PrincipalKind, PrincipalSource

_WAY_OUT = {
    PrincipalSource.CATALOGUE: "Change its line in the catalogue and import that",
    PrincipalSource.OIDC: "Change it at the identity provider; Atoll takes it over at the next sign-in",
    PrincipalSource.SCIM: "Change it at the identity provider, which provisions it by SCIM",
    PrincipalSource.MANUAL: "Change it by a mutation, as an administrator",
}


class RefusalReason(StrEnum):
    """Reason why a user or group may not be written."""

    OTHER_SOURCE = "OTHER_SOURCE"
    OTHER_KIND = "OTHER_KIND"
    LAST_ADMINISTRATOR = "LAST_ADMINISTRATOR"


class Refusal(NamedTuple):
    """A user or group that may not be written, and the message for the person who tried."""

    reason: RefusalReason
    message: str


class PeopleRefusedError(Exception):
    """Users or groups may not be written, so nothing was."""

    def __init__(self, refusals: Mapping[str, Refusal]) -> None:
        """Take the refusals by external id."""
        self.refusals = refusals
        super().__init__(" ".join(refusal.message for refusal in refusals.values()))


def refuse_other_source(row: PrincipalRow) -> Refusal:
    """Return the refusal of a user or group that another source owns."""
    source, noun = PrincipalSource(row.source), row.kind.lower()
    message = (
        f'The {noun} "{row.external_id}" belongs to the source {source}. {_WAY_OUT[source]},'
        f" or let an administrator give it another source by {noun}Upsert."
    )
    return Refusal(RefusalReason.OTHER_SOURCE, message)


def refuse_other_kind(row: PrincipalRow, kind: PrincipalKind) -> Refusal:
    """Return the refusal of an external id that belongs to a principal of another kind."""
    is_reserved = row.kind not in {PrincipalKind.USER, PrincipalKind.GROUP}
    reason = "is reserved" if is_reserved else f"is the id of a {row.kind.lower()}"
    message = f'"{row.external_id}" {reason}, so no {kind.lower()} can have it. Choose another id.'
    return Refusal(RefusalReason.OTHER_KIND, message)


def refuse_last_administrator(external_id: str) -> Refusal:
    """Return the refusal to demote or deactivate the last active administrator."""
    message = f'"{external_id}" is the last active administrator. Make another user an administrator first.'
    return Refusal(RefusalReason.LAST_ADMINISTRATOR, message)
