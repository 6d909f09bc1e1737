"""This file is the table printed for people: docs/permissions.md."""

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from random import Random
from typing import TypeVar

from proofs.permission_matrix.matrix import LETTERS, MEANINGS, SHOWN, SIGHT, WORD_LINES, Line, lines_of
from proofs.permission_matrix.trial import CELLS, COMBINATIONS, SURFACES, picked
from proofs.permission_matrix.world import ASSETS

T = TypeVar("T", bound=Hashable)
Cells = Sequence[str]
PRINTED = {"yes": "yes", "no": "no", "-": "", ".": "·"}  # all else is the graph's own word
WHO = {
    "anonymous": "an anonymous visitor",
    "outsider": "a member",
    "member": "a member",
    "administrator": "an administrator",
}
GROUPS = {
    "The asset": ("exists", "access", "content", "grants"),
    "Its place": ("shown", "held", "outside", "contains", "chosen", "lacks", "offered", "kept", "removable"),
    "The log": ("told", "history", "logged", "url_told", "url_logged", "grants_told", "grants_logged"),
    "What is done with it": (
        *("add", "readd", "remove", "miss", "move", "beside", "reorder", "undo", "share", "award", "register"),
    ),
}
RULES = """\
# Who sees what, and who may do what
An asset is there for whoever a grant on it speaks for: their own, one of a group of theirs, everyone's for all members,
public's for all. The greatest counts. DISCOVERABLE shows that it exists and what it is, VIEWER its content as well, and
OWNER with whom it is shared; EDITOR is for the platform and shows no more here. Administrators discover every asset,
and have no more than their grants beyond that. What is ARCHIVED or WITHDRAWN is there for its owners and for
administrators alone.

Members see every collection that is INTERNAL, and while the deployment shares publicly those that are PUBLIC. An
anonymous visitor sees the PUBLIC ones then, and in them what public holds a grant on. What somebody does not see is
absent: from lists, counts, orders, filters, histories and errors, and its id is as unknown as any.

Owners put their assets into collections while they are RELEASED, and take them out again. Administrators take out any,
and keep the order. Sharing is the owners'; they share at most VIEWER with everyone and public, though a catalogue may
tell of more.
"""
LEGEND = """
`·` is nothing at all; D, V, E and O are DISCOVERABLE, VIEWER, EDITOR and OWNER. To an anonymous visitor an asset is
this in a collection that they see, and nothing elsewhere.
"""
VALUES = """
The columns are what the asset is to its viewer, as above. Two go before them: `hidden` is for whoever does not see the
collection that holds the asset, and `visitor` for whoever is not signed in. `unknown` is null, and `absent` says that
what would tell is not there itself; all else in such letters is the code or the status that the graph answers with.
What is not there for somebody answers, word for word, as what does not exist.
"""
HELD = """
## How this is held
This page is printed from `proofs/permission_matrix/matrix.py`, which is written by hand from the rules and knows
nothing of the code that it judges. Beside it, in `queries.py` and `mutations.py`, are the {surfaces} places where the
graph tells of an asset; a test fails for whatever of the schema tells of assets or takes their ids and is asked by none
of them.

A world of {assets} assets has each access held in each way, in each status, in PUBLIC and INTERNAL collections. Four
viewers ask it while the deployment shares publicly and while it does not: somebody anonymous, a member, another member
whom no grant names, and an administrator. That makes {combinations:,} combinations, in {rows} rows that this table
tells apart. `make test` asks every place in every row, and {many} of them in every combination, {asserted:,} cells at
least; `make prove` asks all of them in every combination, {cells:,} cells. Both do so on SQLite and on PostgreSQL.
"""


def page() -> str:
    """Return the page."""
    parts = [RULES, *_table("## Which collections exist", _shown())]
    parts += [*_table("## What an asset is to its viewer", _sight()), LEGEND, "\n## What the graph says\n", VALUES]
    for title, words in GROUPS.items():
        head = ["", *map(_printed, LETTERS), "hidden", "visitor", "asked by"]
        parts += _table(f"### {title}", [head, *(row for word in words for row in _rows(word))])
    return "".join([*parts, HELD.format(**_numbers())])


def _numbers() -> dict[str, int]:
    return {
        "assets": len(ASSETS),
        "combinations": len(COMBINATIONS),
        "rows": sum(map(len, picked(Random(0)).values())),
        "surfaces": len(SURFACES),
        "many": sum(surface.shape.is_of_many for surface in SURFACES),
        "cells": CELLS,
        "asserted": sum(surface.shape.is_of_many for surface in SURFACES) * len(COMBINATIONS),
    }


def _table(title: str, rows: Sequence[Cells]) -> Iterator[str]:
    """Yield a table under its title; the first row is its head."""
    yield f"\n{title}\n"
    for row in (rows[0], ["---"] * len(rows[0]), *rows[1:]):
        yield f"| {' | '.join(row)} |\n"


def _shown() -> list[Cells]:
    head, *lines = lines_of(SHOWN)
    columns = _alike(zip(head[1:], zip(*[line[1:] for line in lines], strict=True), strict=True))
    rows = _alike(zip([WHO[line[0]] for line in lines], zip(*columns.values(), strict=True), strict=True))
    told = [re.sub(r"(\w+),on, \1,off", r"\1", each).replace(",", ", sharing ") for each in columns]
    return [["to", *told], *([who, *values] for who, values in rows.items())]


def _sight() -> list[Cells]:
    head, *lines = lines_of(SIGHT)
    columns = _alike(zip(head[2:], zip(*[line[2:] for line in lines], strict=True), strict=True))
    blocks: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for (who, grant, *_), values in zip(lines, zip(*columns.values(), strict=True), strict=True):
        blocks.setdefault(WHO[who], []).append((grant, values))
    rows: list[Cells] = [["to", "greatest grant", *columns]]
    for who, block in _alike((who, tuple(block)) for who, block in blocks.items()).items():
        rows += [[who, grants, *map(_printed, values)] for grants, values in _alike(block).items()]
    return rows


def _alike(told: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Return what is told by its names, those of what is told alike together."""
    names: dict[T, list[str]] = {}
    for name, values in told:
        names.setdefault(values, []).append(name)
    return {", ".join(dict.fromkeys(each)): values for values, each in names.items()}


def _rows(word: str) -> Iterator[Cells]:
    """Yield the rows of a word: one for each of its lines, but for what is alike in all columns."""
    lines = [line for line in WORD_LINES if line.word == word]
    apart = [_apart(lines, "collection", "hidden"), _apart(lines, "viewer", "anonymous")]
    others = [line for line in lines if line not in apart]
    places = ", ".join(dict.fromkeys(surface.name for surface in SURFACES if surface.word == word))
    for index, line in enumerate(others):
        what = f"{MEANINGS[word]}{_whose(line, others[:index])}"
        beside = ["", ""] if index else [_printed(each.values[0]) if each else "" for each in apart]
        yield [what, *map(_printed, line.values), *beside, "" if index else places]


def _apart(lines: Sequence[Line], column: str, given: str) -> Line | None:
    """Return the line of a value of a column that says the same of every letter, if there is one."""
    return next((line for line in lines if getattr(line, column) == given and len(set(line.values)) == 1), None)


def _whose(line: Line, above: Sequence[Line]) -> str:
    """Return of whom and when a line speaks."""
    told = [f"by {WHO[line.viewer]}"] if line.viewer != "any" else []
    told += ["where that is hidden"] if line.collection == "hidden" else []
    told += [f"while it is {line.status}"] if line.status != "any" else []
    return f", {' '.join(told)}" if told else ", otherwise" if above else ""


def _printed(value: str) -> str:
    return PRINTED.get(value, f"`{value}`" if len(value) > 1 else value)
