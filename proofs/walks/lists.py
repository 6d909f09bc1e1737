"""Lists that a trial walks through: how to query them, and their rows by the oracle."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from proofs.walks.world import READERS
from tests.oracle import Model

Names = list[str]
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } nodes"
SLUG, ASSET = "{ name: slug }", "{ ... on AssetFields { name: externalId } }"


@dataclass(frozen=True)
class WalkedList:
    """List of one viewer: its rows, and those of them that a write leaves unmoved, given the names that it moves."""

    who: str
    document: str
    path: tuple[str, ...]
    variables: dict[str, Any]
    rows: Callable[[Model], Names]
    unmoving: Callable[[Model, Names, frozenset[str]], Names]
    label: str = field(default="")


def draw_list(model: Model, random: Random) -> WalkedList:
    """Return a random list; it may be empty."""
    who = random.choice((*READERS, READERS[0]))
    topics = [slug for slug in model.topics(who) if model.collections(who, topic=slug)]
    collections = model.collections(who)
    drawings: list[Callable[[Model, Random, str], WalkedList]] = [_topics, _all_collections]
    if topics:
        drawings += [_topic_collections] * 2
    if collections:
        drawings += [_assets] * 4 + [_descendants] * 2 + [_children]
    return random.choice(drawings)(model, random, who)


def _topics(_model: Model, _random: Random, who: str) -> WalkedList:
    return WalkedList(
        who,
        _document("", f"topics(%s) {{ {PAGE} {SLUG} }}"),
        ("topics",),
        {},
        lambda model: model.topics(who),
        _not_named,
        "topics",
    )


def _all_collections(_model: Model, random: Random, who: str) -> WalkedList:
    order, is_descending = random.choice(("POSITION", "POSITION", "NAME")), _happens(random, 3)

    def unmoving(model: Model, rows: Names, moved: frozenset[str]) -> Names:
        if order == "NAME":
            return [slug for slug in rows if f"name of {slug}" not in moved]
        return [slug for slug in _not_named(model, rows, moved) if model.collection[slug]["topic"] not in moved]

    document = _document(
        "", f"collections(orderBy: {_order(order, is_descending=is_descending)}, %s) {{ {PAGE} {SLUG} }}"
    )
    return WalkedList(
        who,
        document,
        ("collections",),
        {},
        lambda model: model.collections(who, order, descending=is_descending),
        unmoving,
        f"collections by {order}, descending: {is_descending}",
    )


def _topic_collections(model: Model, random: Random, who: str) -> WalkedList:
    topic = random.choice([slug for slug in model.topics(who) if model.collections(who, topic=slug)])
    top_only, is_descending = _happens(random, 3), _happens(random, 3)

    def rows(model: Model) -> Names:
        filter_ = {"topLevelOnly": True} if top_only else None
        return model.collections(who, "POSITION", filter_, topic, descending=is_descending)

    head = f"topic(by: {{slug: $slug}}) {{ collections(orderBy: {_order('POSITION', is_descending=is_descending)}, "
    head += f"filter: {{topLevelOnly: {str(top_only).lower()}}}, "
    return WalkedList(
        who,
        _document("$slug: String!", f"{head} %s) {{ {PAGE} {SLUG} }} }}"),
        ("topic", "collections"),
        {"slug": topic},
        rows,
        _not_named,
        f"collections of {topic}, top: {top_only}, descending: {is_descending}",
    )


def _children(model: Model, random: Random, who: str) -> WalkedList:
    parents = sorted({line["parent"] for line in model.collection.values() if line.get("parent")})
    slugs = model.collections(who)
    slug = random.choice([each for each in parents if each in slugs] or slugs)
    document = _document("$slug: String!", f"collection(by: {{slug: $slug}}) {{ children(%s) {{ {PAGE} {SLUG} }} }}")
    return WalkedList(
        who,
        document,
        ("collection", "children"),
        {"slug": slug},
        lambda model: model.children(who, slug) if _sees(model, who, slug) else [],
        _not_named,
        f"children of {slug}",
    )


def _assets(model: Model, random: Random, who: str, *, include_descendants: bool = False) -> WalkedList:
    slugs = model.collections(who)
    slug = "collection-00" if "collection-00" in slugs and _happens(random, 7) else random.choice(slugs)
    order, is_descending = random.choice(("POSITION",) * 5 + ("NAME",)), _happens(random, 3)
    filter_ = {"kinds": ["MODEL"]} if _happens(random, 2) else None

    def rows(model: Model) -> Names:
        if not _sees(model, who, slug):
            return []
        arguments: dict[str, Any] = {"descending": is_descending, "include_descendants": include_descendants}
        return model.collection_assets(who, slug, order, filter_, **arguments)

    def unmoving(model: Model, rows: Names, moved: frozenset[str]) -> Names:
        staying = _not_named(model, rows, moved)
        if not include_descendants or order == "NAME":
            return staying
        where = model.collection_of_asset(who, slug, include_descendants=True) if _sees(model, who, slug) else {}
        return [name for name in staying if where.get(name) not in moved]

    head = f"assets(orderBy: {_order(order, is_descending=is_descending)}, "
    head += f"includeDescendants: {str(include_descendants).lower()}, "
    head += f"filter: {{kinds: {'[MODEL]' if filter_ else 'null'}}},"
    document = _document("$slug: String!", f"collection(by: {{slug: $slug}}) {{ {head} %s) {{ {PAGE} {ASSET} }} }}")
    return WalkedList(
        who,
        document,
        ("collection", "assets"),
        {"slug": slug},
        rows,
        unmoving,
        f"assets of {slug} by {order}, below: {include_descendants}, descending: {is_descending}, {filter_}",
    )


def _descendants(model: Model, random: Random, who: str) -> WalkedList:
    return _assets(model, random, who, include_descendants=True)


def _happens(random: Random, chances: int) -> bool:
    """Return True in so many of ten draws."""
    return random.randrange(10) < chances


def _not_named(_model: Model, rows: Names, moved: frozenset[str]) -> Names:
    return [name for name in rows if name not in moved]


def _sees(model: Model, who: str, slug: str) -> bool:
    return slug in model.collection and model.sees_collection(who, slug)


def _order(field_: str, *, is_descending: bool) -> str:
    return f"{{field: {field_}, direction: {'DESC' if is_descending else 'ASC'}}}"


def _document(variables: str, list_: str) -> str:
    page = "first: $first, after: $after, last: $last, before: $before"
    return f"query({variables} $first: Int, $after: String, $last: Int, $before: String) {{ {list_ % page} }}"
