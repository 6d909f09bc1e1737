"""Search documents: the tokens of a row of each searched table, from fields that all of its viewers may read."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, Table, exists, select

from store import sql
from store.asset_columns import ASSET_COLUMNS, AssetColumn
from store.search.markup import strip_markup
from store.search.query import NAME, WEIGHT_BY_FIELD, field_token
from store.search.tokens import join_text, tokenize

KIND_SYNONYMS = {"NO_CODE_APP": ("app",), "DATA_ASSET": ("data", "dataset")}
"""Values of `kind:` that match a kind of asset, besides its own name."""
MAX_LABEL_TOKENS = 4_000  # with MAX_TOKENS of other text, within the positions that PostgreSQL numbers
PHRASE_BREAK = ":"
"""Token between two texts, so that no phrase matches across them. No query can contain it."""


class Document(NamedTuple):
    """Tokens of a row by field."""

    name: Sequence[str]
    labels: Sequence[str]
    rest: Sequence[str]

    def to_columns(self) -> dict[str, str]:
        """Return the columns of SQLite's FTS5 table."""
        return {name: " ".join(tokens) for name, tokens in zip(self._fields, self, strict=True)}

    def to_tsvector(self) -> str:
        """Return PostgreSQL's tsvector: each token with its positions and the weight of its field."""
        positions, position = defaultdict[str, list[str]](list), 0
        for field, weight in zip(self, WEIGHT_BY_FIELD.values(), strict=True):
            for token in field:
                position += 1
                if token != PHRASE_BREAK:  # nothing looks for it
                    positions[token].append(f"{position}{weight}")
            position += 1  # leave a gap, so that no phrase matches across two fields
        return " ".join(f"'{token}':{','.join(places)}" for token, places in positions.items())


class SearchedTable(NamedTuple):
    """A searched table, the SELECT of its rows, and the function that builds a row's document."""

    table: Table
    rows: Select[Any]
    document: Callable[[Row[Any]], Document]


def _text_order(column: AssetColumn) -> tuple[bool, ...]:
    """Return a sort key: kind and subkind first."""
    return column.name == "license", column.name != "kind", column.default is None


_OTHERWISE_SEARCHED = {"name", "tags", "doi", "owner_pk", "description"}
_TEXT_COLUMNS = [column for column in ASSET_COLUMNS if column.is_searched and column.name not in _OTHERWISE_SEARCHED]
_read_texts = attrgetter(*(column.name for column in sorted(_TEXT_COLUMNS, key=_text_order)))


def _kind_tokens(kind: str) -> Sequence[str]:
    return (kind.replace("_", "").lower(), *KIND_SYNONYMS.get(kind, ()))


def _asset(row: Row[Any]) -> Document:
    # Ids, DOI and marks of tags precede the words of tags, of which an asset may have too many.
    tags = [tokenize(tag) for tag in row.tags]
    labels = [tokenize(row.external_id)]
    labels += [[*tokenize(row.doi), field_token("doi", join_text(row.doi))]] if row.doi else []
    labels += [[field_token("tag", token) for token in tag] for tag in tags]
    owner = tokenize(row.owner_name)
    kinds = [field_token("kind", kind) for kind in _kind_tokens(row.kind)]
    texts = tokenize(" ".join(filter(None, (*_read_texts(row), strip_markup(row.description or "")))))
    rest = [owner, [field_token("owner", token) for token in owner], kinds, texts]
    return Document(_name(row.name), _separate([*labels, *tags])[:MAX_LABEL_TOKENS], _separate(rest))


def _collection_or_topic(row: Row[Any]) -> Document:
    return Document(_name(row.name), tokenize(row.slug), tokenize(strip_markup(row.description)))


def _principal(row: Row[Any]) -> Document:
    labels = [tokenize(row.external_id), tokenize(row.email or "")]
    return Document(_name(row.name), _separate(labels), [])


def _name(name: str) -> list[str]:
    return [*tokenize(name), field_token(NAME, join_text(name))]


def _separate(texts: Iterable[Sequence[str]]) -> Sequence[str]:
    """Concatenate the tokens of several texts, with PHRASE_BREAK after each text."""
    return [token for text in texts for token in (*text, PHRASE_BREAK)]


_owner = sql.principal.alias("owner")
_has_tags_without_key = exists().where(sql.asset_tag.c.asset_pk == sql.asset.c.pk, sql.asset_tag.c.tag_key == "")
SEARCHED_TABLES: Mapping[str, SearchedTable] = {
    "asset": SearchedTable(
        sql.asset,
        select(sql.asset, _owner.c.name.label("owner_name"), _has_tags_without_key.label("has_tags_without_key")).join(
            _owner, _owner.c.pk == sql.asset.c.owner_pk
        ),
        _asset,
    ),
    "collection": SearchedTable(sql.collection, select(sql.collection), _collection_or_topic),
    "principal": SearchedTable(sql.principal, select(sql.principal), _principal),
    "topic": SearchedTable(sql.topic, select(sql.topic), _collection_or_topic),
}
