"""A small part of the proof that only valid tokens authenticate, and faults that the proof must find."""

import random
from collections.abc import Sequence
from typing import Any

import jwt
import pytest

from app.authentication import verify_bearer_token
from app.oidc import Issuer
from permissions.viewer import anonymous_viewer, viewer_by_token
from proofs.databases import Databases
from proofs.proof import BrokenPromiseError
from proofs.token_forgery.trial import run_trial
from tests.conftest import GraphQLClient
from tests.oidc.fake_issuer import AUDIENCE

MAX_TOKENS = 2_000
"""Number of forged tokens within which a fault must be found."""


@pytest.mark.parametrize("seed", [1, 2, random.randrange(1 << 32)], ids=["first", "second", "new"])
async def test_forged_tokens_get_the_standard_refusal_and_valid_ones_authenticate(
    databases: Databases, seed: int
) -> None:
    assert await run_trial(databases, seed, 200) == 200


async def viewer_or_anonymous(snapshot: Any, token: str) -> Any:
    return await viewer_by_token(snapshot, token) or await anonymous_viewer(snapshot)


async def ignore_other_schemes(authorization: Sequence[bytes], issuer: Issuer | None) -> Any:
    is_bearer = b"".join(authorization[:1]).strip().lower().startswith(b"bearer ")
    return await verify_bearer_token(authorization, issuer) if is_bearer else (None, None)


FAULTS = {
    "signatures are not verified": (
        "app.oidc._signed_claims",
        lambda token, *_: jwt.decode(token, options={"verify_signature": False}),
    ),
    "audiences are not compared": ("app.oidc._audiences", lambda _claims: [AUDIENCE]),
    "an issuer's tokens are accepted after they expire": ("app.oidc.LEEWAY_SECONDS", 3_600),
    "API tokens do not expire": ("permissions.viewer.now_ms", lambda: 0),
    "an invalid token is treated as anonymous": ("app.authentication.viewer_by_token", viewer_or_anonymous),
    "another scheme is treated as anonymous": ("app.application.verify_bearer_token", ignore_other_schemes),
}


@pytest.mark.parametrize(("target", "fault"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_is_found(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, target: str, fault: object
) -> None:
    monkeypatch.setattr(target, fault)
    with pytest.raises(BrokenPromiseError, match="Not refused with the standard response"):
        await run_trial(databases, random.randrange(1 << 32), MAX_TOKENS)


async def status(ask: GraphQLClient, header: str) -> int:
    headers = {b"authorization": header.encode("latin-1")}
    return (await ask.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)).status_code


@pytest.mark.parametrize("character", ["\n", "\x0b", "\x1c", "\x85", "\xa0"])
async def test_a_token_next_to_other_whitespace_than_blanks_is_refused(ask: GraphQLClient, character: str) -> None:
    token = ask.tokens["eve"]
    assert [await status(ask, f"Bearer {character}{token}"), await status(ask, f"Bearer {token}{character}")] == [
        401,
        401,
    ]


async def test_blanks_around_the_header_are_ignored_and_only_spaces_may_follow_the_scheme(ask: GraphQLClient) -> None:
    token = ask.tokens["eve"]
    assert [await status(ask, f" \tBearer   {token}\t "), await status(ask, f"Bearer \t{token}")] == [200, 401]
