"""Selections whose values depend on nothing but a row, the rows it refers to, and the kind and access of the viewer."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Table

from engine import FieldPlan, ObjectPlan, ObjectShape, UnsupportedError
from engine.plan import LeafShape, ListShape, Shape
from fragments.cache import Fragment, ReferredRow, SelectionKey, compact_json
from permissions import Viewer
from permissions.directive import DeniedResult, PermissionScope, permission
from resolvers import asset, collection, topic
from resolvers.context import Context
from resolvers.loaders import AssetByPk, CollectionByPk, PrincipalByPk, Reference, RowByColumn, TopicByPk
from store import sql
from store.tables import RowKind

LOADERS: Mapping[RowKind, type[RowByColumn[int, Any]]] = {
    RowKind.ASSET: AssetByPk,
    RowKind.COLLECTION: CollectionByPk,
    RowKind.TOPIC: TopicByPk,
}
KIND_OF_TABLE: Mapping[Table, RowKind] = {
    sql.asset: RowKind.ASSET,
    sql.collection: RowKind.COLLECTION,
    sql.principal: RowKind.PRINCIPAL,
    sql.topic: RowKind.TOPIC,
}
COLUMNS_OF_FUNCTIONS: Mapping[Any, Sequence[str]] = {
    asset.gold_standard: ("is_gold", "gold_at", "gold_by_pk", "gold_note"),
    collection.viewer_can: (),
    topic.viewer_can: (),
}
"""Resolvers whose result depends on columns of the row and the kind of the viewer only, and is no row itself."""

ACCESS_COLUMN = "viewer_access"


@dataclass
class Dependencies:
    """What the values of a selection depend on: columns of rows by their table, and what else."""

    columns: defaultdict[Table | None, set[str]] = field(default_factory=lambda: defaultdict(set))
    has_references: bool = False
    by_access: bool = False
    needs_member: bool = False  # a row that it refers to may be hidden from some anonymous visitors


@dataclass(frozen=True, eq=False)
class Selection:
    """A selection on the rows of a table, to be executed by the engine and kept as fragments.

    `parts` are the names of the fields that stand before, between and after those of other kinds. `columns` are those
    of the row that the values depend on.
    """

    of: RowKind
    fields: ObjectPlan | ObjectShape
    parts: Sequence[Sequence[str]]
    columns: Sequence[str]
    identity: Hashable
    dependencies: Dependencies

    def key(self, viewer: Viewer, access: int) -> SelectionKey:
        """Return the key of the selection's fragments for viewers like this one, with this access to the row."""
        return SelectionKey(self.identity, self.of, (viewer.kind, access if self.dependencies.by_access else None))

    def fragment(self, data: Mapping[str, Any]) -> Fragment:
        """Return the fragment of a row from the data of its fields; a part after another field begins with a comma."""
        if len(self.parts) == 1:
            return (compact_json(data),)
        first, *others = (orjson.dumps({name: data[name] for name in names})[1:-1] for names in self.parts)
        return (first, *(b"," + part if part else part for part in others))

    def referred_rows(self, row: Any, context: Context) -> Iterator[ReferredRow]:
        """Yield the rows that a row's fragment refers to, whose values the context has loaded."""
        if not self.dependencies.has_references:
            return
        if isinstance(self.fields, ObjectPlan):
            yield from _referred_rows(self.fields, row, context)
        else:
            (group,) = self.fields.types.group([row]).values()
            yield from _referred_rows(self.fields.plan(group[0]), row, context)


def _referred_rows(plan: ObjectPlan, source: Any, context: Context) -> Iterator[ReferredRow]:
    for each in plan.fields:
        resolver: Any = each.declared.resolver
        if isinstance(resolver, Reference):
            pk = getattr(source, resolver.column)
            value = context.loaded(resolver.loader, pk)
            if pk is not None:
                yield ReferredRow(KIND_OF_TABLE[resolver.loader.table], pk, is_hidden=value is None)
        elif resolver in COLUMNS_OF_FUNCTIONS:
            value = resolver(source, context)
        else:
            continue
        if value is not None and isinstance(each.shape, ObjectShape):
            (group,) = each.shape.types.group([value]).values()
            yield from _referred_rows(each.shape.plan(group[0]), value, context)


def select_asset(shape: ObjectShape) -> Selection:
    """Return the selection on assets. Raises UnsupportedError if its values depend on more than rows."""
    depends = Dependencies()
    plans = [shape.plan(type_) for type_ in shape.types.possible if type_.name in ASSET_TYPES]
    identity = tuple(_examine(plan, sql.asset, depends) for plan in plans)
    return Selection(RowKind.ASSET, shape, ((),), _columns_of(sql.asset, depends), identity, depends)


def select_fields(plan: ObjectPlan, of: RowKind, parts: Sequence[Sequence[str]]) -> Selection:
    """Return the selection of some fields of a topic or a collection. Raises UnsupportedError like `select_asset`."""
    depends = Dependencies()
    table, restricted = LOADERS[of].table, plan.restrict([name for names in parts for name in names])
    identity = (_examine(restricted, table, depends), tuple(map(tuple, parts)))
    return Selection(of, restricted, parts, _columns_of(table, depends), identity, depends)


def is_field_of_row(plan: ObjectPlan, name: str, of: RowKind) -> bool:
    """Return whether the value of a field depends on nothing but rows."""
    try:
        _examine(plan.restrict([name]), LOADERS[of].table, Dependencies())
    except UnsupportedError:
        return False
    return True


def _columns_of(table: Table, depends: Dependencies) -> Sequence[str]:
    columns = {"pk", *TYPE_COLUMNS.intersection(table.c.keys()), *depends.columns[table]}
    return sorted(columns | {ACCESS_COLUMN} if depends.by_access else columns)


TYPE_COLUMNS = frozenset({"id", "kind"})
"""Columns that the type of a row's object depends on; see `schema.node.match_rows`."""

ASSET_TYPES = frozenset({"Capsule", "Pipeline", "NoCodeApp", "DataAsset", "Model"})


def _examine(plan: ObjectPlan, table: Table | None, depends: Dependencies) -> Hashable:
    """Add what the selection depends on; return a value that is equal for equal selections.

    `table` is that of the row; None for the result of a function of a row.
    """
    fields = {each.name: each for each in plan.fields}
    parts: list[Hashable] = [plan.type.name]
    for name, declared in zip(plan.names, plan.declared, strict=True):
        if declared is None:
            parts.append((name, "__typename"))
        elif name in fields:
            parts.append((name, declared.python_name, _examine_field(fields[name], table, depends)))
        else:
            _examine_column(declared.python_name, table, depends)
            parts.append((name, declared.python_name))
    return tuple(parts)


def _examine_field(plan: FieldPlan, table: Table | None, depends: Dependencies) -> Hashable:
    declared = plan.declared
    if plan.definition.args:
        raise UnsupportedError("A field of a row has arguments.")
    for extension in declared.extensions:
        _examine_permission(extension, depends)
    resolver = declared.resolver
    if resolver is None:
        _examine_column(declared.python_name, table, depends)
        return _examine_values(plan.shape)
    if isinstance(resolver, Reference):
        depends.has_references = True
        depends.columns[table].add(resolver.column)
        if resolver.loader is PrincipalByPk and not resolver.is_visible_with_source:
            depends.needs_member = True
        return _examine_objects(plan.shape, resolver.loader.table, depends)
    if resolver in COLUMNS_OF_FUNCTIONS:
        depends.columns[table].update(COLUMNS_OF_FUNCTIONS[resolver])
        return _examine_objects(plan.shape, None, depends)
    raise UnsupportedError("A field has a resolver that reads more than rows.")


def _examine_permission(extension: object, depends: Dependencies) -> None:
    if not isinstance(extension, permission) or extension.denied is not DeniedResult.NULL:
        raise UnsupportedError("A field has an extension other than a permission that gives null.")
    if extension.on is PermissionScope.ITEM:
        raise UnsupportedError("A permission is checked on the result.")
    depends.by_access |= extension.on is PermissionScope.PARENT


def _examine_column(name: str, table: Table | None, depends: Dependencies) -> None:
    if table is sql.asset and name == ACCESS_COLUMN:
        depends.by_access = True
    elif table is not None and name not in table.c:
        raise UnsupportedError("A field is no column of the row.")
    else:
        depends.columns[table].add(name)


def _examine_values(shape: Shape) -> Hashable:
    if isinstance(shape, ListShape):
        return _examine_values(shape.item)
    if isinstance(shape, LeafShape):
        return None
    raise UnsupportedError("A column has subfields.")


def _examine_objects(shape: Shape, table: Table | None, depends: Dependencies) -> Hashable:
    if not isinstance(shape, ObjectShape):
        raise UnsupportedError("A field of a row has a list of objects.")
    return tuple(_examine(shape.plan(type_), table, depends) for type_ in shape.types.possible)
