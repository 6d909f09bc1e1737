"""This file is a small part of the proof that only good tokens are honoured, and faults that it must find."""

import random
from typing import Any

import jwt
import pytest
from starlette.requests import Request

from app.authentication import verify_bearer_token
from app.oidc import Issuer
from permissions.viewer import anonymous_viewer, viewer_by_token
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError
from proofs.token_forgery.trial import tried
from tests.conftest import GraphQLClient
from tests.oidc.fake_issuer import AUDIENCE

MOST = 2_000
"""Forged tokens among which one at least must find a fault."""


@pytest.mark.parametrize("seed", [1, 2, random.randrange(1 << 32)], ids=["first", "second", "new"])
async def test_a_forged_token_is_refused_in_the_words_of_all_and_a_good_one_honoured(
    databases: Databases, seed: int
) -> None:
    assert await tried(databases, seed, 200) == 200


async def or_a_visitor(snapshot: Any, token: str) -> Any:
    return await viewer_by_token(snapshot, token) or await anonymous_viewer(snapshot)


async def of_one_scheme(request: Request, issuer: Issuer | None) -> Any:
    is_bearer = request.headers.get("authorization", "").strip().lower().startswith("bearer ")
    return await verify_bearer_token(request, issuer) if is_bearer else (None, None)


FAULTS = {
    "signatures are not verified": (
        "app.oidc._signed_claims",
        lambda token, *_: jwt.decode(token, options={"verify_signature": False}),
    ),
    "audiences are not compared": ("app.oidc._audiences", lambda _claims: [AUDIENCE]),
    "tokens of an issuer are good for longer": ("app.oidc.LEEWAY_SECONDS", 3_600),
    "tokens of ours do not expire": ("permissions.viewer.now_ms", lambda: 0),
    "a bad token is that of a visitor": ("app.authentication.viewer_by_token", or_a_visitor),
    "another scheme is that of a visitor": ("app.application.verify_bearer_token", of_one_scheme),
}


@pytest.mark.parametrize(("what", "fault"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_found(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, what: str, fault: object
) -> None:
    monkeypatch.setattr(what, fault)
    with pytest.raises(BrokenPromiseError, match="Not refused as all are"):
        await tried(databases, random.randrange(1 << 32), MOST)


async def status(ask: GraphQLClient, header: str) -> int:
    headers = {b"authorization": header.encode("latin-1")}
    return (await ask.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)).status_code


@pytest.mark.parametrize("beside", ["\n", "\x0b", "\x1c", "\x85", "\xa0"])
async def test_nothing_but_blanks_may_stand_beside_a_token(ask: GraphQLClient, beside: str) -> None:
    token = ask.tokens["eve"]
    assert [await status(ask, f"Bearer {beside}{token}"), await status(ask, f"Bearer {token}{beside}")] == [401, 401]


async def test_blanks_around_the_header_are_not_of_it_and_only_spaces_may_follow_the_scheme(ask: GraphQLClient) -> None:
    token = ask.tokens["eve"]
    assert [await status(ask, f" \tBearer   {token}\t "), await status(ask, f"Bearer \t{token}")] == [200, 401]
