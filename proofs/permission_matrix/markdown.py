"""The permission matrix as Markdown: docs/permissions.md."""

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from random import Random
from typing import TypeVar

from proofs.permission_matrix.matrix import (
    ACCESS_LETTERS,
    ASSET_ACCESS,
    COLLECTION_VISIBILITY,
    DESCRIPTIONS,
    RULES,
    Rule,
    parse_table,
)
from proofs.permission_matrix.trial import CELLS, COMBINATIONS, SURFACES, pick_assets
from proofs.permission_matrix.world import ASSETS

T = TypeVar("T", bound=Hashable)
TableRow = Sequence[str]
SYMBOLS = {"yes": "yes", "no": "no", "-": "", ".": "·"}  # all other values are words of the API
VIEWER_NAMES = {
    "anonymous": "an anonymous visitor",
    "outsider": "a member",
    "member": "a member",
    "administrator": "an administrator",
}
SECTIONS = {
    "The asset": ("exists", "access", "content", "grants", "owned"),
    "Membership in collections": (
        *("collection", "listed", "uncollected", "contains", "add_targets", "not_contained"),
        *("addable", "is_member", "removable", "event"),
    ),
    "History and audit log": (
        *("change", "history", "audit", "url_change", "url_audit", "grants_change", "grants_audit"),
    ),
    "Mutations": (
        *("add", "readd", "remove", "remove_absent", "move", "neighbour", "reorder", "undo", "share", "award"),
        *("register", "transfer"),
    ),
}
INTRODUCTION = """\
# Permissions
The authorization rules. An asset is visible to a viewer by a grant that is held by the viewer, by one of their groups,
by everyone (all members) or by public (anyone). The highest access counts. DISCOVERABLE shows the metadata, VIEWER also
the content, OWNER also the grants; EDITOR is for the platform and shows no more than VIEWER here. Administrators see
the metadata and the grants of every asset, because they answer for access; for its content, they need a grant. ARCHIVED
and WITHDRAWN assets are visible to their owners and to administrators only. A revoked grant has no effect on operations
that start after the revocation.

Members see all INTERNAL collections, and PUBLIC ones while public sharing is on. Anonymous visitors see PUBLIC
collections while it is on, and in them the assets with a grant to public. Administrators see all collections. Hidden
data is absent from lists, counts, orders, filters, histories and errors, and its ids behave like unknown ids.

Members see all users and groups. The members of a group are visible to each of them and to administrators. Anonymous
visitors see the names of the owners of visible assets, and no other user or group. The token of a deactivated user is
refused.

Owners add their RELEASED assets to collections and remove them. Administrators remove any asset, and reorder
collections. Owners share their assets, with everyone and public at most as VIEWER; an imported catalogue may grant
more. Administrators write users and groups, and hand all assets of a user over to another.
"""
LEGEND_OF_ACCESS = """
`·` is hidden; D, V, E and O are DISCOVERABLE, VIEWER, EDITOR and OWNER. For an anonymous visitor this is the access to
an asset in a collection that they see; outside of one, every asset is hidden.
"""
LEGEND_OF_VALUES = """
The columns are the viewer's access to the asset, as above. Two columns apply before the others: `hidden`, if the
collection that contains the asset is hidden from the viewer, and `anonymous`, for an anonymous visitor. `unknown` is
null; `absent` means that the object with the field is hidden itself; other values in such letters are the code or
status that the API returns. A hidden object gets the same response, word for word, as one that does not exist.
"""
METHOD = """
## How this is tested
This page is generated from `proofs/permission_matrix/matrix.py`, which is written by hand from the rules and shares no
code with the product. `queries.py`, `events.py`, `mutations.py` and `exports.py` beside it list the {surfaces}
surfaces, the places where the API, an event or an export exposes an asset; a test fails if a part of the schema
concerns assets or accepts their ids and no surface uses it.

A world of {assets} assets has every access held in every way, in every status, in PUBLIC and INTERNAL collections. Four
viewers read it with public sharing on and off: an anonymous visitor, a member, a member without grants, and an
administrator. That makes {combinations:,} combinations, in {rows} rows that this table distinguishes. `make test`
checks every surface in every row, and {batched} of them in every combination, at least {batched_cells:,} cells; `make
prove` checks all of them in every combination, {cells:,} cells. Both run on SQLite and on PostgreSQL.
"""


def format_page() -> str:
    """Format docs/permissions.md."""
    parts = [INTRODUCTION, *_table("## Which collections are visible", _collection_table())]
    parts += [*_table("## Access of a viewer to an asset", _access_table()), LEGEND_OF_ACCESS]
    parts += ["\n## Results of the API\n", LEGEND_OF_VALUES]
    for title, aspects in SECTIONS.items():
        header = ["", *map(_format_value, ACCESS_LETTERS), "hidden", "anonymous", "surfaces"]
        parts += _table(f"### {title}", [header, *(row for aspect in aspects for row in _aspect_rows(aspect))])
    return "".join([*parts, METHOD.format(**_numbers())])


def _numbers() -> dict[str, int]:
    batched = sum(surface.request.is_batched for surface in SURFACES)
    return {
        "assets": len(ASSETS),
        "combinations": len(COMBINATIONS),
        "rows": sum(map(len, pick_assets(Random(0)).values())),
        "surfaces": len(SURFACES),
        "cells": CELLS,
        "batched": batched,
        "batched_cells": batched * len(COMBINATIONS),
    }


def _table(title: str, rows: Sequence[TableRow]) -> Iterator[str]:
    """Yield a table with its title; the first row is the header."""
    yield f"\n{title}\n"
    for row in (rows[0], ["---"] * len(rows[0]), *rows[1:]):
        yield f"| {' | '.join(row)} |\n"


def _collection_table() -> list[TableRow]:
    header, *lines = parse_table(COLLECTION_VISIBILITY)
    columns = _merge_equal(zip(header[1:], zip(*[line[1:] for line in lines], strict=True), strict=True))
    rows = _merge_equal(
        zip([VIEWER_NAMES[line[0]] for line in lines], zip(*columns.values(), strict=True), strict=True)
    )
    titles = [re.sub(r"(\w+),on, \1,off", r"\1", column).replace(",", ", sharing ") for column in columns]
    return [["viewer", *titles], *([viewer, *values] for viewer, values in rows.items())]


def _access_table() -> list[TableRow]:
    header, *lines = parse_table(ASSET_ACCESS)
    columns = _merge_equal(zip(header[2:], zip(*[line[2:] for line in lines], strict=True), strict=True))
    rows_by_viewer: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for (viewer, grant, *_), values in zip(lines, zip(*columns.values(), strict=True), strict=True):
        rows_by_viewer.setdefault(VIEWER_NAMES[viewer], []).append((grant, values))
    rows: list[TableRow] = [["viewer", "highest grant", *columns]]
    for viewers, grants in _merge_equal((viewer, tuple(rows)) for viewer, rows in rows_by_viewer.items()).items():
        rows += [[viewers, grant, *map(_format_value, values)] for grant, values in _merge_equal(grants).items()]
    return rows


def _merge_equal(named_values: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Return each distinct value once, by the names that have it, joined with commas."""
    names: dict[T, list[str]] = {}
    for name, value in named_values:
        names.setdefault(value, []).append(name)
    return {", ".join(dict.fromkeys(equal)): value for value, equal in names.items()}


def _aspect_rows(aspect: str) -> Iterator[TableRow]:
    """Yield a row for each rule of the aspect, except for those shown in the columns `hidden` and `anonymous`."""
    rules = [rule for rule in RULES if rule.aspect == aspect]
    column_rules = [_constant_rule(rules, "collection", "hidden"), _constant_rule(rules, "viewer", "anonymous")]
    row_rules = [rule for rule in rules if rule not in column_rules]
    surfaces = ", ".join(dict.fromkeys(surface.name for surface in SURFACES if surface.aspect == aspect))
    columns = [_format_value(rule.values[0]) if rule else "" for rule in column_rules]
    for index, rule in enumerate(row_rules):
        description = f"{DESCRIPTIONS[aspect]}{_conditions(rule, row_rules[:index])}"
        shared = ["", "", ""] if index else [*columns, surfaces]
        yield [description, *map(_format_value, rule.values), *shared]


def _constant_rule(rules: Sequence[Rule], column: str, value: str) -> Rule | None:
    """Return the rule with that value in the column and one value for every access, if there is one."""
    return next((rule for rule in rules if getattr(rule, column) == value and len(set(rule.values)) == 1), None)


def _conditions(rule: Rule, previous: Sequence[Rule]) -> str:
    """Format the conditions of a rule, as the end of its description."""
    preposition = "by" if rule.aspect in SECTIONS["Mutations"] else "for"
    conditions = [f"{preposition} {VIEWER_NAMES[rule.viewer]}"] if rule.viewer != "any" else []
    conditions += ["if the collection is hidden"] if rule.collection == "hidden" else []
    conditions += [f"if {rule.status}"] if rule.status != "any" else []
    return f", {' '.join(conditions)}" if conditions else ", otherwise" if previous else ""


def _format_value(value: str) -> str:
    return SYMBOLS.get(value, f"`{value}`" if len(value) > 1 else value)
