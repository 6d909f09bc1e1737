"""This file is operations made at random from the schema: whatever it has, some question asks for it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
MOST_FIELDS = 20  # that have fields of their own, below the document's limits whatever is spread
DEEPEST = 9
CHEAP = 5  # more at most that have no fields: they take little and tell much
WIDEST = 3  # lists, one within the other: each multiplies the rows of the answer
SIZES = (None, 0, 1, 1, 2, 2, 3, 5, 100)
DATES = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", "2026-01-01T00:00:00Z")
GARBAGE = ("", "?", "ast_" + "0" * 24, "col_" + "1" * 24, "deployment", "🦊")
# Whose ids a field takes, by a part of the name of the field or else of the type that it is a field of.
NAMED = (
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
)


class Given(NamedTuple):
    """An argument: its type as a document writes it, and its value as JSON."""

    type: str
    value: Any


@dataclass(frozen=True)
class Selected:
    """A field of a selection: with `on`, of objects of that type alone; `spread` says in a fragment of its own."""

    name: str
    type: str  # of what it gives
    arguments: Mapping[str, Given] = field(default_factory=dict)
    below: Sequence["Selected"] = ()
    on: str = ""
    is_spread: bool = False


@dataclass(frozen=True)
class Question:
    """An operation."""

    kind: str  # query or mutation
    selected: Sequence[Selected]

    def written(self) -> tuple[str, dict[str, Any]]:
        """Return the document and its variables."""
        return _Writing().document(self)

    def smaller(self) -> Iterator["Question"]:
        """Yield the questions that lack one selection, or one argument that may be left out."""
        for selected in _without_one(self.selected):
            yield replace(self, selected=selected)


@dataclass
class Words:
    """What questions speak of: ids by their prefix, cursors by the field they came from, and texts."""

    ids: dict[str, list[str]]
    assets: list[str]  # by the platform's ids
    texts: list[str]
    cursors: list[str] = field(default_factory=list)


TYPENAME = Selected("__typename", "String")


class Asking:
    """Draws questions."""

    def __init__(self, chance: Random, words: Words, holding: Collection[str] = ("SIGNED_IN", "ADMIN")) -> None:
        """Take where chance comes from, what there is to speak of, and which permissions whoever asks holds.

        What they may not ask at all is asked seldom: its refusal takes the rest of the answer along.
        """
        self._chance, self._words, self._holding, self._left = chance, words, holding, 0

    def query(self) -> Question:
        """Return a query of one or two fields."""
        self._left = MOST_FIELDS
        assert SCHEMA.query_type
        return Question("query", self._selection(SCHEMA.query_type, 0, 0, self._chance.randint(1, 2)))

    def mutation(self, names: Sequence[str] = ()) -> Question:
        """Return a mutation, one of those named if any are."""
        self._left = MOST_FIELDS
        assert SCHEMA.mutation_type
        known = SCHEMA.mutation_type.fields
        may = [name for name in sorted(known) if self._may_ask(known[name])]
        name = self._chance.choice(names or may or sorted(known))
        return Question("mutation", [self._field(name, known[name], 0, 0)])

    def _selection(self, kind: Any, depth: int, width: int, count: int) -> list[Selected]:
        if isinstance(kind, GraphQLUnionType):
            return self._parts(kind, depth, width)
        fields = self._fields(kind, depth, width, count)
        return fields + self._parts(kind, depth, width) if isinstance(kind, GraphQLInterfaceType) else fields

    def _fields(self, kind: Any, depth: int, width: int, count: int) -> list[Selected]:
        names = [name for name, each in kind.fields.items() if self._fits(each, depth, width)]
        plain = [name for name in names if not is_composite_type(get_named_type(kind.fields[name].type))]
        drawn = [self._chance.choice(names) for _ in range(count if names else 0)]
        drawn += self._chance.sample(plain, self._chance.randint(0, min(CHEAP, len(plain))))
        return [self._field(name, kind.fields[name], depth, width) for name in dict.fromkeys(drawn)] or [TYPENAME]

    def _parts(self, kind: Any, depth: int, width: int) -> list[Selected]:
        """Return fields of one or two of the types that an abstract one stands for."""
        kinds = SCHEMA.get_possible_types(kind)
        shared = [each for one in kinds for each in one.interfaces] if isinstance(kind, GraphQLUnionType) else []
        chosen = [self._chance.choice([*kinds, *shared]) for _ in range(self._chance.randint(1, 2))]
        parts = [
            replace(each, on=str(one))
            for one in {str(one): one for one in chosen}.values()
            for each in self._fields(one, depth, width, 3)
        ]
        return [TYPENAME, *parts]

    def _fits(self, each: GraphQLField, depth: int, width: int) -> bool:
        if not self._may_ask(each):
            return False
        if not is_composite_type(get_named_type(each.type)):
            return True
        return self._left > 0 and depth < DEEPEST and (width < WIDEST or not _is_wide(each))

    def _may_ask(self, each: GraphQLField) -> bool:
        return _required(each) <= set(self._holding) or self._is_so(1, 40)

    def _field(self, name: str, each: GraphQLField, depth: int, width: int) -> Selected:
        kind = get_named_type(each.type)
        self._left -= is_composite_type(kind)
        arguments = {
            argument: Given(str(known.type), value)
            for argument, known in each.args.items()
            if (value := self._argument(argument, known)) is not _LEFT_OUT
        }
        if "first" in arguments and "last" in arguments:
            del arguments[self._chance.choice(("first", "last"))]
        below: list[Selected] = []
        if is_composite_type(kind):
            below = self._selection(kind, depth + 1, width + _is_wide(each), self._chance.randint(1, 3))
        return Selected(name, str(kind), arguments, below, is_spread=bool(below) and self._is_so(1))

    def _argument(self, name: str, known: GraphQLArgument) -> Any:
        # A cursor of another list refuses the whole; those of the list itself come with `next_page`.
        if not isinstance(known.type, GraphQLNonNull) and not self._is_so(*((1, 24) if name in PLACES else (4, 8))):
            return _LEFT_OUT
        return self.value(name, known.type, "")

    def value(self, name: str, kind: Any, within: str) -> Any:
        """Return a value for the field or argument of that name and type."""
        if isinstance(kind, GraphQLNonNull):
            return self.value(name, kind.of_type, within)
        if isinstance(kind, GraphQLList):
            return [self.value(name, kind.of_type, within) for _ in range(self._chance.choice((0, 1, 1, 2, 3)))]
        if isinstance(kind, GraphQLEnumType):
            return self._chance.choice(sorted(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            return self._input(kind, within)
        return self._scalar(name, str(kind), within)

    def _input(self, kind: GraphQLInputObjectType, within: str) -> dict[str, Any]:
        """Return an input; `within` names what is acted upon, for fields that are called `id` or `afterId`."""
        subject = within if kind.name in {"PositionInput", "DateTimeRange"} else kind.name
        if kind.is_one_of:
            name = self._chance.choice(sorted(kind.fields))
            return {name: self.value(name, kind.fields[name].type, subject)}
        wanted = set(self._some_of(kind.fields))
        return {
            name: self.value(name, each.type, subject)
            for name, each in kind.fields.items()
            if (isinstance(each.type, GraphQLNonNull) and not self._is_default(each.default_value)) or name in wanted
        }

    def _some_of(self, fields: Mapping[str, Any]) -> list[str]:
        """Return the names of one field, for together they seldom hold of anything, or of any number."""
        if self._is_so(4):
            return [self._chance.choice(sorted(fields))]
        return [name for name in fields if self._is_so(3)]

    def _is_default(self, default: Any) -> bool:
        return default is not None and str(default) != "Undefined" and self._is_so(5)

    def _scalar(self, name: str, kind: str, within: str) -> Any:
        drawn: dict[str, Callable[[], Any]] = {
            "ID": lambda: self._id(name, within),
            "Int": lambda: self._chance.choice(SIZES[1:] if name in {"first", "last"} else (1, 2, 3)),
            "Boolean": lambda: True if name in {"atStart", "atEnd", "everyone", "public"} else self._is_so(4),
            "DateTime": lambda: self._chance.choice(DATES),
            "Long": lambda: self._chance.choice((0, 7, 2**40)),
            "URL": lambda: self._chance.choice(("https://example.org/x", "s3://bucket/x")),
        }
        return drawn[kind]() if kind in drawn else self._text(name)

    def _id(self, name: str, within: str) -> str:
        if self._is_so(1, 16):
            return self._chance.choice(GARBAGE)
        wanted = next((prefix for part, prefix in NAMED if part.lower() in name.lower()), None)
        wanted = wanted or next((prefix for part, prefix in NAMED if part in within.lower()), None)
        if wanted is None or self._is_so(1, 16):
            wanted = self._chance.choice(sorted(self._words.ids))
        return self._chance.choice(self._words.ids[wanted] or GARBAGE)

    def _text(self, name: str) -> str:
        if name in PLACES:
            return self._chance.choice([*self._words.cursors[-40:], "", "A" * 40])
        if name == "query":
            return self._typed()
        if name == "idempotencyKey":
            return self._chance.choice(("k1", "k2"))
        return self._chance.choice(
            [*self._words.assets, "elsewhere"] if name in {"externalId", "uses"} else self._words.texts
        )

    def _typed(self) -> str:
        """Return what is typed into a search: a text as it is, begun, misspelt or of a field, and seldom several."""
        text = self._chance.choice([*self._words.texts, *self._words.assets])
        at = self._chance.randrange(len(text)) if text else 0
        ways = (text, text, text[: at + 1], text[:at] + text[at + 1 :], f'"{text}"', f"tag:{text}", f"owner:{text}")
        typed = self._chance.choice(ways)
        return f"{typed} {self._typed()}" if self._is_so(1) else typed

    def _is_so(self, chances: int, of: int = 8) -> bool:
        return self._chance.randrange(of) < chances


_LEFT_OUT = object()
PLACES = ("after", "before")


def _required(each: GraphQLField) -> set[str]:
    """Return the permissions without which the field is an error."""
    rules = (each.ast_node.directives if each.ast_node else None) or ()
    told = [{given.name.value: getattr(given.value, "value", "") for given in rule.arguments or ()} for rule in rules]
    return {rule["requires"] for rule in told if rule.get("on") == "VIEWER" and rule.get("denied") == "ERROR"}


def _is_wide(each: GraphQLField) -> bool:
    """Return whether the field gives many."""
    return get_named_type(each.type).name.endswith("Connection") or "[" in str(each.type)


class _Writing:
    """Writes one document: aliases where names would clash, a variable for each argument, fragments at its end."""

    def __init__(self) -> None:
        self._variables: dict[str, Given] = {}
        self._fragments: list[str] = []

    def document(self, question: Question) -> tuple[str, dict[str, Any]]:
        body = self._set(question.selected)
        head = ", ".join(f"${name}: {given.type}" for name, given in self._variables.items())
        text = f"{question.kind}{f'({head})' if head else ''} {body}"
        return "\n".join([text, *self._fragments]), {name: given.value for name, given in self._variables.items()}

    def _set(self, selected: Sequence[Selected]) -> str:
        texts = []
        for alias, each in _aliased(selected):
            text = self._field(each, alias)
            texts.append(f"... on {each.on} {{ {text} }}" if each.on else text)
        return f"{{ {' '.join(texts)} }}"

    def _field(self, each: Selected, alias: str) -> str:
        text = each.name if alias == each.name else f"{alias}: {each.name}"
        if each.arguments:
            text += f"({', '.join(f'{name}: {self._variable(given)}' for name, given in each.arguments.items())})"
        if not each.below:
            return text
        body = self._set(each.below)
        if each.is_spread:
            name = f"F{len(self._fragments)}"
            self._fragments.append(f"fragment {name} on {each.type} {body}")
            body = f"{{ ...{name} }}"
        return f"{text} {body}"

    def _variable(self, given: Given) -> str:
        name = f"v{len(self._variables)}"
        self._variables[name] = given
        return f"${name}"


def _aliased(selected: Sequence[Selected]) -> Iterator[tuple[str, Selected]]:
    """Yield each field with the name that the answer has it under."""
    taken: set[str] = set()
    for each in selected:
        alias = each.name if each.name not in taken else f"{each.name}{len(taken)}"
        taken.add(alias)
        yield alias, each


def next_page(question: Question, answer: Any) -> Question | None:
    """Return the question about what comes after a cursor that it was answered with; None where it was told none."""
    data = answer.get("data") if isinstance(answer, dict) else None
    selected = None if data is None else _after(question.selected, data)
    return None if selected is None else replace(question, selected=selected)


def _after(selected: Sequence[Selected], data: Mapping[str, Any]) -> list[Selected] | None:
    for index, (alias, each) in enumerate(_aliased(selected)):
        found = data.get(alias)
        if not isinstance(found, dict):
            continue  # of many parents, each has cursors of its own
        further = None
        cursor = next(cursors_in({name: found.get(name) for name in ("edges", "pageInfo")}), None)
        if cursor is not None and each.type.endswith("Connection"):
            forward = {name: given for name, given in each.arguments.items() if name not in {"last", "before"}}
            further = replace(each, arguments=forward | {"after": Given("String", cursor)})
        elif below := _after(each.below, found):
            further = replace(each, below=below)
        if further:
            return [*selected[:index], further, *selected[index + 1 :]]
    return None


def _without_one(selected: Sequence[Selected]) -> Iterator[list[Selected]]:
    """Yield the selection without one of its fields or arguments, at whatever depth."""
    for index, each in enumerate(selected):
        before, after = list(selected[:index]), list(selected[index + 1 :])
        if before or after:
            yield before + after
        for below in _without_one(each.below):
            yield [*before, replace(each, below=below), *after]
        for name, given in each.arguments.items():
            if not given.type.endswith("!"):
                arguments = {other: kept for other, kept in each.arguments.items() if other != name}
                yield [*before, replace(each, arguments=arguments), *after]


def cursors_in(answer: Any) -> Iterator[str]:
    """Yield every cursor of an answer."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if isinstance(value, str) and ("cursor" in name or name in {"endCursor", "startCursor"}):
                yield value
            else:
                yield from cursors_in(value)
    elif isinstance(answer, list):
        for each in answer:
            yield from cursors_in(each)
