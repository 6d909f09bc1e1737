"""Tests of an issuer's keys: when they are fetched, how long they are accepted, and hostile issuers."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator

import pytest

from app import oidc_keys
from app.oidc import InvalidTokenError, Issuer, IssuerUnreachableError
from tests.oidc.fake_issuer import DISCOVERY, JWKS, FakeIssuer, signing_key

OLD, NEW = signing_key("old", "ES256"), signing_key("new", "EdDSA")
UNKNOWN = signing_key("unknown", "EdDSA")


@pytest.fixture
async def fake() -> AsyncIterator[FakeIssuer]:
    """Yield an issuer with one key."""
    async with FakeIssuer(keys=[OLD.published()]) as started:
        yield started


async def is_accepted(issuer: Issuer, token: str) -> bool:
    """Return whether the token is accepted; IssuerUnreachableError is not caught."""
    try:
        return (await issuer.verify(token)).subject == "user:ann"
    except InvalidTokenError:
        return False


async def test_nothing_is_fetched_before_the_first_well_formed_token(fake: FakeIssuer) -> None:
    issuer = fake.issuer()
    assert not await is_accepted(issuer, "no token")
    assert fake.requests == []
    assert await is_accepted(issuer, fake.token(OLD))
    assert fake.requests == [DISCOVERY, JWKS]


async def test_keys_are_cached_for_ten_minutes_and_then_fetched_again(fake: FakeIssuer) -> None:
    issuer, token = fake.issuer(), fake.token(OLD)
    fetches = []
    for now in (1_000, 1_300, 1_599, 1_600, 1_601, 2_199, 2_200):
        fake.timer.now = now
        assert await is_accepted(issuer, token)
        fetches.append(fake.fetches())
    assert fetches == [1, 1, 1, 2, 2, 2, 3]


async def test_a_hundred_concurrent_tokens_share_one_fetch(fake: FakeIssuer) -> None:
    issuer, token = fake.issuer(), fake.token(OLD)
    assert await asyncio.gather(*(is_accepted(issuer, token) for _ in range(100))) == [True] * 100
    assert fake.requests == [DISCOVERY, JWKS]


async def test_a_cancelled_request_does_not_cancel_the_shared_fetch(fake: FakeIssuer) -> None:
    fake.gate.clear()
    issuer, token = fake.issuer(), fake.token(OLD)
    first, second = (asyncio.create_task(is_accepted(issuer, token)) for _ in range(2))
    await fake.waiting.wait()
    first.cancel()
    fake.gate.set()
    assert await second
    assert first.cancelled()
    assert fake.requests == [DISCOVERY, JWKS]


async def test_a_new_key_is_accepted_at_once(fake: FakeIssuer) -> None:
    issuer = fake.issuer()
    assert await is_accepted(issuer, fake.token(OLD))
    fake.keys.append(NEW.published())
    fake.timer.now += 1
    assert await is_accepted(issuer, fake.token(NEW))
    assert await is_accepted(issuer, fake.token(OLD))
    assert fake.fetches() == 2


async def test_tokens_of_a_new_key_wait_for_the_running_fetch(fake: FakeIssuer) -> None:
    issuer = fake.issuer()
    assert await is_accepted(issuer, fake.token(OLD))
    fake.keys.append(NEW.published())
    token = fake.token(NEW)
    assert await asyncio.gather(*(is_accepted(issuer, token) for _ in range(50))) == [True] * 50
    assert fake.fetches() == 2


async def test_a_valid_token_does_not_wait_for_the_fetch_of_a_forged_one(fake: FakeIssuer) -> None:
    issuer = fake.issuer()
    assert await is_accepted(issuer, fake.token(OLD))
    fake.gate.clear()
    forged = asyncio.create_task(is_accepted(issuer, fake.token(UNKNOWN)))
    await fake.waiting.wait()
    assert await asyncio.wait_for(is_accepted(issuer, fake.token(OLD)), 1)
    fake.gate.set()
    assert not await forged


async def test_unknown_ids_cause_one_fetch_in_thirty_seconds(fake: FakeIssuer) -> None:
    issuer = fake.issuer()
    assert await is_accepted(issuer, fake.token(OLD))
    fetches = []
    for second in range(0, 61, 5):
        fake.timer.now = 1_001 + second
        flood = [fake.token(UNKNOWN, {"kid": f"{second}-{number}"}) for number in range(20)]
        assert not any(await asyncio.gather(*(is_accepted(issuer, token) for token in flood)))
        fetches.append(fake.fetches() - 1)
    assert fetches == [1] * 6 + [2] * 6 + [3]


async def test_a_removed_key_is_accepted_until_the_next_fetch_and_no_longer(fake: FakeIssuer) -> None:
    issuer, token = fake.issuer(), fake.token(OLD)
    assert await is_accepted(issuer, token)
    fake.keys[:] = [NEW.published()]
    fake.timer.now += 599
    assert await is_accepted(issuer, token)
    fake.timer.now += 1
    assert not await is_accepted(issuer, token)
    assert await is_accepted(issuer, fake.token(NEW))


async def test_a_key_may_change_under_its_id(fake: FakeIssuer) -> None:
    issuer = fake.issuer()
    assert await is_accepted(issuer, fake.token(OLD))
    fake.keys[:] = [NEW.published(kid="old")]
    fake.timer.now += 600
    assert await is_accepted(issuer, fake.token(NEW, {"kid": "old"}))
    assert not await is_accepted(issuer, fake.token(OLD))


async def test_without_keys_every_token_is_rejected_although_the_issuer_is_reachable(fake: FakeIssuer) -> None:
    fake.keys.clear()
    assert not await is_accepted(fake.issuer(), fake.token(OLD))


async def test_an_issuer_down_at_the_start_is_unreachable_until_it_is_up() -> None:
    fake = FakeIssuer(keys=[OLD.published()])
    async with fake:
        issuer, token = fake.issuer(), fake.token(OLD)
    with pytest.raises(IssuerUnreachableError):
        await issuer.verify(token)
    async with fake:
        fake.timer.now += 4.9
        with pytest.raises(IssuerUnreachableError):
            await issuer.verify(token)
        assert fake.requests == []
        fake.timer.now += 0.1
        assert await is_accepted(issuer, token)


async def test_a_failing_issuer_is_asked_once_for_a_hundred_tokens(fake: FakeIssuer) -> None:
    fake.answers[DISCOVERY] = (503, "", b"")
    issuer, token = fake.issuer(), fake.token(OLD)
    answers = await asyncio.gather(*(issuer.verify(token) for _ in range(100)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [IssuerUnreachableError] * 100
    assert fake.requests == [DISCOVERY]


async def test_keys_are_accepted_for_an_hour_after_the_last_fetch_if_the_issuer_fails(
    fake: FakeIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    issuer, token = fake.issuer(), fake.token(OLD)
    assert await is_accepted(issuer, token)
    fake.answers[JWKS] = (500, "", b"")
    attempts = []
    for now in (1_600, 1_629, 1_630, 1_659, 1_660, 4_599):
        fake.timer.now = now
        assert await is_accepted(issuer, token)
        attempts.append(fake.fetches() - 1)
    assert attempts == [1, 1, 2, 2, 3, 4]
    assert not await is_accepted(issuer, fake.token(UNKNOWN))
    fake.timer.now = 4_600
    with pytest.raises(IssuerUnreachableError):
        await issuer.verify(token)
    assert {record.levelno for record in caplog.records if record.name == "app.oidc_keys"} == {logging.WARNING}
    fake.answers.clear()
    fake.timer.now += 5
    assert await is_accepted(issuer, token)


async def test_a_clock_set_back_does_not_extend_the_life_of_keys(fake: FakeIssuer) -> None:
    issuer, token = fake.issuer(), fake.token(OLD)
    assert await is_accepted(issuer, token)
    fake.keys.clear()
    fake.clock.now -= 20
    fake.timer.now += 600
    assert not await is_accepted(issuer, token)


def document(**members: object) -> tuple[int, str, bytes]:
    """Return a response with this JSON object."""
    return 200, "", json.dumps(members).encode()


def padded(size: int) -> tuple[int, str, bytes]:
    """Return a key set with the valid key, padded to this number of bytes."""
    text = json.dumps({"keys": [OLD.published()]}).encode()
    return 200, "", text + b" " * (size - len(text))


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        pytest.param(DISCOVERY, (404, "", b""), id="no discovery"),
        pytest.param(DISCOVERY, (404, "", document(issuer="{url}", jwks_uri="{url}/jwks")[2]), id="discovery denied"),
        pytest.param(DISCOVERY, (200, "", b"<html>"), id="discovery no JSON"),
        pytest.param(DISCOVERY, (200, "", b"[]"), id="discovery a list"),
        pytest.param(DISCOVERY, (200, "", b"[" * 100_000), id="discovery nested too deep"),
        pytest.param(DISCOVERY, document(issuer="https://evil.example", jwks_uri="{url}/jwks"), id="another issuer"),
        pytest.param(DISCOVERY, document(issuer="{url}/", jwks_uri="{url}/jwks"), id="the issuer and a slash"),
        pytest.param(DISCOVERY, document(jwks_uri="{url}/jwks"), id="no issuer"),
        pytest.param(DISCOVERY, document(issuer="{url}"), id="no jwks_uri"),
        pytest.param(DISCOVERY, document(issuer="{url}", jwks_uri=["{url}/jwks"]), id="jwks_uri a list"),
        pytest.param(DISCOVERY, document(issuer="{url}", jwks_uri="/jwks"), id="jwks_uri without origin"),
        pytest.param(
            DISCOVERY, document(issuer="{url}", jwks_uri="http://keys.invalid/jwks"), id="jwks_uri on plain http"
        ),
        pytest.param(DISCOVERY, document(issuer="{url}", jwks_uri="file:///etc/passwd"), id="jwks_uri a file"),
        pytest.param(
            DISCOVERY, document(issuer="{url}", jwks_uri="http://ann:pw@{host}/jwks"), id="jwks_uri of a user"
        ),
        pytest.param(DISCOVERY, (302, "location: /elsewhere\r\n", b""), id="discovery elsewhere"),
        pytest.param(JWKS, (302, "location: {url}/elsewhere\r\n", b""), id="keys elsewhere"),
        pytest.param(JWKS, (503, "", padded(1_000)[2]), id="keys in an answer of failure"),
        pytest.param(JWKS, document(keys={}), id="keys no list"),
        pytest.param(JWKS, document(), id="no keys"),
        pytest.param(JWKS, (200, "", b'{"keys": [], "keys": []}'), id="keys twice"),
        pytest.param(JWKS, padded(oidc_keys.DOCUMENT_BYTES + 1), id="keys of more than 1 MiB"),
        pytest.param(
            JWKS,
            (200, "content-encoding: gzip\r\n", gzip.compress(padded(1_000)[2])),
            id="keys compressed, and so of unknown size",
        ),
    ],
)
async def test_an_unusable_document_makes_the_issuer_unreachable(
    fake: FakeIssuer, path: str, answer: tuple[int, str, bytes]
) -> None:
    status, lines, body = answer
    fake.answers = {
        "/elsewhere": document(issuer=fake.url, jwks_uri=fake.url + JWKS, keys=[OLD.published()]),
        path: (
            status,
            lines.replace("{url}", fake.url),
            body.replace(b"{url}", fake.url.encode()).replace(b"{host}", fake.url[7:].encode()),
        ),
    }
    with pytest.raises(IssuerUnreachableError):
        await fake.issuer().verify(fake.token(OLD))
    assert "/elsewhere" not in fake.requests


async def test_a_document_of_one_mebibyte_is_read(fake: FakeIssuer) -> None:
    fake.answers[JWKS] = padded(oidc_keys.DOCUMENT_BYTES)
    assert await is_accepted(fake.issuer(), fake.token(OLD))


async def test_a_fetch_from_an_issuer_that_does_not_answer_times_out(
    fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_keys, "FETCH_SECONDS", 0.05)
    fake.gate.clear()
    with pytest.raises(IssuerUnreachableError):
        await asyncio.wait_for(fake.issuer().verify(fake.token(OLD)), 2)
    fake.gate.set()


async def test_a_fetch_from_an_issuer_that_sends_byte_by_byte_times_out(
    fake: FakeIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_keys, "FETCH_SECONDS", 0.1)
    fake.seconds_a_byte = 0.01
    with pytest.raises(IssuerUnreachableError):
        await asyncio.wait_for(fake.issuer().verify(fake.token(OLD)), 0.5)
    assert fake.requests == [DISCOVERY]


def test_an_https_issuer_may_not_have_its_keys_on_http_even_on_loopback() -> None:
    assert oidc_keys.is_safe_url("https://127.0.0.1/jwks", loopback=False)
    assert not oidc_keys.is_safe_url("http://127.0.0.1/jwks", loopback=False)
