"""List fields of the schema as test queries, each with the oracle's expected rows."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proofs.determinism import lift_cost_limits
from tests.conftest import ANONYMOUS, GraphQLClient
from tests.oracle import Line, Model, Names

PARENTS = {
    "topic": "topic(by: {slug: %s})",
    "collection": "collection(by: {slug: %s})",
    "asset": "asset(by: {externalId: %s})",
    "group": "group(by: {externalId: %s})",
    "viewer": "viewer",
}
TYPES_OF_PARENTS = {
    "": "Query",
    "topic": "Topic",
    "collection": "Collection",
    "asset": "AssetFields",
    "group": "Group",
    "viewer": "Viewer",
}
SLUGS = "slug"
PEOPLE = "externalId"
ASSETS = "... on AssetFields { externalId }"
DIRECTIONS = (("ASC", False), ("DESC", True))
COLLECTION_ORDERS = ("POSITION", "NAME", "UPDATED_AT", "ASSET_COUNT")
ASSET_ORDERS = ("RELEVANCE", "NAME", "CREATED_AT", "UPDATED_AT")
MEMBERSHIP_ORDERS = ("POSITION", "ADDED_AT", "NAME", "UPDATED_AT")
COUNT_AND_PAGE_INFO = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
PAGE = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor }"
MAX_PAGES = 200
MAX_ROOT_FIELDS = 20  # in one document

Expected = Callable[[Model, str, Line | None], Names]
Found = dict[str, Any]


@dataclass(frozen=True)
class ListField:
    """One parent's list in one order; `parent` is None for a list at the root."""

    parent: tuple[str, str] | None
    field: str
    selection: str
    expected: Expected
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # a string stands for an enum value
    is_two_way: bool = False
    filter: str | None = None  # name of the filter's input type

    @property
    def argument_text(self) -> str:
        """The arguments in GraphQL syntax."""
        return _literal(self.arguments)[1:-1]

    def text(self, alias: str, further: str = "", body: str | None = None) -> str:
        """Return the field in GraphQL syntax, under the alias; `further` has more arguments."""
        arguments = ", ".join(part for part in (self.argument_text, further) if part)
        whole = f"{self.field}({arguments})" if arguments else self.field
        body = (
            body or f"{COUNT_AND_PAGE_INFO} edges {{ cursor node {{ {self.selection} }} }} nodes {{ {self.selection} }}"
        )
        if self.parent is None:
            return f"{alias}: {whole} {{ {body} }}"
        kind, name = self.parent
        parent_field = PARENTS[kind] % json.dumps(name) if "%" in PARENTS[kind] else PARENTS[kind]
        inside = f"{whole} {{ {body} }}"
        return f"{alias}: {parent_field} {{ {f'... on AssetFields {{ {inside} }}' if kind == 'asset' else inside} }}"

    def extract(self, found: Found | None) -> Found | None:
        """Return the list from the alias's value in a response; None if the parent is hidden."""
        return found if self.parent is None or found is None else found[self.field]

    def exists(self, model: Model, who: str) -> bool:
        """Return whether the list's parent is visible to the viewer."""
        kind, name = self.parent or ("", "")
        if kind == "topic":
            return model.sees_topic(who, name)
        if kind == "collection":
            return model.sees_collection(who, name)
        if kind == "group":
            return model.sees_members(who, name)
        return model.sees_asset(who, name) if kind == "asset" else kind != "viewer" or who != ANONYMOUS

    def __str__(self) -> str:
        """Describe the list for a failure message."""
        return self.text("list", body="…")


def node_names(found: Found, item: str) -> Names:
    """Return the external ids or slugs of a page's nodes."""
    return [node["slug" if item == SLUGS else "externalId"] for node in found["nodes"]]


async def ask_lists(
    ask: GraphQLClient,
    who: str,
    lists: Sequence[ListField],
    further: Sequence[str] = (),
    body: str | None = None,
    **variables: Any,
) -> list[Found | None]:
    """Return a page of each list, or None where the parent is hidden; `further` has more arguments for each list."""
    declared = {"filter": next((each.filter for each in lists if each.filter), None)}
    head = ", ".join(f"${name}: {declared[name]}" for name in variables)
    pages: list[Found | None] = []
    for start in range(0, len(lists), MAX_ROOT_FIELDS):
        chunk = lists[start : start + MAX_ROOT_FIELDS]
        texts = [
            each.text(f"l{index}", further[start + index] if further else "", body) for index, each in enumerate(chunk)
        ]
        query = f"query{f'({head})' if head else ''} {{ {' '.join(texts)} }}"
        with lift_cost_limits():
            data = await ask(who, query, **variables)
        pages += [each.extract(data[f"l{index}"]) for index, each in enumerate(chunk)]
    return pages


async def walk(
    ask: GraphQLClient, who: str, lists: Sequence[ListField], sizes: Sequence[int], *, backward: bool
) -> list[list[Found]]:
    """Page through each list from its start, or from its end if `backward`; return its pages as they were read."""
    count, place, on, end = (
        ("last", "before", "hasPreviousPage", "startCursor")
        if backward
        else ("first", "after", "hasNextPage", "endCursor")
    )
    pages: list[list[Found]] = [[] for _ in lists]
    going = list(range(len(lists)))
    for _ in range(MAX_PAGES):
        further = [
            f"{count}: {sizes[index]}"
            + (f", {place}: {json.dumps(pages[index][-1]['pageInfo'][end])}" if pages[index] else "")
            for index in going
        ]
        found = await ask_lists(ask, who, [lists[index] for index in going], further, PAGE)
        for index, page in zip(going, found, strict=True):
            assert page is not None, lists[index]
            pages[index].append(page)
        going = [index for index in going if pages[index][-1]["pageInfo"][on]]
        if not going:
            return pages
    raise AssertionError([str(lists[index]) for index in going])  # the pages never end


def every_list(model: Model, who: str) -> Iterator[ListField]:
    """Yield each list that the viewer may query, for every parent and in every order."""
    yield ListField(None, "topics", SLUGS, _expect("topics"), is_two_way=True)
    yield from _collection_lists(None)
    yield from _asset_lists()
    for topic in model.topic:
        yield from _collection_lists(topic)
    for slug in model.collection:
        yield from _child_lists(slug)
        yield from _membership_lists(slug)
        if who != ANONYMOUS:
            yield from _addable_lists(slug)
    for asset in model.asset:
        parent = ("asset", asset)
        yield ListField(parent, "collections", SLUGS, _expect("collections_of", asset))
        yield ListField(parent, "uses", ASSETS, _expect("uses", asset))
        yield ListField(parent, "usedBy", ASSETS, _expect("used_by", asset))
    yield ListField(("viewer", ""), "collections", SLUGS, _expect("collections"))
    if who != ANONYMOUS:
        yield from _owned_lists()
        yield ListField(None, "users", PEOPLE, _expect_filtered("users_by_name"), filter="UserFilter")
        yield ListField(None, "groups", PEOPLE, _expect("groups_by_name"))
        for group in model.groups:
            yield ListField(("group", group), "members", PEOPLE, _expect("group_members", group))


def _collection_lists(topic: str | None) -> Iterator[ListField]:
    parent = None if topic is None else ("topic", topic)
    for order, given in _ordered(COLLECTION_ORDERS):
        expected = _expect_filtered("collections", topic=topic, **order)
        yield ListField(parent, "collections", SLUGS, expected, given, is_two_way=True, filter="CollectionFilter")


def _child_lists(slug: str) -> Iterator[ListField]:
    for order, given in _ordered(COLLECTION_ORDERS):
        expected = _expect_filtered("children", slug, **order)
        parent = ("collection", slug)
        yield ListField(parent, "children", SLUGS, expected, given, is_two_way=True, filter="CollectionFilter")


def _owned_lists() -> Iterator[ListField]:
    for order, given in _ordered(ASSET_ORDERS):
        expected = _expect_filtered("owned_assets", **order)
        yield ListField(("viewer", ""), "assets", ASSETS, expected, given, is_two_way=True, filter="AssetFilter")


def _asset_lists() -> Iterator[ListField]:
    for order, given in _ordered(ASSET_ORDERS):
        yield ListField(
            None, "assets", ASSETS, _expect_filtered("assets", **order), given, is_two_way=True, filter="AssetFilter"
        )


def _membership_lists(slug: str) -> Iterator[ListField]:
    for order, given in _ordered(MEMBERSHIP_ORDERS):
        for below in (False, True):
            expected = _expect_filtered("collection_assets", slug, include_descendants=below, **order)
            arguments = {**given, "includeDescendants": below}
            parent = ("collection", slug)
            yield ListField(parent, "assets", ASSETS, expected, arguments, is_two_way=True, filter="AssetFilter")


def _addable_lists(slug: str) -> Iterator[ListField]:
    for order, given in _ordered(ASSET_ORDERS):
        for only_new in (False, True):
            expected = _expect_filtered("addable_assets", slug, exclude_members=only_new, **order)
            arguments = {**given, "excludeMembers": only_new}
            yield ListField(("collection", slug), "addableAssets", ASSETS, expected, arguments, filter="AssetFilter")


def _ordered(orders: Sequence[str]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for order in orders:
        for direction, descending in DIRECTIONS:
            given = {"orderBy": {"field": order, "direction": direction}}
            yield {"order": order, "descending": descending}, given


def _literal(given: Any) -> str:
    if isinstance(given, Mapping):
        return f"{{{', '.join(f'{name}: {_literal(value)}' for name, value in given.items())}}}"
    return json.dumps(given) if isinstance(given, bool) else str(given)


def _expect(method: str, *of: str) -> Expected:
    """Return a function that calls the oracle's method of that name."""

    def expected(model: Model, who: str, _kept: Line | None) -> Names:
        return list(getattr(model, method)(who, *of))

    return expected


def _expect_filtered(method: str, *of: str, **arguments: Any) -> Expected:
    """Return a function that calls the oracle's method of that name with a filter."""

    def expected(model: Model, who: str, filter_input: Line | None) -> Names:
        return list(getattr(model, method)(who, *of, filter=filter_input, **arguments))

    return expected
