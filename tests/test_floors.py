"""Minimum versions of dependencies: the fixes of known vulnerabilities."""

from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# Package, first safe version, and what was wrong before it.
FLOORS = (
    ("strawberry-graphql", "0.243.0", "CVE-2024-47082"),
    ("strawberry-graphql", "0.257.0", "CVE-2025-22151"),
    ("strawberry-graphql", "0.312.3", "CVE-2026-35523"),
    ("strawberry-graphql", "0.312.3", "CVE-2026-35526"),
    ("strawberry-graphql", "0.315.4", "CVE-2026-45739"),
    ("strawberry-graphql", "0.315.7", "CVE-2026-47706"),
    ("strawberry-graphql", "0.315.7", "CVE-2026-47707"),
    ("strawberry-graphql", "0.323.2", "MaskErrors lets errors of parsing and validation through"),
    ("strawberry-graphql", "0.327.2", "CVE-2026-107727"),
    ("graphql-core", "3.3.0rc1", "CVE-2026-75507"),
    ("graphql-core", "3.3.0rc1", "CVE-2026-75508"),
    ("graphql-core", "3.3.2", "four denials of service in the parser and the validator"),
    ("starlette", "0.25.0", "CVE-2023-30798"),
    ("starlette", "0.27.0", "CVE-2023-29159"),
    ("starlette", "0.40.0", "CVE-2024-47874"),
    ("starlette", "0.47.2", "CVE-2025-54121"),
    ("starlette", "0.49.1", "CVE-2025-62727"),
    ("starlette", "1.0.1", "CVE-2026-48710"),
    ("starlette", "1.1.0", "absolute paths in StaticFiles"),
    ("starlette", "1.3.0", "PYSEC-2026-248"),
    ("starlette", "1.3.1", "PYSEC-2026-249"),
    ("aiosqlite", "0.22.1", "aiosqlite#369: processes hang at exit"),
    ("sqlalchemy", "1.2.18", "CVE-2019-7164"),
    ("sqlalchemy", "1.2.18", "CVE-2019-7548"),
    ("asyncpg", "0.21.0", "CVE-2020-17446"),
    ("uvicorn", "0.11.7", "CVE-2020-7694"),
    ("uvicorn", "0.11.7", "CVE-2020-7695"),
    ("h11", "0.16.0", "CVE-2025-43859"),
    ("websockets", "9.1", "CVE-2018-1000518"),
    ("websockets", "9.1", "CVE-2021-33880"),
    ("pyjwt", "2.4.0", "CVE-2022-29217"),
    ("pyjwt", "2.10.1", "CVE-2024-53861"),
    ("pyjwt", "2.12.0", "CVE-2026-32597"),
    ("pyjwt", "2.13.0", "CVE-2026-48523"),
    ("pyjwt", "2.15.0", "CVE-2026-102272 to CVE-2026-102275"),
)
# Packages that must not be installed, with the reason.
UNWANTED = {
    "python-multipart": "uploads are off, and its parser stays out of reach",
    "graphql-cop": "a stranger's empty package under a known tool's name",
    "graphw00f": "a stranger's empty package under a known tool's name",
    "asyncio": "an old copy that hides the language's own",
}
CHECKOUT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")


@pytest.mark.parametrize(("package", "floor", "advisory"), FLOORS)
def test_no_installed_version_is_older_than_its_fix(package: str, floor: str, advisory: str) -> None:
    assert Version(installed()[package]) >= Version(floor), advisory


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize(("package", "floor", "advisory"), FLOORS)
def test_no_locked_version_is_older_than_its_fix(lock: str, package: str, floor: str, advisory: str) -> None:
    assert Version(locked(lock)[package]) >= Version(floor), advisory


@pytest.mark.parametrize("package", UNWANTED)
def test_what_is_not_wanted_is_neither_installed_nor_locked(package: str) -> None:
    assert package not in installed(), UNWANTED[package]
    for lock in LOCKS:
        assert package not in locked(lock), UNWANTED[package]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_version_has_its_hashes_and_no_address(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    assert len(locked(lock)) > 20
    for entry in text.replace("\\\n", "").split("\n"):
        if entry and not entry.lstrip().startswith("#"):
            assert "--hash=sha256:" in entry
    assert "://" not in text
    assert "--index" not in text


def installed() -> dict[str, str]:
    """Return the version of every installed package, by its canonical name."""
    return {canonicalize_name(package.name): package.version for package in distributions()}


def locked(lock: str) -> dict[str, str]:
    """Return the version of every package in a lock file, by its canonical name."""
    versions: dict[str, str] = {}
    for line in (CHECKOUT / lock).read_text().split("\n"):
        if line and line[0] not in " #":
            requirement = Requirement(line.rstrip("\\ "))
            versions[canonicalize_name(requirement.name)] = next(iter(requirement.specifier)).version
    return versions
