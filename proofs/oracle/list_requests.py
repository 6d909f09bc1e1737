"""Requests for lists and pages, batched into so few distinct documents that the server's document cache holds them."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, build_schema, get_named_type

from schema.graph import print_schema
from tests.lists import TYPES_OF_PARENTS, ListField
from tests.oracle import Line, Model

SCHEMA = build_schema(print_schema())
BATCH_SIZE = 16  # a larger document would be too long for the cache
WHOLE_LIST: Line = {"first": 100}
REFERENCES = {
    "topic": "TopicRef",
    "collection": "CollectionRef",
    "asset": "AssetRef",
    "user": "UserRef",
    "group": "GroupRef",
}
SLUGGED = ("topic", "collection")
LETTERS = {"orderBy": "o", "includeDescendants": "b", "excludeMembers": "b"}  # of an argument's variables
# Fields of edges besides the node.
EDGE_FIELDS = {
    ("collection", "assets"): "addedAt addedBy { id } note viewerCanRemove",
    ("collection", "addableAssets"): "isMember addedAt",
    ("asset", "collections"): "addedAt addedBy { id } note",
}
PAGE_INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


class RequestShape(NamedTuple):
    """Everything that the document of a request depends on. Requests of one shape are batched."""

    parent: str  # type of the parent; empty at the root
    field: str
    argument_names: tuple[str, ...]
    filter_type: str  # empty if it has no filter
    is_complete: bool
    is_backward: bool

    @property
    def definition(self) -> GraphQLField:
        """The field in the schema."""
        parent_type = SCHEMA.type_map[TYPES_OF_PARENTS[self.parent]]
        assert isinstance(parent_type, GraphQLObjectType | GraphQLInterfaceType)
        definition: GraphQLField = parent_type.fields[self.field]
        return definition

    @property
    def connection_type(self) -> str:
        """Type of the connection."""
        return get_named_type(self.definition.type).name

    @property
    def is_of_assets(self) -> bool:
        """Whether the nodes are assets."""
        return self.connection_type.endswith("AssetConnection")

    @property
    def has_external_ids(self) -> bool:
        """Whether the nodes have an external id; otherwise they have a slug."""
        return self.is_of_assets or self.connection_type in {"UserConnection", "GroupConnection"}

    @property
    def body(self) -> str:
        """Selections of the connection."""
        node = "externalId" if self.has_external_ids else "slug"
        node = f"... on AssetFields {{ {node} }}" if self.is_of_assets else node
        if not self.is_complete:
            return f"{PAGE_INFO} edges {{ cursor node {{ {node} }} }}"
        extras = EDGE_FIELDS.get((self.parent, self.field), "")
        return f"totalCount {PAGE_INFO} edges {{ cursor {extras} node {{ {node} }} }} nodes {{ {node} }}"

    @property
    def arguments(self) -> dict[str, tuple[str, str]]:
        """Variable letter and type of each argument, by name."""
        size, cursor = ("last", "before") if self.is_backward else ("first", "after")
        arguments = {size: ("n", "Int"), cursor: ("c", "String")}
        arguments |= {name: (LETTERS[name], str(self.definition.args[name].type)) for name in self.argument_names}
        return arguments | ({"filter": ("f", self.filter_type)} if self.filter_type else {})


@dataclass(frozen=True)
class ListRequest:
    """Request for a page of a list field, optionally filtered. `page` holds `first` or `last`, and a cursor."""

    listing: ListField
    filter: Line | None = None
    page: Line = field(default_factory=lambda: WHOLE_LIST)
    is_complete: bool = True  # with totals, nodes and edge fields

    @property
    def shape(self) -> RequestShape:
        """Properties that the document depends on."""
        parent_type = self.listing.parent[0] if self.listing.parent else ""
        return RequestShape(
            parent_type,
            self.listing.field,
            tuple(self.listing.arguments),
            self.listing.filter or "",
            self.is_complete,
            "last" in self.page,
        )

    @property
    def is_of_assets(self) -> bool:
        """Whether the nodes are assets."""
        return self.shape.is_of_assets

    @property
    def arguments(self) -> dict[str, Any]:
        """All arguments of the field."""
        return {**self.listing.arguments, **self.page, **({} if self.filter is None else {"filter": self.filter})}

    def standalone(self) -> tuple[str, dict[str, Any]]:
        """Return a document with this request alone, and its variables."""
        arguments = ", ".join(f"{name}: {json.dumps(value)}" for name, value in self.page.items())
        if self.filter is None:
            return f"{{ {self.listing.text('list', arguments, self.shape.body)} }}", {}
        field = self.listing.text("list", f"{arguments}, filter: $filter", self.shape.body)
        return f"query($filter: {self.listing.filter}) {{ {field} }}", {"filter": self.filter}


def batches(requests: Sequence[ListRequest]) -> Iterator[list[int]]:
    """Yield the indexes of the requests of each document. Requests with equal arguments are adjacent."""
    groups: dict[RequestShape, list[int]] = defaultdict(list)
    for index, request in enumerate(requests):
        groups[request.shape].append(index)
    for group in groups.values():
        group.sort(key=lambda index: str(requests[index].arguments))
        for start in range(0, len(group), BATCH_SIZE):
            yield group[start : start + BATCH_SIZE]


def batch_document(requests: Sequence[ListRequest], model: Model) -> tuple[str, dict[str, Any]]:
    """Return the document of up to BATCH_SIZE requests of one shape, aliased `l0`, `l1` …, and its variables."""
    shape, variables = requests[0].shape, dict[str, Any]()
    for index in range(BATCH_SIZE):
        request = requests[min(index, len(requests) - 1)]
        variables[f"i{index}"] = index < len(requests)
        variables |= {f"{shape.arguments[name][0]}{index}": value for name, value in request.arguments.items()}
        if request.listing.parent and shape.parent in REFERENCES:
            variables[f"p{index}"] = reference_to(model, *request.listing.parent, by_id=bool(index % 2))
    return _document(shape), variables


def reference_to(model: Model, kind: str, name: str, *, by_id: bool) -> Line:
    """Return a reference to an object: by public id, or by slug or external id."""
    if by_id:
        return {"id": model.topic_id(name) if kind == "topic" else model.ids[name]}
    return {"slug" if kind in SLUGGED else "externalId": name}


@cache
def _document(shape: RequestShape) -> str:
    """Return the document of BATCH_SIZE lists, each with its own variables."""
    declarations = [*shape.arguments.values(), ("i", "Boolean!")]
    declarations += [("p", f"{REFERENCES[shape.parent]}!")] if shape.parent in REFERENCES else []
    indexes = range(BATCH_SIZE)
    head = "".join(f"${letter}{index}:{kind}" for index in indexes for letter, kind in declarations)
    lists = "".join(_aliased_list(shape, index) for index in indexes)
    return f"query({head}){{{lists}}}fragment L on {shape.connection_type}{{{shape.body}}}"


def _aliased_list(shape: RequestShape, index: int) -> str:
    arguments = ",".join(f"{name}:${letter}{index}" for name, (letter, _) in shape.arguments.items())
    alias, include, field = f"l{index}", f"@include(if:$i{index})", f"{shape.field}({arguments})"
    if not shape.parent:
        return f"{alias}:{field}{include}{{...L}}"
    parent = f"{shape.parent}(by:$p{index})" if shape.parent in REFERENCES else shape.parent
    selection = f"...on AssetFields{{{field}{{...L}}}}" if shape.parent == "asset" else f"{field}{{...L}}"
    return f"{alias}:{parent}{include}{{{selection}}}"
