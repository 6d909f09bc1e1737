"""This file is who asks: from a request's bearer token to its Viewer, inside the operation's snapshot."""

from starlette.requests import Request

from app.errors import UnauthenticatedError, UnavailableError
from app.oidc import InvalidTokenError, Issuer, IssuerUnreachableError
from permissions.viewer import Viewer, anonymous_viewer, viewer_by_external_id, viewer_by_token
from store.database import Snapshot

API_TOKEN_PREFIX = "atoll_"  # noqa: S105 - how a token of ours begins
MAX_TOKEN_LENGTH = 8_192


async def verify_bearer_token(request: Request, issuer: Issuer | None) -> tuple[str | None, str | None]:
    """Return `(API token, None)`, `(None, the user that an issuer's token names)`, or two Nones without a token.

    It asks the issuer if it must, and so is done before any snapshot is opened. Raises Unauthenticated for a header
    that is no bearer token and a token that is not good, Unavailable when the issuer's keys cannot be had.
    """
    headers = request.headers.getlist("authorization")
    if not headers:
        return None, None
    # Blanks around a header's value are not of it, and not every server takes them off.
    scheme, _, token = headers[0].strip(" \t").partition(" ")
    token = token.lstrip(" ")
    if len(headers) > 1 or scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_LENGTH:
        raise UnauthenticatedError
    if token.startswith(API_TOKEN_PREFIX):
        return token, None
    if issuer is None:
        raise UnauthenticatedError
    try:
        return None, await issuer.verify(token)
    except InvalidTokenError:
        raise UnauthenticatedError from None
    except IssuerUnreachableError:
        raise UnavailableError from None


async def load_viewer(snapshot: Snapshot, api_token: str | None, subject: str | None) -> Viewer:
    """Return the viewer; raise Unauthenticated for a token that is unknown, expired, revoked or of nobody here."""
    if api_token is not None:
        viewer = await viewer_by_token(snapshot, api_token)
    elif subject is not None:
        viewer = await viewer_by_external_id(snapshot, subject)
    else:
        return await anonymous_viewer(snapshot)
    if viewer is None:
        raise UnauthenticatedError
    return viewer
