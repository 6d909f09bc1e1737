"""GraphML file of an export: objects are nodes, relations are edges, both with typed attributes and a label.

The id of a node is its kind and the id or slug in its line, such as `asset:data-1`; of users and groups, which share
their ids with `everyone` and `public`, it is `principal:user:ada`. GraphML has no types for timestamps and lists: these
are texts, lists in JSON. Edges are written into a file of their own and appended in the end, because readers may
expect the nodes first.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO, Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

import orjson

from resolvers.export.principal import BUILT_IN_IDS
from resolvers.export.table import (
    ASSETS,
    COLLECTIONS,
    GRANTS,
    GROUP_MEMBERS,
    GROUPS,
    MEMBERSHIPS,
    TOPICS,
    USERS,
    USES,
    ColumnType,
    Row,
    Table,
)
from resolvers.export.zip_file import WriteRow


class NodeTable(NamedTuple):
    """Table whose rows are nodes: their kind, the prefix of their ids, and the column of the rest of the id."""

    kind: str
    prefix: str
    id_column: str


class Edge(NamedTuple):
    """Edge: ids of its nodes, its label, and its other attributes."""

    source: str
    target: str
    label: str
    attributes: Mapping[str, Any]


NODE_TABLES: Final[Mapping[Table, NodeTable]] = {
    USERS: NodeTable("user", "principal:", "id"),
    GROUPS: NodeTable("group", "principal:", "id"),
    TOPICS: NodeTable("topic", "topic:", "slug"),
    ASSETS: NodeTable("asset", "asset:", "id"),
    COLLECTIONS: NodeTable("collection", "collection:", "slug"),
}
EXTERNAL_ID: Final = "externalId"
"""Name of the attribute with a row's `id`, as in the graph: in Gephi, `id` is the node's own."""

_TYPES: Final = {ColumnType.BOOLEAN: "boolean", ColumnType.INTEGER: "long"}
_NODE_KEYS: Final = {"label": "string", "kind": "string"} | {
    EXTERNAL_ID if name == "id" else name: _TYPES.get(type_, "string")
    for table in NODE_TABLES
    for name, type_ in table.columns.items()
}
_EDGE_KEYS: Final = {
    "label": "string",
    "role": "string",
    "position": "long",
    "note": "string",
    "addedAt": "string",
    "addedBy": "string",
}
_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CARRIAGE_RETURN: Final = {"\r": "&#13;"}  # or a reader would take it for a part of a line break


@contextmanager
def write_graphml(stream: BinaryIO, folder: Path) -> Iterator[WriteRow]:
    """Write a directed graph; the folder takes the edges until the end."""
    built_in: set[str] = set()
    stream.write(_header().encode())
    with (folder / "edges").open("w+b") as edges:

        def write_row(table: Table, row: Row) -> None:
            values = dict(zip(table.columns, row, strict=True))
            if node := NODE_TABLES.get(table):
                stream.write(_format_node(node, values))
            for edge in _edges(table, values):
                edges.write(_format_edge(edge))
            if table is GRANTS and values["to"] in BUILT_IN_IDS.values():
                built_in.add(values["to"])

        yield write_row
        stream.writelines(_format_node(NodeTable(id_, "principal:", "name"), {"name": id_}) for id_ in sorted(built_in))
        edges.seek(0)
        copyfileobj(edges, stream)
    stream.write(b"</graph></graphml>\n")


def _edges(table: Table, values: Mapping[str, Any]) -> Iterator[Edge]:
    """Yield the edges of a row. A collection is contained in its parent, or else in its topic."""
    if table is ASSETS:
        yield Edge(f"principal:{values['owner']}", f"asset:{values['id']}", "OWNS", {})
    elif table is COLLECTIONS:
        parent = f"topic:{values['topic']}" if values["parent"] is None else f"collection:{values['parent']}"
        yield Edge(parent, f"collection:{values['slug']}", "CONTAINS", {})
    elif table is MEMBERSHIPS:
        yield Edge(f"collection:{values['collection']}", f"asset:{values['asset']}", "CONTAINS", values)
    elif table is USES:
        yield Edge(f"asset:{values['asset']}", f"asset:{values['uses']}", "USES", {})
    elif table is GRANTS:
        yield Edge(f"principal:{values['to']}", f"asset:{values['asset']}", "GRANT", values)
    elif table is GROUP_MEMBERS:
        yield Edge(f"principal:{values['group']}", f"principal:{values['user']}", "MEMBER", {})


def _header() -> str:
    keys = [*_format_keys("node", _NODE_KEYS), *_format_keys("edge", _EDGE_KEYS)]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
        f'{"".join(keys)}<graph edgedefault="directed">\n'
    )


def _format_keys(element: str, keys: Mapping[str, str]) -> Iterator[str]:
    for name, type_ in keys.items():
        yield f'<key id="{element}_{name}" for="{element}" attr.name="{name}" attr.type="{type_}"/>\n'


def _format_node(node: NodeTable, values: Mapping[str, Any]) -> bytes:
    id_ = node.prefix + values[node.id_column]
    attributes = {"label": values["name"], "kind": node.kind, EXTERNAL_ID: values.get("id"), **values}
    return f"<node id={_quote(id_)}>{_format_data('node', _NODE_KEYS, attributes)}</node>\n".encode()


def _format_edge(edge: Edge) -> bytes:
    data = _format_data("edge", _EDGE_KEYS, {"label": edge.label, **edge.attributes})
    return f"<edge source={_quote(edge.source)} target={_quote(edge.target)}>{data}</edge>\n".encode()


def _format_data(element: str, keys: Mapping[str, str], attributes: Mapping[str, Any]) -> str:
    """Return the attributes that have a key and are not None."""
    return "".join(
        f'<data key="{element}_{name}">{_format(value)}</data>'
        for name, value in attributes.items()
        if name in keys and value is not None
    )


def _format(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return escape(_fit(text), _CARRIAGE_RETURN)


def _quote(text: str) -> str:
    return quoteattr(_fit(text))


def _fit(text: str) -> str:
    """Return the text with U+FFFD for U+FFFE and U+FFFF, which XML cannot express."""
    return _NOT_IN_XML.sub("\ufffd", text)
