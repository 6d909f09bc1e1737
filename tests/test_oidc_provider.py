"""Tests of the verification of tokens of a real issuer, oidc-provider on Node.js, with key rotation."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx
import jwt
import pytest

from app.oidc import InvalidTokenError, Issuer, IssuerUnreachableError
from app.oidc_claims import Provisioning
from tests.conftest import GraphQLClient, World, settings_of
from tests.node import node_for

HERE: Final = Path(__file__).parent / "oidc"
AUDIENCE: Final = "https://atoll.test/graphql"
CLIENT: Final = "notebook"
CLIENT_SECRET: Final = "a secret of this test alone"
START_SECONDS: Final = 20


@dataclass
class Provider:
    """A running issuer, which rotates its keys on command."""

    process: asyncio.subprocess.Process
    issuer: str = ""
    kids: tuple[str, ...] = ()

    async def send(self, command: str) -> "Provider":
        """Send a command (`add ALG`, `drop KID`); return the issuer after it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        return await self.read_description()

    async def read_description(self) -> "Provider":
        """Read the issuer's next description of itself."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), START_SECONDS)
        description = json.loads(line)
        self.issuer, self.kids = description["issuer"], tuple(description["kids"])
        return self

    async def token(self, audience: str = AUDIENCE) -> str:
        """Request an access token for the audience by client credentials."""
        form = {"grant_type": "client_credentials", "resource": audience, "scope": "collections"}
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{self.issuer}/token", data=form, auth=(CLIENT, CLIENT_SECRET))
        assert answer.status_code == httpx.codes.OK, answer.text
        return str(answer.json()["access_token"])


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Yield a running issuer with one RS256 key."""
    node = node_for(HERE)
    process = await asyncio.create_subprocess_exec(
        node,
        "--no-warnings",
        str(HERE / "issuer.mjs"),
        AUDIENCE,
        CLIENT,
        CLIENT_SECRET,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield await Provider(process).read_description()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_an_access_token_of_each_algorithm_is_accepted(provider: Provider, alg: str) -> None:
    token = await (await provider.send(f"add {alg}")).token()
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"], header["kid"]) == ("at+jwt", alg, provider.kids[0])
    assert (await Issuer(provider.issuer, AUDIENCE).verify(token)).subject == CLIENT


async def test_groups_in_the_claims_of_an_issuer_become_groups(provider: Provider, own_world: World) -> None:
    settings = replace(
        settings_of(own_world.url),
        oidc_issuer=provider.issuer,
        oidc_audience=AUDIENCE,
        oidc_provisioning=Provisioning.CREATE,
        oidc_admin_group="admins",
    )
    ask = GraphQLClient(own_world, settings)
    seen = []
    for claims in ({"name": "Ann", "email": "ann@example.org", "groups": ["staff", "admins"]}, {"groups": ["staff"]}):
        await provider.send(f"claims {json.dumps(claims)}")
        await asyncio.sleep(1)  # the issuer's times are whole seconds
        ask.tokens = {CLIENT: await provider.token()}
        seen.append(
            (await ask(CLIENT, "{ viewer { user { name email } isAdmin groups { nodes { name } } } }"))["viewer"]
        )
    await ask.close()
    user = {"name": "Ann", "email": "ann@example.org"}
    assert seen == [
        {"user": user, "isAdmin": True, "groups": {"nodes": [{"name": "admins"}, {"name": "staff"}]}},
        {"user": user, "isAdmin": False, "groups": {"nodes": [{"name": "staff"}]}},
    ]


async def test_an_access_token_for_another_audience_is_rejected(provider: Provider) -> None:
    issuer = Issuer(provider.issuer, AUDIENCE)
    with pytest.raises(InvalidTokenError):
        await issuer.verify(await provider.token("https://other.test"))
    assert (await issuer.verify(await provider.token())).subject == CLIENT


async def test_tokens_stay_valid_during_key_rotation_until_their_key_is_removed(provider: Provider) -> None:
    seconds = [0.0]
    issuer = Issuer(provider.issuer, AUDIENCE, timer=lambda: seconds[0])
    old = await provider.token()
    assert (await issuer.verify(old)).subject == CLIENT
    new = await (await provider.send("add ES256")).token()
    assert [(await issuer.verify(token)).subject for token in (old, new)] == [CLIENT, CLIENT]
    await provider.send(f"drop {provider.kids[1]}")
    seconds[0] += 600
    assert (await issuer.verify(new)).subject == CLIENT
    with pytest.raises(InvalidTokenError):
        await issuer.verify(old)


async def test_tokens_are_accepted_for_an_hour_after_their_issuer_stopped(provider: Provider) -> None:
    seconds = [0.0]
    issuer = Issuer(provider.issuer, AUDIENCE, clock=lambda: _issued(token), timer=lambda: seconds[0])
    token = await provider.token()
    assert (await issuer.verify(token)).subject == CLIENT
    provider.process.kill()
    await provider.process.wait()
    seconds[0] = 3_599
    assert (await issuer.verify(token)).subject == CLIENT
    seconds[0] = 3_600
    with pytest.raises(IssuerUnreachableError):
        await issuer.verify(token)


def _issued(token: str) -> float:
    return float(jwt.decode(token, options={"verify_signature": False})["iat"])
