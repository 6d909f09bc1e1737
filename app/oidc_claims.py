"""Claims of an issuer's tokens: the user, and the profile and groups that provisioning takes over."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

import orjson

from store.text import MAX_NAME_LENGTH, MAX_PRINCIPAL_ID_LENGTH, clean_text, fit_name

MAX_GROUPS: Final = 500


class Provisioning(StrEnum):
    """Users and groups that sign-ins write."""

    OFF = "off"
    UPDATE = "update"  # known users of this source; others are refused
    CREATE = "create"  # unknown users as well


@dataclass(frozen=True)
class ClaimNames:
    """Names of the claims with the user's name, e-mail address and groups, and the group of the administrators."""

    provisioning: Provisioning = Provisioning.OFF
    name: str = "name"
    email: str = "email"
    groups: str = "groups"
    admin_group: str | None = None

    def read(self, claims: Mapping[str, Any]) -> "Profile":
        """Return the profile in verified claims. A claim of another type or form counts as absent."""
        groups = _read_groups(claims.get(self.groups))
        is_admin = None if self.admin_group is None else self.admin_group in groups
        return Profile(
            fit_name(_read_text(claims.get(self.name)) or "") or None,
            _read_text(claims.get(self.email)),
            groups[:MAX_GROUPS],
            is_admin,
        )


@dataclass(frozen=True)
class Profile:
    """Parts of a user that claims state; those that are None are left as they are.

    Without a claim of groups, the user is in no group of this source: issuers often omit an empty claim.
    """

    name: str | None
    email: str | None
    groups: tuple[str, ...]
    is_admin: bool | None

    @cached_property
    def digest(self) -> str:
        """Digest of the profile, by which sign-ins notice a change."""
        return sha256(orjson.dumps(astuple(self))).hexdigest()


@dataclass(frozen=True)
class Claims:
    """Verified claims: the user's id at the issuer, the time of issue in milliseconds, and a profile to take over.

    The profile is None if sign-ins write nothing.
    """

    subject: str
    issued_at: int
    profile: Profile | None = None
    may_create_user: bool = False


def _read_text(value: object) -> str | None:
    try:
        return (clean_text(value, MAX_NAME_LENGTH) or None) if isinstance(value, str) else None
    except ValueError:
        return None


def _read_groups(value: object) -> tuple[str, ...]:
    """Return the distinct usable groups in order of their names, so that the issuer's order makes no difference."""
    values: Iterable[object] = value if isinstance(value, list) else [value]
    return tuple(sorted({each for each in values if isinstance(each, str) and _is_usable(each)}))


def _is_usable(group: str) -> bool:
    return 0 < len(group) <= MAX_PRINCIPAL_ID_LENGTH and group.isprintable() and group == group.strip()
