"""Validation of a catalogue against the database: references, names and nesting."""

from collections.abc import Iterator, Mapping

from store.catalogue.existing import ExistingObjects
from store.catalogue.messages import format_value
from store.catalogue.parsed import InvalidCatalogueError, LineProblem, ParsedCatalogue, Reference
from store.catalogue.plan import Plan, PlannedCollection
from store.tables import MAX_COLLECTION_DEPTH, PrincipalKind


def validate(catalogue: ParsedCatalogue, existing: ExistingObjects, plan: Plan) -> None:
    """Raise InvalidCatalogueError with all problems, those of parsing included, if there are any."""
    problems = [*catalogue.problems, *_reference_problems(catalogue, existing, plan)]
    problems += [*_principal_problems(catalogue, existing), *_topic_name_problems(catalogue, plan)]
    problems += _TreeValidator(catalogue, existing, plan).problems()
    if problems:
        raise InvalidCatalogueError(problems)


def _reference_problems(catalogue: ParsedCatalogue, existing: ExistingObjects, plan: Plan) -> Iterator[LineProblem]:
    for reference in catalogue.references:
        if not _exists(reference, catalogue, existing, plan):
            reason = f"{reference.field}: {_explain_missing(reference, catalogue, existing)}"
            yield LineProblem(reference.line, reason)


def _exists(reference: Reference, catalogue: ParsedCatalogue, existing: ExistingObjects, plan: Plan) -> bool:
    id_ = reference.id
    match reference.kind:
        case "user":
            return catalogue.defines("user", id_) or existing.principals.get(id_) == PrincipalKind.USER
        case "principal":
            return catalogue.defines("user", id_) or catalogue.defines("group", id_) or id_ in existing.principals
        case "asset":
            return catalogue.defines("asset", id_) or id_ in existing.assets
        case "topic":
            return catalogue.defines("topic", id_) or plan.topic_matches.find(id_) is not None
        case _:
            return catalogue.defines("collection", id_) or plan.collection_matches.find(id_) is not None


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


def _topic_name_problems(catalogue: ParsedCatalogue, plan: Plan) -> Iterator[LineProblem]:
    slugs = {match.id: slug for slug, match in plan.topic_matches.by_slug.items()}
    holders = {topic.name_key: id_ for id_, topic in plan.topics.items() if id_ not in slugs}
    for id_, slug in slugs.items():
        if (topic := plan.topics.get(id_)) is None:
            continue
        holder = holders.setdefault(topic.name_key, id_)
        if holder != id_:
            where = _where(catalogue, "topic", plan.topics[holder].slug, slugs.get(holder))
            reason = f"name {topic.name!r} is already used by the topic {where} (case is ignored)"
            yield LineProblem(catalogue.line_numbers["topic", slug], reason)


def _where(catalogue: ParsedCatalogue, kind: str, slug: str, slug_of_line: str | None) -> str:
    """Return where the object that has a name already is defined: on a line, or in the database."""
    return f"on line {catalogue.line_numbers[kind, slug_of_line]}" if slug_of_line else f"{slug!r} in the database"


class _TreeValidator:
    """Validator of the planned collection tree. Problems belong to lines, each of which has at most one of a kind."""

    def __init__(self, catalogue: ParsedCatalogue, existing: ExistingObjects, plan: Plan) -> None:
        self._catalogue, self._existing, self._plan = catalogue, existing, plan
        matches = plan.collection_matches.by_slug
        self._slugs = {match.id: slug for slug, match in matches.items()}  # in the file
        self._parents = {id_: collection.parent for id_, collection in plan.collections.items()}

    def problems(self) -> Iterator[LineProblem]:
        """Yield the problems."""
        cycles = _ids_in_cycles(self._parents)
        for id_, slug in self._slugs.items():
            parent = self._catalogue.collections[slug].parent
            if id_ in cycles:
                yield self._problem(id_, f"parent {parent!r} is below the collection itself")
            elif parent is not None and id_ in self._plan.placed:
                yield from self._topic_problems(id_, parent)
        yield from self._sibling_name_problems()
        yield from self._depth_problems({id_: self._parents[id_] for id_ in self._parents if id_ not in cycles})

    def _topic_problems(self, id_: str, parent: str) -> Iterator[LineProblem]:
        """Yield a problem if the file puts a collection and its parent into different topics."""
        line = self._catalogue.collections[self._slugs[id_]]
        topic, parent_topic = self._plan.topic_matches.find(line.topic), self._topic_in_file(parent)
        if topic is not None and parent_topic is not None and topic != parent_topic:
            name = self._plan.topics[parent_topic].slug if parent_topic in self._plan.topics else parent_topic
            reason = f"parent {parent!r} is in topic {name!r}, not {line.topic!r}; name a parent in the same topic"
            yield self._problem(id_, reason)

    def _topic_in_file(self, slug: str) -> str | None:
        """Return the id of a collection's topic by its line, else by its line at the last import, else as it is."""
        if line := self._catalogue.collections.get(slug):
            return self._plan.topic_matches.find(line.topic)
        id_ = self._plan.collection_matches.find(slug)
        if id_ is None:
            return None
        if state := self._existing.collection_states.get(id_):
            return str(state.fields["place"][0])
        return self._plan.collections[id_].topic

    def _sibling_name_problems(self) -> Iterator[LineProblem]:
        collections = self._plan.collections
        holders = {_sibling_key(each): id_ for id_, each in collections.items() if id_ not in self._slugs}
        for id_ in self._slugs:
            if (collection := collections.get(id_)) is None:
                continue
            holder = holders.setdefault(_sibling_key(collection), id_)
            if holder != id_:
                where = _where(self._catalogue, "collection", collections[holder].slug, self._slugs.get(holder))
                reason = f"name {collection.name!r} is already used by the sibling collection {where} (case is ignored)"
                yield self._problem(id_, reason)

    def _depth_problems(self, parents: Mapping[str, str | None]) -> Iterator[LineProblem]:
        limit = f"collections nest at most {MAX_COLLECTION_DEPTH} levels deep"
        for id_ in parents:
            path = list(_path_up(id_, parents))
            if len(path) <= MAX_COLLECTION_DEPTH:
                continue
            placed = next((ancestor for ancestor in path if ancestor in self._plan.placed), None)
            if placed is None:
                continue
            parent = self._catalogue.collections[self._slugs[placed]].parent
            if placed == id_:
                yield self._problem(placed, f"parent {parent!r} is too deep; {limit}")
            elif id_ not in self._slugs:
                slug = self._plan.collections[id_].slug
                yield self._problem(placed, f"parent {parent!r} would put {slug!r} of the database too deep; {limit}")
            else:
                yield self._problem(id_, f"its parent moves, which would put it too deep; {limit}")

    def _problem(self, id_: str, reason: str) -> LineProblem:
        return LineProblem(self._catalogue.line_numbers["collection", self._slugs[id_]], reason)


def _sibling_key(collection: PlannedCollection) -> tuple[str | None, str | None, str]:
    return collection.topic, collection.parent, collection.name_key


def _path_up(id_: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    """Yield the collection and its ancestors, up to one more than the maximum depth."""
    ancestor: str | None = id_
    for _ in range(MAX_COLLECTION_DEPTH + 1):
        if ancestor is None or ancestor not in parents:
            return
        yield ancestor
        ancestor = parents[ancestor]


def _ids_in_cycles(parents: Mapping[str, str | None]) -> set[str]:
    """Return the collections that are their own ancestors. Visits each collection once."""
    visited: set[str] = set()
    cycles: set[str] = set()
    for id_ in parents:
        path: dict[str, int] = {}  # position in the path, by id
        ancestor: str | None = id_
        while ancestor and ancestor in parents and ancestor not in visited and ancestor not in path:
            path[ancestor] = len(path)
            ancestor = parents[ancestor]
        if ancestor and ancestor in path:
            cycles.update(list(path)[path[ancestor] :])
        visited |= path.keys()
    return cycles
