"""This file is the proof that no token but a good one is honoured, and that all others are answered alike."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from typing import Final
from unittest.mock import patch

import httpx
from sqlalchemy import select

from app.application import create_application
from app.negotiation import GRAPHQL_RESPONSE, JSON
from app.oidc import Issuer
from app.settings import Settings
from app.tokens import create_token, revoke_token
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError, Proof
from proofs.token_forgery.headers import Header, carrying, not_carrying
from proofs.token_forgery.tokens import USERS, ApiTokens, Forger
from store import sql
from store.database import Database
from tests.oidc.fake_issuer import AUDIENCE, DISCOVERY, JWKS, FakeIssuer
from tests.oidc.forgeries import GOOD_KEYS, USELESS_KEYS
from tests.oracle import Line

FORGED_TOKENS = 1_000  # in a trial
WORLD: Final[list[Line]] = [
    *({"kind": "user", "id": user, "name": user, "isAdmin": True} for user in USERS),
    {"kind": "group", "id": "group:lab", "name": "lab", "members": list(USERS)},
]
WHO: Final = "{ viewer { user { name } } }"
QUERIES: Final = (
    WHO,
    "{ __typename }",
    "{ __schema { queryType { name } } }",
    "{ assets { totalCount } }",
    'mutation { topicCreate(input: {name: "Forged"}) { topic { id } } }',
)
REFUSAL: Final = b'{"errors":[{"message":"The bearer token is not valid.","extensions":{"code":"UNAUTHENTICATED"}}]}'
REFUSAL_HEADERS: Final = {
    "www-authenticate": 'Bearer error="invalid_token"',
    "cache-control": "private, no-store",
    "vary": "Accept, Authorization",
    "x-content-type-options": "nosniff",
    "content-length": str(len(REFUSAL)),
}


async def trial(databases: Databases, seed: int) -> int:
    """Return how many forged tokens were refused, each in the same words, while good ones were honoured."""
    return await tried(databases, seed, FORGED_TOKENS)


async def tried(databases: Databases, seed: int, forged: int) -> int:
    """Try so many forged tokens, and fewer good ones and odd headers in between; see `trial`."""
    chance, url = Random(seed), await databases.written(WORLD)
    database = Database(url)
    try:
        async with FakeIssuer(keys=[*(key.published() for key in GOOD_KEYS), *USELESS_KEYS]) as fake:
            forger = Forger(chance, fake, await _api_tokens(database))
            async with _serving(database, fake) as client, _serving(database, None) as without_issuer:
                gates = [Gate(each, chance, f"{databases.backend}, seed {seed}") for each in (client, without_issuer)]
                for _ in range(forged):
                    await gates[0].refuse(*forger.forged())
                    await _try_others(chance, forger, *gates)
            assert set(fake.requests) <= {DISCOVERY, JWKS}, fake.requests
        async with database.snapshot() as snapshot:
            assert not await snapshot.rows(select(sql.topic)), "a forged token has changed something"
    finally:
        await database.close()
        databases.drop(url)
    return forged


async def _try_others(chance: Random, forger: Forger, gate: "Gate", without_issuer: "Gate") -> None:
    """Show a good token now and then, and one that would be good elsewhere, or in another header."""
    user, token = forger.good()
    if not chance.randrange(6):
        await gate.honour(user, carrying(chance, token))
    if not chance.randrange(10):
        await gate.refuse_header("a good token in an odd header", not_carrying(chance, token))
    if not chance.randrange(20):
        await without_issuer.refuse("of an issuer that is none of ours", forger.issued())


@dataclass
class Gate:
    """Where tokens are shown, with any operation, and it is told whether they are answered as they must be."""

    client: httpx.AsyncClient
    chance: Random
    where: str

    async def refuse(self, how: str, token: str) -> None:
        """Fail unless the token is refused in the words of all."""
        await self.refuse_header(how, carrying(self.chance, token))

    async def refuse_header(self, how: str, header: Header) -> None:
        """Fail unless a request with these Authorization headers is refused in the words of all."""
        accept, query = self.chance.choice((GRAPHQL_RESPONSE, JSON)), self.chance.choice(QUERIES)
        answer = await self._answer(query, header, accept)
        headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        expected = REFUSAL_HEADERS | {"content-type": f"{accept}; charset=utf-8"}
        if (answer.status_code, headers, answer.content) != (HTTPStatus.UNAUTHORIZED, expected, REFUSAL):
            raise BrokenPromiseError(self._told(f"Not refused as all are: {how}", query, header, answer))

    async def honour(self, user: str, header: Header) -> None:
        """Fail unless a request with these Authorization headers is answered as the user's."""
        answer = await self._answer(WHO, header, JSON)
        if answer.json() != {"data": {"viewer": {"user": {"name": user}}}}:
            raise BrokenPromiseError(self._told(f"Not honoured as {user}'s", WHO, header, answer))

    async def _answer(self, query: str, header: Header, accept: str) -> httpx.Response:
        headers = [(b"accept", accept.encode()), *((b"authorization", _bytes(value)) for value in header)]
        if query.startswith("mutation") or self.chance.randrange(3):
            return await self.client.post("/graphql", json={"query": query}, headers=headers)
        return await self.client.get("/graphql", params={"query": query}, headers=headers)

    def _told(self, fault: str, query: str, header: Header, answer: httpx.Response) -> str:
        asked = f"{answer.request.method} {query} with Authorization {[_bytes(value) for value in header]}"
        return f"{fault}, on {self.where}.\n{asked}\n{answer.status_code} {dict(answer.headers)}\n{answer.text[:2_000]}"


@asynccontextmanager
async def _serving(database: Database, fake: FakeIssuer | None) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the application, which takes the issuer's tokens by the issuer's clock."""
    settings = Settings(oidc_issuer=fake.url, oidc_audience=AUDIENCE) if fake else Settings()

    def issuer_from_settings(issuer: str | None, audience: str | None) -> Issuer | None:
        return Issuer(issuer, audience, fake.clock, fake.timer) if fake and issuer and audience else None

    with patch("app.application.create_issuer", issuer_from_settings):
        transport = httpx.ASGITransport(create_application(settings, database=database))
    async with httpx.AsyncClient(transport=transport, base_url="http://atoll.test") as client:
        yield client


async def _api_tokens(database: Database) -> ApiTokens:
    """Return tokens of ours: of each user a good one, one that has expired and one that was taken back."""
    good = {user: await create_token(database, user, 3_600) for user in USERS}
    expired = [await create_token(database, user, 0) for user in USERS]
    revoked = [await create_token(database, user, 3_600) for user in USERS]
    for token in revoked:
        assert await revoke_token(database, token)
    return ApiTokens(good, expired, revoked)


def _bytes(value: str) -> bytes:
    """Return a header's value as it is sent: a byte for each character, or else in UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


FORGERY = Proof(
    "tokens",
    "No token is honoured but a good one; every other is answered alike, byte for byte, and never as a visitor's.",
    unit="forged tokens",
    goal=10_000,
    trial=trial,
)
