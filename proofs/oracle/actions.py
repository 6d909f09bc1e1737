"""Random actions of users and of the platform, mostly valid ones."""

from random import Random
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from proofs.oracle.world import NAMES, TAGS
from store import sql
from store.database import Database
from tests.model import Asset, Change, Collection, Member, Topic, World
from tests.oracle import ACCESS, ANONYMOUS, KINDS, Model
from tests.random_actions import OFTEN, STATUSES, Action, ActionDrawing

PLATFORM = "platform"


async def draw_action(database: Database, model: Model, random: Random) -> Action:
    """Return a user, a mutation's name and its input. `status` and `group` stand for direct writes by the platform."""
    draw = ActionDrawing(random, await _read_world(database, model))
    if model.asset and draw.is_so(1, 10):
        return _draw_registration(draw, model)
    if draw.is_so(1, 10):
        return PLATFORM, "group", {"group": draw.one(list(model.groups)), "user": draw.one(list(model.users))}
    _, name, people, input_of = draw.one([action for action in OFTEN if model.asset or action[1] != "status"])
    viewer = draw.one(people)
    administrators = [user for user in model.users if model.is_admin(user) and model.is_active(user)]
    if viewer == "ada" and administrators:
        viewer = administrators[0]
    if viewer not in model.users and viewer != ANONYMOUS:
        viewer = draw.one(list(model.users))
    return viewer, name, _with_ids(model, input_of(draw, viewer))


async def apply_platform_action(database: Database, model: Model, name: str, mutation_input: dict[str, Any]) -> None:
    """Change an asset's status or a group's members directly, which only the platform does."""
    async with database.write() as connection:
        if name == "status":
            of_asset = sql.asset.c.id == mutation_input["asset"]
            await connection.execute(update(sql.asset).where(of_asset).values(status=mutation_input["status"]))
            return
        group, user = [await _principal_pk(connection, mutation_input[key]) for key in ("group", "user")]
        member = sql.group_member
        if mutation_input["user"] in model.groups[mutation_input["group"]]["members"]:
            await connection.execute(delete(member).where(member.c.group_pk == group, member.c.user_pk == user))
        else:
            await connection.execute(insert(member).values(group_pk=group, user_pk=user))


async def _principal_pk(connection: AsyncConnection, name: str) -> int:
    pks = await connection.scalars(select(sql.principal.c.pk).where(sql.principal.c.external_id == name))
    return int(pks.one())


def _draw_registration(draw: ActionDrawing, model: Model) -> Action:
    """Return the registration of an asset, existing or new."""
    existing = draw.one(list(model.asset))
    name = existing if draw.is_so(6) else f"asset-{len(model.asset)}"
    kind = model.asset[existing]["type"] if name == existing else draw.one(KINDS)
    fields = {"externalId": name, "kind": kind, "name": draw.one(NAMES)}
    fields |= {"ownerId": model.ids[draw.one(list(model.users))]}
    fields |= draw.fields(
        status=STATUSES,
        tags=[draw.some(TAGS, 2)],
        uses=[draw.some(list(model.asset), 3)],
        grants=[[{"to": {"everyone": True}, "access": draw.one(list(ACCESS))}], []],
    )
    return draw.one(list(model.users)), "assetsRegister", {"assets": [fields]}


async def _read_world(database: Database, model: Model) -> World:
    """Return the world that actions are drawn from; topics, collections, assets and changes are keyed by public id."""
    ids = model.ids
    world = World(
        admins={user for user in model.users if model.is_admin(user)},
        groups={name: set(line["members"]) for name, line in model.groups.items()},
        people=list(model.users),
        assets={ids[name]: _read_asset(model, name) for name in model.asset},
        topics={model.topic_id(slug): Topic(model.topic[slug]["name"], slug) for slug in model.topic_order},
        log=await _read_log(database),
        inactive={user for user in model.users if not model.is_active(user)},
    )
    for slug in model.order:
        line = model.collection[slug]
        parent = (model.topic_id(line["topic"]), ids[line["parent"]] if line.get("parent") else None)
        members = {ids[asset]: Member() for asset in model.members[slug]}
        collection = Collection(line["name"], slug, parent, line["visibility"], members=members)
        world.collections[ids[slug]] = collection
        world.sisters(parent).append(ids[slug])
    return world


def _read_asset(model: Model, name: str) -> Asset:
    line = model.asset[name]
    return Asset(line["owner"], model.status(name), {grant["to"]: ACCESS[grant["role"]] for grant in line["grants"]})


async def _read_log(database: Database) -> list[Change]:
    change = sql.change
    async with database.snapshot() as snapshot:
        rows = await snapshot.rows(select(change.c.id, change.c.action, change.c.subject_id).order_by(change.c.pk))
    return [Change(row.id, 0, row.action, row.subject_id, "") for row in rows]


def _with_ids(model: Model, value: Any) -> Any:
    """Replace external ids of users and groups with public ids."""
    if isinstance(value, dict):
        return {
            name: model.ids.get(field, field) if name in {"userId", "groupId"} else _with_ids(model, field)
            for name, field in value.items()
        }
    return [_with_ids(model, item) for item in value] if isinstance(value, list) else value
