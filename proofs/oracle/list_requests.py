"""This file is lists and pages of them asked for by the dozen, in documents so few that the server remembers them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from tests.lists import ListField
from tests.oracle import Line, Model

TOGETHER = 16  # more of them make a document that is too long to be remembered
ALL: Line = {"first": 100}
REFERENCES = {"topic": "TopicRef", "collection": "CollectionRef", "asset": "AssetRef"}
# The types of a list, and of its order, by what it is of and its field.
CONNECTIONS = {
    ("", "topics"): ("TopicConnection", ""),
    ("", "collections"): ("CollectionConnection", "CollectionOrder"),
    ("", "assets"): ("AssetConnection", "AssetOrder"),
    ("topic", "collections"): ("CollectionConnection", "CollectionOrder"),
    ("collection", "children"): ("CollectionConnection", ""),
    ("collection", "assets"): ("CollectionAssetConnection", "MembershipOrder"),
    ("collection", "addableAssets"): ("AddableAssetConnection", "AssetOrder"),
    ("asset", "collections"): ("AssetCollectionConnection", ""),
    ("asset", "uses"): ("AssetConnection", ""),
    ("asset", "usedBy"): ("AssetConnection", ""),
    ("viewer", "collections"): ("ViewerCollectionConnection", ""),
}
# What the edges of a list tell beside the node.
EXTRAS = {
    ("collection", "assets"): "addedAt addedBy { id } note viewerCanRemove",
    ("collection", "addableAssets"): "isMember addedAt",
    ("asset", "collections"): "addedAt addedBy { id } note",
}
PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


class Shape(NamedTuple):
    """All that a document depends on: lists of one shape are asked for together."""

    of: str  # what the list is of; empty at the root
    field: str
    given: tuple[str, ...]  # the names of its arguments
    filter: str  # their type; empty where it takes none
    is_whole: bool
    is_backward: bool

    @property
    def is_of_assets(self) -> bool:
        """Whether the nodes are assets, and not topics or collections."""
        return CONNECTIONS[self.of, self.field][0].endswith("AssetConnection")

    @property
    def body(self) -> str:
        """What is asked of the list."""
        node = "... on AssetFields { externalId }" if self.is_of_assets else "slug"
        if not self.is_whole:
            return f"{PAGE_INFO} edges {{ cursor node {{ {node} }} }}"
        extras = EXTRAS.get((self.of, self.field), "")
        return f"totalCount {PAGE_INFO} edges {{ cursor {extras} node {{ {node} }} }} nodes {{ {node} }}"

    @property
    def arguments(self) -> dict[str, tuple[str, str]]:
        """By the name of each argument the letter of its variables, and their type."""
        size, cursor = ("last", "before") if self.is_backward else ("first", "after")
        known = {
            "orderBy": ("o", CONNECTIONS[self.of, self.field][1]),
            "includeDescendants": ("b", "Boolean"),
            "excludeMembers": ("b", "Boolean"),
        }
        found = {size: ("n", "Int"), cursor: ("c", "String")} | {name: known[name] for name in self.given}
        return found | ({"filter": ("f", self.filter)} if self.filter else {})


@dataclass(frozen=True)
class Wanted:
    """A page of what a filter keeps of a list; `page` is a size counted from one end, and a cursor to begin at."""

    of: ListField
    kept: Line | None = None
    page: Line = field(default_factory=lambda: ALL)
    is_whole: bool = True  # with all that the list tells of itself and its rows

    @property
    def shape(self) -> Shape:
        """What its document depends on."""
        of = self.of.parent[0] if self.of.parent else ""
        return Shape(
            of, self.of.field, tuple(self.of.arguments), self.of.filter or "", self.is_whole, "last" in self.page
        )

    @property
    def is_of_assets(self) -> bool:
        """Whether its nodes are assets, and not topics or collections."""
        return self.shape.is_of_assets

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that are given."""
        return {**self.of.arguments, **self.page, **({} if self.kept is None else {"filter": self.kept})}

    def alone(self) -> tuple[str, dict[str, Any]]:
        """Return the document that asks for this alone, and its variables."""
        further = ", ".join(f"{name}: {json.dumps(value)}" for name, value in self.page.items())
        if self.kept is None:
            return f"{{ {self.of.text('list', further, self.shape.body)} }}", {}
        text = self.of.text("list", f"{further}, filter: $filter", self.shape.body)
        return f"query($filter: {self.of.filter}) {{ {text} }}", {"filter": self.kept}


def together(wanted: Sequence[Wanted]) -> Iterator[list[int]]:
    """Yield the places of those that one document asks for, those of one order beside each other."""
    groups: dict[Shape, list[int]] = defaultdict(list)
    for place, each in enumerate(wanted):
        groups[each.shape].append(place)
    for group in groups.values():
        group.sort(key=lambda place: str(wanted[place].arguments))
        for start in range(0, len(group), TOGETHER):
            yield group[start : start + TOGETHER]


def asked(wanted: Sequence[Wanted], model: Model) -> tuple[str, dict[str, Any]]:
    """Return the document that asks for up to TOGETHER lists of one shape under `l0`, `l1` and so on; its variables."""
    shape, variables = wanted[0].shape, dict[str, Any]()
    for place in range(TOGETHER):
        each = wanted[min(place, len(wanted) - 1)]
        variables[f"i{place}"] = place < len(wanted)
        variables |= {f"{shape.arguments[name][0]}{place}": value for name, value in each.arguments.items()}
        if each.of.parent and shape.of in REFERENCES:
            variables[f"p{place}"] = reference(model, *each.of.parent, by_id=bool(place % 2))
    return _document(shape), variables


def reference(model: Model, kind: str, name: str, *, by_id: bool) -> Line:
    """Return a reference to an object: by its public id, or by its slug or the platform's id."""
    if by_id:
        return {"id": model.topic_id(name) if kind == "topic" else model.ids[name]}
    return {"externalId" if kind == "asset" else "slug": name}


@cache
def _document(shape: Shape) -> str:
    """Return the text that asks for TOGETHER lists, each with variables of its own."""
    declared = [*shape.arguments.values(), ("i", "Boolean!")]
    declared += [("p", f"{REFERENCES[shape.of]}!")] if shape.of in REFERENCES else []
    places = range(TOGETHER)
    head = "".join(f"${letter}{place}:{kind}" for place in places for letter, kind in declared)
    texts = "".join(_alias(shape, place) for place in places)
    return f"query({head}){{{texts}}}fragment L on {CONNECTIONS[shape.of, shape.field][0]}{{{shape.body}}}"


def _alias(shape: Shape, place: int) -> str:
    arguments = ",".join(f"{name}:${letter}{place}" for name, (letter, _) in shape.arguments.items())
    alias, include, found = f"l{place}", f"@include(if:$i{place})", f"{shape.field}({arguments})"
    if not shape.of:
        return f"{alias}:{found}{include}{{...L}}"
    opened = f"{shape.of}(by:$p{place})" if shape.of in REFERENCES else shape.of
    inside = f"...on AssetFields{{{found}{{...L}}}}" if shape.of == "asset" else f"{found}{{...L}}"
    return f"{alias}:{opened}{include}{{{inside}}}"
