"""Address that a server is to listen on."""

import errno
import socket
from typing import Final

from app.commands.terminal import FAILURE, exit_with

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
LOCAL: Final = "--host 127.0.0.1"


def url_host(host: str) -> str:
    """Return the host as URLs write it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def require_free_port(host: str, port: int) -> None:
    """Exit with a message unless a server can listen on the address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror:
            exit_with(f"Cannot listen on {host}: not an address of this machine. Use for example {LOCAL}.", FAILURE)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            is_other_machine = error.errno == errno.EADDRNOTAVAIL
            option = LOCAL if is_other_machine else f"--port {port % 65_535 + 1}"
            exit_with(f"Cannot listen on {url_host(host)}:{port}: {reason}. Use for example {option}.", FAILURE)
