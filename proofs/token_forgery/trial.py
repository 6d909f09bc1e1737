"""Proof that only valid tokens authenticate, and that all others get one identical response."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
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
from proofs.token_forgery.headers import HeaderValues, invalid_headers, valid_header
from proofs.token_forgery.tokens import LEAVER, USERS, ApiTokens, TokenForger
from store import sql, tokens
from store.changes import open_change_log
from store.database import Database
from store.people.writer import PeopleWriter
from store.tables import PrincipalSource
from tests.in_process import InProcessTransport
from tests.oidc.fake_issuer import AUDIENCE, DISCOVERY, JWKS, FakeIssuer
from tests.oidc.forgeries import GOOD_KEYS, USELESS_KEYS
from tests.oracle import Line

TOKENS_PER_TRIAL = 1_000  # forged ones
WORLD: Final[list[Line]] = [
    *({"kind": "user", "id": user, "name": user, "isAdmin": True} for user in USERS),
    {"kind": "user", "id": LEAVER, "name": LEAVER},
    {"kind": "group", "id": "group:lab", "name": "lab", "members": list(USERS)},
]
VIEWER_QUERY: Final = "{ viewer { user { name } } }"
QUERIES: Final = (
    VIEWER_QUERY,
    "{ __typename }",
    "{ __schema { queryType { name } } }",
    "{ assets { totalCount } }",
    'mutation { topicCreate(input: {name: "Forged"}) { topic { id } } }',
)
REFUSAL: Final = b'{"errors":[{"message":"The bearer token is not valid.","extensions":{"code":"UNAUTHENTICATED"}}]}'
REFUSAL_HEADERS: Final = {
    "www-authenticate": 'Bearer error="invalid_token"',
    "cache-control": "private, no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "vary": "Accept, Accept-Encoding, Authorization",
    "x-content-type-options": "nosniff",
    "content-length": str(len(REFUSAL)),
}


async def trial(databases: Databases, seed: int) -> int:
    """Return the number of forged tokens that got the standard refusal."""
    return await run_trial(databases, seed, TOKENS_PER_TRIAL)


async def run_trial(databases: Databases, seed: int, forged: int) -> int:
    """Try this many forged tokens, with valid tokens and invalid headers in between."""
    random, url = Random(seed), await databases.create_from_catalogue(WORLD)
    database = Database(url)
    try:
        async with FakeIssuer(keys=[*(key.published() for key in GOOD_KEYS), *USELESS_KEYS]) as fake:
            forger = TokenForger(random, fake, await _create_api_tokens(database))
            async with _serve(database, fake) as client, _serve(database, None) as client_without_issuer:
                context = f"{databases.backend}, seed {seed}"
                checker = TokenChecker(client, random, context)
                without_issuer = TokenChecker(client_without_issuer, random, context)
                for _ in range(forged):
                    await checker.expect_refused(*forger.forged_token())
                    await _try_valid_and_odd(random, forger, checker, without_issuer)
            assert set(fake.requests) <= {DISCOVERY, JWKS}, fake.requests
        async with database.snapshot() as snapshot:
            assert not await snapshot.rows(select(sql.topic)), "a forged token changed the database"
    finally:
        await database.close()
        databases.drop(url)
    return forged


async def _try_valid_and_odd(
    random: Random, forger: TokenForger, checker: "TokenChecker", without_issuer: "TokenChecker"
) -> None:
    """Sometimes send a valid token: in a valid header, in an invalid one, or to a server without the token's issuer."""
    user, token = forger.valid_token()
    if not random.randrange(6):
        await checker.expect_accepted(user, valid_header(random, token))
    if not random.randrange(10):
        await checker.expect_header_refused("valid token in an odd header", invalid_headers(random, token))
    if not random.randrange(20):
        await without_issuer.expect_refused("token of an issuer that is not configured", forger.issued_token())


@dataclass
class TokenChecker:
    """Client that sends tokens with random operations and checks the responses."""

    client: httpx.AsyncClient
    random: Random
    context: str

    async def expect_refused(self, how: str, token: str) -> None:
        """Fail unless the token gets the standard refusal."""
        await self.expect_header_refused(how, valid_header(self.random, token))

    async def expect_header_refused(self, how: str, header: HeaderValues) -> None:
        """Fail unless these Authorization headers get the standard refusal."""
        accept, query = self.random.choice((GRAPHQL_RESPONSE, JSON)), self.random.choice(QUERIES)
        response = await self._send(query, header, accept)
        headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
        expected = REFUSAL_HEADERS | {"content-type": f"{accept}; charset=utf-8"}
        if (response.status_code, headers, response.content) != (HTTPStatus.UNAUTHORIZED, expected, REFUSAL):
            raise BrokenPromiseError(
                self._format_failure(f"Not refused with the standard response: {how}", query, header, response)
            )

    async def expect_accepted(self, user: str, header: HeaderValues) -> None:
        """Fail unless these Authorization headers authenticate the user."""
        response = await self._send(VIEWER_QUERY, header, JSON)
        if response.json().get("data") != {"viewer": {"user": {"name": user}}}:
            raise BrokenPromiseError(
                self._format_failure(f"Not accepted as a token of {user}", VIEWER_QUERY, header, response)
            )

    async def _send(self, query: str, header: HeaderValues, accept: str) -> httpx.Response:
        headers = [(b"accept", accept.encode()), *((b"authorization", _bytes(value)) for value in header)]
        if query.startswith("mutation") or self.random.randrange(3):
            return await self.client.post("/graphql", json={"query": query}, headers=headers)
        return await self.client.get("/graphql", params={"query": query}, headers=headers)

    def _format_failure(self, fault: str, query: str, header: HeaderValues, response: httpx.Response) -> str:
        request = f"{response.request.method} {query} with Authorization {[_bytes(value) for value in header]}"
        outcome = f"{response.status_code} {dict(response.headers)}\n{response.text[:2_000]}"
        return f"{fault}, on {self.context}.\n{request}\n{outcome}"


@asynccontextmanager
async def _serve(database: Database, fake: FakeIssuer | None) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of the application, which trusts the issuer and its clock, or no issuer."""
    settings = Settings(rate_points=0)
    if fake:
        settings = replace(settings, oidc_issuer=fake.url, oidc_audience=AUDIENCE)

    def issuer_from_settings(issuer: str | None, audience: str | None, _names: object) -> Issuer | None:
        return Issuer(issuer, audience, fake.clock, fake.timer) if fake and issuer and audience else None

    with patch("app.application.create_issuer", issuer_from_settings):
        transport = InProcessTransport(create_application(settings, database=database))
    async with httpx.AsyncClient(transport=transport, base_url="http://atoll.test") as client:
        yield client


async def _create_api_tokens(database: Database) -> ApiTokens:
    """Create API tokens: for each user a valid one, and some that ended in each way."""
    valid = {user: await create_token(database, user, 3_600) for user in USERS}
    expired = [await create_token(database, user, 0) for user in USERS]
    revoked = [await create_token(database, user, 3_600) for user in USERS]
    children = [await _create_child(database, token) for token in revoked]
    for token in revoked:
        assert await revoke_token(database, token)
    left = await create_token(database, LEAVER, 3_600)
    async with database.write() as connection:
        writer = PeopleWriter(connection, await open_change_log(connection, "proof"), PrincipalSource.CATALOGUE)
        await writer.write_users({LEAVER: {"is_active": False}})
    late = await create_token(database, LEAVER, 3_600)
    return ApiTokens(valid, [*expired, *revoked, *children, left, late])


async def _create_child(database: Database, parent: str) -> str:
    """Create a token with another one."""
    async with database.write() as connection:
        row = await tokens.find(connection, parent)
        assert row is not None
        child = await tokens.create(
            connection, row.user_pk, "child", at=row.created_at, expires_at=row.expires_at, parent_pk=row.pk
        )
    return child.secret


def _bytes(value: str) -> bytes:
    """Encode a header value as sent: Latin-1, or UTF-8 if that is impossible."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode()


TOKEN_FORGERY = Proof(
    "tokens",
    "Only valid tokens authenticate; all others get one refusal, byte for byte, and are never treated as anonymous.",
    unit="forged tokens",
    goal=10_000,
    trial=trial,
)
