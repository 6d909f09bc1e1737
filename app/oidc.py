"""Verification of bearer tokens that an OpenID Connect issuer signed.

A token is read as a JWT access token (RFC 9068). Key and algorithm come from the issuer's published keys; a token's own
claims about them (`alg`, `jwk`, `jku`, `x5u`, `x5c`) are neither trusted nor fetched.
"""

import base64
import binascii
import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final, Never

import jwt

from app.log import Event
from app.oidc_claims import ClaimNames, Claims, Provisioning
from app.oidc_keys import IssuerKeys, IssuerUnreachableError, Key, is_safe_url, parse_json_object
from store.text import MAX_PRINCIPAL_ID_LENGTH

__all__ = ["LEEWAY_SECONDS", "InvalidTokenError", "Issuer", "IssuerUnreachableError", "create_issuer"]

LEEWAY_SECONDS: Final = 30
"""Allowed difference between the issuer's clock and this one."""

_TOKEN_BYTES: Final = 8_192
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_SIGNATURES: Final = jwt.PyJWS(
    algorithms=["RS256", "PS256", "ES256", "EdDSA"],
    options={"verify_signature": True, "enforce_minimum_key_length": True},
)
_log = logging.getLogger(__name__)


class InvalidTokenError(Exception):
    """An invalid token. The message is the same for every reason; only the log has the reason."""

    def __init__(self) -> None:
        """Set the one message; without a parameter, no reason can reach the client."""
        super().__init__("The bearer token is not valid.")


def create_issuer(issuer: str | None, audience: str | None, claim_names: ClaimNames | None = None) -> "Issuer | None":
    """Create the issuer from the two settings, or return None if both are absent.

    Raises ValueError, naming the environment variables, if only one is absent or either is invalid.
    """
    if issuer is None and audience is None:
        return None
    if issuer is None or audience is None:
        present, absent = ("AUDIENCE", "ISSUER") if issuer is None else ("ISSUER", "AUDIENCE")
        raise ValueError(
            f"ATOLL_OIDC_{present} is set, but ATOLL_OIDC_{absent} is not. Set ATOLL_OIDC_ISSUER to the issuer's URL "
            "and ATOLL_OIDC_AUDIENCE to the audience of its tokens, or neither to accept no issuer's tokens."
        )
    return Issuer(issuer, audience, claim_names=claim_names)


class Issuer:
    """Issuer whose tokens for one audience are accepted."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        *,
        claim_names: ClaimNames | None = None,
    ) -> None:
        """Take the issuer's identifier exactly as its tokens write it; nothing is fetched before the first token.

        `claim_names` says which claims are taken over, and for which users; None for nothing.
        `clock` is the time of day for the validity of tokens, `timer` the time for the age of keys, both in seconds.
        Raises ValueError, naming the environment variable, for an invalid issuer or audience.
        """
        if not is_safe_url(issuer, loopback=True) or "?" in issuer or "#" in issuer:
            raise ValueError(
                "ATOLL_OIDC_ISSUER must be an https URL without user, query or fragment, for example "
                "https://login.example.org (http only for a loopback address)."
            )
        if not audience.strip():
            raise ValueError("ATOLL_OIDC_AUDIENCE is empty. Set it to the audience of the issuer's tokens for Atoll.")
        self.issuer: Final = issuer
        self.audience: Final = audience
        self._clock = clock
        self._keys = IssuerKeys(issuer, timer)
        self._names = claim_names or ClaimNames()

    async def verify(self, token: str) -> Claims:
        """Return the claims of a token that this issuer signed for this audience and that is valid now.

        Raises InvalidTokenError for any other token, and IssuerUnreachableError if there are no keys to verify it with.
        """
        try:
            header = _header(token)
            key = await self._keys.find(header.get("kid"))
            return self._claims(_signed_claims(token, header, key))
        except _RejectedTokenError as error:
            _log.info("Rejected a bearer token: %s.", error, extra={"event": Event.TOKEN_REFUSED})
            raise InvalidTokenError from None

    def _claims(self, claims: dict[str, Any]) -> Claims:
        if claims.get("iss") != self.issuer:
            _reject("another issuer")
        if self.audience not in _audiences(claims):
            _reject("another audience")
        now = self._clock()
        if now >= _timestamp(claims, "exp") + LEEWAY_SECONDS:
            _reject("expired")
        issued_at = _timestamp(claims, "iat")
        if issued_at > now + LEEWAY_SECONDS:
            _reject("issued in the future")
        if "nbf" in claims and _timestamp(claims, "nbf") > now + LEEWAY_SECONDS:
            _reject("not valid yet")
        subject = claims.get("sub")
        # isprintable excludes control and invisible characters, and lone surrogates, which no database can store.
        if not isinstance(subject, str) or not 0 < len(subject) <= MAX_PRINCIPAL_ID_LENGTH or not subject.isprintable():
            _reject("no usable sub")
        is_off = self._names.provisioning is Provisioning.OFF
        return Claims(
            subject,
            int(issued_at * 1_000),
            profile=None if is_off else self._names.read(claims),
            may_create_user=self._names.provisioning is Provisioning.CREATE,
        )


class _RejectedTokenError(Exception):
    """The reason for rejecting a token, in fixed words: none of the token's content reaches the log."""


def _reject(reason: str) -> Never:
    raise _RejectedTokenError(reason)


def _header(token: str) -> dict[str, Any]:
    if len(token) > _TOKEN_BYTES:
        _reject("too long")
    if not _FORM.fullmatch(token):
        _reject("not three parts of base64url")
    header = _parse_object(_decode(token.partition(".")[0]))
    if "crit" in header:
        _reject("a critical extension")
    kind, kid = header.get("typ", "JWT"), header.get("kid")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        _reject("another type of token")
    if "kid" in header and not isinstance(kid, str):
        _reject("a key id that is no string")
    return header


def _signed_claims(token: str, header: dict[str, Any], key: Key | None) -> dict[str, Any]:
    if key is None:
        _reject("no such key")
    algorithm = key.public.algorithm_name
    if header.get("alg") != algorithm:
        _reject("another algorithm than the key's")
    try:
        signed = _SIGNATURES.decode_complete(token, key.public, algorithms=[algorithm])
    except jwt.PyJWTError:
        _reject("a signature that does not verify")
    return _parse_object(signed["payload"])


def _decode(part: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        _reject("not base64url")


def _parse_object(text: bytes) -> dict[str, Any]:
    try:
        return parse_json_object(text)
    except (ValueError, RecursionError):
        _reject("not a plain JSON object")


def _audiences(claims: dict[str, Any]) -> list[str]:
    audiences = claims.get("aud")
    audiences = [audiences] if isinstance(audiences, str) else audiences
    if not isinstance(audiences, list) or not all(isinstance(audience, str) for audience in audiences):
        _reject("no usable aud")
    return audiences


def _timestamp(claims: dict[str, Any], claim: str) -> float:
    seconds = claims.get(claim)
    # A bool is an int in Python, and 1e999 parses as infinity.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LAST_SECOND:
        _reject(f"no usable {claim}")
    return seconds
