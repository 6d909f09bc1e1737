"""Static cost of an operation: its objects, fields and reads, estimated before the execution.

The selected fields are walked once, with the sizes and the weights of `schema/sizes.py`; lists within lists multiply.
The cost depends on the document and the variables alone, so that it tells nothing of hidden objects.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    value_from_ast_untyped,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from resolvers.limits import LIMITS
from resolvers.listing.listing import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from schema import sizes
from schema.enums import CollectionOrderField

COST_CAP: Final = 10**9
"""Upper bound of reported costs, because lists within lists can multiply to numbers that JSON cannot hold."""

CACHED_COSTS: Final = 64
"""Most costs kept for one operation, by the sizes of its variables."""

ENUM_VALUE_LENGTH: Final = 20
"""Longest text that can be the value of an enum on which a cost depends."""

SMALL_LEVELS, SMALL_OBJECT, SMALL_NAME = 5, 50, 50
"""Levels, fields and lengths of names of the objects in variables for which costs are kept."""


class Cost(NamedTuple):
    """Objects and fields of a response, and the weight of the reads for it: those of an operation, or the limits."""

    objects: int = 0
    fields: int = 0
    reads: int = 0

    def plus(self, other: "Cost") -> "Cost":
        """Return the sum."""
        return Cost(self.objects + other.objects, self.fields + other.fields, self.reads + other.reads)

    def maximum(self, other: "Cost") -> "Cost":
        """Return the larger of each."""
        return Cost(*map(max, self, other))

    def is_within(self, limits: "Cost") -> bool:
        """Return whether no limit is exceeded."""
        return self.objects <= limits.objects and self.fields <= limits.fields and self.reads <= limits.reads

    def capped(self) -> "Cost":
        """Return the cost with COST_CAP as the maximum of each."""
        return Cost(*(min(value, COST_CAP) for value in self))


class _Place(NamedTuple):
    """Place of a selection set: the number of its objects, and the properties of the lists around it."""

    objects: int = 1
    is_distinct: bool = True  # no object occurs twice
    page: int = 1  # the length of the lists in a connection; in a payload, the number of items in the input
    size: int = 1  # of the connection's whole list, compared to a collection's
    is_partition: bool = False  # no item of the connections is in two of them


class OperationCost:
    """Cost of one operation of a valid document, for any variables."""

    def __init__(
        self,
        schema: GraphQLSchema,
        definition: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDetails],
    ) -> None:
        """Take the operation and the document's fragments by name; nothing is walked yet."""
        self._schema, self._definition, self._fragments = schema, definition, dict(fragments)
        self._costs: OrderedDict[tuple[Any, ...], Cost] = OrderedDict()
        self._defaults = {
            each.variable.name.value: value_from_ast_untyped(each.default_value) if each.default_value else None
            for each in definition.variable_definitions or ()
        }

    @classmethod
    def of_document(cls, schema: GraphQLSchema, document: DocumentNode, definition: OperationDefinitionNode) -> Self:
        """Return the cost of an operation of the document."""
        return cls(schema, definition, _fragments(document))

    def of(self, variables: Mapping[str, Any] | None) -> Cost:
        """Return the cost for these variables, which are not coerced yet. Equal sizes of variables are walked once."""
        values = {name: (variables or {}).get(name, default) for name, default in self._defaults.items()}
        key = tuple(map(_size_of, values.values())) if _is_small(values) else None
        cost = None if key is None else self._costs.get(key)
        if cost is None:
            cost = self._walk(values)
            if key is not None:
                self._costs[key] = cost
                if len(self._costs) > CACHED_COSTS:
                    self._costs.popitem(last=False)
        return cost

    def _walk(self, variables: dict[str, Any]) -> Cost:
        root = root_type(self._schema, self._definition)
        return _Walk(self._schema, self._definition, self._fragments, variables).of(root)


def root_type(schema: GraphQLSchema, definition: OperationDefinitionNode) -> GraphQLObjectType:
    """Return the root type of an operation. Raises ValueError if the schema has none, so that it is not valid."""
    root = schema.get_root_type(definition.operation)
    if root is None:
        raise ValueError(f"The schema has no root type for a {definition.operation.value}.")
    return root


def root_field(
    schema: GraphQLSchema, document: DocumentNode, definition: OperationDefinitionNode, variables: VariableValues
) -> FieldDetails:
    """Return the only field at the root of a valid subscription."""
    collected = collect_fields(schema, _fragments(document), variables, root_type(schema, definition), definition)
    return next(iter(collected.grouped_field_set.values()))[0]


def _fragments(document: DocumentNode) -> dict[str, FragmentDetails]:
    nodes = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
    return {node.name.value: FragmentDetails(node) for node in nodes}


def _is_small(value: Any, levels: int = SMALL_LEVELS) -> bool:
    """Return whether the objects in a variable's value are no larger and no deeper than honest ones."""
    if not isinstance(value, dict):
        return True
    is_small = levels > 0 and len(value) <= SMALL_OBJECT and all(len(name) <= SMALL_NAME for name in value)
    return is_small and all(_is_small(each, levels - 1) for each in value.values())


def _size_of(value: Any) -> tuple[type, Any]:
    """Return the part of a variable's value that a cost can depend on, with its type: True equals 1."""
    if isinstance(value, list):
        return list, len(value)
    if isinstance(value, dict):
        return dict, tuple((name, _size_of(each)) for name, each in value.items())
    if isinstance(value, str) and len(value) > ENUM_VALUE_LENGTH:
        return str, None
    return type(value), value


class _Walk:
    """Walk through an operation. A selection set at equal places is walked once, so that interfaces do not multiply."""

    def __init__(
        self,
        schema: GraphQLSchema,
        definition: OperationDefinitionNode,
        fragments: dict[str, FragmentDetails],
        variables: dict[str, Any],
    ) -> None:
        self._schema, self._definition, self._fragments, self._variables = schema, definition, fragments, variables
        # Only directives read them. With an invalid value in a directive, nothing of its selection set is executed.
        self._values = VariableValues({}, {name: value is not False for name, value in variables.items()})
        self._known: dict[tuple[Any, ...], Cost] = {}

    def of(self, root: GraphQLObjectType) -> Cost:
        collected = collect_fields(self._schema, self._fragments, self._values, root, self._definition)
        return self._fields(root, collected.grouped_field_set, _Place()).capped()

    def _fields(self, type_: GraphQLObjectType, selected: GroupedFieldSet, place: _Place) -> Cost:
        total, lists = Cost(), Cost()
        for details in selected.values():
            name = details[0].node.name.value
            total = total.plus(Cost(fields=place.objects * sizes.FIELDS.get(f"*.{name}", 1)))
            if name.startswith("__"):  # introspection reads no objects
                continue
            cost = self._field(type_, name, details, place)
            if type_.name in sizes.SHARED_PAGES and is_list_type(get_nullable_type(type_.fields[name].type)):
                lists = lists.maximum(cost)
            else:
                total = total.plus(cost)
        return total.plus(lists)

    def _field(self, type_: GraphQLObjectType, name: str, details: list[FieldDetails], place: _Place) -> Cost:
        definition = type_.fields[name]
        arguments = self._arguments(definition, details[0])
        key = f"{type_.name}.{name}"
        cost = Cost(reads=place.objects * _reads(key, arguments, place))
        named = get_named_type(definition.type)
        if not is_composite_type(named):
            return cost
        is_list = is_list_type(get_nullable_type(definition.type))
        within = _enter_list(key, arguments, place) if is_list else _enter_object(key, arguments, place)
        types = (named,) if isinstance(named, GraphQLObjectType) else self._schema.get_possible_types(named)
        inner = Cost()
        for each in types:
            inner = inner.maximum(self._subfields(each, details, within))
        return cost.plus(inner).plus(Cost(objects=within.objects))

    def _subfields(self, type_: GraphQLObjectType, details: list[FieldDetails], place: _Place) -> Cost:
        key = (type_.name, place, *(id(each.node) for each in details))
        cost = self._known.get(key)
        if cost is None:
            collected = collect_subfields(self._schema, self._fragments, self._values, self._definition, type_, details)
            cost = self._known[key] = self._fields(type_, collected.grouped_field_set, place)
        return cost

    def _arguments(self, definition: GraphQLField, details: FieldDetails) -> dict[str, Any]:
        """Return the given values of the arguments, not coerced, and the default page size."""
        nodes = details.node.arguments or ()
        given = {each.name.value: value_from_ast_untyped(each.value, self._variables) for each in nodes}
        return {"first": definition.args["first"].default_value} | given if "first" in definition.args else given


def _enter_list(key: str, arguments: Mapping[str, Any], place: _Place) -> _Place:
    """Return the place of the items of a plain list."""
    length = sizes.LENGTHS.get(key) or sizes.LENGTHS.get(_any_type(key))
    if length is None:
        length = _page_size(key, arguments) if "first" in arguments else _longest_list(arguments) or place.page
    items = place.objects * length
    if place.is_partition:
        items = min(items, sizes.PARTITION_ITEMS)
    return _Place(items, is_distinct=place.is_partition, page=place.page)


def _enter_object(key: str, arguments: Mapping[str, Any], place: _Place) -> _Place:
    """Return the place of the object of each parent: a connection, or a single object."""
    if "first" not in arguments:
        is_distinct = place.is_distinct and (place.objects == 1 or key.endswith(".node"))
        return place._replace(is_distinct=is_distinct, page=max(place.page, _longest_list(arguments)))
    return _Place(
        place.objects,
        is_distinct=False,
        page=_page_size(key, arguments),
        size=_list_weights(key).size * _descendants(arguments),
        is_partition=place.is_distinct and key in sizes.PARTITIONS,
    )


def _reads(key: str, arguments: Mapping[str, Any], place: _Place) -> int:
    """Return the weight of the field's own reads for one parent."""
    if "first" in arguments and key not in sizes.PARTS:
        first_page = 0 if arguments.get("after") else sizes.FIRST_PAGES.get(key, 0)
        return first_page + _page_reads(_list_weights(key), arguments) + _cursor_reads(key, arguments)
    parts = sizes.PARTS.get(key) or sizes.PARTS.get(_any_type(key), 0)
    own = (sizes.READS.get(key) or sizes.READS.get(_any_type(key), 0)) * _descendants(arguments)
    return parts * place.size + own * (sizes.FILTERED_COUNTS if arguments.get("filter") else 1)


def _page_reads(of: sizes.ListWeights, arguments: Mapping[str, Any]) -> int:
    field = _order_field(arguments)
    if field == CollectionOrderField.ASSET_COUNT:
        return of.asset_count_order
    factor = _descendants(arguments) * (sizes.SEARCHED if arguments.get("query") else 1)
    is_default = factor == 1 and not field and not arguments.get("filter")
    return of.page if is_default else max(of.page, of.sorted_page) * of.size * factor


def _cursor_reads(key: str, arguments: Mapping[str, Any]) -> int:
    """Return the weight of the cursors of a ranked list, each of which may be stale."""
    field = _order_field(arguments)
    if field != CollectionOrderField.POSITION and (field or key not in sizes.RANKED):
        return 0
    return sizes.STALE_CURSOR * _descendants(arguments) * sum(bool(arguments.get(name)) for name in ("after", "before"))


def _order_field(arguments: Mapping[str, Any]) -> object:
    order = arguments.get("orderBy")
    return order.get("field") if isinstance(order, dict) else None


def _page_size(key: str, arguments: Mapping[str, Any]) -> int:
    last, first = arguments.get("last"), arguments.get("first")
    size = first if last is None else last
    # GraphQL takes 100.0 for 100. An infinite number, which it refuses, must be bounded before it is converted.
    if not isinstance(size, int | float):
        return DEFAULT_PAGE_SIZE
    return int(min(max(size, 0), sizes.PAGE_SIZES.get(key, MAX_PAGE_SIZE)))


def _longest_list(arguments: Mapping[str, Any]) -> int:
    """Return the length of the longest list among the arguments, which a mutation has in its input."""
    values = (each for value in arguments.values() for each in (value.values() if isinstance(value, dict) else [value]))
    return min(max((len(value) for value in values if isinstance(value, list)), default=0), LIMITS.inline_bulk_items)


def _descendants(arguments: Mapping[str, Any]) -> int:
    return sizes.DESCENDANTS if arguments.get("includeDescendants") is True else 1


def _list_weights(key: str) -> sizes.ListWeights:
    return sizes.LISTS.get(key) or sizes.LISTS.get(_any_type(key), sizes.ListWeights())


def _any_type(key: str) -> str:
    return "*." + key.rpartition(".")[2]
