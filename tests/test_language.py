"""Language of docstrings, schema descriptions, messages and docs."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from graphql import (
    EnumValueNode,
    FieldDefinitionNode,
    Node,
    ObjectTypeDefinitionNode,
    StringValueNode,
    Visitor,
    parse,
    visit,
)

ROOT = Path(__file__).parent.parent
SOURCES = ["app", "engine", "schema", "resolvers", "permissions", "store", "tests", "proofs", "benchmarks"]
SCHEMA = ROOT / "schema.graphql"

OPENING = re.compile(r"(This (file|module) is|What|Whoever)\b")
RIDDLE = re.compile(r"\b(what|whoever|whatever|whom|told|anew|thereof|be it|of theirs)\b", re.IGNORECASE)
GUILLEMET = re.compile("[\u00ab\u00bb]")

CALLERS = {
    "ADMIN": re.compile(r"\bAdministrators only\b"),
    "ASSET_OWN": re.compile(r"\bowners?\b", re.IGNORECASE),
    "SIGNED_IN": re.compile(r"\b(members|owners?)\b", re.IGNORECASE),
}
"""Wording that names the callers of a mutation, by the permission that the schema prints for it."""


def test_first_lines_of_docstrings_are_plain() -> None:
    """Check docstrings of modules, classes, functions and attributes."""
    assert_none(f"{place}: {text}" for place, text in docstring_first_lines() if is_riddle(text))


def test_first_lines_of_schema_descriptions_are_plain() -> None:
    descriptions = ((line, first_line(text)) for line, text in schema_descriptions())
    assert_none(f"schema.graphql:{line}: {text}" for line, text in descriptions if is_riddle(text))


def test_headings_of_docs_are_plain() -> None:
    assert_none(f"{place}: {text}" for place, text in headings() if is_riddle(text.lstrip("# ")))


def test_texts_have_straight_quotes() -> None:
    """Check code (docstrings, messages, comments), the schema, docs and examples."""
    files = [*python_files(), *docs(), *sorted((ROOT / "docs").rglob("*.graphql")), SCHEMA]
    assert_none(f"{place}: {text.strip()}" for place, text in lines(files) if GUILLEMET.search(text))


def test_descriptions_of_mutations_name_the_callers() -> None:
    mutations = list(mutation_fields())
    assert mutations
    silent = []
    for mutation in mutations:
        text = mutation.description.value if mutation.description else ""
        silent += [
            f"{mutation.name.value} ({permission}): {text}"
            for permission in printed_permissions(mutation)
            if not CALLERS[permission].search(text)
        ]
    assert_none(silent)


@pytest.mark.parametrize(
    "text", ["This file is a list.", "What is visible.", "Return what was found.", "Whoever asks.", "Write it anew."]
)
def test_riddles_are_recognized(text: str) -> None:
    assert is_riddle(text)


def assert_none(findings: Iterable[str]) -> None:
    found = list(findings)
    assert not found, "\n".join(["", *found])


def is_riddle(text: str) -> bool:
    return bool(OPENING.match(text) or RIDDLE.search(text))


def first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "")


def docstring_first_lines() -> Iterator[tuple[str, str]]:
    """Yield the place and the first line of each string that stands alone as a statement."""
    for file in python_files():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                yield f"{file.relative_to(ROOT)}:{node.lineno}", first_line(node.value.value)


def schema_descriptions() -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each description of the exported schema."""
    found: list[tuple[int, str]] = []

    class Descriptions(Visitor):
        def enter(self, node: Node, *_: object) -> None:
            description = getattr(node, "description", None)
            if isinstance(description, StringValueNode) and description.loc:
                found.append((description.loc.start_token.line, description.value))

    visit(parse(SCHEMA.read_text(encoding="utf-8")), Descriptions())
    assert found
    yield from found


def mutation_fields() -> Iterator[FieldDefinitionNode]:
    for definition in parse(SCHEMA.read_text(encoding="utf-8")).definitions:
        if isinstance(definition, ObjectTypeDefinitionNode) and definition.name.value == "Mutation":
            yield from definition.fields or ()


def printed_permissions(field: FieldDefinitionNode) -> Iterator[str]:
    """Yield the permissions that the field's directives require."""
    for directive in field.directives or ():
        for argument in directive.arguments or ():
            if argument.name.value == "requires" and isinstance(argument.value, EnumValueNode):
                yield argument.value.value


def headings() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each heading outside code blocks."""
    for file in docs():
        is_code = False
        for place, text in lines([file]):
            is_code ^= text.startswith("```")
            if not is_code and text.startswith("#"):
                yield place, text


def lines(files: list[Path]) -> Iterator[tuple[str, str]]:
    for file in files:
        for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{file.relative_to(ROOT)}:{number}", text


@cache
def python_files() -> list[Path]:
    files = [file for folder in SOURCES for file in sorted((ROOT / folder).rglob("*.py"))]
    return [file for file in files if "node_modules" not in file.parts]


@cache
def docs() -> list[Path]:
    """Return the Markdown files of the root and of docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
