"""Load on a server: wrk on a core of its own for some seconds, or a number of requests one after another."""

import math
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.race.server import LOAD_CORE, Server

CONNECTIONS = 4
IDLE_SECONDS, MAX_IDLE_WAIT_SECONDS = 0.1, 30
LEAD_SECONDS = 0.3  # the load in the background runs before the measured one
COUNTED_REQUESTS = 3
SCRIPT = """wrk.method = "POST"
wrk.body = [==[{body}]==]
{headers}
done = function(summary, latency)
  local failed = summary.errors
  io.write(string.format("MEASURED %d %f %f %f %d\\n", summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    failed.status + failed.timeout + failed.connect + failed.read + failed.write))
end
"""


class Measurement(NamedTuple):
    """Requests per second, the server's CPU milliseconds per request, and latencies in milliseconds.

    `cpu` is NaN where other requests run beside the measured ones.
    """

    rate: float
    cpu: float
    p50: float
    p99: float


def require_wrk() -> None:
    """Exit if the load cannot be generated."""
    missing = [name for name in ("wrk", "taskset") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"make bench needs {' and '.join(missing)}: apt-get install wrk util-linux")


def measure(server: Server, operation: str, seconds: float) -> Measurement:
    """Send an operation over several connections for some seconds."""
    before = server.cpu_seconds()
    with wrk(server, operation, seconds, CONNECTIONS) as process:
        requests, duration, p50, p99 = _result(process, server, operation)
    cpu = server.cpu_seconds() - before
    wait_until_idle(server)
    return Measurement(requests / duration, cpu / requests * 1_000, p50, p99)


def measure_one_by_one(server: Server, operation: str, seconds: float) -> Measurement:
    """Send requests one after another; for operations that take long, of which wrk would complete too few.

    They are COUNTED_REQUESTS or, if those take less, as many as take the given seconds.
    """
    before, times = server.cpu_seconds(), list[float]()
    while len(times) < COUNTED_REQUESTS or sum(times) < seconds:
        times.append(server.ask(operation).seconds)
    cpu = (server.cpu_seconds() - before) / len(times)
    return Measurement(len(times) / sum(times), cpu * 1_000, statistics.median(times) * 1_000, max(times) * 1_000)


def measure_beside(server: Server, operation: str, other: str, seconds: float) -> Measurement:
    """Send an operation for some seconds while one connection sends another in a loop."""
    with wrk(server, other, seconds + 1, 1) as background:
        time.sleep(LEAD_SECONDS)
        with wrk(server, operation, seconds, CONNECTIONS) as process:
            requests, duration, p50, p99 = _result(process, server, operation)
        _result(background, server, other)
    wait_until_idle(server)
    return Measurement(requests / duration, math.nan, p50, p99)


def wait_until_idle(server: Server) -> None:
    """Wait until the server has dealt with the requests that wrk left behind, for it shares its core with others."""
    deadline = time.monotonic() + MAX_IDLE_WAIT_SECONDS
    used = -1.0
    while used != (used := server.cpu_seconds()) and time.monotonic() < deadline:
        time.sleep(IDLE_SECONDS)


@contextmanager
def wrk(server: Server, operation: str, seconds: float, connections: int) -> Iterator[subprocess.Popen[str]]:
    """Run wrk; kill it if it still runs at the end of the block."""
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in server.headers.items())
    command = [
        "taskset",
        "--cpu-list",
        str(LOAD_CORE),
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(SCRIPT.replace("{body}", server.body(operation)).replace("{headers}", headers))
        file.flush()
        command += ["--timeout", "60s", "-s", str(Path(file.name)), server.url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _result(process: subprocess.Popen[str], server: Server, operation: str) -> tuple[float, float, float, float]:
    """Return the requests, seconds, p50 and p99 that wrk measured; exit if any request failed."""
    output = process.communicate()[0]
    line = next((line for line in output.splitlines() if line.startswith("MEASURED")), None)
    if line is None:
        raise SystemExit(f"wrk failed on {server.name}, {operation}: {output}")
    requests, duration, p50, p99, failed = map(float, line.split()[1:])
    if failed or not requests:
        raise SystemExit(f"{server.name} failed {failed:.0f} and completed {requests:.0f} requests of {operation}.")
    return requests, duration, p50, p99
