"""Oracle model read from a database: equivalent catalogue lines, and facts that lines cannot express.

Each table is read whole with one plain SELECT and without access conditions, so nothing under test is used.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, select

from store import sql
from store.asset_columns import ASSET_COLUMNS
from store.database import Database
from tests.oracle import ACCESS, EPOCH, Line, Model

FIELDS_OF_STATUS: dict[str, Line] = {
    "RELEASED": {},
    "DRAFT": {"released": False},
    "ARCHIVED": {"archived": True},
    "WITHDRAWN": {"withdrawn": True},
    "FAILED": {"state": "FAILED"},
}
ROLE_OF_ACCESS = {access: role for role, access in ACCESS.items()}
# The column of each field of an asset's line that has the same value there.
COLUMN_OF_FIELD = {
    column.line_name: column.name
    for column in ASSET_COLUMNS
    if column.name not in {"kind", "status", "name", "tags", "owner_pk"}
}
# Rows in the order in which lists show them.
TABLES: dict[str, Select[Any]] = {
    "deployment": select(sql.deployment),
    "principal": select(sql.principal).order_by(sql.principal.c.pk),
    "group_member": select(sql.group_member).order_by(sql.group_member.c.user_pk),
    "topic": select(sql.topic).order_by(sql.topic.c.rank),
    "collection": select(sql.collection).order_by(sql.collection.c.rank, sql.collection.c.pk),
    "asset": select(sql.asset).order_by(sql.asset.c.pk),
    "grant": select(sql.grant).order_by(sql.grant.c.principal_pk),
    "use": select(sql.asset_use).order_by(sql.asset_use.c.rank, sql.asset_use.c.uses_pk),
    "membership": select(sql.membership).order_by(sql.membership.c.rank, sql.membership.c.asset_pk),
}


async def read_model(database: Database) -> Model:
    """Read the oracle model of the database's current state. One statement per table.

    Raises ValueError if two objects share a name that the model could not tell apart, for example an asset and a
    collection. A topic and a collection may share one.
    """
    async with database.snapshot() as snapshot:
        rows = {name: list(await snapshot.rows(statement)) for name, statement in TABLES.items()}
    return _ModelBuilder(rows).build()


class _ModelBuilder:
    """Builder of the model from the rows of all tables. Names replace primary keys."""

    def __init__(self, rows: dict[str, list[Row[Any]]]) -> None:
        self.rows = rows
        self.user_or_group = {row.pk: row.external_id for row in rows["principal"]}
        self.asset = {row.pk: row.external_id for row in rows["asset"]}
        self.topic = {row.pk: row.slug for row in rows["topic"]}
        self.collection = {row.pk: row.slug for row in rows["collection"]}

    def build(self) -> Model:
        """Build the model."""
        membership = self._by_membership(self.rows["membership"])
        return Model(
            [*self._principals(), *self._topics(), *self._assets(), *self._collections()],
            self._ids(),
            has_public_sharing=bool(self.rows["deployment"][0].public_sharing),
            gold={row.external_id for row in self.rows["asset"] if row.is_gold},
            added_at={pair: row.added_at for pair, row in membership},
            changed_at={row.slug: row.updated_at for row in self.rows["collection"]},
            order=list(self.collection.values()),
            topic_order=list(self.topic.values()),
            topic_ids={row.slug: row.id for row in self.rows["topic"]},
            added_by={pair: self.user_or_group[row.added_by_pk] for pair, row in membership if row.added_by_pk},
            notes={pair: row.note for pair, row in membership if row.note is not None},
            awards={row.external_id: self._award(row) for row in self.rows["asset"] if row.is_gold},
        )

    def _by_membership(self, rows: Sequence[Row[Any]]) -> list[tuple[tuple[str, str], Row[Any]]]:
        return [((self.collection[row.collection_pk], self.asset[row.asset_pk]), row) for row in rows]

    def _award(self, row: Row[Any]) -> Line:
        return {"at": row.gold_at, "by": self.user_or_group.get(row.gold_by_pk), "note": row.gold_note}

    def _ids(self) -> dict[str, str]:
        pairs = [(row.external_id, row.id) for kind in ("principal", "asset") for row in self.rows[kind]]
        pairs += [(row.slug, row.id) for row in self.rows["collection"]]
        ids = dict(pairs)
        if len(ids) < len(pairs):
            raise ValueError(f"several objects share a name: {sorted(set(pairs) - set(ids.items()))}")
        return {row.slug: row.id for row in self.rows["topic"]} | ids

    def _principals(self) -> list[Line]:
        members = _names_by_key(self.rows["group_member"], "group_pk", "user_pk", self.user_or_group)
        users = [
            _catalogue_line(
                "user",
                id=row.external_id,
                name=row.name,
                email=row.email,
                isAdmin=row.is_admin,
                isActive=None if row.is_active else False,
                provisionedBy=_other_source(row),
            )
            for row in self.rows["principal"]
            if row.kind == "USER"
        ]
        groups = [
            _catalogue_line(
                "group",
                id=row.external_id,
                name=row.name,
                members=members[row.pk],
                provisionedBy=_other_source(row),
            )
            for row in self.rows["principal"]
            if row.kind == "GROUP"
        ]
        return [*users, *groups]

    def _topics(self) -> list[Line]:
        return [
            _catalogue_line("topic", slug=row.slug, name=row.name, description=row.description)
            for row in self.rows["topic"]
        ]

    def _assets(self) -> list[Line]:
        uses = _names_by_key(self.rows["use"], "asset_pk", "uses_pk", self.asset)
        grants: dict[int, list[Line]] = defaultdict(list)
        for row in self.rows["grant"]:
            grants[row.asset_pk].append(
                {"to": self.user_or_group[row.principal_pk], "role": ROLE_OF_ACCESS[row.access]}
            )
        return [
            _catalogue_line(
                "asset",
                id=row.external_id,
                type=row.kind,
                name=row.name,
                owner=self.user_or_group[row.owner_pk],
                grants=grants[row.pk],
                tags=row.tags,
                uses=uses[row.pk],
                createdAt=_format_instant(row.created_at),
                updatedAt=_format_instant(row.updated_at),
                **FIELDS_OF_STATUS[row.status],
                **{field: getattr(row, column) for field, column in COLUMN_OF_FIELD.items()},
            )
            for row in self.rows["asset"]
        ]

    def _collections(self) -> list[Line]:
        assets = _names_by_key(self.rows["membership"], "collection_pk", "asset_pk", self.asset)
        return [
            _catalogue_line(
                "collection",
                slug=row.slug,
                name=row.name,
                topic=self.topic[row.topic_pk],
                parent=self.collection.get(row.parent_pk),
                visibility=row.visibility,
                description=row.description,
                assets=assets[row.pk],
            )
            for row in self.rows["collection"]
        ]


def _other_source(row: Row[Any]) -> str | None:
    """Return the source of a user or group that is not of the catalogue. No line has it."""
    return None if row.source == "CATALOGUE" else str(row.source)


def _catalogue_line(kind: str, **fields: Any) -> Line:
    """Return a catalogue line without null fields."""
    return {"kind": kind} | {name: value for name, value in fields.items() if value is not None}


def _names_by_key(rows: Sequence[Row[Any]], by: str, value: str, names: dict[int, str]) -> dict[int, list[str]]:
    """Return, for each value of column `by`, the names that column `value` refers to, in the order of the rows."""
    names_by_key: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        names_by_key[getattr(row, by)].append(names[getattr(row, value)])
    return names_by_key


def _format_instant(at: int) -> str:
    return (EPOCH + timedelta(milliseconds=at)).isoformat()
