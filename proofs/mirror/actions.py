"""Random writes of a trial: mutations of people, and writes of the platform, which the API does not offer."""

from collections.abc import Sequence
from random import Random

from sqlalchemy import Executable, Table, delete, insert, select, update

from proofs.undo.actions import UNMOVED, MutationDrawing
from proofs.walks.actions import Write
from proofs.walks.world import OWNER
from store import sql
from store.sql import Expression
from store.tables import AssetStatus
from tests.conftest import GROUPS
from tests.oracle import Model

USERS = ("mei", "lou", "eve")
PlatformWrite = Sequence[Executable]


class WriteOfAnyone(MutationDrawing):
    """Drawing of one write in the current world."""

    def grant(self) -> Write:
        """Set the grant of a user or a group, and revoke another's."""
        if self._is_so(0.5):
            return super().grant()
        first, second = (self._id(name) for name in self._random.sample([*GROUPS], 2))
        access = self._random.choice(("DISCOVERABLE", "VIEWER", "OWNER"))
        grants = {"set": [{"to": {"groupId": first}, "access": access}], "revoke": [{"groupId": second}]}
        return Write(OWNER, "assetGrantsUpdate", {"assetId": self._id(self._asset()), **grants}, UNMOVED)


def draw_platform_write(random: Random, model: Model, number: int) -> PlatformWrite:
    """Return a write of the platform: a status, content, a use, a member of a group, a note or the name of a user."""
    asset, other = random.sample(sorted(model.asset), 2)
    user, group = random.choice(USERS), random.choice(sorted(GROUPS))
    is_asset, is_user = sql.asset.c.external_id == asset, sql.principal.c.external_id == user
    in_group = {"group_pk": _pk_of(sql.principal.c.external_id == group), "user_pk": _pk_of(is_user)}
    pair = {"asset_pk": _pk_of(is_asset), "uses_pk": _pk_of(sql.asset.c.external_id == other)}
    if user in model.groups[group]["members"]:
        member: Executable = delete(sql.group_member).where(*_equal(sql.group_member, in_group))
    else:
        member = insert(sql.group_member).values(in_group)
    if other in model.asset[asset].get("uses", ()):
        use: Executable = delete(sql.asset_use).where(*_equal(sql.asset_use, pair))
    else:
        use = insert(sql.asset_use).values(pair | {"rank": number})
    of_asset = sql.membership.c.asset_pk == pair["asset_pk"]
    writes: list[Executable] = [
        update(sql.asset).where(is_asset).values(status=random.choice(list(AssetStatus)).value),
        update(sql.asset).where(is_asset).values(status=AssetStatus.RELEASED.value),
        update(sql.asset).where(is_asset).values(url=f"https://example.org/{number}"),
        update(sql.asset).where(is_asset).values(name=f"name {number}", name_key=f"name {number}"),
        member,
        member,
        use,
        use,
        update(sql.membership).where(of_asset).values(note=f"note {number}"),
        update(sql.principal).where(is_user).values(name=f"name {number}"),
    ]
    return [random.choice(writes)]


def _pk_of(condition: Expression) -> Expression:
    table = condition.left.table
    return select(table.c.pk).where(condition).scalar_subquery()


def _equal(table: Table, values: dict[str, Expression]) -> list[Expression]:
    return [table.c[name] == value for name, value in values.items()]
