"""Tests of the verification of an issuer's bearer tokens: invalid ones are rejected with one message."""

import logging
from collections.abc import AsyncIterator

import pytest

from app.oidc import InvalidTokenError, Issuer, IssuerUnreachableError, create_issuer
from tests.oidc.fake_issuer import ABSENT, DISCOVERY, JWKS, NOW, FakeIssuer, SigningKey
from tests.oidc.forgeries import ACCEPTED, EC, EDDSA, FORGED, GOOD_KEYS, PSS, RSA, USELESS_KEYS, Forge

MESSAGE = "The bearer token is not valid."


@pytest.fixture
async def fake() -> AsyncIterator[FakeIssuer]:
    """Yield an issuer with a key of each supported kind, and with unusable keys of every kind."""
    async with FakeIssuer(keys=[*(key.published() for key in GOOD_KEYS), *USELESS_KEYS]) as started:
        yield started


@pytest.mark.parametrize(
    ("reason", "forge"),
    [pytest.param(reason, forge, id=name) for reason, forged in FORGED.items() for name, forge in forged.items()],
)
async def test_a_forged_token_is_rejected_for_its_reason_with_the_common_message(
    fake: FakeIssuer, reason: str, forge: Forge, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "app"), pytest.raises(InvalidTokenError) as refusal:
        await fake.issuer().verify(forge(fake))
    assert (str(refusal.value), refusal.value.args, refusal.value.__cause__) == (MESSAGE, (MESSAGE,), None)
    assert caplog.record_tuples == [("app.oidc", logging.INFO, f"Rejected a bearer token: {reason}.")]
    assert set(fake.requests) <= {DISCOVERY, JWKS}


async def test_a_valid_token_with_any_character_changed_is_rejected(fake: FakeIssuer) -> None:
    issuer, token = fake.issuer(), fake.token(EDDSA)
    assert (await issuer.verify(token)).subject == "user:ann"
    for index, character in enumerate(token):
        with pytest.raises(InvalidTokenError):
            await issuer.verify(token[:index] + ("A" if character != "A" else "B") + token[index + 1 :])


@pytest.mark.parametrize("key", GOOD_KEYS, ids=lambda key: str(key.alg))
async def test_a_token_of_each_algorithm_is_accepted(fake: FakeIssuer, key: SigningKey) -> None:
    assert (await fake.issuer().verify(fake.token(key))).subject == "user:ann"


@pytest.mark.parametrize(("make", "subject"), ACCEPTED.values(), ids=ACCEPTED)
async def test_an_unusual_but_valid_token_is_accepted(fake: FakeIssuer, make: Forge, subject: str) -> None:
    assert (await fake.issuer().verify(make(fake))).subject == subject


@pytest.mark.parametrize("key", [RSA, EC, EDDSA], ids=lambda key: str(key.alg))
async def test_a_single_key_needs_neither_id_nor_algorithm_nor_use(fake: FakeIssuer, key: SigningKey) -> None:
    fake.keys = [key.published(kid=ABSENT, alg=ABSENT, use=ABSENT)]
    assert (await fake.issuer().verify(fake.token(key, {"kid": ABSENT}))).subject == "user:ann"


async def test_an_rsa_key_without_algorithm_is_for_rs256(fake: FakeIssuer) -> None:
    fake.keys = [PSS.published(alg=ABSENT)]
    with pytest.raises(InvalidTokenError):
        await fake.issuer().verify(fake.token(PSS))


async def test_a_token_expires(fake: FakeIssuer) -> None:
    issuer, token = fake.issuer(), fake.token(EC)
    fake.clock.now = NOW + 329
    assert (await issuer.verify(token)).subject == "user:ann"
    fake.clock.now = NOW + 330
    with pytest.raises(InvalidTokenError):
        await issuer.verify(token)


def test_the_two_settings_configure_an_issuer() -> None:
    issuer = create_issuer("https://login.example.org/", "atoll")
    assert isinstance(issuer, Issuer)
    assert (issuer.issuer, issuer.audience) == ("https://login.example.org/", "atoll")
    assert create_issuer(None, None) is None


@pytest.mark.parametrize(
    ("issuer", "audience", "absent"),
    [("https://login.example.org", None, "ATOLL_OIDC_AUDIENCE is not"), (None, "atoll", "ATOLL_OIDC_ISSUER is not")],
)
def test_one_setting_without_the_other_is_an_error_with_a_way_out(
    issuer: str | None, audience: str | None, absent: str
) -> None:
    with pytest.raises(ValueError, match=absent) as refusal:
        create_issuer(issuer, audience)
    assert "Set ATOLL_OIDC_ISSUER" in str(refusal.value)
    assert "ATOLL_OIDC_AUDIENCE to" in str(refusal.value)


@pytest.mark.parametrize("audience", ["", " "])
def test_an_empty_audience_is_rejected(audience: str) -> None:
    with pytest.raises(ValueError, match="ATOLL_OIDC_AUDIENCE is empty"):
        create_issuer("https://login.example.org", audience)


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "login.example.org",
        "http://login.example.org",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "ftp://localhost",
        "https://",
        "https://ann:secret@login.example.org",
        "https://login.example.org?tenant=1",
        "https://login.example.org#top",
        "https://login.example.org:port",
        "https://[::1",
        " https://login.example.org",
        "https://login.example.org\n",
    ],
)
def test_an_unsafe_issuer_is_rejected(issuer: str) -> None:
    with pytest.raises(ValueError, match="ATOLL_OIDC_ISSUER must be an https URL"):
        create_issuer(issuer, "atoll")


@pytest.mark.parametrize("issuer", ["http://localhost:4000", "http://127.0.0.9", "http://[::1]:4000/realm"])
def test_a_loopback_issuer_may_use_http(issuer: str) -> None:
    assert create_issuer(issuer, "atoll") is not None


def test_the_exceptions_have_no_details_for_clients() -> None:
    assert (str(InvalidTokenError()), str(IssuerUnreachableError())) == (
        MESSAGE,
        "The issuer of bearer tokens cannot be reached.",
    )
