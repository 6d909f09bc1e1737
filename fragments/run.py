"""State of one run of a program: whose answer it is, and what is missing for it."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from graphql.execution.values import VariableValues

from engine import ObjectPlan, UnsupportedError
from fragments.cache import Fragment, FragmentCache
from fragments.selection import Selection
from permissions import Viewer
from permissions.visibility_index import Pks, Sight
from resolvers.context import Context

MAX_ROWS = 20_000
"""Most rows of an answer from memory, which blocks the event loop for some 20 ms. The engine gives larger ones."""


class Run:
    """One run of a program."""

    def __init__(self, viewer: Viewer, sight: Sight, cache: FragmentCache, variables: VariableValues) -> None:
        """Answer as the viewer, who sees what `sight` says."""
        self.viewer, self.sight, self.cache, self.variables = viewer, sight, cache, variables
        self.missing: defaultdict[Selection, set[int]] = defaultdict(set)
        self.remainder: ObjectPlan | None = None
        self.remaining_data: dict[str, Any] | None = None
        self._rows = 0

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
        if selection.dependencies.by_access:
            return self._fragments_by_access(selection, pks)
        kept = self.cache.of(selection.key(self.viewer, 0))
        try:
            return list(map(kept.__getitem__, pks))
        except KeyError:
            return self._note_missing(selection, pks)

    def _fragments_by_access(self, selection: Selection, pks: Pks) -> Sequence[Fragment]:
        levels = list(map(self.sight.access, pks))
        kept = {level: self.cache.of(selection.key(self.viewer, level)) for level in set(levels)}
        try:
            return [kept[level][pk] for level, pk in zip(levels, pks, strict=True)]
        except KeyError:
            return self._note_missing(selection, pks)

    def _note_missing(self, selection: Selection, pks: Pks) -> Sequence[Fragment]:
        for pk in pks:
            level = self.sight.access(pk) if selection.dependencies.by_access else 0
            try:
                self.cache.of(selection.key(self.viewer, level))[pk]
            except KeyError:
                self.missing[selection].add(pk)
        return [(b"",) * len(selection.parts)] * len(pks)
