"""Validation of a catalogue against the database: references, names and nesting."""

from collections.abc import Iterator, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from store.catalogue.existing import CollectionPlacement, ExistingObjects, load_existing
from store.catalogue.messages import format_value
from store.catalogue.parsed import InvalidCatalogueError, LineProblem, ParsedCatalogue, Reference
from store.tables import MAX_COLLECTION_DEPTH, PrincipalKind
from store.text import fold_name


async def validate(connection: AsyncConnection, catalogue: ParsedCatalogue) -> None:
    """Raise InvalidCatalogueError with all problems, those of parsing included, if there are any. Four statements."""
    asset_ids = {reference.id for reference in catalogue.references if reference.kind == "asset"}
    existing = await load_existing(connection, [id_ for id_ in asset_ids if not catalogue.defines("asset", id_)])
    problems = [*catalogue.problems, *_reference_problems(catalogue, existing)]
    problems += [*_principal_problems(catalogue, existing), *_topic_name_problems(catalogue, existing)]
    problems += _nesting_problems(catalogue, existing)
    if problems:
        raise InvalidCatalogueError(problems)


def _reference_problems(catalogue: ParsedCatalogue, existing: ExistingObjects) -> Iterator[LineProblem]:
    for reference in catalogue.references:
        if not _exists(reference, catalogue, existing):
            reason = f"{reference.field}: {_explain_missing(reference, catalogue, existing)}"
            yield LineProblem(reference.line, reason)


def _exists(reference: Reference, catalogue: ParsedCatalogue, existing: ExistingObjects) -> bool:
    id_ = reference.id
    match reference.kind:
        case "user":
            return catalogue.defines("user", id_) or existing.principals.get(id_) == PrincipalKind.USER
        case "principal":
            return catalogue.defines("user", id_) or catalogue.defines("group", id_) or id_ in existing.principals
        case "asset":
            return catalogue.defines("asset", id_) or id_ in existing.assets
        case "topic":
            return catalogue.defines("topic", id_) or id_ in existing.topics
        case _:
            return catalogue.defines("collection", id_) or id_ in existing.collections


def _explain_missing(reference: Reference, catalogue: ParsedCatalogue, existing: ExistingObjects) -> str:
    is_group = catalogue.defines("group", reference.id) or reference.id in existing.principals
    if reference.kind == "user" and is_group:
        return f"{format_value(reference.id)} is not a user; name a user"
    noun = "user or group" if reference.kind == "principal" else reference.kind
    return f"there is no {noun} {format_value(reference.id)} in the file or the database"


def _principal_problems(catalogue: ParsedCatalogue, existing: ExistingObjects) -> Iterator[LineProblem]:
    for kind, ids in (("user", catalogue.users), ("group", catalogue.groups)):
        for id_ in ids:
            other = existing.principals.get(id_)
            if other in {PrincipalKind.USER, PrincipalKind.GROUP} and other != kind.upper():
                reason = f"id {id_!r} belongs to a {other.lower()} in the database; choose another id"
                yield LineProblem(catalogue.line_numbers[kind, id_], reason)


def _topic_name_problems(catalogue: ParsedCatalogue, existing: ExistingObjects) -> Iterator[LineProblem]:
    slugs = {name_key: slug for slug, name_key in existing.topics.items() if slug not in catalogue.topics}
    for slug, line in catalogue.topics.items():
        if holder := slugs.get(fold_name(line.name)):
            reason = f"name {line.name!r} is already used by the topic {holder!r} in the database (case is ignored)"
            yield LineProblem(catalogue.line_numbers["topic", slug], reason)


def _nesting_problems(catalogue: ParsedCatalogue, existing: ExistingObjects) -> Iterator[LineProblem]:
    """Yield problems of the collection tree that the import would produce from its lines and existing collections."""
    lines = catalogue.collections
    placed = {slug: CollectionPlacement(line.topic, line.parent, fold_name(line.name)) for slug, line in lines.items()}
    kept = {slug: placement for slug, placement in existing.collections.items() if slug not in placed}
    placements = kept | placed
    parents = {slug: placement.parent for slug, placement in placements.items()}
    cycles = _slugs_in_cycles(parents)
    for slug, placement in placed.items():
        if slug in cycles:
            yield _problem(catalogue, slug, f"parent {placement.parent!r} is below the collection itself")
        elif placement.parent in placements and placements[placement.parent].topic != placement.topic:
            reason = f"parent {placement.parent!r} is in topic {placements[placement.parent].topic!r}"
            reason += f", not {placement.topic!r}; name a parent in the same topic"
            yield _problem(catalogue, slug, reason)
    yield from _sibling_name_problems(catalogue, placed, kept)
    yield from _child_topic_problems(catalogue, placed, kept)
    yield from _depth_problems(catalogue, placed, {slug: parents[slug] for slug in parents if slug not in cycles})


def _sibling_name_problems(
    catalogue: ParsedCatalogue, placed: Mapping[str, CollectionPlacement], kept: Mapping[str, CollectionPlacement]
) -> Iterator[LineProblem]:
    slug_by_placement = {placement: slug for slug, placement in kept.items()}
    for slug, placement in placed.items():
        if holder := slug_by_placement.get(placement):
            name = catalogue.collections[slug].name
            sibling = f"the sibling collection {holder!r} in the database"
            yield _problem(catalogue, slug, f"name {name!r} is already used by {sibling} (case is ignored)")


def _child_topic_problems(
    catalogue: ParsedCatalogue, placed: Mapping[str, CollectionPlacement], kept: Mapping[str, CollectionPlacement]
) -> Iterator[LineProblem]:
    """Yield a problem for each existing child that would stay behind in the former topic of its parent."""
    for slug, placement in kept.items():
        if placement.parent and placement.parent in placed and placed[placement.parent].topic != placement.topic:
            reason = (
                f"topic: its child {slug!r} in the database is in topic {placement.topic!r};"
                f" add a line that moves {slug!r} too"
            )
            yield _problem(catalogue, placement.parent, reason)


def _depth_problems(
    catalogue: ParsedCatalogue, placed: Mapping[str, CollectionPlacement], parents: Mapping[str, str | None]
) -> Iterator[LineProblem]:
    limit = f"collections nest at most {MAX_COLLECTION_DEPTH} levels deep"
    for slug in parents:
        path = list(_path_up(slug, parents))
        if len(path) <= MAX_COLLECTION_DEPTH:
            continue
        if slug in placed:
            yield _problem(catalogue, slug, f"parent {placed[slug].parent!r} is too deep; {limit}")
        elif moved := next((ancestor for ancestor in path if ancestor in placed), None):
            reason = f"parent {placed[moved].parent!r} would put {slug!r} of the database too deep; {limit}"
            yield _problem(catalogue, moved, reason)


def _path_up(slug: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    """Yield the collection and its ancestors, up to one more than the maximum depth."""
    ancestor: str | None = slug
    for _ in range(MAX_COLLECTION_DEPTH + 1):
        if ancestor is None or ancestor not in parents:
            return
        yield ancestor
        ancestor = parents[ancestor]


def _slugs_in_cycles(parents: Mapping[str, str | None]) -> set[str]:
    """Return the collections that are their own ancestors. Visits each collection once."""
    visited: set[str] = set()
    cycles: set[str] = set()
    for slug in parents:
        path: dict[str, int] = {}  # position in the path, by slug
        ancestor: str | None = slug
        while ancestor and ancestor in parents and ancestor not in visited and ancestor not in path:
            path[ancestor] = len(path)
            ancestor = parents[ancestor]
        if ancestor and ancestor in path:
            cycles.update(list(path)[path[ancestor] :])
        visited |= path.keys()
    return cycles


def _problem(catalogue: ParsedCatalogue, slug: str, reason: str) -> LineProblem:
    return LineProblem(catalogue.line_numbers["collection", slug], reason)
