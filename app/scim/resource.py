"""Users and groups as SCIM describes them, and the description of the service."""

from typing import Annotated, Any, Final

from scim2_models import (
    ComplexAttribute,
    Context,
    GroupMember,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
)
from scim2_models import Group as CoreGroup
from scim2_models import User as CoreUser
from scim2_models.annotations import Mutability, Required, Uniqueness
from scim2_models.resources.resource import Resource
from scim2_models.resources.user import GroupMembership, Name, Role

MAX_PAGE: Final = 100
"""Most resources in a page of a list."""
ADMIN_ROLE: Final = "admin"
"""Value of a role that makes a user an administrator."""
COMPUTED: Final = frozenset({"schemas", "id", "meta", "groups", "members", "active"})
"""Attributes that are not stored with a resource, but read from elsewhere."""


class Email(ComplexAttribute):
    """An e-mail address, of any form: mail servers of an organisation have names that others would refuse."""

    value: str | None = None
    display: str | None = None
    type: str | None = None
    primary: bool | None = None


class User(Resource[Any]):
    """A user: the attributes that Atoll keeps of the core schema. Others are accepted and dropped."""

    __schema__ = CoreUser.__schema__
    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    roles: list[Role] | None = None
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None


class Group(Resource[Any]):
    """A group and its members, who are users."""

    __schema__ = CoreGroup.__schema__
    display_name: Annotated[str | None, Required.true] = None
    members: list[GroupMember] | None = None


POLICY: Final = ScimPolicy(
    # Attributes of the enterprise extension and others that Okta and Entra send, and Atoll does not keep.
    unknown=ScimPolicy.Unknown.ignore,
    # Entra removes members by a value instead of a path with a filter.
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    # Entra adds an e-mail address by the path of one that does not exist yet.
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)

CONFIG: Final = ServiceProviderConfig.model_validate(
    {
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MAX_PAGE},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "The token of the setting ATOLL_SCIM_TOKEN in the header Authorization.",
            }
        ],
    }
)

PROVIDER: Final = ScimProvider(
    models=(User, Group),
    resource_types=(ResourceType.from_resource(User), ResourceType.from_resource(Group)),
    config=CONFIG,
    policy=POLICY,
)


def display_name(user: User) -> str:
    """Return the name to show: the display name, the whole or the composed name, or else that for signing in."""
    name = user.name or Name()
    composed = " ".join(part for part in (name.given_name, name.family_name) if part)
    candidates = (user.display_name, name.formatted, composed, user.user_name)
    return next(text for text in candidates if text and text.strip())


def email_address(user: User) -> str | None:
    """Return the primary e-mail address, or else the first one; None if there is none."""
    emails = [email for email in user.emails or () if email.value]
    primary = next((email for email in emails if email.primary), emails[0] if emails else None)
    return None if primary is None else primary.value


def is_admin(user: User, former: User | None) -> bool | None:
    """Return whether the roles make the user an administrator; None if they never stated any."""
    stated = user.roles if user.roles is not None or former is None or former.roles is None else []
    return None if stated is None else any((role.value or "").casefold() == ADMIN_ROLE for role in stated)


def stored_form(resource: User | Group) -> dict[str, Any]:
    """Return the attributes to store: without those that are computed when they are read."""
    dumped = resource.model_dump(scim_ctx=Context.DEFAULT)
    return {name: value for name, value in dumped.items() if name not in COMPUTED}
