"""Worked examples and accounts of GraphiQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
# A wheel has the examples in this package; a checkout has them in its documentation.
EXAMPLES = next(
    filter(Path.is_dir, (FOLDER / "examples", FOLDER.parents[1] / "docs" / "examples")), FOLDER / "examples"
)
# Labels of the groups in their order, by folder.
GROUPS = {
    "reading": "Reading",
    "topics": "Topics",
    "collections": "Collections",
    "assets": "Assets",
    "bulk": "Bulk changes",
    "sharing": "Sharing",
    "people": "People",
    "audit": "Audit and undo",
    "live": "Subscriptions",
    "analysis": "Analysis",
}
ROLES = ("anyone", "members", "owners", "administrators")
CANDIDATES = ".candidates.graphql"


@dataclass(frozen=True)
class Example:
    """A document to open in the editor, for viewers of the role.

    `candidates` is a query of the objects that the example can be tried with, or empty. Strings of `variables` such as
    `"<topics.nodes.0.id>"` are paths into its response: GraphiQL replaces them when it opens the example
    (`src/candidates.js`).
    """

    title: str
    group: str
    role: str
    query: str
    variables: str
    candidates: str


@dataclass(frozen=True)
class Account:
    """An account to run operations as, which stands for the role.

    Its `token` is a bearer token, and None for the anonymous visitor.
    """

    name: str
    about: str
    role: str
    token: str | None


def read_examples(folder: Path) -> list[Example]:
    """Read the worked examples of the folder, ordered by GROUPS and then by file name.

    An example is `<group>/<NN-name>.graphql`, with its variables, if any, in `<NN-name>.json` and its candidates in
    `<NN-name>.candidates.graphql`. Its first line is the title (`# title`), the second the role (`# for: role`). A
    missing folder has no examples. Raises ValueError, naming the file, if one of these lines is missing, or if the
    variables are not a JSON object.
    """
    return [
        _example(label, path)
        for group, label in GROUPS.items()
        for path in sorted((folder / group).glob("*.graphql"))
        if not path.name.endswith(CANDIDATES)
    ]


def _example(group: str, path: Path) -> Example:
    query = path.read_text(encoding="utf-8")
    title, role, *_ = [*_leading_comments(query), "", ""]
    if not title:
        message = f"{path}: the first line is not a title. Example: `# Every topic with its collections`"
        raise ValueError(message)
    if role not in (f"for: {name}" for name in ROLES):
        message = f"{path}: the second line is not a role. Use `# for: ` with one of {', '.join(ROLES)}."
        raise ValueError(message)
    return Example(
        title=title,
        group=group,
        role=role.removeprefix("for: "),
        query=query,
        variables=_variables(path.with_suffix(".json")),
        candidates=_text(path.with_suffix(CANDIDATES)),
    )


def _leading_comments(query: str) -> Iterator[str]:
    for line in query.splitlines():
        if not line.startswith("#"):
            return
        yield line.lstrip("#").strip()


def _variables(path: Path) -> str:
    text = _text(path)
    if not path.exists():
        return text
    try:
        is_object = isinstance(json.loads(text), dict)
    except ValueError:
        is_object = False
    if not is_object:
        message = f"{path}: the variables are not a JSON object."
        raise ValueError(message)
    return text


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""
