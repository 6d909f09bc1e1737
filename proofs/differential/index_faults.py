"""Planted faults of the visibility index, of kept fragments and of the guard. The test of writes must find each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app.authentication import load_viewer
from app.oidc_claims import Claims
from fragments.cache import FragmentCache, SelectionKey
from fragments.memory import read_missing
from fragments.run import Run
from fragments.selection import Selection
from permissions.index_rows import IndexRows
from permissions.viewer import Viewer, anonymous_viewer
from permissions.visibility_index import Outline, Sight, VisibilityIndex
from proofs.differential.engine_faults import EngineFault
from store.database import Snapshot
from store.tables import CollectionVisibility, RowKind


@dataclass(frozen=True)
class IndexFault(EngineFault):
    """A fault of the index. Without `writes`, the first answers show it."""

    writes: Sequence[str] = ()  # names of those after the last of which answers show it


_update_members, _update, _outline = VisibilityIndex._update_members, Sight.update, VisibilityIndex.outline  # noqa: SLF001 - faults are inside
_forget, _key = FragmentCache.forget, Selection.key
_viewers: dict[tuple[str | None, Claims | None], Viewer] = {}


def _ignore(*_: object) -> None:
    return None


def _update_new_members_only(index: Any, changed: Iterable[int], rows: IndexRows) -> None:
    _update_members(index, [pk for pk in changed if pk not in index.members], rows)


def _update_without_grants(sight: Any, changed: Any) -> None:
    _update(sight, changed)
    if sight.viewer.is_signed_in:
        sight.assets |= changed & sight._index.assets  # noqa: SLF001 - the fault changes private parts


def _first_outline(index: Any, viewer: Viewer) -> Outline:
    outlines = list(index._outlines.values())  # noqa: SLF001 - the fault changes private parts
    return outlines[0] if outlines else _outline(index, viewer)


def _forget_referring_rows_only(cache: Any, changed: Any, revealed: Any = ()) -> None:
    # No selection is of members: only fragments that refer to a changed row are dropped.
    kinds = {key: key.of for key in cache._kept}  # noqa: SLF001 - the fault changes private parts
    kept = {SelectionKey(key.fields, RowKind.MEMBERS, key.viewer): cache._kept[key] for key in kinds}  # noqa: SLF001 - the fault changes private parts
    others = FragmentCache(0)
    others._kept = kept  # noqa: SLF001 - the fault changes private parts
    _forget(others, {**changed, RowKind.MEMBERS: ()}, revealed)


def _forget_without_revealed(cache: Any, changed: Any, _revealed: Any = ()) -> None:
    _forget(cache, changed)


def _key_without_access(selection: Selection, viewer: Viewer, _access: int) -> SelectionKey:
    return _key(selection, viewer, 0)


def _key_without_viewer(selection: Selection, viewer: Viewer, access: int) -> SelectionKey:
    return _key(selection, viewer, access)._replace(viewer=access if selection.dependencies.by_access else None)


async def _answer_without_version(
    memory: Any, program: Any, variables: Any, identify: Any, _check: Any, read: Any
) -> bytes | None:
    index = memory._index  # noqa: SLF001 - the fault changes private parts
    viewer = replace(await memory._database.read_one(identify), row_version=index.version)  # noqa: SLF001 - the fault changes private parts
    run = Run(viewer, index.sight(viewer), memory._cache, variables)  # noqa: SLF001 - the fault changes private parts
    body: bytes = program.render(run)
    if run.is_complete:
        return body
    missing = partial(read_missing, run=run, identify=identify)
    found = await read(lambda: memory._database.read(missing))  # noqa: SLF001 - the fault replaces a method of the class
    completed: bytes | None = memory._complete(program, run, index, found)  # noqa: SLF001 - the fault replaces a method of the class
    return completed


async def _load_viewer_once(snapshot: Snapshot, api_token: str | None, claims: Claims | None) -> Viewer:
    if api_token is None:
        return await load_viewer(snapshot, api_token, claims)
    if (api_token, claims) not in _viewers:
        _viewers[api_token, claims] = await load_viewer(snapshot, api_token, claims)
    return replace(_viewers[api_token, claims], row_version=(await anonymous_viewer(snapshot)).row_version)


def _visibilities_without_sharing(viewer: Viewer) -> set[str]:
    return {CollectionVisibility.PUBLIC.value} | ({"INTERNAL"} if viewer.is_signed_in else set())


def _forget_no_answers(sight: Any, is_affected: Any, kept: dict[int, Any]) -> None:
    if kept is not sight._answers:  # noqa: SLF001 - the fault changes private parts
        for pk in [pk for pk in kept if is_affected(sight._index.member_set(pk))]:  # noqa: SLF001 - the fault changes private parts
            del kept[pk]


INDEX = "permissions.visibility_index."
INDEX_FAULTS = (
    IndexFault(
        "sights are not updated after a grant",
        {f"{INDEX}VisibilityIndex._update_sights": _ignore},
        writes=["a grant is added"],
    ),
    IndexFault("owners-only assets are shown to members", {f"{INDEX}OWNERS_ONLY_STATUSES": ()}),
    IndexFault("assets are shown without a grant", {f"{INDEX}Sight.update": _update_without_grants}),
    IndexFault(
        "the order of members is not replaced",
        {f"{INDEX}VisibilityIndex._update_members": _update_new_members_only},
        writes=["assets have another order"],
    ),
    IndexFault(
        "sights keep the members of a collection",
        {f"{INDEX}Sight.forget_members": _ignore},
        writes=["assets are removed"],
    ),
    IndexFault(
        "counts are kept although an asset changed",
        {f"{INDEX}Sight._forget": _forget_no_answers},
        writes=["an asset is archived"],
    ),
    IndexFault(
        "fragments are kept although their row changed",
        {"fragments.cache.FragmentCache.forget": _forget_referring_rows_only},
        writes=["an asset is renamed"],
    ),
    IndexFault(
        "fragments are kept although a row that they refer to changed",
        {"fragments.cache.KeptFragments.forget_referring": _ignore},
        writes=["an owner is renamed"],
    ),
    IndexFault(
        "fragments are kept although a parent is visible now",
        {"fragments.cache.FragmentCache.forget": _forget_without_revealed},
        writes=["a collection is published"],
    ),
    IndexFault(
        "fragments are shared between levels of access", {"fragments.selection.Selection.key": _key_without_access}
    ),
    IndexFault(
        "fragments are shared between kinds of viewer", {"fragments.selection.Selection.key": _key_without_viewer}
    ),
    IndexFault("kinds of viewer share topics and collections", {f"{INDEX}VisibilityIndex.outline": _first_outline}),
    IndexFault(
        "the guard ignores the version",
        {"fragments.memory.Memory.answer": _answer_without_version},
        writes=["a collection is renamed"],
    ),
    IndexFault(
        "the guard keeps the viewer of a token",
        {"app.query_engine.load_viewer": _load_viewer_once},
        writes=["a token is revoked"],
    ),
    IndexFault(
        "anonymous visitors see collections while sharing is off",
        {f"{INDEX}_visibilities": _visibilities_without_sharing},
        writes=["public sharing is off"],
    ),
)
