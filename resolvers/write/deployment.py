"""This file is the deployment being changed: whether it shares PUBLIC collections with anyone."""

from dataclasses import replace

from sqlalchemy import update

from permissions.require import Permission
from resolvers.context import Context
from resolvers.write.reading import Input, Reading
from resolvers.write.transaction import Answer, Payload, Write, mutate
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.tables import ChangeAction

SUBJECT = "deployment"


async def update_(context: Context, given: Input) -> Payload:
    """Change the deployment's settings."""
    return await mutate(context, Permission.ADMIN, "deploymentUpdate", given, _update)


async def _update(write: Write, reading: Reading) -> Answer:
    wanted, held = reading.given.get("public_sharing"), write.viewer.public_sharing
    if wanted is None:
        reading.refuse(UserErrorCode.REQUIRED, "publicSharing must be true or false.", "publicSharing")
    reading.stop()
    assert wanted is not None  # noqa: S101 - stopped above
    if wanted != held:
        await write.execute(update(sql.deployment).values(public_sharing=wanted))
        told = {"field": "publicSharing", "before": _word(is_on=held), "after": _word(is_on=wanted)}
        await write.log.append(ChangeAction.UPDATED, [SUBJECT], [told])
        # Who asks carries the setting, and the payload is read with it.
        write.viewer = replace(write.viewer, public_sharing=wanted)
    return {"deployment": SUBJECT}


def _word(*, is_on: bool) -> str:
    return "true" if is_on else "false"
