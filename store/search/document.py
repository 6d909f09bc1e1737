"""This file is what each thing is found by: nothing but what everyone who sees it may read."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, Table, select

from store import sql
from store.search.query import NAME, WEIGHTS, marked
from store.search.tokens import chunks, joined, words

KINDS = {
    "CAPSULE": ("capsule",),
    "PIPELINE": ("pipeline",),
    "NO_CODE_APP": ("nocodeapp", "app"),
    "DATA_ASSET": ("dataasset", "data", "dataset"),
    "MODEL": ("model",),
}
"""What `kind:` calls each kind."""
MOST_LABELS = 2_000  # words of tags and identifiers: PostgreSQL keeps no more than a megabyte of all
APART = ":"
"""A word that nobody can look for, between what no phrase goes across."""


class Document(NamedTuple):
    """The words that a thing is found by."""

    name: Sequence[str]
    labels: Sequence[str]
    rest: Sequence[str]

    def texts(self) -> dict[str, str]:
        """Return each field as SQLite indexes it."""
        return {name: " ".join(field) for name, field in zip(self._fields, self, strict=True)}

    def tsvector(self) -> str:
        """Return the document as PostgreSQL writes it: each word with its places and the weight of its field."""
        places, place = defaultdict[str, list[str]](list), 0
        for field, weight in zip(self, WEIGHTS.values(), strict=True):
            for word in field:
                place += 1
                places[word].append(f"{place}{weight}")
            place += 1  # no phrase goes from one field to the next
        return " ".join(f"'{word}':{','.join(at)}" for word, at in places.items())


class Kind(NamedTuple):
    """A kind of thing that is searched: its table, its rows, and what one of them is found by."""

    table: Table
    rows: Select[Any]
    document: Callable[[Row[Any]], Document]


def _asset(row: Row[Any]) -> Document:
    tags = [words(tag) for tag in row.tags]
    labels = [*tags, words(row.external_id), *([marked("tag", word) for word in tag] for tag in tags)]
    labels += [[*words(row.doi), marked("doi", _one(row.doi))]] if row.doi else []
    owner = words(row.owner_name)
    rest = [owner, [marked("owner", word) for word in owner], [marked("kind", kind) for kind in KINDS[row.kind]]]
    told = (row.kind, row.app_kind, row.data_kind, row.language, row.framework, row.license, row.description)
    return Document(
        _named(row.name), _apart(labels)[:MOST_LABELS], _apart([*rest, words(" ".join(filter(None, told)))])
    )


def _plain(row: Row[Any]) -> Document:
    return Document(_named(row.name), words(row.slug), words(row.description))


def _named(name: str) -> list[str]:
    return [*words(name), marked(NAME, _one(name))]


def _apart(texts: Iterable[Sequence[str]]) -> Sequence[str]:
    """Return the words of all texts, across which no phrase goes."""
    return [word for text in texts for word in (*text, APART)]


def _one(text: str) -> str:
    return joined(word for chunk in chunks(text) for word in chunk.words)


_owner = sql.principal.alias("owner")
SEARCHED: Mapping[str, Kind] = {
    "asset": Kind(
        sql.asset,
        select(sql.asset, _owner.c.name.label("owner_name")).join(_owner, _owner.c.pk == sql.asset.c.owner_pk),
        _asset,
    ),
    "collection": Kind(sql.collection, select(sql.collection), _plain),
    "topic": Kind(sql.topic, select(sql.topic), _plain),
}
