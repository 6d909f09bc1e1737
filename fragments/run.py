"""State of one run of a program: whose answer it is, and what is missing for it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from graphql.execution.values import VariableValues

from engine import Check, ObjectPlan, UnsupportedError, check_nothing
from fragments.cache import Fragment, FragmentCache, KeptFragments, SelectionKey
from fragments.selection import Selection
from permissions import Viewer
from permissions.visibility_index import Pks, Sight
from resolvers.context import Context

MAX_ROWS = 20_000
"""Most rows of an answer from memory, which blocks the event loop for some 20 ms. The engine gives larger ones."""


class Run:
    """One run of a program."""

    def __init__(
        self,
        viewer: Viewer,
        sight: Sight,
        cache: FragmentCache,
        variables: VariableValues,
        check: Check = check_nothing,
    ) -> None:
        """Answer as the viewer, who sees what `sight` says; `check` is that of the engine's parts."""
        self.viewer, self.sight, self.cache, self.variables, self.check = viewer, sight, cache, variables, check
        self.missing: defaultdict[Selection, set[int]] = defaultdict(set)
        self.remainder: ObjectPlan | None = None
        self.remaining_data: dict[str, Any] | None = None
        self._rows = self._bytes = 0

    @cached_property
    def context(self) -> Context:
        """Context for resolvers that only declare a list."""
        nothing: Any = None  # they read neither a snapshot nor a loader
        return Context(self.viewer, nothing, nothing)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing and (self.remainder is None or self.remaining_data is not None)

    def fragments(self, selection: Selection, pks: Pks) -> Sequence[Fragment]:
        """Return the fragment of each row. Those that are missing are noted, and the result has empty ones for them."""
        self._rows += len(pks)
        if self._rows > MAX_ROWS:
            raise UnsupportedError("The answer has too many rows.")
        if selection.dependencies.needs_member and not self.viewer.is_signed_in:
            raise UnsupportedError("Some of the rows that it refers to may be hidden.")
        kept = self._kept(selection, pks)
        try:
            return [each[pk] for each, pk in zip(kept, pks, strict=True)]
        except KeyError:
            self.missing[selection].update(pk for each, pk in zip(kept, pks, strict=True) if not each.use(pk))
            return [(b"",) * len(selection.parts)] * len(pks)

    def count_bytes(self, texts: Iterable[bytes]) -> None:
        """Count texts of the answer, before they are joined. Raises what `check` does if they are too large."""
        self._bytes += sum(map(len, texts))
        self.check(0, self._bytes)

    def key(self, selection: Selection, pk: int) -> SelectionKey:
        """Return the key by which the row's fragment is kept."""
        return selection.key(self.viewer, self.sight.access(pk) if selection.dependencies.by_access else 0)

    def _kept(self, selection: Selection, pks: Pks) -> Sequence[KeptFragments]:
        """Return for each row the fragments that its own is among."""
        if not selection.dependencies.by_access:
            return [self.cache.of(selection.key(self.viewer, 0))] * len(pks)
        levels = list(map(self.sight.access, pks))
        by_level = {level: self.cache.of(selection.key(self.viewer, level)) for level in set(levels)}
        return [by_level[level] for level in levels]
