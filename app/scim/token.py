"""Bearer token of the identity provider."""

from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Final

from app.settings import PREFIX, SettingError, Settings

MIN_CHARACTERS: Final = 32
"""Fewest characters of the token: a random one of so many cannot be guessed."""


class ScimToken:
    """The token, kept as a digest."""

    def __init__(self, token: str) -> None:
        """Take the token. Raises SettingError for one that can be guessed or not be sent."""
        if len(token) < MIN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
            raise SettingError(
                f"{PREFIX}SCIM_TOKEN must have at least {MIN_CHARACTERS} printable ASCII characters without spaces."
                " Create one by: openssl rand -hex 32"
            )
        self._digest = sha256(token.encode()).digest()

    def is_in(self, authorization: list[bytes]) -> bool:
        """Return whether the values of the header `Authorization` are this token alone, in constant time."""
        if len(authorization) != 1:
            return False
        scheme, _, token = authorization[0].strip(b" \t").partition(b" ")
        is_token = compare_digest(sha256(token.lstrip(b" ")).digest(), self._digest)
        return is_token and scheme.lower() == b"bearer"


def read_token(settings: Settings) -> ScimToken | None:
    """Return the token of the settings; None if SCIM is off. Raises SettingError."""
    if settings.scim_token is not None and settings.scim_token_file is not None:
        raise SettingError(f"Set {PREFIX}SCIM_TOKEN or {PREFIX}SCIM_TOKEN_FILE, not both.")
    if settings.scim_token_file is None:
        return None if settings.scim_token is None else ScimToken(settings.scim_token)
    try:
        return ScimToken(Path(settings.scim_token_file).read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingError(f"{PREFIX}SCIM_TOKEN_FILE {settings.scim_token_file} cannot be read: {reason}.") from None
