"""Deployment settings: whether PUBLIC collections are shared with anonymous visitors."""

from dataclasses import replace

from sqlalchemy import update

from resolvers.write.input import InputReader
from resolvers.write.sharing_effect import sharing_effects
from resolvers.write.transaction import MutationTransaction, Result
from resolvers.write.user_error import UserErrorCode
from store import sql
from store.tables import ChangeAction

SUBJECT = "deployment"


async def update_deployment(tx: MutationTransaction, reader: InputReader) -> Result:
    """Update the deployment's settings."""
    before, after = tx.viewer.public_sharing, reader.input.get("public_sharing")
    if after is None:
        reader.add_error(UserErrorCode.REQUIRED, "publicSharing must be true or false.", "publicSharing")
    reader.raise_errors()
    assert after is not None  # noqa: S101 - raised above
    effects = await sharing_effects(tx, is_on=after) if after != before else []
    if after != before:
        await tx.execute(update(sql.deployment).values(public_sharing=after))
        change = {"field": "publicSharing", "before": _to_text(before), "after": _to_text(after)}
        await tx.log.append(ChangeAction.UPDATED, [SUBJECT], [change])
    if not reader.input.get("dry_run"):
        # The viewer carries the setting, and the payload is read through the viewer.
        tx.viewer = replace(tx.viewer, public_sharing=after)
    return {"deployment": SUBJECT, "effects": effects}


def _to_text(value: bool) -> str:  # noqa: FBT001 - the value to format
    return "true" if value else "false"
