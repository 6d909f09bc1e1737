"""Claims of pyproject.toml and CONTRIBUTING.md: declared dependencies, slow tests, and tests named in recipes."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PRODUCT = ("app", "engine", "fragments", "schema", "resolvers", "permissions", "store")
TOOLS = ("tests", "proofs", "benchmarks")
# Modules of the standard library that Windows lacks.
POSIX_ONLY = {
    "curses", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline", "resource", "spwd", "syslog",
    "termios", "tty",
}  # fmt: skip
# SQLAlchemy imports the driver that the URL of the database names.
DRIVERS = {"aiosqlite", "asyncpg"}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]


def names_of(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(requirement).name) for requirement in requirements}


def imports_of(source: str) -> set[str]:
    """Return the top-level modules that the source imports, in functions too."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    return modules


@cache
def modules_of(folders: tuple[str, ...]) -> dict[str, set[str]]:
    """Return the imported modules by file."""
    return {str(path.relative_to(ROOT)): imports_of(path.read_text(encoding="utf-8")) for path in sources(folders)}


def sources(folders: tuple[str, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts)


def product_dependencies() -> set[str]:
    """Return the packages that the product needs, also for its options."""
    optional = [packages for extra, packages in PROJECT["optional-dependencies"].items() if extra != "dev"]
    return names_of([*PROJECT["dependencies"], *chain.from_iterable(optional)])


def undeclared(folders: tuple[str, ...], declared: set[str]) -> list[tuple[str, str]]:
    """Return each import that no declared package provides, as its file and module."""
    known = {*sys.stdlib_module_names, *PRODUCT, *TOOLS}
    packages = packages_distributions()
    return [
        (file, module)
        for file, modules in modules_of(folders).items()
        for module in sorted(modules - known)
        if not declared & set(map(canonicalize_name, packages.get(module, ())))
    ]


def test_each_package_that_the_product_imports_is_a_dependency() -> None:
    assert undeclared(PRODUCT, product_dependencies()) == []


def test_each_package_that_tests_and_tools_import_is_a_dependency_of_development() -> None:
    declared = product_dependencies() | names_of(PROJECT["optional-dependencies"]["dev"])
    assert undeclared(TOOLS, declared) == []


def test_each_dependency_is_imported() -> None:
    packages = packages_distributions()
    imported = {
        canonicalize_name(package)
        for modules in modules_of(PRODUCT).values()
        for module in modules
        for package in packages.get(module, ())
    }
    assert names_of(PROJECT["dependencies"]) - imported - DRIVERS == set()


def test_the_product_imports_no_module_that_windows_lacks() -> None:
    assert [(file, modules & POSIX_ONLY) for file, modules in modules_of(PRODUCT).items() if modules & POSIX_ONLY] == []


def test_each_slow_test_exists() -> None:
    for entry in PYPROJECT["tool"]["pytest"]["ini_options"]["slow_tests"]:
        file, _, name = entry.partition("::")
        assert f"def {name}" in (ROOT / "tests" / file).read_text(encoding="utf-8"), entry


def test_each_test_that_a_recipe_names_exists() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*.py"))
    names = re.findall(r"`(test_\w+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    assert names
    assert [name for name in names if f"def {name}(" not in tests] == []


def test_an_import_is_found_wherever_it_is() -> None:
    source = "import a.b, c\nfrom d.e import f\nfrom . import g\ndef h():\n    import i\n"
    assert imports_of(source) == {"a", "c", "d", "i"}
