"""The attribute of a SCIM user that is the user's id in Atoll."""

from enum import StrEnum


class UserId(StrEnum):
    """Attribute that is the user's id in Atoll, and so the `sub` of an OpenID Connect issuer's tokens."""

    EXTERNAL_ID = "externalId"
    USER_NAME = "userName"
