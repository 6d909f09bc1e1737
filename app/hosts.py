"""Names that a deployment answers for. A request for another name is refused.

Otherwise, a page of any site could reach a server on the user's own machine or network: its name may resolve to this
server's address (DNS rebinding).
"""

import re
from collections.abc import Sequence

from starlette.types import Scope

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE)


class AllowedHosts:
    """Names in `Host` headers that are answered. `*.example.org` allows all names below example.org."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the names, without ports. Without names, every name is allowed."""
        lowered = [name.lower() for name in names]
        self._names = frozenset(lowered)
        self._suffixes = tuple(name[1:] for name in lowered if name.startswith("*."))

    def allow(self, scope: Scope) -> bool:
        """Return whether the request has one valid `Host` header, with an allowed name and any port."""
        if not self._names:
            return True
        values = [value for name, value in scope["headers"] if name == b"host"]
        match = _HOST.fullmatch(values[0].decode("latin-1")) if len(values) == 1 else None
        if match is None:
            return False
        name = match[1].lower()
        return name in self._names or name.endswith(self._suffixes)
