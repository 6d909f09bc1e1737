"""Deployment settings: whether PUBLIC collections are shared with anonymous visitors."""

from dataclasses import replace
from typing import Any

from sqlalchemy import update

from resolvers.write.input import InputReader
from resolvers.write.sharing_effect import sharing_effects
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.undo_conflict import add_conflict, has_field, undone, values_of
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.rows import ChangeRow
from store.tables import ChangeAction

SUBJECT = "deployment"
PUBLIC_SHARING = "publicSharing"
TEXT_OF_BOOLEAN = {False: "false", True: "true"}


async def update_deployment(tx: MutationTransaction, reader: InputReader) -> Result:
    """Update the deployment's settings."""
    before, after = tx.viewer.public_sharing, reader.input.get("public_sharing")
    if after is None:
        reader.add_error(UserErrorCode.REQUIRED, "publicSharing must be true or false.", "publicSharing")
    reader.raise_errors()
    assert after is not None  # noqa: S101 - raised above
    effects = await sharing_effects(tx, is_on=after) if after != before else []
    changes = [await write_sharing(tx, after=after)] if after != before else []
    return {"deployment": SUBJECT, "effects": effects, "changes": changes}


async def write_sharing(tx: MutationTransaction, *, after: bool, **record: Any) -> str:
    """Turn public sharing on or off, log it, and return the id of the change. Three statements."""
    await tx.execute(update(sql.deployment).values(public_sharing=after))
    field = {"field": PUBLIC_SHARING, "before": TEXT_OF_BOOLEAN[not after], "after": TEXT_OF_BOOLEAN[after]}
    (change,) = await tx.log.append(ChangeAction.UPDATED, [SUBJECT], [field], effect={}, **record)
    # The viewer carries the setting, and the payload is read through the viewer.
    tx.viewer = replace(tx.viewer, public_sharing=after)
    return change


async def undo_updated(tx: MutationTransaction, reader: InputReader, change: ChangeRow) -> Result:
    """Restore the former setting."""
    ((_, before, after),) = values_of(change)
    if TEXT_OF_BOOLEAN[tx.viewer.public_sharing] != after:
        await add_conflict(tx, reader, change, "Public sharing", has_field(PUBLIC_SHARING))
    reader.raise_errors()
    log_id = await write_sharing(tx, after=before == TEXT_OF_BOOLEAN[True], **undone(change))
    return {"subjects": [SUBJECT], "changes": [log_id], "deployment": SUBJECT}
