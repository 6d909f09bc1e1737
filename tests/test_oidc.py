"""Bearer tokens of an OpenID Connect issuer: few are accepted; all others are rejected with one message."""

import logging
from collections.abc import AsyncIterator

import pytest

from app.oidc import InvalidTokenError, Issuer, IssuerUnreachableError, create_issuer
from tests.oidc.fake_issuer import ABSENT, DISCOVERY, JWKS, NOW, FakeIssuer, SigningKey
from tests.oidc.forgeries import EC, EDDSA, FORGED, GOOD_KEYS, HONOURED, PSS, RSA, USELESS_KEYS, Forge

MESSAGE = "The bearer token is not valid."


@pytest.fixture
async def fake() -> AsyncIterator[FakeIssuer]:
    """Return an issuer with one key of each supported kind and one of each kind that must not verify any token."""
    async with FakeIssuer(keys=[*(key.published() for key in GOOD_KEYS), *USELESS_KEYS]) as started:
        yield started


@pytest.mark.parametrize(
    ("reason", "forge"),
    [pytest.param(reason, forge, id=name) for reason, forged in FORGED.items() for name, forge in forged.items()],
)
async def test_a_forged_token_is_refused_for_its_reason_in_the_words_of_all(
    fake: FakeIssuer, reason: str, forge: Forge, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "app"), pytest.raises(InvalidTokenError) as refusal:
        await fake.issuer().verify(forge(fake))
    assert (str(refusal.value), refusal.value.args, refusal.value.__cause__) == (MESSAGE, (MESSAGE,), None)
    assert caplog.record_tuples == [("app.oidc", logging.INFO, f"A bearer token was refused: {reason}.")]
    assert set(fake.requests) <= {DISCOVERY, JWKS}


async def test_no_character_of_a_good_token_can_be_another(fake: FakeIssuer) -> None:
    issuer, token = fake.issuer(), fake.token(EDDSA)
    assert await issuer.verify(token) == "user:ann"
    for at, character in enumerate(token):
        with pytest.raises(InvalidTokenError):
            await issuer.verify(token[:at] + ("A" if character != "A" else "B") + token[at + 1 :])


@pytest.mark.parametrize("key", GOOD_KEYS, ids=lambda key: str(key.alg))
async def test_a_token_of_each_algorithm_is_honoured(fake: FakeIssuer, key: SigningKey) -> None:
    assert await fake.issuer().verify(fake.token(key)) == "user:ann"


@pytest.mark.parametrize(("make", "subject"), HONOURED.values(), ids=HONOURED)
async def test_a_token_within_the_rules_is_honoured(fake: FakeIssuer, make: Forge, subject: str) -> None:
    assert await fake.issuer().verify(make(fake)) == subject


@pytest.mark.parametrize("key", [RSA, EC, EDDSA], ids=lambda key: str(key.alg))
async def test_a_single_key_needs_neither_id_nor_algorithm_nor_use(fake: FakeIssuer, key: SigningKey) -> None:
    fake.keys = [key.published(kid=ABSENT, alg=ABSENT, use=ABSENT)]
    assert await fake.issuer().verify(fake.token(key, {"kid": ABSENT})) == "user:ann"


async def test_an_rsa_key_that_names_no_algorithm_is_of_rs256(fake: FakeIssuer) -> None:
    fake.keys = [PSS.published(alg=ABSENT)]
    with pytest.raises(InvalidTokenError):
        await fake.issuer().verify(fake.token(PSS))


async def test_a_token_ends_when_it_says(fake: FakeIssuer) -> None:
    issuer, token = fake.issuer(), fake.token(EC)
    fake.clock.now = NOW + 329
    assert await issuer.verify(token) == "user:ann"
    fake.clock.now = NOW + 330
    with pytest.raises(InvalidTokenError):
        await issuer.verify(token)


def test_the_two_settings_make_an_issuer_and_none_makes_none() -> None:
    issuer = create_issuer("https://login.example.org/", "atoll")
    assert isinstance(issuer, Issuer)
    assert (issuer.issuer, issuer.audience) == ("https://login.example.org/", "atoll")
    assert create_issuer(None, None) is None


@pytest.mark.parametrize(
    ("issuer", "audience", "absent"),
    [("https://login.example.org", None, "ATOLL_OIDC_AUDIENCE is not"), (None, "atoll", "ATOLL_OIDC_ISSUER is not")],
)
def test_one_setting_without_the_other_says_what_to_do(issuer: str | None, audience: str | None, absent: str) -> None:
    with pytest.raises(ValueError, match=absent) as refusal:
        create_issuer(issuer, audience)
    assert "Set ATOLL_OIDC_ISSUER" in str(refusal.value)
    assert "ATOLL_OIDC_AUDIENCE to" in str(refusal.value)


@pytest.mark.parametrize("audience", ["", " "])
def test_an_empty_audience_is_no_setting(audience: str) -> None:
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
def test_an_issuer_that_cannot_be_trusted_is_no_setting(issuer: str) -> None:
    with pytest.raises(ValueError, match="ATOLL_OIDC_ISSUER must be an https address"):
        create_issuer(issuer, "atoll")


@pytest.mark.parametrize("issuer", ["http://localhost:4000", "http://127.0.0.9", "http://[::1]:4000/realm"])
def test_a_loopback_issuer_may_speak_http(issuer: str) -> None:
    assert create_issuer(issuer, "atoll") is not None


def test_the_exceptions_tell_a_client_no_more_than_their_kind() -> None:
    assert (str(InvalidTokenError()), str(IssuerUnreachableError())) == (
        MESSAGE,
        "The issuer of bearer tokens cannot be reached.",
    )
