"""Fake OpenID Connect issuer on loopback: signs any token, and answers as the test says."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from app.oidc import Issuer
from app.oidc_claims import ClaimNames

AUDIENCE: Final = "https://atoll.test/graphql"
NOW: Final = 1_800_000_000.0
ABSENT: Final = object()
"""Value that marks a member to be left out."""
DISCOVERY: Final = "/.well-known/openid-configuration"
JWKS: Final = "/jwks"


@dataclass
class Clock:
    """A clock that the test sets, in seconds."""

    now: float

    def __call__(self) -> float:
        """Return the time that was set."""
        return self.now


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id and algorithm."""

    kid: str
    alg: str
    private: Any

    def published(self, **changes: object) -> dict[str, object]:
        """Return the public key as a JSON Web Key, with members changed or ABSENT."""
        public = jwt.get_algorithm_by_name(self.alg).to_jwk(self.private.public_key(), as_dict=True)
        public.pop("key_ops", None)
        return changed(public | {"kid": self.kid, "alg": self.alg, "use": "sig"}, changes)


@cache
def signing_key(kid: str, alg: str, bits: int = 2048) -> SigningKey:
    """Return the key with this id, the same one every time; `bits` is the size of an RSA key."""
    if alg in {"RS256", "PS256"}:
        return SigningKey(kid, alg, rsa.generate_private_key(65537, bits))
    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}
    return SigningKey(kid, alg, ec.generate_private_key(curves[alg]) if alg in curves else _ed25519())


def changed(members: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Return the members with the changes applied, without the ABSENT ones."""
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


def encoded(part: bytes | Mapping[str, object]) -> str:
    """Encode a part of a token in base64url without padding: bytes as they are, an object as JSON."""
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(header: bytes | Mapping[str, object], claims: bytes | Mapping[str, object], key: object, alg: str) -> str:
    """Return a token of any header and claims, signed by the key (a private key or an HMAC secret)."""
    text = f"{encoded(header)}.{encoded(claims)}"
    return f"{text}.{encoded(jwt.get_algorithm_by_name(alg).sign(text.encode(), key))}"


@dataclass
class FakeIssuer:
    """Server of an issuer's metadata and key set, which records requests. It listens inside its `async with` block."""

    keys: list[object] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    answers: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    """Status, further header lines and body, by path, in place of the normal response."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Requests wait while the gate is not set."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a request waits at the gate."""
    seconds_a_byte: float = 0
    """Delay before each byte of a body."""
    clock: Clock = field(default_factory=lambda: Clock(NOW))
    timer: Clock = field(default_factory=lambda: Clock(1_000.0))
    port: int = 0
    _server: asyncio.Server | None = None
    _serving: set[asyncio.Task[None] | None] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The issuer's identifier."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        """Start to listen, on the previous port if there was one."""
        self.gate.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening, and end open requests."""
        assert self._server is not None
        self._server.close()
        self.gate.set()
        while self._serving:
            await asyncio.wait([task for task in self._serving if task])

    def issuer(self, claim_names: ClaimNames | None = None) -> Issuer:
        """Return a verifier of this issuer's tokens that has fetched nothing yet."""
        return Issuer(self.url, AUDIENCE, clock=self.clock, timer=self.timer, claim_names=claim_names)

    def header(self, key: SigningKey, **changes: object) -> dict[str, object]:
        """Return the header of a valid token, with members changed or ABSENT."""
        return changed({"alg": key.alg, "kid": key.kid, "typ": "at+jwt"}, changes)

    def claims(self, **changes: object) -> dict[str, object]:
        """Return the claims of a valid token, with members changed or ABSENT."""
        good = {"iss": self.url, "aud": AUDIENCE, "sub": "user:ann", "iat": NOW - 10, "exp": NOW + 300}
        return changed(good, changes)

    def token(self, key: SigningKey, header: Mapping[str, object] | None = None, **claims: object) -> str:
        """Return a token that is valid except for the changes to header and claims."""
        return signed(self.header(key, **(header or {})), self.claims(**claims), key.private, key.alg)

    def fetches(self) -> int:
        """Return how often the keys were requested."""
        return self.requests.count(JWKS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            await self._serve_one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # Some tests need a client that stops reading.
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            self._serving.discard(task)

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        self.requests.append(path)
        if not self.gate.is_set():
            self.waiting.set()
        await self.gate.wait()
        status, lines, body = self.answers.get(path) or self._answer(path)
        head = f"HTTP/1.1 {status} Status\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{lines}\r\n"
        writer.write(head.encode())
        at_once = 1 if self.seconds_a_byte else len(body) or 1
        for start in range(0, len(body), at_once):
            writer.write(body[start : start + at_once])
            await writer.drain()
            await asyncio.sleep(self.seconds_a_byte)

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        documents = {DISCOVERY: {"issuer": self.url, "jwks_uri": self.url + JWKS}, JWKS: {"keys": self.keys}}
        return (200, "", json.dumps(documents[path]).encode()) if path in documents else (404, "", b"")


def _ed25519() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()
