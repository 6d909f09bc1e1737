"""Users and groups of the platform, found among those of Atoll or added to them.

The platform names owners by id and e-mail address, and holders of permissions by e-mail address only. A person whom
Atoll knows by that address keeps the id that they have there, from any source.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from store.text import fit_name
from store.users import Directory

Line = dict[str, Any]


@dataclass
class People:
    """Ids in lines of the platform's users and groups; those that Atoll does not know yet get a line."""

    directory: Directory
    _ids_by_owner: dict[str, str] = field(default_factory=dict)
    _ids_by_email: dict[str, str] = field(default_factory=dict)
    _lines: dict[str, Line] = field(default_factory=dict)

    def add_owners(self, owners: Iterable[tuple[str, str | None]]) -> None:
        """Take the ids of all owners with their e-mail addresses, which some assets lack."""
        for id_, email in sorted(owners, key=lambda owner: owner[1] is None):
            if id_ not in self._ids_by_owner:
                self._ids_by_owner[id_] = self._add_owner(id_, email)

    def owner_id(self, id_: str) -> str:
        """Return the id in lines of an owner, one of those of `add_owners`."""
        return self._ids_by_owner[id_]

    def user_id(self, email: str) -> str:
        """Return the id in lines of the user with this e-mail address, which is the id of a new user."""
        if known := self._find(email):
            return known
        self._ids_by_email[_key(email)] = email
        if email not in self.directory.user_ids:
            self._add_user(email, email)
        return email

    def group_id(self, id_: str) -> str:
        """Return the id in lines of the group. The platform does not tell who is in it: a new group has no members."""
        if id_ not in self.directory.group_ids:
            self._lines.setdefault(id_, {"kind": "group", "id": id_, "name": fit_name(id_) or id_, "members": []})
        return id_

    def lines(self) -> list[Line]:
        """Return the lines of new users and groups."""
        return list(self._lines.values())

    def _add_owner(self, id_: str, email: str | None) -> str:
        if email and (known := self._find(email)):
            return known
        if email:
            self._ids_by_email[_key(email)] = id_
        if id_ not in self.directory.user_ids:
            self._add_user(id_, email)
        return id_

    def _find(self, email: str) -> str | None:
        return self.directory.id_by_email.get(_key(email)) or self._ids_by_email.get(_key(email))

    def _add_user(self, id_: str, email: str | None) -> None:
        name = email.partition("@")[0] if email else id_
        line = {"kind": "user", "id": id_, "name": fit_name(name) or id_}
        self._lines.setdefault(id_, line | ({"email": email} if email else {}))


def _key(email: str) -> str:
    return email.strip().casefold()
