"""Tabs and accounts of GraphiQL, and the worked examples that tabs are read from."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

FOLDER = Path(__file__).parent
# A wheel has the examples in this package; a checkout has them in its documentation.
EXAMPLES = next(
    filter(Path.is_dir, (FOLDER / "examples", FOLDER.parents[1] / "docs" / "examples")), FOLDER / "examples"
)
GROUPS = ("web", "admin", "analyst")
# Ids differ between databases, so variables refer to objects by kind and name: "<topic bioimaging>".
REFERENCE = re.compile(r"<(topic|collection|asset|user|group) ([^<>]+)>")

Reference = tuple[str, str]
"""The kind and name of an object: a slug, or the id of an asset, a user or a group in the platform."""


@dataclass(frozen=True)
class Tab:
    """A document to open in the editor; `account` is the name of the Account to run it as."""

    title: str
    group: str
    query: str
    variables: str
    account: str | None


@dataclass(frozen=True)
class Account:
    """An account to run operations as; its `token` is a bearer token, and None for the anonymous visitor."""

    name: str
    about: str
    token: str | None


def read_examples(folder: Path) -> list[Tab]:
    """Read the worked examples of the folder, ordered by GROUPS and then by file name.

    An example is `<group>/<NN-name>.graphql`, with its variables, if any, in `<NN-name>.json`. Its first line is the
    title (`# title`); the second may name an account (`# as: name`). A missing folder has no examples.
    Raises ValueError, naming the file, for a missing title and for variables that are not a JSON object.
    """
    return [_tab(group, path) for group in GROUPS for path in sorted((folder / group).glob("*.graphql"))]


def find_references(tab: Tab) -> set[Reference]:
    """Return the references in the tab's variables."""
    return {(match[1], match[2]) for match in REFERENCE.finditer(tab.variables)}


def replace_references(tab: Tab, ids: Mapping[Reference, str]) -> Tab:
    """Return the tab with references replaced by ids; a reference without an id stays."""
    return replace(tab, variables=REFERENCE.sub(lambda match: ids.get((match[1], match[2]), match[0]), tab.variables))


def _tab(group: str, path: Path) -> Tab:
    query = path.read_text(encoding="utf-8")
    comments = list(_leading_comments(query))
    if not comments or not comments[0]:
        message = f"{path}: the first line is not a title. Example: `# Every topic with its collections`"
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
        message = f"{path}: the variables are not a JSON object."
        raise ValueError(message)
    return text
