"""Random GraphQL operations generated from the schema. Every field and argument is generated eventually."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, NamedTuple

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_composite_type,
)

from schema.graph import print_schema

SCHEMA = build_schema(print_schema())
MAX_COMPOSITES = 20  # fields with selections; few enough for the server's document limits
MAX_DEPTH = 9
MAX_LEAVES = 5  # additional leaf fields
MAX_NESTED_LISTS = 3  # each nested list multiplies the rows of the response
SIZES = (None, 0, 1, 1, 2, 2, 3, 5, 100)
DATES = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2026-01-01T00:00:00Z")
GARBAGE = ("", "?", "ast_" + "0" * 24, "col_" + "1" * 24, "deployment", "🦊")
# Prefix of the ids that an input takes, by a part of its name, or else of the name of the enclosing input type.
ID_PREFIXES = (
    ("asset", "ast"),
    ("addto", "col"),
    ("removefrom", "col"),
    ("parent", "col"),
    ("moveCollectionsTo", "top"),
    ("collection", "col"),
    ("topic", "top"),
    ("source", "top"),
    ("target", "top"),
    ("owner", "usr"),
    ("actor", "usr"),
    ("user", "usr"),
    ("group", "grp"),
    ("change", "chg"),
    ("job", "job"),
    ("token", "tok"),
)
PREFIXES = tuple(dict.fromkeys(prefix for _, prefix in ID_PREFIXES))
"""Prefixes of the ids that operations name."""


class Argument(NamedTuple):
    """Argument of a field: its GraphQL type and its JSON value."""

    type: str
    value: Any


@dataclass(frozen=True)
class Selection:
    """Selected field. `on` restricts it to objects of that type; `is_spread` puts its selections into a fragment."""

    name: str
    type: str  # of the field
    arguments: Mapping[str, Argument] = dataclasses.field(default_factory=dict)
    selections: Sequence["Selection"] = ()
    on: str = ""
    is_spread: bool = False


@dataclass(frozen=True)
class Operation:
    """Query, mutation or subscription."""

    kind: str  # query, mutation or subscription
    selections: Sequence[Selection]

    def render(self) -> tuple[str, dict[str, Any]]:
        """Return the document and its variables."""
        return _Renderer().document(self)

    def shrink(self) -> Iterator["Operation"]:
        """Yield operations without one of the selections or optional arguments."""
        for selections in _without_one_part(self.selections):
            yield replace(self, selections=selections)


@dataclass
class Vocabulary:
    """Values for arguments: ids by prefix, external ids of assets and of users and groups, texts, and cursors."""

    ids: dict[str, list[str]]
    assets: list[str]  # external ids
    texts: list[str]
    cursors: list[str] = dataclasses.field(default_factory=list)
    undoable: list[str] = dataclasses.field(default_factory=list)  # ids of changes
    people: list[str] = dataclasses.field(default_factory=list)  # external ids


TYPENAME = Selection("__typename", "String")


class OperationGenerator:
    """Generator of random operations."""

    def __init__(
        self, random: Random, vocabulary: Vocabulary, permissions: Collection[str] = ("SIGNED_IN", "ADMIN")
    ) -> None:
        """Use the source of randomness, the vocabulary, and the permissions of the viewer.

        Fields that the viewer may not select are rare: their error usually nulls most of the response.
        """
        self._random, self._vocabulary, self._permissions, self._composites_left = random, vocabulary, permissions, 0

    def query(self) -> Operation:
        """Generate a query of one or two root fields."""
        self._composites_left = MAX_COMPOSITES
        assert SCHEMA.query_type
        return Operation("query", self._selection(SCHEMA.query_type, 0, 0, self._random.randint(1, 2)))

    def mutation(self, names: Sequence[str] = ()) -> Operation:
        """Generate a mutation: one of `names` if there are any, otherwise usually one that the viewer may call."""
        self._composites_left = MAX_COMPOSITES
        assert SCHEMA.mutation_type
        known = SCHEMA.mutation_type.fields
        may = [name for name in sorted(known) if name not in OMITTED and self._may_select(known[name])]
        name = self._random.choice(names or may or sorted(known))
        return Operation("mutation", [self._field(name, known[name], 0, 0)])

    def subscription(self) -> Operation:
        """Generate a subscription."""
        self._composites_left = MAX_COMPOSITES
        assert SCHEMA.subscription_type
        known = SCHEMA.subscription_type.fields
        name = self._random.choice(sorted(known))
        return Operation("subscription", [self._field(name, known[name], 0, 0)])

    def undo(self, *, latest: bool = False) -> Operation:
        """Generate an undo of a change that can be undone, or of the latest of them."""
        changes = self._vocabulary.undoable[-1 if latest else 0 :] or self._vocabulary.ids["chg"]
        (field,) = self.mutation(["changeUndo"]).selections
        arguments = {"input": Argument("ChangeUndoInput!", {"changeId": self._random.choice(changes)})}
        return Operation("mutation", [replace(field, arguments=arguments)])

    def _selection(self, kind: Any, depth: int, width: int, count: int) -> list[Selection]:
        if isinstance(kind, GraphQLUnionType):
            return self._fragments(kind, depth, width)
        fields = self._fields(kind, depth, width, count)
        return fields + self._fragments(kind, depth, width) if isinstance(kind, GraphQLInterfaceType) else fields

    def _fields(self, kind: Any, depth: int, width: int, count: int) -> list[Selection]:
        names = [name for name, field in kind.fields.items() if self._fits(field, depth, width)]
        plain = [name for name in names if not is_composite_type(get_named_type(kind.fields[name].type))]
        drawn = [self._random.choice(names) for _ in range(count if names else 0)]
        drawn += self._random.sample(plain, self._random.randint(0, min(MAX_LEAVES, len(plain))))
        return [self._field(name, kind.fields[name], depth, width) for name in dict.fromkeys(drawn)] or [TYPENAME]

    def _fragments(self, kind: Any, depth: int, width: int) -> list[Selection]:
        """Return fields of one or two types of an abstract type, to be selected in inline fragments."""
        kinds = SCHEMA.get_possible_types(kind)
        shared = (
            [interface for concrete in kinds for interface in concrete.interfaces]
            if isinstance(kind, GraphQLUnionType)
            else []
        )
        chosen = [self._random.choice([*kinds, *shared]) for _ in range(self._random.randint(1, 2))]
        parts = [
            replace(field, on=str(concrete))
            for concrete in {str(concrete): concrete for concrete in chosen}.values()
            for field in self._fields(concrete, depth, width, 3)
        ]
        return [TYPENAME, *parts]

    def _fits(self, field: GraphQLField, depth: int, width: int) -> bool:
        """Return whether the field may be added at this depth and inside of `width` lists."""
        if not self._may_select(field):
            return False
        if not is_composite_type(get_named_type(field.type)):
            return True
        return self._composites_left > 0 and depth < MAX_DEPTH and (width < MAX_NESTED_LISTS or not _is_list(field))

    def _may_select(self, field: GraphQLField) -> bool:
        return required_permissions(field) <= set(self._permissions) or self._happens(1, 40)

    def _field(self, name: str, field: GraphQLField, depth: int, width: int) -> Selection:
        kind = get_named_type(field.type)
        self._composites_left -= is_composite_type(kind)
        arguments = {
            argument: Argument(str(known.type), value)
            for argument, known in field.args.items()
            if (value := self._argument(argument, known)) is not _OMITTED
        }
        if "first" in arguments and "last" in arguments:
            del arguments[self._random.choice(("first", "last"))]
        selections: list[Selection] = []
        if is_composite_type(kind):
            selections = self._selection(kind, depth + 1, width + _is_list(field), self._random.randint(1, 3))
        return Selection(name, str(kind), arguments, selections, is_spread=bool(selections) and self._happens(1))

    def _argument(self, name: str, argument_definition: GraphQLArgument) -> Any:
        # Cursors are rare: one of another list is an error for the whole field. `next_page` uses the list's own.
        if not isinstance(argument_definition.type, GraphQLNonNull) and not self._happens(
            *((1, 24) if name in CURSOR_ARGUMENTS else (4, 8))
        ):
            return _OMITTED
        return self.value(name, argument_definition.type, "")

    def value(self, name: str, kind: Any, within: str) -> Any:
        """Generate a value for the field or argument of that name and type."""
        if isinstance(kind, GraphQLNonNull):
            return self.value(name, kind.of_type, within)
        if isinstance(kind, GraphQLList):
            return [self.value(name, kind.of_type, within) for _ in range(self._random.choice((0, 1, 1, 2, 3)))]
        if isinstance(kind, GraphQLEnumType):
            return self._random.choice(sorted(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            return self._input(kind, within)
        return self._scalar(name, str(kind), within)

    def _input(self, kind: GraphQLInputObjectType, within: str) -> dict[str, Any]:
        """Generate an input. `within` is the enclosing input type, which decides the ids of fields like `afterId`."""
        subject = within if kind.name in {"PositionInput", "DateTimeRange"} else kind.name
        if kind.is_one_of:
            name = self._random.choice(sorted(kind.fields))
            return {name: self.value(name, kind.fields[name].type, subject)}
        included = set(self._optional_fields(kind.fields))
        return {
            name: self.value(name, field.type, subject)
            for name, field in kind.fields.items()
            if (isinstance(field.type, GraphQLNonNull) and not self._uses_default(field.default_value))
            or name in included
        }

    def _optional_fields(self, fields: Mapping[str, Any]) -> list[str]:
        """Choose the optional fields: often only one, because filters with many fields seldom match anything."""
        if self._happens(4):
            return [self._random.choice(sorted(fields))]
        return [name for name in fields if self._happens(3)]

    def _uses_default(self, default: Any) -> bool:
        return default is not None and str(default) != "Undefined" and self._happens(5)

    def _scalar(self, name: str, kind: str, within: str) -> Any:
        generators: dict[str, Callable[[], Any]] = {
            "ID": lambda: self._id(name, within),
            "Int": lambda: self._random.choice(SIZES[1:] if name in {"first", "last"} else (1, 2, 3)),
            "Boolean": lambda: True if name in {"atStart", "atEnd", "everyone", "public"} else self._happens(4),
            "DateTime": lambda: self._random.choice(DATES),
            "Long": lambda: self._random.choice((0, 7, 2**40)),
            "URL": lambda: self._random.choice(("https://example.org/x", "s3://bucket/x")),
        }
        return generators[kind]() if kind in generators else self._text(name, within)

    def _id(self, name: str, within: str) -> str:
        if self._happens(1, 16):
            return self._random.choice(GARBAGE)
        prefix = next((prefix for part, prefix in ID_PREFIXES if part.lower() in name.lower()), None)
        prefix = prefix or next((prefix for part, prefix in ID_PREFIXES if part in within.lower()), None)
        if prefix is None or self._happens(1, 16):
            prefix = self._random.choice(sorted(self._vocabulary.ids))
        return self._random.choice(self._vocabulary.ids[prefix] or GARBAGE)

    def _text(self, name: str, within: str) -> str:
        if name.lower().endswith("externalid") and within.startswith(PEOPLE_INPUTS):
            return self._random.choice([*self._vocabulary.people, "newcomer"])
        if name in CURSOR_ARGUMENTS:
            return self._random.choice([*self._vocabulary.cursors[-40:], "", "A" * 40])
        if name == "query":
            return self._search_text()
        if name == "idempotencyKey":
            return self._random.choice(("k1", "k2"))
        return self._random.choice(
            [*self._vocabulary.assets, "elsewhere"] if name in {"externalId", "uses"} else self._vocabulary.texts
        )

    def _search_text(self) -> str:
        """Generate a search: a text, unchanged, cut to a prefix, misspelt, quoted or limited to a field; or several."""
        text = self._random.choice([*self._vocabulary.texts, *self._vocabulary.assets])
        at = self._random.randrange(len(text)) if text else 0
        ways = (text, text, text[: at + 1], text[:at] + text[at + 1 :], f'"{text}"', f"tag:{text}", f"owner:{text}")
        search = self._random.choice(ways)
        return f"{search} {self._search_text()}" if self._happens(1) else search

    def _happens(self, chances: int, of: int = 8) -> bool:
        return self._random.randrange(of) < chances


_OMITTED = object()
CURSOR_ARGUMENTS = ("after", "before", "since")
PEOPLE_INPUTS = ("User", "Group", "Principal")
"""Beginnings of the names of inputs whose external ids are those of users and groups."""
OMITTED = {
    "tokensRevokeAll": "it would end the sign-ins of the users of a trial",
}
"""Mutations that are not drawn, with the reason."""


def required_permissions(field: GraphQLField) -> set[str]:
    """Return the permissions without which selecting the field is an error."""
    rules = (field.ast_node.directives if field.ast_node else None) or ()
    arguments = [
        {argument.name.value: getattr(argument.value, "value", "") for argument in rule.arguments or ()}
        for rule in rules
    ]
    return {rule["requires"] for rule in arguments if rule.get("on") == "VIEWER" and rule.get("denied") == "ERROR"}


def _is_list(field: GraphQLField) -> bool:
    """Return whether the field returns a list or a connection."""
    return get_named_type(field.type).name.endswith("Connection") or "[" in str(field.type)


class _Renderer:
    """Renderer of one document: aliases for repeated names, a variable for each argument, fragments at the end."""

    def __init__(self) -> None:
        self._variables: dict[str, Argument] = {}
        self._fragments: list[str] = []

    def document(self, operation: Operation) -> tuple[str, dict[str, Any]]:
        body = self._set(operation.selections)
        head = ", ".join(f"${name}: {argument.type}" for name, argument in self._variables.items())
        text = f"{operation.kind}{f'({head})' if head else ''} {body}"
        return "\n".join([text, *self._fragments]), {name: argument.value for name, argument in self._variables.items()}

    def _set(self, selections: Sequence[Selection]) -> str:
        texts = []
        for alias, field in _with_aliases(selections):
            text = self._field(field, alias)
            texts.append(f"... on {field.on} {{ {text} }}" if field.on else text)
        return f"{{ {' '.join(texts)} }}"

    def _field(self, field: Selection, alias: str) -> str:
        text = field.name if alias == field.name else f"{alias}: {field.name}"
        if field.arguments:
            text += (
                f"({', '.join(f'{name}: {self._variable(argument)}' for name, argument in field.arguments.items())})"
            )
        if not field.selections:
            return text
        body = self._set(field.selections)
        if field.is_spread:
            name = f"F{len(self._fragments)}"
            self._fragments.append(f"fragment {name} on {field.type} {body}")
            body = f"{{ ...{name} }}"
        return f"{text} {body}"

    def _variable(self, argument: Argument) -> str:
        name = f"v{len(self._variables)}"
        self._variables[name] = argument
        return f"${name}"


def _with_aliases(selections: Sequence[Selection]) -> Iterator[tuple[str, Selection]]:
    """Yield each field with its response name."""
    taken: set[str] = set()
    for field in selections:
        alias = field.name if field.name not in taken else f"{field.name}{len(taken)}"
        taken.add(alias)
        yield alias, field


def next_page(operation: Operation, response: Any) -> Operation | None:
    """Return the query for the next page of the first list with a cursor in the response; None if there is none."""
    data = response.get("data") if isinstance(response, dict) else None
    selections = None if data is None else _advance(operation.selections, data)
    return None if selections is None else replace(operation, selections=selections)


def _advance(selections: Sequence[Selection], data: Mapping[str, Any]) -> list[Selection] | None:
    for index, (alias, field) in enumerate(_with_aliases(selections)):
        value = data.get(alias)
        if not isinstance(value, dict):
            continue  # a list of parents, each with cursors of its own
        continued = None
        cursor = next(find_cursors({name: value.get(name) for name in ("edges", "pageInfo")}), None)
        if cursor is not None and (field.type.endswith("Connection") or field.type == "CollectionGraph"):
            forward = {name: argument for name, argument in field.arguments.items() if name not in {"last", "before"}}
            continued = replace(field, arguments=forward | {"after": Argument("String", cursor)})
        elif advanced := _advance(field.selections, value):
            continued = replace(field, selections=advanced)
        if continued:
            return [*selections[:index], continued, *selections[index + 1 :]]
    return None


def _without_one_part(selections: Sequence[Selection]) -> Iterator[list[Selection]]:
    """Yield the selections without one field or argument, at any depth."""
    for index, field in enumerate(selections):
        before, after = list(selections[:index]), list(selections[index + 1 :])
        if before or after:
            yield before + after
        for smaller in _without_one_part(field.selections):
            yield [*before, replace(field, selections=smaller), *after]
        for name, argument in field.arguments.items():
            if not argument.type.endswith("!"):
                arguments = {other: value for other, value in field.arguments.items() if other != name}
                yield [*before, replace(field, arguments=arguments), *after]


def find_cursors(response: Any) -> Iterator[str]:
    """Yield every cursor and every sync token in a response."""
    if isinstance(response, dict):
        for name, value in response.items():
            if isinstance(value, str) and ("cursor" in name or name in {"endCursor", "startCursor", "syncToken"}):
                yield value
            else:
                yield from find_cursors(value)
    elif isinstance(response, list):
        for item in response:
            yield from find_cursors(item)
