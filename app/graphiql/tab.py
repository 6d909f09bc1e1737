"""This file is what GraphiQL opens with: its tabs, the worked examples they are read from, and the accounts to be."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).parent
# A wheel brings the examples along; a checkout has them in its documentation.
EXAMPLES = next(
    filter(Path.is_dir, (FOLDER / "examples", FOLDER.parents[1] / "docs" / "examples")), FOLDER / "examples"
)
GROUPS = ("web", "admin", "analyst")
# Ids differ from database to database, so variables name things in words: "<topic bioimaging>".
REFERENCE = re.compile(r"<(topic|collection|asset|user|group) ([^<>]+)>")

Reference = tuple[str, str]
"""A kind of thing and what one is called: a slug, or the platform's id of an asset, a user or a group."""


@dataclass(frozen=True)
class Tab:
    """A document to open in the editor; `account` names the Account that it is meant to be run as."""

    title: str
    group: str
    query: str
    variables: str
    account: str | None


@dataclass(frozen=True)
class Account:
    """Somebody to be in GraphiQL; `token` is sent as a bearer token, and None is an anonymous visitor."""

    name: str
    about: str
    token: str | None


def read_examples(folder: Path) -> list[Tab]:
    """Return the worked examples of the folder, in the order of GROUPS and then of file names.

    One is `<group>/<NN-name>.graphql`, with its variables, if it has any, in `<NN-name>.json` beside it. Its first
    line is the title (`# title`); the second may name an account (`# as: name`). A missing folder holds none.
    Raises ValueError, naming the file, for one without a title and for variables that are no JSON object.
    """
    return [_tab(group, path) for group in GROUPS for path in sorted((folder / group).glob("*.graphql"))]


def find_references(tab: Tab) -> set[Reference]:
    """Return what the variables name in words."""
    return {(found[1], found[2]) for found in REFERENCE.finditer(tab.variables)}


def replace_references(tab: Tab, ids: Mapping[Reference, str]) -> Tab:
    """Return the tab with ids in place of names; a name without an id stays."""
    return replace(tab, variables=REFERENCE.sub(lambda found: ids.get((found[1], found[2]), found[0]), tab.variables))


def _tab(group: str, path: Path) -> Tab:
    query = path.read_text(encoding="utf-8")
    comments = list(_leading_comments(query))
    if not comments or not comments[0]:
        message = f"{path}: the first line is no title, like `# Every topic with its collections`"
        raise ValueError(message)
    return Tab(
        title=comments[0],
        group=group,
        query=query,
        variables=_variables(path.with_suffix(".json")),
        account=_account(comments[1:2]),
    )


def _leading_comments(query: str) -> Iterator[str]:
    for line in query.splitlines():
        if not line.startswith("#"):
            return
        yield line.lstrip("#").strip()


def _account(second_line: list[str]) -> str | None:
    for line in second_line:
        key, _, name = line.partition(":")
        if key == "as" and name.strip():
            return name.strip()
    return None


def _variables(path: Path) -> str:
    if not path.exists():
        return ""
    text = path.read_text(encoding="utf-8").strip()
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False
    if not is_object:
        message = f"{path}: the variables are no JSON object"
        raise ValueError(message)
    return text
