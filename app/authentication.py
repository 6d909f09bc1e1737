"""Authentication: from a request's bearer token to its viewer."""

import logging
from collections.abc import Sequence
from typing import Never

from app.errors import UnauthenticatedError, UnavailableError
from app.log import Event
from app.oidc import InvalidTokenError, Issuer, IssuerUnreachableError
from app.oidc_claims import Claims
from app.operation import current_operation
from permissions.viewer import Viewer, anonymous_viewer, viewer_by_external_id, viewer_by_token
from store.database import Snapshot
from store.tokens import API_TOKEN_PREFIX, token_digest

MAX_BEARER_TOKEN_LENGTH = 8_192

_log = logging.getLogger(__name__)


class ClaimsChangedError(UnauthenticatedError):
    """Claims of a valid token that have to be taken over before the operation is executed."""

    def __init__(self, claims: Claims) -> None:
        """Take the claims. The error is that of an invalid token, in case they cannot be taken over."""
        super().__init__()
        self.claims = claims


async def verify_bearer_token(
    authorization: Sequence[bytes], issuer: Issuer | None
) -> tuple[str | None, Claims | None]:
    """Return `(API token, None)`, `(None, claims of the issuer's token)`, or `(None, None)` without a token.

    `authorization` has the values of the request's headers of that name. Called before a snapshot is opened, because it
    may wait for the issuer. Raises UnauthenticatedError for a malformed header or an invalid token, and
    UnavailableError if the issuer's keys cannot be fetched.
    """
    if not authorization:
        return None, None
    # White space around a header's value is not part of it (RFC 9110), and not every server strips it.
    scheme, _, token = authorization[0].decode("latin-1").strip(" \t").partition(" ")
    token = token.lstrip(" ")
    if len(authorization) > 1 or scheme.lower() != "bearer" or not token or len(token) > MAX_BEARER_TOKEN_LENGTH:
        _reject("not one bearer token")
    if token.startswith(API_TOKEN_PREFIX):
        return token, None
    if issuer is None:
        _reject("no API token, and no issuer is set")
    try:
        return None, await issuer.verify(token)
    except InvalidTokenError:  # the issuer logged the reason
        raise UnauthenticatedError from None
    except IssuerUnreachableError:
        raise UnavailableError from None


async def load_viewer(snapshot: Snapshot, api_token: str | None, claims: Claims | None) -> Viewer:
    """Return the viewer; raise UnauthenticatedError if the token is invalid, or its user unknown or deactivated.

    Raises ClaimsChangedError, which is an UnauthenticatedError, if the claims have to be taken over first.
    """
    if api_token is not None:
        viewer = await viewer_by_token(snapshot, api_token)
    elif claims is not None:
        viewer = await viewer_by_external_id(snapshot, claims.subject)
        if _have_changed(claims, viewer):
            raise ClaimsChangedError(claims)
    else:
        return await anonymous_viewer(snapshot)
    if viewer is None:
        _reject("unknown, expired or revoked" if api_token is not None else "no active user has this sub")
    if (record := current_operation.get()) is not None:
        record.viewer_id = viewer.user_id
        record.token_digest = None if api_token is None else token_digest(api_token)
    return viewer


def _have_changed(claims: Claims, viewer: Viewer | None) -> bool:
    if claims.profile is None:
        return False
    if viewer is None or viewer.taken_claims is None:
        return claims.may_create_user
    return viewer.taken_claims.is_due(claims.profile.digest, claims.issued_at)


def _reject(reason: str) -> Never:
    """Log the reason, which the client does not get, and raise UnauthenticatedError."""
    _log.info("Rejected a bearer token: %s.", reason, extra={"event": Event.TOKEN_REFUSED})
    raise UnauthenticatedError
