"""Metrics: values, labels without clients' input, one answer for several workers, and their documentation."""

import asyncio
import re
import socket
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from app import metrics
from app.application import create_application
from app.metrics_server import WorkerCollector, parse_address, serve_metrics
from app.operation import OperationRecord
from app.settings import SettingError, Settings
from store.changes import fetch_revision
from store.database import Database
from tests.cli_process import environment, free_port, run_server
from tests.conftest import World

DOC = Path(__file__).parents[1] / "docs" / "operations.md"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_each_operation_is_counted(world: World) -> None:
    database = Database(world.url)
    app = create_application(Settings(database_url=world.url), database=database, observe=[metrics.observe])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://atoll") as client:
        before = value("atoll_requests_total", type="query", status="200"), value("atoll_statements_total")
        refused = value("atoll_errors_total", code="GRAPHQL_PARSE_FAILED")
        slow = value("atoll_request_duration_seconds_count", type="query")
        await client.post("/graphql", json={"query": "{ topics { totalCount } }"})
        await client.post("/graphql", json={"query": "{"})
    await app.state.memory.stop()
    await database.close()
    assert value("atoll_requests_total", type="query", status="200") == before[0] + 1
    assert value("atoll_statements_total") > before[1]
    assert value("atoll_errors_total", code="GRAPHQL_PARSE_FAILED") == refused + 1
    assert value("atoll_request_duration_seconds_count", type="query") == slow + 1
    assert value("atoll_database_seconds_total") > 0


def test_the_cost_is_counted_once_it_is_set() -> None:
    record = OperationRecord("7")
    record.cost = {"objects": 300}
    before = value("atoll_cost_sum", part="objects")
    metrics.observe(record)
    assert value("atoll_cost_sum", part="objects") == before + 300


async def test_the_state_of_the_database_is_read(own_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.metrics.POLL_SECONDS", 0.01)
    database = Database(own_world.url)
    metrics.REVISION.set(-1)
    async with metrics.read_periodically(database):
        while value("atoll_revision") == -1:  # noqa: ASYNC110 - a metric has no event
            await asyncio.sleep(0.01)
    assert value("atoll_revision") == await database.read(fetch_revision) > 0
    assert value("atoll_jobs", status="queued") == 0
    await database.close()


async def test_an_unusable_database_stops_no_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.metrics.POLL_SECONDS", 0.01)
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'none.db'}")
    async with metrics.read_periodically(database):
        await asyncio.sleep(0.1)
        assert any("_read_periodically" in repr(task) for task in asyncio.all_tasks())
    await database.close()


def test_no_label_has_the_input_of_clients() -> None:
    labels = {name for metric in REGISTRY.collect() for sample in metric.samples for name in sample.labels}
    python = {"generation", "implementation", "major", "minor", "patchlevel", "version"}
    assert labels - python <= {"type", "status", "code", "part", "le"}


def test_several_workers_are_added_up(world: World, tmp_path: Path) -> None:
    port = free_port()
    settings = environment(DATABASE_URL=world.url, METRICS=f"127.0.0.1:{port}", LOG="json")
    with run_server(tmp_path, settings, "--workers", "2") as server:
        for _ in range(20):  # each by a connection of its own, and thus by either worker
            assert httpx.post(f"{server.url}/graphql", json={"query": "{ topics { totalCount } }"}).is_success
        scraped = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        families = {family.name: family for family in text_string_to_metric_families(scraped)}
        [requests] = [s for s in families["atoll_requests"].samples if s.name == "atoll_requests_total"]
        assert (requests.labels, requests.value) == ({"type": "query", "status": "200"}, 20)
        assert len({sample.labels["pid"] for sample in families["process_open_fds"].samples}) == 2
        assert len(families["atoll_revision"].samples) == 1
        lines = server.output.splitlines()
        assert len([line for line in lines if '"event":"operation"' in line]) == 20
        assert all(line.startswith('{"time":') for line in lines), lines


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:9464", ("127.0.0.1", 9464)), ("[::1]:1", ("::1", 1)), ("box:65535", ("box", 65535))],
)
def test_an_address_is_parsed(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["9464", ":9464", "a:0", "a:65536", "::1:5", "a:b", "a:1 "])
def test_an_invalid_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid ATOLL_METRICS .*Use an address and a port"):
        parse_address(text)


def test_an_address_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with (
            pytest.raises(SettingError, match=rf"Cannot listen on ATOLL_METRICS=127\.0\.0\.1:{port}: address already"),
            serve_metrics(("127.0.0.1", port), workers=1),
        ):
            raise AssertionError


def test_every_metric_is_documented() -> None:
    assert list(WorkerCollector().collect()) == []
    section = DOC.read_text(encoding="utf-8").split("\n## Metrics\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(atoll_\w+)`", section, re.MULTILINE))
    exposed = re.findall(r"^# TYPE (atoll_\w+) (\w+)$", generate_latest(REGISTRY).decode(), re.MULTILINE)
    assert documented == {name for name, _ in exposed if not name.endswith("_created")}
