"""This file is the deployment being changed: whether it shares PUBLIC collections with anyone."""

from dataclasses import replace

from sqlalchemy import update

from permissions.permission import Permission
from resolvers.context import Context
from resolvers.write.input import Input, InputReader
from resolvers.write.transaction import MutationTransaction, Payload, Result, run_mutation
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.tables import ChangeAction

SUBJECT = "deployment"


async def update_(context: Context, given: Input) -> Payload:
    """Change the deployment's settings."""
    return await run_mutation(context, Permission.ADMIN, "deploymentUpdate", given, _update)


async def _update(write: MutationTransaction, reading: InputReader) -> Result:
    wanted, held = reading.input.get("public_sharing"), write.viewer.public_sharing
    if wanted is None:
        reading.add_error(UserErrorCode.REQUIRED, "publicSharing must be true or false.", "publicSharing")
    reading.raise_errors()
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
