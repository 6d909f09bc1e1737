"""Plan of an import: topics and collections as they will be, merged from lines, their former states and people's edits.

It covers all topics and collections of the database, because lines may place collections anywhere in the tree.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sqlalchemy import Row

from store.catalogue.existing import ExistingObjects
from store.catalogue.lines import CollectionLine
from store.catalogue.match import Match, Matches, match_lines
from store.catalogue.merge import merge
from store.catalogue.parsed import ParsedCatalogue
from store.slug import unique_slug
from store.text import fold_name


class KeptLine(NamedTuple):
    """A line that differs from its object because of people's edits, which the import keeps, with their description."""

    kind: str
    slug: str  # in the file
    edits: str


@dataclass(frozen=True)
class PlannedTopic:
    """A topic as it will be."""

    id: str
    slug: str
    name: str
    name_key: str
    description: str


@dataclass(frozen=True)
class PlannedCollection:
    """A collection as it will be. Topic and parent are ids; the topic is None if the line's does not exist."""

    id: str
    slug: str
    name: str
    name_key: str
    description: str
    visibility: str
    topic: str | None
    parent: str | None


@dataclass
class Plan:
    """Topics and collections as they will be, by id, and the matches of their lines."""

    topic_matches: Matches
    collection_matches: Matches
    topics: dict[str, PlannedTopic] = field(default_factory=dict)
    collections: dict[str, PlannedCollection] = field(default_factory=dict)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the lines, by object id, for the next import
    placed: set[str] = field(default_factory=set)  # ids of collections that lines create or move
    kept: list[KeptLine] = field(default_factory=list)

    def keep(self, kind: str, slug: str, edits: Iterable[str]) -> None:
        """Record the edits that the import of a line keeps, if there are any."""
        if text := ", ".join(edits):
            self.kept.append(KeptLine(kind, slug, text))


def plan_import(catalogue: ParsedCatalogue, existing: ExistingObjects) -> Plan:
    """Return the plan. References that lead nowhere are ignored: `validate` reports them."""
    topics = match_lines("top", catalogue.topics, existing.topics, existing.topic_states)
    collections = match_lines("col", catalogue.collections, existing.collections, existing.collection_states)
    plan = Plan(topics, collections)
    _plan_topics(plan, catalogue, existing)
    _plan_collections(plan, catalogue, existing)
    _follow_parents(plan)
    return plan


def _plan_topics(plan: Plan, catalogue: ParsedCatalogue, existing: ExistingObjects) -> None:
    plan.topics = {
        id_: PlannedTopic(id_, row.slug, row.name, row.name_key, row.description)
        for id_, row in existing.topics.items()
    }
    planned = dict[str, dict[str, Any]]()
    for slug, line in catalogue.topics.items():
        match = plan.topic_matches.by_slug[slug]
        values = {"slug": slug, "name": line.name, "description": line.description}
        plan.fields[match.id] = values
        if match.is_deleted:
            plan.keep("topic", slug, ["deleted"])
            continue
        current = _columns(match.row, values) if match.row is not None else values
        planned[match.id] = _merge(plan, "topic", match, values, current)
    for id_, values in _with_free_slugs(planned, plan.topics).items():
        plan.topics[id_] = PlannedTopic(id_, **values, name_key=_name_key(existing.topics.get(id_), values))


def _plan_collections(plan: Plan, catalogue: ParsedCatalogue, existing: ExistingObjects) -> None:
    places = existing.places()
    plan.collections = {
        id_: PlannedCollection(id_, row.slug, row.name, row.name_key, row.description, row.visibility, *places[id_])
        for id_, row in existing.collections.items()
    }
    requested = {slug: _requested_place(plan, line) for slug, line in catalogue.collections.items()}
    absent = _absent_places(plan, requested)
    planned = dict[str, dict[str, Any]]()
    for slug, line in catalogue.collections.items():
        match = plan.collection_matches.by_slug[slug]
        values = {name: getattr(line, name) for name in ("slug", "name", "description", "visibility")}
        values |= {"place": requested[slug]}
        if match.is_new and slug in absent:
            plan.keep("collection", slug, [f"not created, because {_explain_absence(plan, line, existing)}"])
            continue
        plan.fields[match.id] = values | {"assets": match.state.fields["assets"] if match.state else {}}
        if match.is_deleted:
            plan.keep("collection", slug, ["deleted"])
            continue
        current = values
        if match.row is not None:
            current = _columns(match.row, values.keys() - {"place"}) | {"place": places[match.id]}
        planned[match.id] = _merge(plan, "collection", match, values, current, keeps_place=slug in absent)
    for id_, values in _with_free_slugs(planned, plan.collections).items():
        topic, parent = values.pop("place")
        if places.get(id_) != [topic, parent]:
            plan.placed.add(id_)
        name_key = _name_key(existing.collections.get(id_), values)
        plan.collections[id_] = PlannedCollection(id_, **values, name_key=name_key, topic=topic, parent=parent)


def _name_key(row: Row[Any] | None, values: Mapping[str, Any]) -> str:
    """Return the key of the planned name. An unchanged name keeps its key: that of an older version may differ."""
    return row.name_key if row is not None and row.name == values["name"] else fold_name(values["name"])


def _columns(row: Row[Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _merge(
    plan: Plan,
    kind: str,
    match: Match,
    line: Mapping[str, Any],
    current: Mapping[str, Any],
    *,
    keeps_place: bool = False,
) -> dict[str, Any]:
    """Return the merged values, and record the edits that stay. With `keeps_place`, the place stays in any case."""
    values, kept = merge(line, _imported_fields(plan, match), current)
    if keeps_place:
        values["place"] = current["place"]
        kept = [*dict.fromkeys([*kept, "place"])]
    plan.keep(kind, line["slug"], kept)
    return values


def _imported_fields(plan: Plan, match: Match) -> Mapping[str, Any] | None:
    """Return the line's fields at the last import; None without one.

    A place has the successors of deleted objects, so that these alone make no difference of the file.
    """
    if match.state is None or "place" not in match.state.fields:
        return match.state and match.state.fields
    topic, parent = match.state.fields["place"]
    place = [plan.topic_matches.successor(topic), plan.collection_matches.successor(parent)]
    return {**match.state.fields, "place": place}


def _requested_place(plan: Plan, line: CollectionLine) -> list[str | None]:
    """Return the ids of the line's topic and parent."""
    parent = plan.collection_matches.find(line.parent) if line.parent else None
    return [plan.topic_matches.find(line.topic), parent]


def _absent_places(plan: Plan, requested: Mapping[str, list[str | None]]) -> set[str]:
    """Return the slugs of lines whose topic or parent will not exist, because people deleted it."""
    matches = plan.collection_matches.by_slug
    alive = {*plan.collections, *(match.id for match in matches.values() if match.is_new)}
    absent = set[str]()
    while lost := {
        slug
        for slug, (topic, parent) in requested.items()
        if slug not in absent and (topic not in plan.topics or not (parent is None or parent in alive))
    }:
        absent |= lost
        alive -= {matches[slug].id for slug in lost if matches[slug].is_new}
    return absent


def _explain_absence(plan: Plan, line: CollectionLine, existing: ExistingObjects) -> str:
    """Return why the topic or the parent of a line will not exist, as a clause."""
    rows: Mapping[str, Row[Any]]
    if plan.topic_matches.find(line.topic) not in plan.topics:
        noun, slug, rows = "topic", line.topic, existing.topics
    else:
        noun, slug, rows = "parent", str(line.parent), existing.collections
        match = plan.collection_matches.by_slug.get(slug)
        if match is not None and match.is_new:
            return f"its parent {slug!r} is not created"
    is_taken = any(row.slug == slug for row in rows.values())
    noun_of_rows = "topic" if noun == "topic" else "collection"
    reason = f"its {noun} {slug!r} is deleted"
    return f"{reason}, and the {noun_of_rows} with that slug belongs to another line" if is_taken else reason


def _with_free_slugs(
    planned: Mapping[str, dict[str, Any]], objects: Mapping[str, PlannedTopic] | Mapping[str, PlannedCollection]
) -> dict[str, dict[str, Any]]:
    """Return the planned values; a new slug that another object has gets a number."""
    kept = {id_: values for id_, values in planned.items() if id_ in objects and objects[id_].slug == values["slug"]}
    taken = {each.slug for id_, each in objects.items() if id_ in kept or id_ not in planned}
    free = dict[str, dict[str, Any]]()
    for id_, values in planned.items():
        slug = values["slug"] if id_ in kept else unique_slug(values["slug"], taken)
        taken.add(slug)
        free[id_] = values | {"slug": slug}
    return free


def _follow_parents(plan: Plan) -> None:
    """Put each collection into the topic of its parent, which a line may have moved."""
    for collection in list(plan.collections.values()):
        root, path = collection, {collection.id}
        while root.parent is not None and root.parent not in path and root.parent in plan.collections:
            root = plan.collections[root.parent]
            path.add(root.id)
        if root.topic != collection.topic:
            plan.collections[collection.id] = replace(collection, topic=root.topic)
