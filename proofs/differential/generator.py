"""Random GraphQL documents, generated from the schema alone.

Each response name of a document stands for one field with one list of arguments and one shape, so that selections may
repeat it anywhere: the document is valid, and its fields are merged.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cache
from random import Random
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_required_argument,
)
from graphql.type.introspection import SchemaMetaFieldDef, TypeMetaFieldDef, TypeNameMetaFieldDef

from proofs.differential.values import MISSING, PAGE_SIZES, ArgumentValues, subject_fields
from proofs.interference.operations import SCHEMA, Vocabulary, required_permissions

MAX_FRAGMENTS = 3  # nested in each other without a field between
MAX_REPEATED_LENGTH = 200  # in characters, of a selection that is written twice
MUTATION_CHANCE = 0.1
SPARE_NAMES = ("a", "b", "c", "id", "name", "node", "nodes", "totalCount", "_")

FAILING_FIELDS = {("__Type", "isOneOf")}
"""Fields that fail in Strawberry: it reads an attribute that list and non-null types do not have."""

UNINDEXED_FIELDS = {
    "Query": {"viewer", "deployment", "assets", "nodes", "auditLog", "__schema", "__type", "job"},
    "Topic": {"assetCounts", "history"},
    "Collection": {"ancestors", "containsAsset", "history", "addableAssets"},
    "AssetFields": {"collections", "uses", "usedBy", "grants", "release"},
    "CollectionAssetEdge": {"addedAt", "addedBy", "note", "viewerCanRemove"},
}
"""Fields that the visibility index does not give, by type; for all kinds of asset, those of their interface."""

INDEXED_ARGUMENTS = {"first", "after", "last", "before", "by", "id"}
UNINDEXED_CHANCE = 0.03  # of a field or an argument, in documents for the index

INTROSPECTION = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


class Shape(NamedTuple):
    """Maximum sizes of the operations, and the page sizes that are drawn."""

    composites: int = 16  # fields with selections, per operation; few enough for the server's document limits
    depth: int = 8
    nested_lists: int = 2  # each nested list multiplies the rows of the response
    page_sizes: Sequence[int] = PAGE_SIZES


SMALL = Shape()


@dataclass(frozen=True)
class Request:
    """GraphQL request: a document, its variables, and the operation to execute."""

    document: str
    variables: Mapping[str, Any]
    operation_name: str | None = None
    fields: Mapping[str, str] = dataclass_field(default_factory=dict, compare=False)
    """Names of the fields by response name."""

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the HTTP request."""
        body: dict[str, Any] = {"query": self.document, "variables": dict(self.variables)}
        return body if self.operation_name is None else body | {"operationName": self.operation_name}

    def __str__(self) -> str:
        """Format the request for a report."""
        name = "" if self.operation_name is None else f"\noperationName: {self.operation_name}"
        return f"{self.document}\nvariables: {json.dumps(self.variables, ensure_ascii=False)}{name}"


class _Signature(NamedTuple):
    """All that must be equal for two fields to share a response name."""

    field: str
    arguments: str
    shape: str


class _Use(NamedTuple):
    """A field as it was selected: response name, arguments, and the variables in them."""

    response: str
    arguments: str
    variables: frozenset[str]


class _Size(NamedTuple):
    """Nesting of a selection: levels of fields, and lists among them."""

    depth: int
    lists: int


NO_SIZE = _Size(0, 0)


@dataclass
class _Definition:
    """Fragment or operation: its text from the selection set on, with the variables and fragments that it uses."""

    head: str
    on: str = ""
    body: str = ""
    size: _Size = NO_SIZE
    variables: set[str] = dataclass_field(default_factory=set)
    fragments: set[str] = dataclass_field(default_factory=set)


class DocumentGenerator:
    """Generator of one request."""

    def __init__(
        self,
        random: Random,
        vocabulary: Vocabulary,
        *,
        cursors: Mapping[str, Sequence[str]] | None = None,
        permissions: Collection[str] = ("SIGNED_IN", "ADMIN"),
        is_indexed: bool = False,
        shape: Shape = SMALL,
    ) -> None:
        """Use the values of the vocabulary, cursors by field name, and the permissions of the viewer.

        Fields that the viewer may not select are rare: their error often nulls most of the response. With `is_indexed`,
        so are fields and arguments that the visibility index does not hold, and there are no mutations.
        """
        self._random, self._permissions, self._is_indexed = random, permissions, is_indexed
        self._shape = shape
        self._values = ArgumentValues(random, vocabulary, cursors or {}, shape.page_sizes)
        self._happens = self._values.happens
        self._fragments: dict[str, _Definition] = {}
        self._signatures: dict[str, _Signature] = {}
        self._uses: dict[tuple[str, str], list[_Use]] = {}
        self._open: list[_Definition] = []
        self._reached = _Size(0, 0)  # of the open definition
        self._composites_left = 0

    def request(self) -> Request:
        """Generate a document with one to three operations, and the name and variables to execute it with."""
        count = self._random.choice((1, 1, 1, 1, 1, 2, 3))
        operations = [self._operation(index, is_anonymous=count == 1 and self._happens(0.5)) for index in range(count)]
        names = [name for name, _ in operations]
        definitions = [self._render_operation(definition) for _, definition in operations]
        definitions += [f"fragment {name} on {part.on} {part.body}" for name, part in self._fragments.items()]
        self._random.shuffle(definitions)
        chosen: str | None = self._random.choice(names) or None
        if count == 1 and self._happens(0.5):
            chosen = None
        if self._happens(0.01):
            chosen = self._random.choice((None, "", "Nothing"))
        variables = {
            name: variable.value for name, variable in self._values.variables.items() if variable.value is not MISSING
        }
        fields = {response: signature.field for response, signature in self._signatures.items()}
        return Request("\n".join(definitions), variables, chosen, fields)

    def _operation(self, index: int, *, is_anonymous: bool) -> tuple[str, _Definition]:
        self._composites_left = self._shape.composites
        is_mutation = not self._is_indexed and self._happens(MUTATION_CHANCE)
        root = SCHEMA.mutation_type if is_mutation else SCHEMA.query_type
        assert root
        name = "" if is_anonymous else f"{self._random.choice(('Q', 'query', 'on_', 'fragment'))}{index}"
        definition = _Definition(f"{'mutation' if is_mutation else 'query'} {name}".strip())
        with self._defining(definition):
            definition.body = self._selection(root, 0, 0, 0)
        return name, definition

    @contextmanager
    def _defining(self, definition: _Definition) -> Iterator[None]:
        """Collect the variables, the fragments and the size of a definition."""
        outer_used, outer_reached = self._values.used, self._reached
        self._values.used, self._reached = definition.variables, _Size(0, 0)
        self._open.append(definition)
        yield
        self._open.pop()
        definition.size = self._reached
        self._values.used, self._reached = outer_used, outer_reached

    def _render_operation(self, definition: _Definition) -> str:
        variables, pending, seen = set(definition.variables), list(definition.fragments), set[str]()
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                variables |= self._fragments[name].variables
                pending += self._fragments[name].fragments
        ordered = sorted(variables, key=lambda name: int(name[1:]))
        head = ", ".join(self._values.variables[name].define(name) for name in ordered)
        is_short = definition.head == "query" and not head and self._happens(0.5)
        return definition.body if is_short else f"{definition.head}{f'({head})' if head else ''} {definition.body}"

    def _selection(self, parent: Any, depth: int, lists: int, nested: int) -> str:
        """Generate a selection set. `nested` is the number of fragments around it within the same object."""
        self._reached = _Size(max(self._reached.depth, depth + 1), max(self._reached.lists, lists))
        items: list[str] = []
        for _ in range(self._random.choice((1, 2, 3, 3, 4, 5) if nested or depth else (1, 1, 2, 3))):
            items += self._item(parent, depth, lists, nested)
        if (short := [item for item in items if len(item) < MAX_REPEATED_LENGTH]) and self._happens(0.15):
            items.append(self._random.choice(short))
        return f"{{ {' '.join(items or ['__typename'])} }}"

    def _item(self, parent: Any, depth: int, lists: int, nested: int) -> list[str]:
        """Generate one field or fragment, or a few leaves."""
        fragment_chance = 0.85 if isinstance(parent, GraphQLUnionType) else 0.6 if is_abstract_type(parent) else 0.22
        if nested < MAX_FRAGMENTS and self._happens(fragment_chance / (1 + nested)):
            if self._happens(0.4):
                return [self._spread(parent, depth, lists, nested)]
            return [self._inline_fragment(parent, depth, lists, nested)]
        names = [name for name, field in _fields(parent).items() if self._fits(field, depth, lists)]
        if self._is_indexed:
            names = [name for name in names if _is_indexed(parent.name, name) or self._happens(UNINDEXED_CHANCE)]
        if not names or self._happens(0.08):
            return [self._field(parent, "__typename", TypeNameMetaFieldDef, depth, lists)]
        if self._happens(0.4):  # because most types have many more fields of one kind
            is_composite = depth <= 1 or self._happens(0.4)
            names = [name for name in names if _is_composite(_fields(parent)[name]) == is_composite] or names
        return [self._field(parent, name := self._random.choice(names), _fields(parent)[name], depth, lists)]

    def _inline_fragment(self, parent: Any, depth: int, lists: int, nested: int) -> str:
        if self._happens(0.25):
            return f"...{self._values.directives()} {self._selection(parent, depth, lists, nested + 1)}"
        kind = self._random.choice(overlapping_types(parent.name))
        body = self._selection(kind, depth, lists, nested + 1)
        return f"... on {kind}{self._values.directives()} {body}"

    def _spread(self, parent: Any, depth: int, lists: int, nested: int) -> str:
        """Spread a fragment: a new one, or an earlier one that fits here."""
        overlapping = [kind.name for kind in overlapping_types(parent.name)]
        fitting = [
            name
            for name, fragment in self._fragments.items()
            if fragment.on in overlapping
            and depth + fragment.size.depth <= self._shape.depth
            and lists + fragment.size.lists <= self._shape.nested_lists
        ]
        if fitting and self._happens(0.5):
            name = self._random.choice(fitting)
        else:
            name = self._new_fragment(self._random.choice(overlapping), depth, lists, nested)
        size = self._fragments[name].size
        self._reached = _Size(
            max(self._reached.depth, depth + size.depth), max(self._reached.lists, lists + size.lists)
        )
        self._open[-1].fragments.add(name)
        return f"...{name}{self._values.directives()}"

    def _new_fragment(self, on: str, depth: int, lists: int, nested: int) -> str:
        definition = _Definition("fragment", on)
        with self._defining(definition):
            # Measured from its own root: the limits leave as much room as there is at the first spread.
            definition.body = self._selection(SCHEMA.type_map[on], depth, lists, nested + 1)
        definition.size = _Size(definition.size.depth - depth, definition.size.lists - lists)
        name = f"F{len(self._fragments)}"
        self._fragments[name] = definition
        return name

    def _fits(self, field: GraphQLField, depth: int, lists: int) -> bool:
        """Return whether the field may be added at this depth and inside of that many lists."""
        if not required_permissions(field) <= set(self._permissions) and not self._happens(0.15):
            return False
        if field in INTROSPECTION.values() and not self._happens(0.2):
            return False
        if not _is_composite(field):
            return True
        is_introspection = get_named_type(field.type).name.startswith("__")  # of which GraphQL allows fewer lists
        most = self._shape.nested_lists + (not is_introspection and self._happens(0.1))
        return self._composites_left > 0 and depth + 1 < self._shape.depth and (lists < most or not _is_list(field))

    def _field(self, parent: Any, name: str, field: GraphQLField, depth: int, lists: int) -> str:
        use = self._use(parent, name, field)
        self._values.used |= use.variables
        text = name if use.response == name else f"{use.response}: {name}"
        text += f"{use.arguments}{self._values.directives()}"
        if not _is_composite(field):
            return text
        self._composites_left -= 1
        kind = get_named_type(field.type)
        return f"{text} {self._selection(kind, depth + 1, lists + _is_list(field), 0)}"

    def _arguments(self, field: GraphQLField) -> Mapping[str, GraphQLArgument]:
        if not self._is_indexed:
            return field.args
        return {
            name: argument
            for name, argument in field.args.items()
            if name in INDEXED_ARGUMENTS or is_required_argument(argument) or self._happens(UNINDEXED_CHANCE)
        }

    def _use(self, parent: Any, name: str, field: GraphQLField) -> _Use:
        """Return an earlier use of the field, to be merged or selected elsewhere as well; or a new one."""
        earlier = self._uses.setdefault((parent.name, name), [])
        if earlier and self._happens(0.6 if field.args else 0.9):
            return self._random.choice(earlier)
        outer, self._values.used = self._values.used, set()
        arguments = self._values.arguments(name, self._arguments(field))
        used, self._values.used = self._values.used, outer
        shape = str(field.type)
        if _is_composite(field):
            shape = shape.replace(get_named_type(field.type).name, "*")
        signature = _Signature(name, arguments, shape)
        response = self._random.choice(SPARE_NAMES) if self._happens(0.1) else name
        while self._signatures.setdefault(response, signature) != signature:
            response = f"a{len(self._signatures)}"
        use = _Use(response, arguments, frozenset(used))
        earlier.append(use)
        return use


@cache
def overlapping_types(name: str) -> Sequence[GraphQLCompositeType]:
    """Return the types that a fragment may have in a selection of the type: they share an object type with it."""
    possible = set(_possible_types(SCHEMA.type_map[name]))
    return [
        kind for kind in SCHEMA.type_map.values() if is_composite_type(kind) and possible & set(_possible_types(kind))
    ]


def _possible_types(kind: Any) -> Sequence[GraphQLObjectType]:
    return SCHEMA.get_possible_types(kind) if is_abstract_type(kind) else [kind]


@cache
def _fields_by_type(name: str) -> Mapping[str, GraphQLField]:
    kind = SCHEMA.type_map[name]
    if isinstance(kind, GraphQLUnionType):
        return {}
    every: Mapping[str, GraphQLField] = getattr(kind, "fields", {})
    fields = {field: definition for field, definition in every.items() if (name, field) not in FAILING_FIELDS}
    if kind is SCHEMA.mutation_type:
        return {name: field for name, field in fields.items() if _is_harmless(field)}
    return fields | INTROSPECTION if kind is SCHEMA.query_type else fields


def _fields(kind: Any) -> Mapping[str, GraphQLField]:
    return _fields_by_type(kind.name)


def drawn_fields() -> Iterator[tuple[tuple[str, str], GraphQLField]]:
    """Yield each field that documents may select, by the names of its type and of its own."""
    pending: list[Any] = [SCHEMA.query_type, SCHEMA.mutation_type]
    seen = set[str]()
    while pending:
        kind = pending.pop()
        if kind.name in seen:
            continue
        seen.add(kind.name)
        pending += overlapping_types(kind.name)
        for name, field in _fields(kind).items():
            yield (kind.name, name), field
            if _is_composite(field):
                pending.append(get_named_type(field.type))


def _is_harmless(mutation: GraphQLField) -> bool:
    """Return whether the mutation has a dry run, or refers to an object, which may be an unknown one."""
    kind = get_named_type(mutation.args["input"].type)
    assert isinstance(kind, GraphQLInputObjectType)
    return "dryRun" in kind.fields or bool(subject_fields(kind))


def _is_indexed(kind: str, name: str) -> bool:
    """Return whether the visibility index gives the field."""
    if kind.endswith("Connection"):
        return name != "facets"
    unindexed = UNINDEXED_FIELDS.get(
        kind, UNINDEXED_FIELDS["AssetFields"] if "externalId" in _fields_by_type(kind) else ()
    )
    return name not in unindexed


def _is_composite(field: GraphQLField) -> bool:
    return is_composite_type(get_named_type(field.type))


def _is_list(field: GraphQLField) -> bool:
    """Return whether the field returns a list of objects or a connection."""
    return get_named_type(field.type).name.endswith("Connection") or ("[" in str(field.type) and _is_composite(field))
