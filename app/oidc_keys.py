"""Published keys of an OpenID Connect issuer: fetched, validated, cached and looked up by id."""

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
"""Age at which keys are fetched again. While the issuer answers, a removed key is accepted this long at most."""
STALE_SECONDS: Final = 3_600
"""Age at which keys expire if the issuer has not answered since."""
PAUSE_SECONDS: Final = 30
"""Minimum time between fetches for unknown key ids, and after a failed fetch while keys are cached."""
RETRY_SECONDS: Final = 5
"""Minimum time between fetches while no keys are cached, or only expired ones."""
FETCH_SECONDS: Final = 5
"""Timeout for one document of the issuer, from connecting to its last byte."""
DOCUMENT_BYTES: Final = 1_048_576
"""Maximum size of one document of the issuer."""

# Algorithms by key type and curve. A key that names no algorithm uses the first.
_ALGORITHMS: Final = {("RSA", None): ("RS256", "PS256"), ("EC", "P-256"): ("ES256",), ("OKP", "Ed25519"): ("EdDSA",)}
_log = logging.getLogger(__name__)


class IssuerUnreachableError(Exception):
    """The issuer's keys cannot be fetched and none are cached, so that no token can be verified."""

    def __init__(self) -> None:
        """Take no reason; it is logged where the fetch fails."""
        super().__init__("The issuer of bearer tokens cannot be reached.")


@dataclass(frozen=True)
class Key:
    """A public key for one algorithm, with the id that the issuer gave it."""

    kid: str | None
    public: jwt.PyJWK


class IssuerKeys:
    """Cached keys of one issuer, fetched on first use. Concurrent lookups share one fetch."""

    def __init__(self, issuer: str, timer: Callable[[], float]) -> None:
        """Take the issuer's identifier, a URL that `is_safe_url` accepts, and a timer in seconds."""
        self._issuer = issuer
        self._timer = timer
        self._keys: list[Key] = []
        self._fetched_at = self._tried_at = self._unknown_fetch_at = float("-inf")
        self._fetch: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> Key | None:
        """Return the only key with this id, or without an id the only key; None if there is none, or more than one.

        Fetches the keys if they are too old or, at a limited rate, if the id is unknown.
        Raises IssuerUnreachableError if all cached keys have expired.
        """
        if self._is_due():
            await self._refresh()
        elif kid is not None and self._cached(kid) is None and self._age() < STALE_SECONDS:
            await self._fetch_unknown()
        if self._age() >= STALE_SECONDS:
            raise IssuerUnreachableError
        return self._cached(kid)

    def _age(self) -> float:
        return self._timer() - self._fetched_at

    def _is_due(self) -> bool:
        pause = PAUSE_SECONDS if self._age() < STALE_SECONDS else RETRY_SECONDS
        return self._age() >= REFRESH_SECONDS and self._timer() - self._tried_at >= pause

    def _cached(self, kid: str | None) -> Key | None:
        # If several keys match, none is used: a token must not choose which key verifies it.
        keys = [key for key in self._keys if kid is None or key.kid == kid]
        return keys[0] if len(keys) == 1 else None

    async def _fetch_unknown(self) -> None:
        # Anyone can invent key ids, so they must not control the rate of fetches.
        if self._fetch is None:
            if self._timer() - self._unknown_fetch_at < PAUSE_SECONDS:
                return
            self._unknown_fetch_at = self._timer()
        await self._refresh()

    async def _refresh(self) -> None:
        if self._fetch is None:
            self._fetch = asyncio.create_task(self._fetch_once())
        # A client that disconnects must not cancel the fetch that others wait for.
        await asyncio.shield(self._fetch)

    async def _fetch_once(self) -> None:
        started = self._timer()
        try:
            self._keys = await _published_keys(self._issuer)
            self._fetched_at = started
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
            _log.warning("The keys of %s could not be fetched: %s: %s", self._issuer, type(error).__name__, error)
        finally:
            self._tried_at = self._timer()
            self._fetch = None


def is_safe_url(address: str, *, loopback: bool) -> bool:
    """Return whether keys may be fetched from the URL: https or, if `loopback` is set, http on this machine."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or " " in address or not address.isprintable():
        return False
    return parts.scheme == "https" or (loopback and parts.scheme == "http" and _is_loopback(host))


def parse_json_object(text: bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises ValueError for text that is not a JSON object in UTF-8, a duplicate name, NaN or Infinity, and RecursionError
    if it is nested too deeply.
    """
    value = json.loads(text.decode(), object_pairs_hook=_reject_duplicates, parse_constant=_reject_constant)
    if not isinstance(value, dict):
        raise ValueError("the JSON is not an object")  # noqa: TRY004 - like the decoder's own errors
    return value


async def _published_keys(issuer: str) -> list[Key]:
    # The discovery document is fetched each time, because the issuer may move its keys to another URL.
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
        raise ValueError("the key set has no list of keys")  # noqa: TRY004 - like the decoder's own errors
    return [key for key in map(_signing_key, entries) if key]


async def _document(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    # httpx limits each read only; the deadline stops a server that sends byte by byte.
    async with asyncio.timeout(FETCH_SECONDS), client.stream("GET", address, headers=headers) as response:
        if response.status_code != httpx.codes.OK:
            raise ValueError(f"status {response.status_code} from {address}")
        text = bytearray()
        # Not decompressed, because one chunk of a compressed body could expand past the limit.
        async for chunk in response.aiter_raw():
            text += chunk
            if len(text) > DOCUMENT_BYTES:
                raise ValueError(f"more than {DOCUMENT_BYTES} bytes from {address}")
    return parse_json_object(bytes(text))


def _signing_key(entry: object) -> Key | None:
    """Return the key, or None for a symmetric, private, malformed or unsupported key, or one not for signing."""
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


def _reject_duplicates(members: list[tuple[str, Any]]) -> dict[str, Any]:
    distinct = dict(members)
    if len(distinct) != len(members):
        raise ValueError("a JSON object has a duplicate name")
    return distinct


def _reject_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
