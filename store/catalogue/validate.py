"""This file is what is wrong with a whole catalogue beside what the database holds: references, names, nesting."""

from collections.abc import Iterator, Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from store.catalogue.known import Known, Place, known
from store.catalogue.messages import format_value
from store.catalogue.parsed import InvalidCatalogueError, LineProblem, ParsedCatalogue, Reference
from store.tables import MAX_COLLECTION_DEPTH, PrincipalKind
from store.text import fold_name

_EITHER = "in the file or the database"
_ARTICLE = {"user": "a user", "group": "a group"}


async def validate(connection: AsyncConnection, told: ParsedCatalogue) -> None:
    """Raise InvalidCatalogueError, with every problem, unless the whole file can be written. Four statements."""
    asset_ids = {reference.id for reference in told.references if reference.kind == "asset"}
    held = await known(connection, [id_ for id_ in asset_ids if not told.has("asset", id_)])
    problems = [*told.problems, *_references(told, held), *_principals(told, held)]
    problems += [*_topic_names(told, held), *_nesting(told, held)]
    if problems:
        raise InvalidCatalogueError(problems)


def _references(told: ParsedCatalogue, held: Known) -> Iterator[LineProblem]:
    for reference in told.references:
        if not _is_there(reference, told, held):
            yield LineProblem(reference.line, f"{reference.field}: {_absent(reference, told, held)}")


def _is_there(reference: Reference, told: ParsedCatalogue, held: Known) -> bool:
    id_ = reference.id
    match reference.kind:
        case "user":
            return told.has("user", id_) or held.principals.get(id_) == PrincipalKind.USER
        case "principal":
            return told.has("user", id_) or told.has("group", id_) or id_ in held.principals
        case "asset":
            return told.has("asset", id_) or id_ in held.assets
        case "topic":
            return told.has("topic", id_) or id_ in held.topics
        case _:
            return told.has("collection", id_) or id_ in held.collections


def _absent(reference: Reference, told: ParsedCatalogue, held: Known) -> str:
    if reference.kind == "user" and (told.has("group", reference.id) or reference.id in held.principals):
        return f"{format_value(reference.id)} is no user; only a user can stand here"
    what = "user or group" if reference.kind == "principal" else reference.kind
    return f"there is no {what} {format_value(reference.id)} {_EITHER}"


def _principals(told: ParsedCatalogue, held: Known) -> Iterator[LineProblem]:
    for kind, ids in (("user", told.users), ("group", told.groups)):
        for id_ in ids:
            other = held.principals.get(id_)
            if other in {PrincipalKind.USER, PrincipalKind.GROUP} and other != kind.upper():
                was = _ARTICLE[other.lower()]
                yield LineProblem(told.number_of[kind, id_], f"id {id_!r} is {was} in the database, and stays one")


def _topic_names(told: ParsedCatalogue, held: Known) -> Iterator[LineProblem]:
    others = {name_key: slug for slug, name_key in held.topics.items() if slug not in told.topics}
    for slug, line in told.topics.items():
        if other := others.get(fold_name(line.name)):
            reason = f"name {line.name!r} is that of the topic {other!r} in the database"
            yield LineProblem(told.number_of["topic", slug], reason)


def _nesting(told: ParsedCatalogue, held: Known) -> Iterator[LineProblem]:
    mine = {slug: Place(line.topic, line.parent, fold_name(line.name)) for slug, line in told.collections.items()}
    others = {slug: place for slug, place in held.collections.items() if slug not in mine}
    places = others | mine
    parents = {slug: place.parent for slug, place in places.items()}
    circles = _circles(parents)
    for slug, place in mine.items():
        if slug in circles:
            yield _of(told, slug, "parent: a collection cannot be below itself")
        elif place.parent and place.parent in places and places[place.parent].topic != place.topic:
            topic = places[place.parent].topic
            yield _of(told, slug, f"parent: {place.parent!r} is in the topic {topic!r}, not in {place.topic!r}")
    yield from _sibling_names(told, mine, others)
    yield from _left_behind(told, mine, others)
    yield from _too_deep(told, mine, {slug: parent for slug, parent in parents.items() if slug not in circles})


def _sibling_names(
    told: ParsedCatalogue, mine: Mapping[str, Place], others: Mapping[str, Place]
) -> Iterator[LineProblem]:
    taken = {place: slug for slug, place in others.items()}
    for slug, place in mine.items():
        if place in taken:
            name = told.collections[slug].name
            yield _of(
                told, slug, f"name {name!r} is that of the collection {taken[place]!r} in the database, beside it"
            )


def _left_behind(
    told: ParsedCatalogue, mine: Mapping[str, Place], others: Mapping[str, Place]
) -> Iterator[LineProblem]:
    """A collection cannot leave for another topic without those below it."""
    for slug, place in others.items():
        if place.parent and place.parent in mine and mine[place.parent].topic != place.topic:
            reason = f"below it the database has {slug!r}, in the topic {place.topic!r}: add a line that moves it along"
            yield _of(told, place.parent, f"topic: {reason}")


def _too_deep(
    told: ParsedCatalogue, mine: Mapping[str, Place], parents: Mapping[str, str | None]
) -> Iterator[LineProblem]:
    for slug in parents:
        line = list(_upwards(slug, parents))
        if len(line) <= MAX_COLLECTION_DEPTH:
            continue
        if slug in mine:
            yield _of(told, slug, f"parent: collections nest at most {MAX_COLLECTION_DEPTH} deep")
        elif moved := next((above for above in line if above in mine), None):
            reason = f"parent: it brings {slug!r} along from the database, and collections nest at most"
            yield _of(told, moved, f"{reason} {MAX_COLLECTION_DEPTH} deep")


def _upwards(slug: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    """Yield the collection and those above it, one more than may be at most."""
    above: str | None = slug
    for _ in range(MAX_COLLECTION_DEPTH + 1):
        if above is None or above not in parents:
            return
        yield above
        above = parents[above]


def _circles(parents: Mapping[str, str | None]) -> set[str]:
    """Return the collections that are below themselves. Each is looked at once."""
    seen: set[str] = set()
    circles: set[str] = set()
    for slug in parents:
        path: dict[str, int] = {}
        above: str | None = slug
        while above and above in parents and above not in seen and above not in path:
            path[above] = len(path)
            above = parents[above]
        if above and above in path:
            circles.update(list(path)[path[above] :])
        seen |= path.keys()
    return circles


def _of(told: ParsedCatalogue, slug: str, reason: str) -> LineProblem:
    return LineProblem(told.number_of["collection", slug], reason)
