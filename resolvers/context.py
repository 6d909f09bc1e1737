"""This file is what one operation carries: viewer, snapshot and loaders, none of which outlives it."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from permissions.viewer import Viewer
from store.database import Snapshot

LoaderT = TypeVar("LoaderT")


@dataclass
class Context:
    """One operation of one viewer on one snapshot."""

    viewer: Viewer
    snapshot: Snapshot
    request_id: str
    _loaders: dict[Hashable, Any] = field(default_factory=dict)

    def loader(self, kind: Callable[..., LoaderT], *arguments: Hashable) -> LoaderT:
        """Return the operation's one loader of that kind and arguments."""
        key = (kind, *arguments)
        if key not in self._loaders:
            self._loaders[key] = kind(self, *arguments)
        return self._loaders[key]  # type: ignore[no-any-return]  # the key tells the kind
