"""Revalidation of queries by GET: ETag, `If-None-Match` and 304."""

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import pytest
from sqlalchemy import update

from store import sql
from tests.conftest import GraphQLClient
from tests.http_server import World, run_server

HELLO = "{ hello }"
LONG = "{ branch { branches(first: 100) { name } } }"
REVALIDATED = "private, no-cache"
NOT_STORED = "private, no-store"


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """Yield the port of a served endpoint."""
    with run_server(World().app) as port:
        yield port


@pytest.fixture
def connection(server: int) -> Iterator[http.client.HTTPConnection]:
    """Yield a new connection to the server."""
    with closing(http.client.HTTPConnection("127.0.0.1", server, timeout=10)) as opened:
        yield opened


def get(
    connection: http.client.HTTPConnection, query: str, accept: str = "application/json", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send the query; header names have underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", f"/graphql?query={quote(query)}", headers={"accept": accept} | named)
    response = connection.getresponse()
    return response, response.read()


def test_an_unchanged_answer_is_not_sent_again(connection: http.client.HTTPConnection) -> None:
    first, body = get(connection, HELLO)
    tag = first.getheader("etag") or ""
    assert tag.startswith('W/"')
    assert (first.status, first.getheader("cache-control")) == (200, REVALIDATED)
    again, nothing = get(connection, HELLO, if_none_match=tag)
    assert (again.status, nothing) == (304, b"")
    for name in ("etag", "cache-control", "vary", "content-security-policy"):
        assert again.getheader(name) == first.getheader(name)
    assert again.getheader("x-request-id")
    assert again.getheader("content-length") is None
    assert again.getheader("content-type") is None
    assert get(connection, HELLO)[1] == body, "the connection goes on"


@pytest.mark.parametrize("accept_encoding", ["gzip", "zstd", "identity"])
def test_all_codings_of_an_answer_have_the_same_tag(
    connection: http.client.HTTPConnection, accept_encoding: str
) -> None:
    tag = get(connection, LONG)[0].getheader("etag") or ""
    encoded, _ = get(connection, LONG, accept_encoding=accept_encoding)
    assert (encoded.status, encoded.getheader("etag")) == (200, tag)
    again, nothing = get(connection, LONG, accept_encoding=accept_encoding, if_none_match=tag)
    assert (again.status, nothing, again.getheader("content-encoding")) == (304, b"", None)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("{tag}", 304),
        ("{opaque}", 304),
        ('"other", {tag}', 304),
        ('W/"other" ,{tag} , "third"', 304),
        ("*", 304),
        ('"other"', 200),
        ('W/"other"', 200),
        ("", 200),
    ],
)
def test_tags_are_compared_weakly(connection: http.client.HTTPConnection, header: str, status: int) -> None:
    tag = get(connection, HELLO)[0].getheader("etag") or ""
    sent = header.format(tag=tag, opaque=tag.removeprefix("W/"))
    assert get(connection, HELLO, if_none_match=sent)[0].status == status


def test_another_answer_has_another_tag(connection: http.client.HTTPConnection) -> None:
    first, _ = get(connection, "{ requestId }", x_request_id="1")
    tag = first.getheader("etag") or ""
    assert get(connection, "{ requestId }", x_request_id="1", if_none_match=tag)[0].status == 304
    changed, body = get(connection, "{ requestId }", x_request_id="2", if_none_match=tag)
    assert (changed.status, json.loads(body)["data"]) == (200, {"requestId": "2"})
    assert changed.getheader("etag") != tag


@pytest.mark.parametrize(
    "query", ["{ hello fail }", "{ hello refuse }", "{", "{ unknown }", "mutation { note(text: 1) }"]
)
def test_an_error_is_not_stored(connection: http.client.HTTPConnection, query: str) -> None:
    response, body = get(connection, query, if_none_match="*")
    assert response.status != 304
    assert "errors" in json.loads(body)
    assert (response.getheader("etag"), response.getheader("cache-control")) == (None, NOT_STORED)


def test_a_revoked_token_gets_no_confirmation(connection: http.client.HTTPConnection) -> None:
    tag = get(connection, HELLO, authorization="Bearer good")[0].getheader("etag") or ""
    response, _ = get(connection, HELLO, authorization="Bearer bad", if_none_match=tag)
    assert (response.status, response.getheader("etag")) == (401, None)


def test_post_is_never_stored(connection: http.client.HTTPConnection) -> None:
    headers = {"content-type": "application/json", "if-none-match": "*"}
    connection.request("POST", "/graphql", json.dumps({"query": HELLO}), headers)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["data"]) == (200, {"hello": "world"})
    assert (response.getheader("etag"), response.getheader("cache-control")) == (None, NOT_STORED)


async def test_a_tag_depends_on_visible_data_alone(ask_own: GraphQLClient) -> None:
    query = "{ assets { totalCount nodes { ... on AssetFields { name } } } }"

    async def revalidate(who: str, tag: str = "") -> tuple[int, str]:
        headers = {"authorization": f"Bearer {ask_own.tokens[who]}", "if-none-match": tag}
        response = await ask_own.client.get("/graphql", params={"query": query}, headers=headers)
        return response.status_code, response.headers["etag"]

    async def rename(asset: str) -> None:
        async with ask_own.database.write() as connection:
            await connection.execute(update(sql.asset).where(sql.asset.c.external_id == asset).values(name="renamed"))

    _, of_eve = await revalidate("eve")
    _, of_olu = await revalidate("olu")
    assert of_eve != of_olu
    assert (await revalidate("eve", of_olu))[0] == 200
    await rename("hidden")
    assert await revalidate("eve", of_eve) == (304, of_eve)
    assert (await revalidate("olu", of_olu))[0] == 200
    await rename("align")
    assert (await revalidate("eve", of_eve))[0] == 200
