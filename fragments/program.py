"""Programs: operations whose answers the visibility index and kept fragments give, compiled from their plans."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, chain, pairwise, repeat
from typing import Any, NamedTuple, Protocol

import orjson
from graphql import GraphQLObjectType

from engine import FieldPlan, ListShape, ObjectPlan, ObjectShape, Plan, UnsupportedError, call_resolver
from fragments.cache import compact_json
from fragments.lists import PageOfRows, find_order, find_page, find_row, ids_of, sorted_page
from fragments.run import Run
from fragments.selection import Selection, is_field_of_row, select_asset, select_fields
from permissions.directive import PermissionScope, permission
from permissions.permission import Permission
from permissions.visibility_index import Pks, Sight
from resolvers import asset as resolve_asset
from resolvers import collection as resolve_collection
from resolvers import membership as resolve_membership
from resolvers import topic as resolve_topic
from resolvers.counts import AssetCounts
from resolvers.listing import connection as resolve_connection
from resolvers.listing.connection import Connection
from resolvers.listing.page import Page
from resolvers.node import node as resolve_node
from store.tables import RowKind

Texts = Sequence[bytes]
"""JSON of a field for each of several objects."""


class Parent(NamedTuple):
    """The part of a row that the resolver of a list reads."""

    pk: int
    id: str


class Field(Protocol):
    """A field of objects that are rows."""

    def render(self, run: Run, pks: Pks) -> Texts:
        """Return the field's JSON for each row."""


class Rows:
    """Objects that are rows: kept fragments, with fields of other kinds between them."""

    def __init__(self, selection: Selection, fields: Sequence[tuple[bytes, Field]]) -> None:
        """Take the selection of the fields that fragments contain, and the JSON before each other field."""
        self._selection, self._fields = selection, fields

    def render(self, run: Run, pks: Pks) -> Texts:
        """Return the JSON object of each row."""
        if not pks:
            return []
        fragments = run.fragments(self._selection, pks)
        if not self._fields:
            texts = [text for (text,) in fragments]
            run.count_bytes(texts)
            return texts
        columns_of_fragments = list(zip(*fragments, strict=True))
        for column in columns_of_fragments:
            run.count_bytes(column)
        *parts, last = columns_of_fragments
        columns: list[Any] = [repeat(b"{")]
        for part, (before, field) in zip(parts, self._fields, strict=True):
            columns += [part, repeat(before), field.render(run, pks)]
        return list(map(b"".join, zip(*columns, last, repeat(b"}"), strict=False)))


class List:
    """A field that is a list: a connection with its page."""

    def __init__(self, field: FieldPlan, of: RowKind, parent: RowKind | None) -> None:
        """Compile the field of rows of the kind `parent`, or of the root; its nodes are rows of the kind `of`."""
        self._field, self._of, self._parent = field, of, parent
        plan = _only_plan(field)
        self._before, self._parts = _braced(plan), [self._compile_part(plan, index) for index in range(len(plan.names))]

    def render(self, run: Run, pks: Pks) -> Texts:
        """Return the JSON of the parents' lists."""
        pages = self._pages(run, pks)
        columns: list[Any] = []
        for before, part in zip(self._before, self._parts, strict=False):
            columns += [repeat(before), part(run, pages)]
        columns.append([self._before[-1]] * len(pks))
        return list(map(b"".join, zip(*columns, strict=False)))

    def _pages(self, run: Run, parents: Pks) -> "_Pages":
        if not parents:
            return _Pages([], [], [], self._of)
        connections = [self._connect(run, parents[0])]
        if connections[0].bounds.is_open:
            connections *= len(parents)
        else:  # a cursor belongs to one parent
            connections += [self._connect(run, pk) for pk in parents[1:]]
        order = find_order(run.sight, connections[0].listing)
        return _Pages(connections, parents, list(map(order, parents)), self._of)

    def _connect(self, run: Run, pk: int) -> Connection:
        """Return the connection of a parent's list, which checks the arguments."""
        connection: Connection = call_resolver(self._field, self._parent_row(run, pk), run.context, run.variables)
        return connection

    def _parent_row(self, run: Run, pk: int) -> Any:
        return None if self._parent is None else Parent(pk, ids_of(run.sight, self._parent)[pk])

    def _compile_part(self, plan: ObjectPlan, index: int) -> "Part":
        name, declared = plan.names[index], plan.declared[index]
        field = _find_field(plan, name)
        if declared is None:
            return _constant_part(plan.type)
        if field is None or field.definition.args or declared.extensions:
            raise UnsupportedError("A list has a field that the index does not give.")
        if declared.resolver is resolve_connection.page_nodes:
            return self._compile_nodes(_item(field))
        if declared.resolver is resolve_connection.page_edges:
            return self._compile_edges(_item(field))
        if declared.resolver is resolve_connection.total_count:
            return lambda _run, pages: [b"%d" % len(pks) for pks in pages.orders]
        if declared.resolver is resolve_connection.page_info:
            return self._compile_page_info(_only_plan(field))
        raise UnsupportedError("A list has a field that the index does not give.")

    def _compile_nodes(self, shape: ObjectShape) -> "Part":
        rows = compile_rows(shape, self._of)
        return lambda run, pages: _render_lists(run, pages, lambda pks: rows.render(run, pks))

    def _compile_edges(self, shape: ObjectShape) -> "Part":
        plan = shape.plan(shape.types.possible[0])
        before = _braced(plan)
        columns: list[Callable[[Run, _Pages, Pks], Any]] = []
        for name, declared in zip(plan.names, plan.declared, strict=True):
            field = _find_field(plan, name)
            if declared is None:
                columns.append(lambda _run, _pages, _pks: repeat(orjson.dumps(plan.type.name)))
            elif declared.python_name == "cursor":
                columns.append(lambda run, pages, _pks: self._cursors(run, pages))
            elif field and declared.resolver is None and declared.python_name == "node" and not declared.extensions:
                columns.append(_nodes_column(compile_rows(_object_shape(field), self._of)))
            else:
                raise UnsupportedError("An edge has a field that the index does not give.")

        def render(run: Run, pages: _Pages) -> Texts:
            def edges(pks: Pks) -> Texts:
                texts: list[Any] = []
                for prefix, column in zip(before, columns, strict=False):
                    texts += [repeat(prefix), column(run, pages, pks)]
                return list(map(b"".join, zip(*texts, [before[-1]] * len(pks), strict=False)))

            return _render_lists(run, pages, edges)

        return render

    def _cursors(self, run: Run, pages: "_Pages") -> Texts:
        cursors = []
        for index in range(len(pages.parents)):
            connection, page = self._connected_page(run, pages, index)
            cursors += [resolve_connection.cursor_of(connection, page, place) for place in range(len(page.items))]
        return [orjson.dumps(cursor) for cursor in cursors]

    def _compile_page_info(self, plan: ObjectPlan) -> "Part":
        if plan.fields or not plan.names:
            raise UnsupportedError("A field of the page's information has a resolver, or none is selected.")
        has_cursors = any(each and each.python_name.endswith("_cursor") for each in plan.declared)

        def render(run: Run, pages: _Pages) -> Texts:
            if has_cursors:
                parents = range(len(pages.parents))
                connected = [self._connected_page(run, pages, index, ends_only=True) for index in parents]
            else:
                found = [pages.find(run.sight, index) for index in range(len(pages.parents))]
                connected = [
                    (connection, Page([], page.has_more))
                    for connection, page in zip(pages.connections, found, strict=True)
                ]
            positions = [resolve_connection.position(*each) for each in connected]
            return list(map(orjson.dumps, _object_values(plan, positions)))

        return render

    def _connected_page(
        self, run: Run, pages: "_Pages", index: int, *, ends_only: bool = False
    ) -> tuple[Connection, Page]:
        """Return a page with the ids that its cursors contain, and its connection."""
        connection = pages.connections[index]
        if not connection.listing.is_ranked:
            raise UnsupportedError("The index does not hold the keys that the list is sorted by.")
        found = pages.find(run.sight, index)
        page = sorted_page(run.sight, pages.orders[index], found, self._of, ends_only=ends_only)
        return connection.with_parent(self._parent_row(run, pages.parents[index])), page


class _Pages(NamedTuple):
    """The parents of a list, and for each the connection and the order of all its rows."""

    connections: Sequence[Connection]  # all the same if no cursor is given: then its parent is not the list's
    parents: Pks
    orders: Sequence[Pks]
    of: RowKind

    def rows(self, sight: Sight) -> list[Pks]:
        """Return the rows of each page."""
        bounds = self.connections[0].bounds if self.connections else None
        if bounds is not None and bounds.is_open and not bounds.is_backward:
            return [pks[: bounds.size] for pks in self.orders]
        pages = [self.find(sight, index) for index in range(len(self.parents))]
        return [pks[page.start : page.end] for pks, page in zip(self.orders, pages, strict=True)]

    def find(self, sight: Sight, index: int) -> PageOfRows:
        """Return the place of a page in its list."""
        connection = self.connections[index]
        if not connection.listing.is_ranked and not connection.bounds.is_open:
            raise UnsupportedError("The index does not hold the keys that the list is sorted by.")
        return find_page(sight, self.orders[index], connection.bounds, self.of)


Part = Callable[[Run, _Pages], Any]
"""Function that returns the JSON of a field of connections, for each page."""


class Counts:
    """The counts of collections' assets by kind."""

    def __init__(self, field: FieldPlan) -> None:
        """Compile the field."""
        _require_no_check(field)
        self._field, self._plan = field, _only_plan(field)
        if self._plan.fields or not self._plan.names:
            raise UnsupportedError("A count has a resolver, or no field is selected.")
        names = (declared and declared.python_name for declared in self._plan.declared)
        self._identity = ("counts", *zip(self._plan.names, names, strict=True))

    def render(self, run: Run, pks: Pks) -> Texts:
        """Return the JSON of each collection's counts."""
        arguments = self._field.coerce_arguments(run.variables)
        if arguments.get("filter") or arguments.get("include_descendants"):
            raise UnsupportedError("The index counts all members only.")
        return [self._count(run, pk) for pk in pks]

    def _count(self, run: Run, pk: int) -> bytes:
        answers = run.sight.answers(pk)
        text = answers.get(self._identity)
        if text is None:
            (values,) = _object_values(self._plan, [AssetCounts.from_kinds(*run.sight.count_members(pk))])
            text = answers[self._identity] = compact_json(values)
        return text


class Lookup:
    """A field of the root that is a row, found by its id or slug."""

    def __init__(self, rows: Mapping[RowKind, Rows], find: Callable[[Run], tuple[RowKind, int | None]]) -> None:
        """Take the objects by the kind of the row, and the function that finds the row."""
        self._rows, self._find = rows, find

    def render(self, run: Run, _pks: Pks) -> Texts:
        """Return the JSON of the row, or null."""
        kind, pk = self._find(run)
        if kind not in self._rows:
            raise UnsupportedError("The object's selection depends on more than rows.")
        return [b"null"] if pk is None else self._rows[kind].render(run, [pk])


class Program:
    """An operation whose answer the visibility index gives, whole or for some fields of the root."""

    def __init__(self, fields: Sequence[tuple[str, Field | None]], remainder: ObjectPlan | None) -> None:
        """Take the fields of the root in their order; the engine executes those without a program, `remainder`."""
        self._fields, self._remainder = fields, remainder

    def render(self, run: Run) -> bytes:
        """Return the body of the response, if the run is complete afterwards.

        Raises UnsupportedError if the engine has to execute the operation, and OperationError for invalid arguments.
        """
        run.remainder = self._remainder
        texts = []
        for name, field in self._fields:
            if field is not None:
                (text,) = field.render(run, [0])
            else:
                text = orjson.dumps(run.remaining_data[name]) if run.remaining_data else b""
            texts.append(b'"%b":%b' % (name.encode(), text))
        return b'{"data":{%b}}' % b",".join(texts)


def compile_program(plan: Plan) -> Program:
    """Return the program of an operation. Raises UnsupportedError if the index gives no field of its root."""
    fields: list[tuple[str, Field | None]] = []
    for name in plan.root.names:
        field = _find_field(plan.root, name)
        try:
            fields.append((name, None if field is None else _compile_root_field(field)))
        except UnsupportedError:
            fields.append((name, None))
    remaining = [name for name, field in fields if field is None]
    if len(remaining) == len(fields):
        raise UnsupportedError("The index gives no field of the root.")
    return Program(fields, plan.root.restrict(remaining) if remaining else None)


def compile_rows(shape: ObjectShape, of: RowKind) -> Rows:
    """Return the objects of a shape that are rows of the kind. Raises UnsupportedError as `compile_program` does."""
    if of is RowKind.ASSET:
        return Rows(select_asset(shape), ())
    types = [each for each in shape.types.possible if each.name == TYPE_OF_KIND[of]]
    if not types:
        raise UnsupportedError("The field has no objects of the kind.")
    plan = shape.plan(types[0])
    parts: list[list[str]] = [[]]
    fields: list[tuple[bytes, Field]] = []
    for name in plan.names:
        if is_field_of_row(plan, name, of):
            parts[-1].append(name)
            continue
        comma = b"," if parts[-1] or fields else b""
        fields.append((b'%b"%b":' % (comma, name.encode()), _compile_field(_find_field(plan, name), of)))
        parts.append([])
    return Rows(select_fields(plan, of, parts), fields)


TYPE_OF_KIND = {RowKind.TOPIC: "Topic", RowKind.COLLECTION: "Collection"}


def _compile_field(field: FieldPlan | None, of: RowKind) -> Field:
    """Compile a field of a topic or a collection."""
    resolver = field and field.declared.resolver
    if field is not None and resolver in LISTS_OF_ROWS:
        return List(field, LISTS_OF_ROWS[resolver], of)
    if field is not None and of is RowKind.COLLECTION and resolver is resolve_membership.asset_counts:
        return Counts(field)
    raise UnsupportedError("A field depends on more than rows and lists that the index holds.")


def _compile_root_field(field: FieldPlan) -> Field:
    resolver = field.declared.resolver
    if resolver in LISTS_OF_ROOT:
        return List(field, LISTS_OF_ROOT[resolver], None)
    _require_no_check(field)
    if resolver is resolve_node:
        return _compile_node(field)
    if resolver in LOOKUPS:
        return _compile_lookup(field, LOOKUPS[resolver])
    raise UnsupportedError("The index does not give the field.")


LISTS_OF_ROOT = {resolve_topic.topics: RowKind.TOPIC, resolve_collection.collections: RowKind.COLLECTION}
LISTS_OF_ROWS = {
    resolve_topic.collections: RowKind.COLLECTION,
    resolve_collection.children: RowKind.COLLECTION,
    resolve_membership.assets: RowKind.ASSET,
}
LOOKUPS = {
    resolve_topic.topic: RowKind.TOPIC,
    resolve_collection.collection: RowKind.COLLECTION,
    resolve_asset.asset: RowKind.ASSET,
}
KIND_OF_PREFIX = {"ast_": RowKind.ASSET, "col_": RowKind.COLLECTION, "top_": RowKind.TOPIC}


def _compile_lookup(field: FieldPlan, kind: RowKind) -> Lookup:
    def find(run: Run) -> tuple[RowKind, int | None]:
        by = field.coerce_arguments(run.variables)["by"]
        if isinstance(by.id, str):
            return kind, find_row(run.sight, kind, by.id)
        if kind is RowKind.ASSET:
            raise UnsupportedError("The index does not hold the ids of the platform.")
        outline = run.sight.outline
        slugs = outline.topic_by_slug if kind is RowKind.TOPIC else outline.collection_by_slug
        if by.slug not in slugs:
            raise UnsupportedError("The index does not hold former slugs.")
        return kind, slugs[by.slug]

    return Lookup({kind: compile_rows(_object_shape(field), kind)}, find)


def _compile_node(field: FieldPlan) -> Lookup:
    shape, rows = _object_shape(field), {}
    for kind in KIND_OF_PREFIX.values():
        try:
            rows[kind] = compile_rows(shape, kind)
        except UnsupportedError:  # objects of the other kinds may still have a program
            continue
    if not rows:
        raise UnsupportedError("The selections of all kinds depend on more than rows.")

    def find(run: Run) -> tuple[RowKind, int | None]:
        id_ = field.coerce_arguments(run.variables)["id"]
        kind = KIND_OF_PREFIX.get(id_[:4])
        if kind is None:
            raise UnsupportedError("The index does not hold objects of the kind.")
        return kind, find_row(run.sight, kind, id_)

    return Lookup(rows, find)


def _find_field(plan: ObjectPlan, name: str) -> FieldPlan | None:
    return next((field for field in plan.fields if field.name == name), None)


def _require_no_check(field: FieldPlan) -> None:
    """Raise UnsupportedError if an extension of the field does more than to hide assets that the index hides, too."""
    for each in field.declared.extensions:
        if (
            not isinstance(each, permission)
            or each.on is not PermissionScope.ITEM
            or each.requires is not Permission.ASSET_DISCOVER
        ):
            raise UnsupportedError("A field has a permission that the index does not check.")


def _object_shape(field: FieldPlan) -> ObjectShape:
    if not isinstance(field.shape, ObjectShape):
        raise UnsupportedError("A field is no object.")
    return field.shape


def _only_plan(field: FieldPlan) -> ObjectPlan:
    shape = _object_shape(field)
    (type_,) = shape.types.possible
    return shape.plan(type_)


def _item(field: FieldPlan) -> ObjectShape:
    if not isinstance(field.shape, ListShape) or not isinstance(field.shape.item, ObjectShape):
        raise UnsupportedError("A field is no list of objects.")
    return field.shape.item


def _braced(plan: ObjectPlan) -> list[bytes]:
    """Return the JSON before each field of an object, and after the last. Raises UnsupportedError without fields."""
    if not plan.names:  # @skip and @include left none
        raise UnsupportedError("An object has no fields.")
    names = [b'"%b":' % name.encode() for name in plan.names]
    return [b"{" + names[0], *(b"," + name for name in names[1:]), b"}"]


def _constant_part(type_: GraphQLObjectType) -> "Part":
    return lambda _run, _pages: repeat(orjson.dumps(type_.name))


def _nodes_column(rows: Rows) -> Callable[[Run, _Pages, Pks], Texts]:
    return lambda run, _pages, pks: rows.render(run, pks)


def _render_lists(run: Run, pages: _Pages, render: Callable[[Pks], Texts]) -> Texts:
    """Render the rows of all pages together; return the JSON of each page's list."""
    rows = pages.rows(run.sight)
    texts = render(list(chain.from_iterable(rows)))
    joined = b",".join
    return [b"[%b]" % joined(texts[start:end]) for start, end in pairwise(accumulate(map(len, rows), initial=0))]


def _object_values(plan: ObjectPlan, sources: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the values of objects that have nothing but plain fields."""
    columns = [column(sources) for column in plan.columns]
    return [dict(zip(plan.names, values, strict=True)) for values in zip(*columns, strict=True)]
