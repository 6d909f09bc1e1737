"""Inputs and payloads of the mutations of API tokens."""

import strawberry

from resolvers.write import payload as resolve
from schema.field import field, optional
from schema.token import ApiToken
from schema.user import User
from schema.write.user_error import UserError, user_errors


@strawberry.input(description="Input for `tokenCreate`.")
class TokenCreateInput:
    """Input for `tokenCreate`."""

    name: str = field("Name of the token, such as that of the program that will use it.")
    days: int | None = optional("Lifetime of the token in days, by default 30; at most `deployment.limits.tokenDays`.")


@strawberry.type(description="Payload of `tokenCreate`.")
class TokenCreatePayload:
    """Payload of `tokenCreate`."""

    token: ApiToken | None = field("The created token.", resolver=resolve.token)
    secret: str | None = field(
        "The bearer token to send in the header `Authorization`. Store it now: it is not shown again.",
        resolver=resolve.secret,
    )
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="Input for `tokenRevoke`.")
class TokenRevokeInput:
    """Input for `tokenRevoke`."""

    id: strawberry.ID = field("Id of the token.")


@strawberry.type(description="Payload of `tokenRevoke`.")
class TokenRevokePayload:
    """Payload of `tokenRevoke`."""

    revoked_token_ids: list[strawberry.ID] = field(
        "The ids of the revoked tokens: the token, and those that were created with it.",
        resolver=resolve.revoked_token_ids,
    )
    user_errors: list[UserError] = user_errors()


@strawberry.input(description="Input for `tokensRevokeAll`.")
class TokensRevokeAllInput:
    """Input for `tokensRevokeAll`."""

    user_id: strawberry.ID = field("Id of the user whose tokens are revoked.")


@strawberry.type(description="Payload of `tokensRevokeAll`.")
class TokensRevokeAllPayload:
    """Payload of `tokensRevokeAll`."""

    user: User | None = field("The user whose tokens were revoked.", resolver=resolve.user)
    revoked_token_count: int = field(
        "The number of tokens that were valid until now.", resolver=resolve.revoked_token_count
    )
    user_errors: list[UserError] = user_errors()
