"""Traces: one span for the request, the operation, each batch and each statement, without data."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.application import create_application
from app.settings import Executor, Settings
from app.traces import Traces
from store.database import Database
from tests.conftest import World

QUERY = 'query Page { topics { nodes { collections { nodes { slug } } } } assets(query: "planted") { totalCount } }'
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Client:
    def __init__(self, world: World, engine: Executor) -> None:
        self.exporter = InMemorySpanExporter()
        self.database = Database(world.url)
        app = create_application(
            Settings(database_url=world.url, engine=engine, index=False, traces=True),
            database=self.database,
            observe=[Traces(SimpleSpanProcessor(self.exporter)).observe],
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://atoll")

    async def trace(self, query: str, **headers: str) -> list[ReadableSpan]:
        """Send the query and return its spans, in the order of their start."""
        await self.http.post("/graphql", json={"query": query}, headers=headers)
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)


@pytest.fixture(params=Executor)
async def client(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Client]:
    client = Client(world, request.param)
    yield client
    await client.http.aclose()
    await client.database.close()


async def test_spans_form_one_tree(client: Client) -> None:
    spans = await client.trace(QUERY)
    by_id = {span.context.span_id: span for span in spans if span.context}
    request, operation, *rest = spans
    assert (request.name, request.parent, operation.name) == ("/graphql", None, "query")
    assert {span.name for span in rest} >= {"PartByKey", "SELECT"}
    for span in (operation, *rest):
        assert span.parent
        parent = by_id[span.parent.span_id]
        assert parent.start_time <= span.start_time <= span.end_time <= parent.end_time  # type: ignore[operator]  # they have ended
    [one] = {by_id[span.parent.span_id].name for span in rest if span.name == "PartByKey" and span.parent}
    assert one == "query"
    assert "PartByKey" in {by_id[span.parent.span_id].name for span in rest if span.name == "SELECT" and span.parent}


async def test_the_trace_continues_that_of_the_caller(client: Client) -> None:
    request, *_ = await client.trace(QUERY, traceparent=f"00-{TRACE}-{PARENT}-01")
    assert request.context
    assert request.parent
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == (TRACE, PARENT)


async def test_the_caller_may_decide_against_a_trace(client: Client) -> None:
    assert await client.trace(QUERY, traceparent=f"00-{TRACE}-{PARENT}-00") == []


async def test_a_malformed_parent_is_ignored(client: Client) -> None:
    assert (await client.trace(QUERY, traceparent="planted"))[0].parent is None


@pytest.mark.parametrize("query", [QUERY, "{ planted }", "{"])
async def test_no_span_has_data(client: Client, query: str) -> None:
    spans = await client.trace(query)
    text = "".join(span.to_json() for span in spans)
    assert len(spans) >= 2
    assert "planted" not in text
    assert not re.search(r"\bFROM\b|\bWHERE\b", text)
