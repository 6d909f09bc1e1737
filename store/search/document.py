"""This file is what each thing is found by: nothing but what everyone who sees it may read."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, Table, select

from store import sql
from store.search.query import NAME, WEIGHT_BY_FIELD, field_token
from store.search.tokens import compounds, join_tokens, tokenize

KIND_TOKENS = {
    "CAPSULE": ("capsule",),
    "PIPELINE": ("pipeline",),
    "NO_CODE_APP": ("nocodeapp", "app"),
    "DATA_ASSET": ("dataasset", "data", "dataset"),
    "MODEL": ("model",),
}
"""What `kind:` calls each kind."""
MAX_LABEL_TOKENS = 2_000  # words of tags and identifiers: PostgreSQL keeps no more than a megabyte of all
PHRASE_BREAK = ":"
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
        for field, weight in zip(self, WEIGHT_BY_FIELD.values(), strict=True):
            for word in field:
                place += 1
                places[word].append(f"{place}{weight}")
            place += 1  # no phrase goes from one field to the next
        return " ".join(f"'{word}':{','.join(at)}" for word, at in places.items())


class SearchedTable(NamedTuple):
    """A kind of thing that is searched: its table, its rows, and what one of them is found by."""

    table: Table
    rows: Select[Any]
    document: Callable[[Row[Any]], Document]


def _asset(row: Row[Any]) -> Document:
    tags = [tokenize(tag) for tag in row.tags]
    labels = [*tags, tokenize(row.external_id), *([field_token("tag", word) for word in tag] for tag in tags)]
    labels += [[*tokenize(row.doi), field_token("doi", _one(row.doi))]] if row.doi else []
    owner = tokenize(row.owner_name)
    rest = [
        owner,
        [field_token("owner", word) for word in owner],
        [field_token("kind", kind) for kind in KIND_TOKENS[row.kind]],
    ]
    told = (row.kind, row.app_kind, row.data_kind, row.language, row.framework, row.license, row.description)
    return Document(
        _named(row.name), _apart(labels)[:MAX_LABEL_TOKENS], _apart([*rest, tokenize(" ".join(filter(None, told)))])
    )


def _plain(row: Row[Any]) -> Document:
    return Document(_named(row.name), tokenize(row.slug), tokenize(row.description))


def _named(name: str) -> list[str]:
    return [*tokenize(name), field_token(NAME, _one(name))]


def _apart(texts: Iterable[Sequence[str]]) -> Sequence[str]:
    """Return the words of all texts, across which no phrase goes."""
    return [word for text in texts for word in (*text, PHRASE_BREAK)]


def _one(text: str) -> str:
    return join_tokens(word for chunk in compounds(text) for word in chunk.tokens)


_owner = sql.principal.alias("owner")
SEARCHED_TABLES: Mapping[str, SearchedTable] = {
    "asset": SearchedTable(
        sql.asset,
        select(sql.asset, _owner.c.name.label("owner_name")).join(_owner, _owner.c.pk == sql.asset.c.owner_pk),
        _asset,
    ),
    "collection": SearchedTable(sql.collection, select(sql.collection), _plain),
    "topic": SearchedTable(sql.topic, select(sql.topic), _plain),
}
