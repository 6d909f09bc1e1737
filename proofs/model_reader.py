"""This file is a database being read for the oracle: the lines of a catalogue that would write it, and what they omit.

It asks nothing of what it judges: each table is read whole, with one plain SELECT and no rule of sight.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, Select, select

from store import sql
from store.database import Database
from tests.oracle import ACCESS, EPOCH, Line, Model

STATUSES: dict[str, Line] = {
    "RELEASED": {},
    "DRAFT": {"released": False},
    "ARCHIVED": {"archived": True},
    "WITHDRAWN": {"withdrawn": True},
    "FAILED": {"state": "FAILED"},
}
ROLES = {access: role for role, access in ACCESS.items()}
# Fields of an asset's line by the columns that hold them.
FIELDS = {
    "description": "description",
    "license": "license",
    "doi": "doi",
    "version": "version",
    "url": "url",
    "language": "language",
    "stepCount": "step_count",
    "appKind": "app_kind",
    "dataKind": "data_kind",
    "sizeBytes": "size_bytes",
    "fileCount": "file_count",
    "source": "source",
    "framework": "framework",
}
# What is read, in the order that the lists of it stand in.
READ: dict[str, Select[Any]] = {
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
    """Return the oracle of the database as it is now, whatever was written to it and how. One statement a table.

    Raises ValueError where two objects go by one name, an asset by a collection's say: the oracle could not tell them
    apart. A topic and a collection may.
    """
    async with database.snapshot() as snapshot:
        rows = {name: list(await snapshot.rows(statement)) for name, statement in READ.items()}
    return _Rows(rows).model()


class _Rows:
    """The rows of each table, and what their keys mean."""

    def __init__(self, rows: dict[str, list[Row[Any]]]) -> None:
        self.rows = rows
        self.principal = {row.pk: row.external_id for row in rows["principal"]}
        self.asset = {row.pk: row.external_id for row in rows["asset"]}
        self.topic = {row.pk: row.slug for row in rows["topic"]}
        self.collection = {row.pk: row.slug for row in rows["collection"]}

    def model(self) -> Model:
        """Return the oracle."""
        membership = self._pairs(self.rows["membership"])
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
            added_by={pair: self.principal[row.added_by_pk] for pair, row in membership if row.added_by_pk},
            notes={pair: row.note for pair, row in membership if row.note is not None},
            awards={row.external_id: self._award(row) for row in self.rows["asset"] if row.is_gold},
        )

    def _pairs(self, rows: Sequence[Row[Any]]) -> list[tuple[tuple[str, str], Row[Any]]]:
        return [((self.collection[row.collection_pk], self.asset[row.asset_pk]), row) for row in rows]

    def _award(self, row: Row[Any]) -> Line:
        return {"at": row.gold_at, "by": self.principal.get(row.gold_by_pk), "note": row.gold_note}

    def _ids(self) -> dict[str, str]:
        named = [(row.external_id, row.id) for kind in ("principal", "asset") for row in self.rows[kind]]
        named += [(row.slug, row.id) for row in self.rows["collection"]]
        ids = dict(named)
        if len(ids) < len(named):
            raise ValueError(f"one name, two objects: {sorted(set(named) - set(ids.items()))}")
        return {row.slug: row.id for row in self.rows["topic"]} | ids

    def _principals(self) -> list[Line]:
        members = _together(self.rows["group_member"], "group_pk", "user_pk", self.principal)
        users = [
            _line("user", id=row.external_id, name=row.name, email=row.email, isAdmin=row.is_admin)
            for row in self.rows["principal"]
            if row.kind == "USER"
        ]
        groups = [
            _line("group", id=row.external_id, name=row.name, members=members[row.pk])
            for row in self.rows["principal"]
            if row.kind == "GROUP"
        ]
        return [*users, *groups]

    def _topics(self) -> list[Line]:
        return [_line("topic", slug=row.slug, name=row.name, description=row.description) for row in self.rows["topic"]]

    def _assets(self) -> list[Line]:
        uses = _together(self.rows["use"], "asset_pk", "uses_pk", self.asset)
        grants: dict[int, list[Line]] = defaultdict(list)
        for row in self.rows["grant"]:
            grants[row.asset_pk].append({"to": self.principal[row.principal_pk], "role": ROLES[row.access]})
        return [
            _line(
                "asset",
                id=row.external_id,
                type=row.kind,
                name=row.name,
                owner=self.principal[row.owner_pk],
                grants=grants[row.pk],
                tags=row.tags,
                uses=uses[row.pk],
                createdAt=_instant(row.created_at),
                updatedAt=_instant(row.updated_at),
                **STATUSES[row.status],
                **{field: getattr(row, column) for field, column in FIELDS.items()},
            )
            for row in self.rows["asset"]
        ]

    def _collections(self) -> list[Line]:
        held = _together(self.rows["membership"], "collection_pk", "asset_pk", self.asset)
        return [
            _line(
                "collection",
                slug=row.slug,
                name=row.name,
                topic=self.topic[row.topic_pk],
                parent=self.collection.get(row.parent_pk),
                visibility=row.visibility,
                description=row.description,
                assets=held[row.pk],
            )
            for row in self.rows["collection"]
        ]


def _line(kind: str, **fields: Any) -> Line:
    """Return a line of a catalogue, without what is null."""
    return {"kind": kind} | {name: value for name, value in fields.items() if value is not None}


def _together(rows: Sequence[Row[Any]], by: str, value: str, names: dict[int, str]) -> dict[int, list[str]]:
    """Return the names of what one column refers to by the other, in the rows' order; none for what is not there."""
    together: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        together[getattr(row, by)].append(names[getattr(row, value)])
    return together


def _instant(at: int) -> str:
    return (EPOCH + timedelta(milliseconds=at)).isoformat()
