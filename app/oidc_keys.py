"""This file is the published keys of an OpenID Connect issuer: fetched, sifted, cached and found by their id."""

import asyncio
import ipaddress
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Never
from urllib.parse import urlsplit

import httpx
import jwt

REFRESH_SECONDS: Final = 600
"""Age at which keys are fetched anew; while the issuer answers, a key it removed is honoured this long at most."""
STALE_SECONDS: Final = 3_600
"""Age at which keys are forgotten when the issuer has not answered since."""
PAUSE_SECONDS: Final = 30
"""Least time between two fetches for unknown key ids, and after a failed fetch while keys are at hand."""
RETRY_SECONDS: Final = 5
"""Least time between two fetches while no keys are at hand."""
FETCH_SECONDS: Final = 5
"""Longest wait for one document of the issuer, from connecting to its last byte."""
DOCUMENT_BYTES: Final = 1_048_576
"""Greatest size of one document of the issuer."""

# Of two, the first is meant where a key names no algorithm.
_ALGORITHMS: Final = {("RSA", None): ("RS256", "PS256"), ("EC", "P-256"): ("ES256",), ("OKP", "Ed25519"): ("EdDSA",)}
_log = logging.getLogger(__name__)


class IssuerUnreachableError(Exception):
    """The issuer's keys cannot be had and none are cached: no token can be judged, good or bad."""

    def __init__(self) -> None:
        """Take no reason: the log has it."""
        super().__init__("The issuer of bearer tokens cannot be reached.")


@dataclass(frozen=True)
class Key:
    """A public key, which verifies by one algorithm, and the id the issuer gave it."""

    kid: str | None
    public: jwt.PyJWK


class IssuerKeys:
    """The keys of one issuer, fetched when first asked for. Many may ask at once; one fetch serves them all."""

    def __init__(self, issuer: str, timer: Callable[[], float]) -> None:
        """Take the issuer's identifier, an address that `is_safe_address` passed, and a timer in seconds."""
        self._issuer = issuer
        self._timer = timer
        self._keys: list[Key] = []
        self._fetched = self._tried = self._sought = float("-inf")
        self._fetch: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> Key | None:
        """Return the only key with that id (without an id: the only key), or None.

        Fetches the keys when they are due, or at once, within limits, when the id is unknown.
        Raises IssuerUnreachable when there are no keys that may still be honoured.
        """
        if self._is_due():
            await self._refresh()
        elif kid is not None and self._cached(kid) is None and self._age() < STALE_SECONDS:
            await self._seek()
        if self._age() >= STALE_SECONDS:
            raise IssuerUnreachableError
        return self._cached(kid)

    def _age(self) -> float:
        return self._timer() - self._fetched

    def _is_due(self) -> bool:
        pause = PAUSE_SECONDS if self._age() < STALE_SECONDS else RETRY_SECONDS
        return self._age() >= REFRESH_SECONDS and self._timer() - self._tried >= pause

    def _cached(self, kid: str | None) -> Key | None:
        # Two keys under one id would leave the choice to the token.
        keys = [key for key in self._keys if kid is None or key.kid == kid]
        return keys[0] if len(keys) == 1 else None

    async def _seek(self) -> None:
        # Anyone may invent key ids, so that they must not decide how often the issuer is asked.
        if self._fetch is None:
            if self._timer() - self._sought < PAUSE_SECONDS:
                return
            self._sought = self._timer()
        await self._refresh()

    async def _refresh(self) -> None:
        if self._fetch is None:
            self._fetch = asyncio.create_task(self._fetch_once())
        # A caller who hangs up must not end the fetch that others wait for, nor use up the only one in a while.
        await asyncio.shield(self._fetch)

    async def _fetch_once(self) -> None:
        started = self._timer()
        try:
            self._keys = await _published_keys(self._issuer)
            self._fetched = started
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
            _log.warning("The keys of %s could not be fetched: %s: %s", self._issuer, type(error).__name__, error)
        finally:
            self._tried = self._timer()
            self._fetch = None


def is_safe_url(address: str, *, loopback: bool) -> bool:
    """Return whether keys may be fetched from there: over https or, where `loopback` allows, http on this machine."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or " " in address or not address.isprintable():
        return False
    return parts.scheme == "https" or (loopback and parts.scheme == "http" and _is_loopback(host))


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Return the object of a JSON text.

    Raises ValueError for another value or encoding, a name given twice, NaN and Infinity; RecursionError for a pit.
    """
    value = json.loads(text.decode(), object_pairs_hook=_distinct, parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise ValueError("the JSON is no object")  # noqa: TRY004 - a fault of the text, as the decoder's own are
    return value


async def _published_keys(issuer: str) -> list[Key]:
    # Discovery is read each time: an issuer may move its keys.
    loopback = urlsplit(issuer).scheme == "http"
    async with httpx.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False, trust_env=not loopback) as client:
        discovery = await _document(client, f"{issuer.removesuffix('/')}/.well-known/openid-configuration")
        if discovery.get("issuer") != issuer:
            raise ValueError("the discovery document names another issuer")
        address = discovery.get("jwks_uri")
        if not isinstance(address, str) or not is_safe_url(address, loopback=loopback):
            raise ValueError("the discovery document has no safe jwks_uri")
        entries = (await _document(client, address)).get("keys")
    if not isinstance(entries, list):
        raise ValueError("the key set has no list of keys")  # noqa: TRY004 - a fault of the text, as the decoder's own are
    return [key for key in map(_signing_key, entries) if key]


async def _document(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    # httpx times each read, and only a deadline stops a server that dribbles.
    async with asyncio.timeout(FETCH_SECONDS), client.stream("GET", address, headers=headers) as response:
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"status {response.status_code} from {address}")
        text = bytearray()
        # Raw, because a compressed body could grow past the limit within one chunk.
        async for chunk in response.aiter_raw():
            text += chunk
            if len(text) > DOCUMENT_BYTES:
                raise ValueError(f"more than {DOCUMENT_BYTES} bytes from {address}")
    return parse_json_object(bytes(text))


def _signing_key(entry: object) -> Key | None:
    """Return the key; None for a symmetric or private one, another purpose, type or algorithm, and nonsense."""
    if not isinstance(entry, dict) or "d" in entry or entry.get("use", "sig") != "sig":
        return None
    kid, operations = entry.get("kid"), entry.get("key_ops", ["verify"])
    if not isinstance(kid, str | None) or not isinstance(operations, list) or "verify" not in operations:
        return None
    curve = None if entry.get("crv") is None else str(entry["crv"])
    algorithms = _ALGORITHMS.get((str(entry.get("kty")), curve), (None,))
    algorithm = entry.get("alg", algorithms[0])
    if algorithm is None or algorithm not in algorithms:
        return None
    try:
        return Key(kid, jwt.PyJWK(entry, algorithm))
    except jwt.PyJWTError:
        return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a name is given twice in a JSON object")
    return found


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
