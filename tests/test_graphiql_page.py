"""Tests of GraphiQL in a browser: accounts, examples, tokens, and requests only to its own server."""

import json
import socket
import threading
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import strawberry
import uvicorn
from graphql import GraphQLError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL

from app import graphiql
from app.graphiql import Account, Example, build_routes, serve_page
from tests.chromium import Chromium, Page
from tests.cli_process import Server, environment
from tests.cli_process import run_server as run_atoll
from tests.conftest import World
from tests.missing import skip_or_fail

ANN = Account("Ann", "A member who owns two capsules.", "members", "ann-token")
ROOT = Account("Root", "An administrator.", "administrators", "root-token")
VISITOR = Account("Visitor", "Anonymous.", "anyone", None)
ACCOUNTS = [ROOT, ANN, VISITOR]
WHO = Example(
    "Who am I", "Reading", "members", "# Who am I\n# for: members\n\nquery WhoAmI {\n  viewerName\n}\n", "", ""
)
ECHO = Example(
    "Say it again",
    "Reading",
    "members",
    "# Say it again\n# for: members\n\nquery Echo($word: String!) {\n  echo(word: $word)\n}\n",
    '{ "word": "<words.1>" }',
    "query Candidates {\n  words\n}",
)
RULE = Example(
    "Who rules",
    "Topics",
    "administrators",
    "# Who rules\n# for: administrators\nquery WhoRules { viewerName }\n",
    "",
    "",
)
COUNT = Example(
    "Count", "Analysis", "members", "# Count\n# for: members\n\nsubscription Count {\n  count(to: 3)\n}\n", "", ""
)
EXAMPLES = [WHO, ECHO, RULE, COUNT]
ECHOED: list[str] = []
"""The words that were echoed."""


@strawberry.type
class User:
    """A user of the small API of these tests."""

    name: str


@strawberry.type
class Viewer:
    """The signed-in user."""

    user: User
    is_admin: bool


def sent_token(info: strawberry.Info) -> str | None:
    headers = info.context.get("connection_params") or info.context["request"].headers
    header = headers.get("authorization")
    return None if header is None else str(header).removeprefix("Bearer ")


def words(info: strawberry.Info) -> list[str]:
    """Return the words that the account sees."""
    return {"ann-token": ["hello", "reef"], "root-token": ["hello", "lagoon"]}.get(sent_token(info) or "", [])


def name_of(token: str | None) -> str:
    """Return the name of the account with the token."""
    return next((account.name for account in ACCOUNTS if account.token == token), f"nobody: {token}")


@strawberry.type
class Query:
    """Queries of the small API."""

    words: list[str] = strawberry.field(resolver=words, description="Words that may be echoed, for the curious.")

    @strawberry.field
    def viewer(self, info: strawberry.Info) -> Viewer | None:
        """Return the user of the bearer token that was sent; raise GraphQLError for an unknown token."""
        token = sent_token(info)
        account = next((account for account in ACCOUNTS if account.token == token), None)
        if account is None:
            raise GraphQLError("The bearer token is not valid.", extensions={"code": "UNAUTHENTICATED"})
        return None if token is None else Viewer(user=User(name=account.name), is_admin=account is ROOT)

    @strawberry.field
    def viewer_name(self, info: strawberry.Info) -> str:
        """Return the name of the account whose bearer token was sent."""
        return name_of(sent_token(info))

    @strawberry.field
    def echo(self, word: str) -> str:
        """Return the word."""
        ECHOED.append(word)
        return word


@strawberry.type
class Subscription:
    """Subscriptions of the small API."""

    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        """Yield the numbers from 1."""
        for number in range(1, to + 1):
            yield number

    @strawberry.subscription
    async def viewer_name(self, info: strawberry.Info) -> AsyncGenerator[str, None]:
        """Yield the name of the account whose bearer token was sent."""
        yield name_of(sent_token(info))


class Endpoint:
    """The API, and the page for a GET."""

    api = GraphQL(strawberry.Schema(Query, subscription=Subscription), graphql_ide=None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with the page or the API."""
        is_page = scope["type"] == "http" and scope["method"] == "GET"
        await (await serve_page(Request(scope)) if is_page else self.api)(scope, receive, send)


async def violating_page(_request: Request) -> Response:
    """Return a page that violates the content security policy."""
    html = "<script>document.title = 'ran'</script><img src='http://127.0.0.1:9/pixel.png'>"
    return HTMLResponse(html, headers=graphiql.NOT_STORED)


@contextmanager
def run_server(examples: Sequence[Example], accounts: Sequence[Account], prefix: str = "") -> Iterator[str]:
    """Serve on a free port of this machine, below the prefix; yield the origin."""
    endpoint = Endpoint()
    test_routes: list[BaseRoute] = [
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", endpoint),
        Route("/violating", violating_page),
    ]
    app = Starlette(routes=[Mount(prefix, routes=[*build_routes(examples, accounts), *test_routes])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """Yield a browser; skip or fail the test if GraphiQL is not built."""
    if not (graphiql.DIST / "index.html").exists():
        skip_or_fail("GraphiQL is not built (make graphiql)")
    with Chromium() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def demonstration() -> Iterator[str]:
    """Yield the origin of a server that offers accounts."""
    with run_server(EXAMPLES, ACCOUNTS) as origin:
        yield origin


@pytest.fixture(scope="module")
def deployment() -> Iterator[str]:
    """Yield the origin of a server without accounts."""
    with run_server(EXAMPLES, []) as origin:
        yield origin


def text_of(kind: str) -> str:
    """Return a JavaScript expression for an editor's text: operation.graphql, variables.json or response.json."""
    models = "(globalThis.__MONACO?.editor.getEditors() ?? []).map((editor) => editor.getModel())"
    return f"{models}.find((model) => model.uri.path.endsWith('{kind}'))?.getValue()"


def type_into(tab: Page, kind: str, text: str) -> None:
    model = "__MONACO.editor.getModels().findLast"
    tab.evaluate(f"{model}((model) => model.uri.path.endsWith('{kind}')).setValue({json.dumps(text)})")


def ready(tab: Page, word: str) -> Page:
    """Wait until the editor contains the word and the schema is loaded; return the tab."""
    tab.wait_for(f"({text_of('operation.graphql')})?.includes({json.dumps(word)})")
    tab.wait_for("document.querySelector('.graphiql-execute-button') && !document.querySelector('.graphiql-spin')")
    return tab


def run(tab: Page) -> object:
    """Run the operation of the selected tab and return its response."""
    time.sleep(0.3)  # GraphiQL reads its editors a tenth of a second after a change
    type_into(tab, "response.json", "")
    tab.click(".graphiql-execute-button")
    response: object = json.loads(
        tab.wait_for(f"!document.querySelector('.graphiql-spinner') && {text_of('response.json')}")
    )
    return response


def choose(tab: Page, menu: str, text: str) -> None:
    """Choose the menu's entry that begins with the text."""
    tab.click(f"button[data-menu='{menu}']")
    entries = "[...document.querySelectorAll('.atoll-menu [role^=menuitem]')]"
    entry = f"{entries}.find((entry) => entry.textContent.startsWith({json.dumps(text)}))"
    tab.wait_for(f"(({entry} ?? {{}}).id = 'chosen') && document.getElementById('chosen') !== null")
    tab.click("#chosen")
    tab.wait_for("document.querySelector('.atoll-menu') === null")


def open_example(tab: Page, title: str) -> None:
    """Click the example with the title in the panel, and wait until it is open."""
    entries = "[...document.querySelectorAll('.atoll-examples button')]"
    entry = f"{entries}.find((entry) => entry.firstChild.textContent === {json.dumps(title)})"
    tab.wait_for(f"(({entry} ?? {{}}).id = 'example') && document.getElementById('example') !== null")
    tab.click("#example")
    tab.wait_for("document.getElementById('example').ariaCurrent === 'true'")
    tab.evaluate("document.getElementById('example').removeAttribute('id')")


def ask(server: Server, token: str, query: str, **variables: object) -> Any:
    """Run an operation with the token and return its data."""
    body = {"query": query, "variables": variables}
    answer = httpx.post(f"{server.url}/graphql", json=body, headers={"authorization": f"Bearer {token}"}).json()
    assert "errors" not in answer, answer
    return answer["data"]


def titles(tab: Page) -> list[str]:
    return list(tab.evaluate("[...document.querySelectorAll('[id^=graphiql-session-tab-]')].map((tab) => tab.title)"))


def account_of(tab: Page) -> str:
    return str(tab.evaluate("document.querySelector('button[data-menu=\"Run as\"]').textContent"))


def assert_no_problems(tab: Page, origin: str) -> None:
    """Assert that the page had no problem, and sent requests only to its own server."""
    assert tab.problems == []
    assert tab.requests
    allowed = (f"{origin}/", origin.replace("http", "ws") + "/", "data:", "about:")
    assert [url for url in tab.requests if not url.startswith(allowed)] == []


def test_a_page_that_violates_the_policy_is_detected(browser: Chromium, demonstration: str) -> None:
    tab = browser.open(f"{demonstration}/violating")
    tab.wait_for("document.images.length === 1 && document.readyState === 'complete'")
    assert tab.evaluate("document.title") == ""
    assert len([problem for problem in tab.problems if "Content Security Policy" in problem]) == 2


def test_operations_run_as_the_chosen_account(browser: Chromium, demonstration: str) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    assert tab.evaluate("document.title") == "Atoll"
    assert run(tab) == {"data": {"viewerName": "Ann"}}
    choose(tab, "Run as", "Root")
    assert run(tab) == {"data": {"viewerName": "Root"}}
    choose(tab, "Run as", "Visitor")
    assert run(tab) == {"data": {"viewerName": "Visitor"}}
    assert_no_problems(tab, demonstration)


def test_a_first_visit_opens_the_first_example_beside_the_panel(browser: Chromium, demonstration: str) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    assert titles(tab) == ["WhoAmI"]
    assert account_of(tab) == "Run as Ann"
    panel = ".atoll-examples"
    headings = tab.evaluate(f"[...document.querySelectorAll('{panel} h3')].map((heading) => heading.textContent)")
    assert headings == ["Reading", "Topics", "Analysis"]
    buttons = tab.evaluate(f"[...document.querySelectorAll('{panel} button')].map((button) => button.innerText)")
    assert [text.split("\n")[0] for text in buttons] == [example.title for example in EXAMPLES]
    assert_no_problems(tab, demonstration)


def test_an_example_opens_with_the_candidates_of_its_account_and_does_not_run(
    browser: Chromium, demonstration: str
) -> None:
    ECHOED.clear()
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    open_example(tab, "Say it again")
    assert tab.evaluate(text_of("operation.graphql")) == ECHO.query
    assert tab.evaluate(text_of("variables.json")) == '{ "word": "reef" }'
    assert tab.evaluate(text_of("response.json")) == ""
    assert ECHOED == []
    assert run(tab) == {"data": {"echo": "reef"}}
    open_example(tab, "Who rules")
    assert account_of(tab) == "Run as Root"
    assert run(tab) == {"data": {"viewerName": "Root"}}
    assert_no_problems(tab, demonstration)


def test_an_example_without_candidates_is_opened_beside_the_query_of_candidates(
    browser: Chromium, deployment: str
) -> None:
    tab = ready(browser.open(f"{deployment}/graphql"), "viewerName")
    open_example(tab, "Say it again")
    assert tab.evaluate(text_of("variables.json")) == '{ "word": "" }'
    assert ECHO.candidates in tab.evaluate(text_of("operation.graphql"))
    assert "yours to complete" in tab.evaluate(text_of("operation.graphql"))
    assert_no_problems(tab, deployment)


def test_an_example_replaces_an_unedited_example_and_leaves_other_tabs(browser: Chromium, demonstration: str) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    open_example(tab, "Say it again")
    assert titles(tab) == ["Echo"]
    type_into(tab, "variables.json", '{ "word": "mine" }')
    open_example(tab, "Who rules")
    tab.wait_for("document.querySelectorAll('[id^=graphiql-session-tab-]').length === 2")
    assert titles(tab) == ["Echo", "WhoRules"]
    open_example(tab, "Say it again")
    assert titles(tab) == ["Echo", "WhoRules"]
    assert tab.evaluate(text_of("variables.json")) == '{ "word": "mine" }'
    assert_no_problems(tab, demonstration)


def test_a_reloaded_page_restores_its_state(browser: Chromium, demonstration: str) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    type_into(tab, "operation.graphql", "# Mine\n# for: members\nquery Mine { viewerName }")
    tab.wait_for("localStorage.getItem('atoll:graphiql:tabState').includes('# Mine')")
    open_example(tab, "Who rules")
    choose(tab, "Run as", "Visitor")
    tab.click("button[aria-label='Hide Examples']")
    tab.wait_for("localStorage.getItem('atoll:graphiql:tabState').includes('# Who rules')")
    tab.evaluate("document.body.textContent = ''")
    tab.go(f"{demonstration}/graphql")
    ready(tab, "Who rules")
    assert account_of(tab) == "Run as Visitor"
    assert titles(tab) == ["Mine", "WhoRules"]
    assert tab.evaluate("document.querySelector('.atoll-examples')") is None
    tab.click("#graphiql-session-tab-0")
    tab.wait_for("document.querySelector('button[data-menu=\"Run as\"]').textContent === 'Run as Ann'")
    assert run(tab) == {"data": {"viewerName": "Ann"}}


def test_a_subscription_shows_its_results(browser: Chromium, demonstration: str) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    open_example(tab, "Count")
    tab.click(".graphiql-execute-button")
    tab.wait_for(f"({text_of('response.json')}).includes('3')")
    assert json.loads(tab.evaluate(text_of("response.json"))) == {"data": {"count": 3}}
    assert_no_problems(tab, demonstration)


def test_a_subscription_runs_as_the_chosen_account_or_the_token_in_the_headers(
    browser: Chromium, demonstration: str
) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    type_into(tab, "operation.graphql", "subscription { viewerName }")
    assert run(tab) == {"data": {"viewerName": "Ann"}}
    choose(tab, "Run as", "Root")
    assert run(tab) == {"data": {"viewerName": "Root"}}
    type_into(tab, "request-headers.json", '{"Authorization": "Bearer ann-token"}')
    assert run(tab) == {"data": {"viewerName": "Ann"}}
    assert_no_problems(tab, demonstration)


def test_a_subscription_shows_what_another_account_adds(browser: Chromium, own_world: World, tmp_path: Path) -> None:
    with run_atoll(tmp_path, environment(DATABASE_URL=own_world.url, GRAPHIQL="1")) as server:
        ids = 'assets(query: "align") { nodes { ... on AssetFields { id } } } collection(by: {slug: "members"}) { id }'
        found = ask(server, own_world.tokens["olu"], f"{{ {ids} }}")
        tab = ready(browser.open(f"{server.url}/graphql"), "query")
        tab.click(".atoll-token input")
        tab.type_text(own_world.tokens["mei"])
        open_example(tab, "Changes of a collection")
        type_into(tab, "variables.json", json.dumps(found["collection"]))
        time.sleep(0.3)  # GraphiQL reads its editors a tenth of a second after a change
        tab.click(".graphiql-execute-button")
        tab.wait_for(f"({text_of('response.json')}).includes('\"reload\": true')")
        add = (
            "mutation($input: CollectionAssetsAddInput!) { collectionAssetsAdd(input: $input) { userErrors { code } } }"
        )
        [asset] = found["assets"]["nodes"]
        given = {"collectionId": found["collection"]["id"], "assetIds": [asset["id"]]}
        ask(server, own_world.tokens["olu"], add, input=given)
        tab.wait_for(f"({text_of('response.json')}).includes('ASSETS_ADDED')")
        event = json.loads(tab.evaluate(text_of("response.json")))["data"]["collectionChanged"]
        assert [edge["node"]["name"] for edge in event["addedEdges"]] == ["align"]
        assert (event["reload"], event["change"]["actor"]) == (False, {"name": "olu"})
        assert_no_problems(tab, server.url)


def test_a_proxy_may_serve_the_page_below_a_prefix(browser: Chromium) -> None:
    with run_server(EXAMPLES, ACCOUNTS, "/tools/atoll") as origin:
        tab = ready(browser.open(f"{origin}/tools/atoll/graphql"), "viewerName")
        assert run(tab) == {"data": {"viewerName": "Ann"}}
        open_example(tab, "Count")
        tab.click(".graphiql-execute-button")
        tab.wait_for(f"({text_of('response.json')}).includes('3')")
        tab.wait_for("document.fonts.status === 'loaded'")
        assert_no_problems(tab, f"{origin}/tools/atoll")


def test_the_editor_completes_from_the_schema(browser: Chromium, demonstration: str) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    type_into(tab, "operation.graphql", "{ v }")
    editor = "__MONACO.editor.getEditors().find((editor) => editor.getModel().uri.path.endsWith('operation.graphql'))"
    tab.evaluate(f"{editor}.setPosition({{ lineNumber: 1, column: 4 }}); {editor}.focus()")
    tab.evaluate(f"{editor}.trigger('test', 'editor.action.triggerSuggest')")
    tab.wait_for("document.querySelector('.suggest-widget')?.textContent.includes('viewerName')")
    assert_no_problems(tab, demonstration)


@pytest.mark.parametrize(
    ("plugin", "word"),
    [("Documentation Explorer", "Root Types"), ("GraphiQL Explorer", "viewerName"), ("History", "History")],
)
def test_a_plugin_shows(browser: Chromium, demonstration: str, plugin: str, word: str) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    tab.click(f"button[aria-label='Show {plugin}']")
    tab.wait_for(f"document.querySelector('.graphiql-plugin').textContent.includes({json.dumps(word)})")
    assert_no_problems(tab, demonstration)


def test_the_documentation_is_searched_in_names_and_descriptions(browser: Chromium, demonstration: str) -> None:
    tab = ready(browser.open(f"{demonstration}/graphql"), "viewerName")
    tab.click("button[aria-label='Show Documentation Explorer']")
    tab.click(".atoll-search input")
    tab.type_text("CURIOUS echo")
    tab.wait_for("document.querySelector('.atoll-results') !== null")
    results = "[...document.querySelectorAll('.atoll-results code')].map((name) => name.textContent)"
    assert tab.evaluate(results) == ["Query.words"]
    tab.click(".atoll-results button")
    tab.wait_for("document.querySelector('.graphiql-doc-explorer-title')?.textContent === 'words'")
    tab.click(".atoll-search input")
    tab.type_text("word")
    tab.wait_for(f"({results}).length > 1")
    assert tab.evaluate(results) == ["Query.words", "Query.echo.word"]
    tab.type_text("nowhere")
    tab.wait_for("document.querySelector('.graphiql-plugin').textContent.includes('Nothing in the schema')")
    assert_no_problems(tab, demonstration)


def test_the_bar_says_whose_token_is_used(browser: Chromium, deployment: str) -> None:
    tab = ready(browser.open(f"{deployment}/graphql"), "viewerName")
    status = "document.querySelector('.atoll-status').textContent"
    tab.wait_for(f"{status} === 'Visitor: no token'")
    tab.click(".atoll-token input")
    for token, text in (
        ("ann-token", "Signed in as Ann"),
        ("root-token", "Signed in as Root, administrator"),
        ("old-token", "This token is invalid or expired. Paste another: atoll token USER creates one."),
    ):
        tab.evaluate("document.querySelector('.atoll-token input').select()")
        tab.type_text(token)
        tab.wait_for(f"{status} === {json.dumps(text)}")
    assert_no_problems(tab, deployment)


def test_a_pasted_token_is_sent_and_stored_only_for_the_session(browser: Chromium, deployment: str) -> None:
    tab = ready(browser.open(f"{deployment}/graphql"), "viewerName")
    tab.click(".atoll-token input")
    tab.type_text("Bearer ann-token ")
    assert run(tab) == {"data": {"viewerName": "Ann"}}
    assert tab.evaluate("sessionStorage.getItem('atoll:token')") == "ann-token"
    assert "ann-token" not in tab.evaluate("JSON.stringify(localStorage) + location.href + document.cookie")
    assert not any("ann-token" in url for url in tab.requests)
    assert_no_problems(tab, deployment)


def test_a_token_in_the_headers_is_sent_and_never_stored(browser: Chromium, deployment: str) -> None:
    tab = ready(browser.open(f"{deployment}/graphql"), "viewerName")
    type_into(tab, "request-headers.json", '{"Authorization": "Bearer root-token"}')
    assert run(tab) == {"data": {"viewerName": "Root"}}
    tab.wait_for("localStorage.getItem('atoll:graphiql:queries')?.includes('WhoAmI')")
    tab.wait_for("localStorage.getItem('atoll:graphiql:tabState')?.includes('WhoAmI')")
    assert "root-token" not in tab.evaluate("JSON.stringify(localStorage) + location.href + document.cookie")
    assert_no_problems(tab, deployment)
