"""Server that answers like a Code Ocean deployment, as far as its SDK asks: searches by pages, and permissions."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "cop_test"
SERVER_PAGE_SIZE = 2
Record = dict[str, Any]

CAPSULES: list[Record] = [
    {
        "id": "6b4b2c1e-0d9c-4d0e-9f0a-1f2d3c4b5a69",
        "created": 1_700_000_000,
        "name": "Spike sorting",
        "status": "non_release",
        "owner": "u-ada",
        "owner_email": "Ada@Example.org",
        "slug": "1234567",
        "description": "Sorts spikes.\r\nBy\x07 templates.",
        "field": "Neuroscience",
        "tags": ["ephys", "", "spikes"],
        "last_accessed": 1_760_000_000,
        "release_capsule": "0a1b2c3d-0000-4000-8000-000000000001",
        "cloned_from_url": "https://github.com/example/spikes",
        "unknown_field": {"is": "ignored"},
    },
    {
        "id": "0a1b2c3d-0000-4000-8000-000000000001",
        "created": 1_710_000_000,
        "name": "Spike sorting",
        "status": "release",
        "owner": "u-ada",
        "owner_email": "ada@example.org",
        "slug": "7654321",
        "article": {"doi": "10.1234/abcd", "journal_name": "Journal", "publish_time": 1_711_000_000},
        "versions": [
            {"major_version": 2, "minor_version": 0, "release_time": 1_715_000_000},
            {"major_version": 1, "minor_version": 1, "release_time": 1_712_000_000},
        ],
    },
    {
        "id": "0a1b2c3d-0000-4000-8000-000000000002",
        "created": 1_720_000_000,
        "name": "  ",
        "status": "non_release",
        "owner": "u-bob",
        "slug": "1111111",
        "archived": True,
    },
]
PIPELINES: list[Record] = [
    {
        "id": "aaaaaaaa-0000-4000-8000-000000000003",
        "created": 1_700_000_001,
        "name": "Ephys pipeline",
        "status": "release",
        "owner": "u-bob",
        "slug": "2222222",
        "versions": [{"major_version": 1, "minor_version": 0, "release_time": 1_701_000_000}],
    }
]
DATA_ASSETS: list[Record] = [
    {
        "id": "dddddddd-0000-4000-8000-000000000004",
        "created": 1_650_000_000,
        "name": "Raw recording",
        "mount": "raw",
        "last_used": 1_760_000_000,
        "owner": "u-ada",
        "owner_email": "ada@example.org",
        "state": "ready",
        "type": "dataset",
        "files": 12,
        "size": 3_000_000_000,
        "tags": ["raw", "\u3164", "\U0001f9d1\u200d\U0001f52c"],
        "source_bucket": {"origin": "aws", "bucket": "lab", "prefix": "raw/2022/", "external": True},
        "custom_metadata": {"subject": "677594", "session date": 1_650_000_000, "modality": ["ecephys", "behavior"]},
    },
    {
        "id": "dddddddd-0000-4000-8000-000000000005",
        "created": 1_660_000_000,
        "name": "Sorted",
        "mount": "sorted",
        "last_used": 0,
        "owner": "u-ada",
        "owner_email": "ada@example.org",
        "state": "failed",
        "type": "result",
        "failure_reason": "disk full",
        "provenance": {
            "commit": "abc123",
            "run_script": "code/run",
            "capsule": "6b4b2c1e-0d9c-4d0e-9f0a-1f2d3c4b5a69",
            "data_assets": ["dddddddd-0000-4000-8000-000000000004", "deleted"],
        },
        "app_parameters": [{"name": "threshold", "value": "5"}],
        "source_bucket": {"origin": "local"},
    },
    {
        "id": "dddddddd-0000-4000-8000-000000000006",
        "created": 1_670_000_000,
        "name": "Both",
        "mount": "both",
        "last_used": 0,
        "owner": "u-ada",
        "state": "draft",
        "type": "combined",
        "contained_data_assets": [
            {"id": "dddddddd-0000-4000-8000-000000000004", "mount": "a", "size": 1},
            {"id": "dddddddd-0000-4000-8000-000000000005", "mount": "b", "size": 1},
        ],
    },
    {
        "id": "dddddddd-0000-4000-8000-000000000007",
        "created": 1_680_000_000,
        "name": "Seg\u202emen\u200bter  \U0001f9d1\u200d\U0001f52c",
        "mount": "model",
        "last_used": 0,
        "owner": "u-ada",
        "state": "ready",
        "type": "model",
        "source_bucket": {"origin": "gcp", "bucket": "models"},
    },
]
PERMISSIONS: dict[str, Record] = {
    "0a1b2c3d-0000-4000-8000-000000000001": {
        "users": [{"email": "ada@example.org", "role": "owner"}, {"email": "cleo@example.org", "role": "viewer"}],
        "groups": [{"group": "lab", "role": "editor"}],
        "everyone": "discoverable",
    },
    "dddddddd-0000-4000-8000-000000000004": {"users": [{"email": "OLU@example.org", "role": "editor"}]},
}
NO_PERMISSIONS: Record = {"everyone": "none"}
ROUTE = re.compile(r"/api/v1/(capsules|pipelines|data_assets)/(?:(search)|([^/]+)/permissions)")


@dataclass
class CodeOceanServer:
    """The deployment's assets, and the requests that it got."""

    url: str = ""
    records: dict[str, list[Record]] = field(
        default_factory=lambda: deepcopy({"capsules": CAPSULES, "pipelines": PIPELINES, "data_assets": DATA_ASSETS})
    )
    permissions: dict[str, Record] = field(default_factory=lambda: dict(PERMISSIONS))
    requests: list[str] = field(default_factory=list)
    """Route of each request that was answered with 200."""
    refusals: list[tuple[str, int, dict[str, str]]] = field(default_factory=list)
    """Part of a route, status and headers of the next answers that are refusals."""

    def answer(self, route: str, authorization: str, body: Record) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body of the answer to a request."""
        expected = "Basic " + base64.b64encode(f"{TOKEN}:".encode()).decode()
        if authorization != expected:
            return 401, {}, {"message": "unauthorized"}
        for refusal in self.refusals:
            part, status, headers = refusal
            if part in route:
                self.refusals.remove(refusal)
                return status, headers, {"message": "refused"}
        match = ROUTE.fullmatch(route)
        if match is None:
            return 404, {}, {"message": "not found"}
        self.requests.append(route)
        kind, is_search, id_ = match.groups()
        return 200, {}, self._search(kind, body) if is_search else self.permissions.get(id_, NO_PERMISSIONS)

    def _search(self, kind: str, body: Record) -> Record:
        assert body["sort_field"] == "created"
        assert body["sort_order"] == "asc"
        found = [record for record in self.records[kind] if record.get("archived", False) == body["archived"]]
        start = int(body["next_token"] or 0)
        end = start + min(SERVER_PAGE_SIZE, body["limit"])
        page: Record = {"has_more": end < len(found), "results": found[start:end]}
        return page | ({"next_token": str(end)} if page["has_more"] else {})


@contextmanager
def codeocean_server() -> Iterator[CodeOceanServer]:
    """Serve a deployment on a free port until the end of the block."""
    deployment = CodeOceanServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, body: Record) -> None:
            status, headers, content = deployment.answer(self.path, self.headers["authorization"], body)
            encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(encoded)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None:
            """Write no log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        deployment.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield deployment
        finally:
            server.shutdown()
            thread.join()
