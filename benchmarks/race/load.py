"""The load: wrk on a core of its own, for some seconds."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.race.server import LOAD_CORE, Server

CONNECTIONS = 4
SCRIPT = """wrk.method = "POST"
wrk.body = [==[{body}]==]
{headers}
done = function(summary, latency)
  io.write(string.format("MEASURED %d %f %f %f %d\\n", summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, summary.errors.status + summary.errors.timeout))
end
"""


class Measurement(NamedTuple):
    """One run of the load: requests per second, CPU milliseconds per request, latencies in milliseconds."""

    rate: float
    cpu: float
    p50: float
    p99: float


def require_wrk() -> None:
    """End the race where wrk is missing."""
    if shutil.which("wrk") is None or shutil.which("taskset") is None:
        raise SystemExit("make bench needs wrk and taskset: apt-get install wrk util-linux")


def measure(server: Server, operation: str, seconds: float, connections: int = CONNECTIONS) -> Measurement:
    """Load the server with one operation and return what was measured; end the race on any failed request."""
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in server.headers.items())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.replace("{body}", server.body(operation)).replace("{headers}", headers))
        script.flush()
        before = server.cpu_seconds()
        output = _wrk(server.url, Path(script.name), seconds, connections)
        time.sleep(0.05)  # the last requests end
        cpu = server.cpu_seconds() - before
    line = next((line for line in output.splitlines() if line.startswith("MEASURED")), None)
    if line is None:
        raise SystemExit(f"wrk failed on {server.name}, {operation}: {output}")
    requests, duration, p50, p99, failed = map(float, line.split()[1:])
    if failed:
        raise SystemExit(f"{server.name} failed {failed:.0f} requests of {operation}")
    return Measurement(requests / duration, cpu / max(requests, 1) * 1_000, p50, p99)


def _wrk(url: str, script: Path, seconds: float, connections: int) -> str:
    command = ["taskset", "--cpu-list", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    command += ["--timeout", "60s", "-s", str(script), url]
    finished = subprocess.run(command, check=False, capture_output=True, text=True)
    return finished.stdout + finished.stderr
