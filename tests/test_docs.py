"""Docs: relative links, and names of files, settings and options; values in examples."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import command_line
from app.http_request import READY_PATH
from app.settings import PREFIX, TOOL_PREFIXES, Settings
from app.turns import WAIT_SECONDS
from resolvers.limits import LIMITS

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
    "deploy",
    ".ci",
)
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SETTINGS = {PREFIX + each.name.upper() for each in fields(Settings)}
TOOL_VARIABLES = {"ATOLL_POSTGRES_BIN"}


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_of_docs_resolve(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", without_code(page))
    assert [link for link in links if not is_external(link) and not resolves(page, link)] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_file_names_in_docs_exist(page: Path) -> None:
    names = re.findall(rf"`((?:{'|'.join(map(re.escape, TOP_FOLDERS))})/[\w./-]+)`", page.read_text(encoding="utf-8"))
    assert [name for name in names if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_in_docs_exist(page: Path) -> None:
    named = set(re.findall(r"\bATOLL_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8"))) - TOOL_VARIABLES
    if page.name == "CHANGELOG.md":  # it names former ones
        return
    assert {name for name in named if not name.startswith(TOOL_PREFIXES)} - SETTINGS == set()


def test_every_setting_is_in_the_table() -> None:
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = architecture.partition("### Settings")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    assert {name for cell in cells for name in re.findall(r"ATOLL_[A-Z_]+", cell)} == SETTINGS


def test_the_time_outs_and_sizes_of_proxies_fit_those_of_atoll() -> None:
    nginx, caddy = proxy("nginx"), proxy("caddy")
    for idle in (number(r"keepalive_timeout (\d+)s", nginx), number(r"keepalive (\d+)s", caddy)):
        assert idle < Settings().idle_seconds
    for seconds in (number(r"proxy_read_timeout (\d+)s", nginx), number(r"response_header_timeout (\d+)s", caddy)):
        assert seconds > Settings().operation_seconds + WAIT_SECONDS
    # So that Atoll's own error is sent, and no proxy's.
    assert number(r"client_max_body_size (\d+)m", nginx) * 2**20 > LIMITS.body_bytes
    assert number(r"max_size (\d+)MB", caddy) * 10**6 > LIMITS.body_bytes
    assert number(r"health_interval (\d+)s", caddy) < Settings().drain_seconds
    assert f"health_uri {READY_PATH}" in caddy


def test_every_option_of_atoll_in_operations_exists() -> None:
    options = set(re.findall(r"atoll [a-z]+(?: [^-`\n]\S*)* (--[a-z-]+)", OPERATIONS))
    group = get_command(command_line)
    known = {name for command in group.commands.values() for each in command.params for name in each.opts}  # type: ignore[attr-defined]  # several commands are a group
    assert options
    assert options <= known


def proxy(language: str) -> str:
    """Return the example of a proxy."""
    return OPERATIONS.partition(f"```{language}\n")[2].partition("```")[0]


def number(pattern: str, text: str) -> int:
    """Return the number in the only match of the pattern."""
    [found] = re.findall(pattern, text)
    return int(found)


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
