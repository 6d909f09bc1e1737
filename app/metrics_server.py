"""HTTP server of the metrics, on a port of its own: in the server process, or in the parent of several workers."""

import multiprocessing
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Metric, ProcessCollector, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.settings import SettingError

_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:]+)\]|(?P<host>[^:\s]+)):(?P<port>\d{1,5})")
_FOLDER_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"


Address = tuple[str, int]
"""Host and port."""


def parse_address(text: str) -> Address:
    """Parse `host:port` or `[IPv6 address]:port`. Raises ValueError for other texts."""
    match = _ADDRESS.fullmatch(text)
    port = int(match["port"]) if match else 0
    if match is None or not 0 < port < 2**16:
        raise ValueError(f"Invalid ATOLL_METRICS {text!r}. Use an address and a port, for example 127.0.0.1:9464.")
    return match["six"] or match["host"], port


@contextmanager
def serve_metrics(address: Address, *, workers: int) -> Iterator[None]:
    """Serve the metrics until the end of the block. Raises SettingError if the address cannot be used.

    One worker is this process. Several start in the block; each writes its metrics into files of a folder, which the
    environment names, and this process adds them up.
    """
    if workers == 1:
        with _serve(address, REGISTRY):
            yield
        return
    with tempfile.TemporaryDirectory(prefix="atoll-metrics-") as folder:
        os.environ[_FOLDER_VARIABLE] = folder
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]  # the library declares no types here
        registry.register(WorkerCollector())
        with _serve(address, registry):
            yield


@contextmanager
def _serve(address: Address, registry: CollectorRegistry) -> Iterator[None]:
    host, port = address
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingError(f"Cannot listen on ATOLL_METRICS={host}:{port}: {reason}. Use another address.") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class WorkerCollector(Collector):
    """Figures of each worker's process, with the label `pid`."""

    def collect(self) -> Iterable[Metric]:
        """Return memory, CPU time and descriptors of the workers that run now."""
        metrics: dict[str, Metric] = {}
        for worker in multiprocessing.active_children():
            pid = str(worker.pid)
            for one in ProcessCollector(pid=partial(str, pid), registry=None).collect():
                metric = metrics.setdefault(one.name, Metric(one.name, one.documentation, one.type))
                for sample in one.samples:
                    metric.add_sample(sample.name, {"pid": pid}, sample.value)
        return metrics.values()
