"""Docs: relative links and file names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
TOP_FOLDERS = (
    "app",
    "engine",
    "schema",
    "resolvers",
    "permissions",
    "store",
    "tests",
    "proofs",
    "benchmarks",
    "docs",
    ".ci",
)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_of_docs_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", without_code(page))
    assert [link for link in links if not is_external(link) and not resolves(page, link)] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_file_names_in_docs_exist(page: Path) -> None:
    names = re.findall(rf"`((?:{'|'.join(map(re.escape, TOP_FOLDERS))})/[\w./-]+)`", page.read_text(encoding="utf-8"))
    assert [name for name in names if not (ROOT / name).exists()] == []


def without_code(page: Path) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def is_external(link: str) -> bool:
    return bool(re.match(r"(https?|mailto):", link))


def resolves(page: Path, link: str) -> bool:
    """Return whether the file of a link exists and has the heading that its fragment names."""
    path, _, fragment = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not fragment or fragment in anchors(target))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
