"""This file is what people and the platform do to a world, drawn at random: mostly what makes sense there."""

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


async def drawn(database: Database, model: Model, chance: Random) -> Action:
    """Return who does what, and its input; `status` and `group` are the platform's doing."""
    draw = ActionDrawing(chance, await _world(database, model))
    if model.asset and draw.is_so(1, 10):
        return _registering(draw, model)
    if draw.is_so(1, 10):
        return PLATFORM, "group", {"group": draw.one(list(model.groups)), "user": draw.one(list(model.users))}
    _, name, people, input_of = draw.one([act for act in OFTEN if model.asset or act[1] != "status"])
    who = draw.one(people)
    administrators = [user for user in model.users if model.is_admin(user)]
    if who == "ada" and administrators:
        who = administrators[0]
    if who not in model.users and who != ANONYMOUS:
        who = draw.one(list(model.users))
    return who, name, _with_ids(model, input_of(draw, who))


async def do_as_platform(database: Database, model: Model, name: str, given: dict[str, Any]) -> None:
    """Change what only the platform does: where an asset is in its life, or who is in a group."""
    async with database.write() as connection:
        if name == "status":
            of_asset = sql.asset.c.id == given["asset"]
            await connection.execute(update(sql.asset).where(of_asset).values(status=given["status"]))
            return
        group, user = [await _pk(connection, given[which]) for which in ("group", "user")]
        member = sql.group_member
        if given["user"] in model.groups[given["group"]]["members"]:
            await connection.execute(delete(member).where(member.c.group_pk == group, member.c.user_pk == user))
        else:
            await connection.execute(insert(member).values(group_pk=group, user_pk=user))


async def _pk(connection: AsyncConnection, name: str) -> int:
    pks = await connection.scalars(select(sql.principal.c.pk).where(sql.principal.c.external_id == name))
    return int(pks.one())


def _registering(draw: ActionDrawing, model: Model) -> Action:
    """Return that somebody registers an asset: one that is known, or a new one."""
    known = draw.one(list(model.asset))
    name = known if draw.is_so(6) else f"asset-{len(model.asset)}"
    kind = model.asset[known]["type"] if name == known else draw.one(KINDS)
    fields = {"externalId": name, "kind": kind, "name": draw.one(NAMES)}
    fields |= {"ownerId": model.ids[draw.one(list(model.users))]}
    fields |= draw.fields(
        status=STATUSES,
        tags=[draw.some(TAGS, 2)],
        uses=[draw.some(list(model.asset), 3)],
        grants=[[{"to": {"everyone": True}, "access": draw.one(list(ACCESS))}], []],
    )
    return draw.one(list(model.users)), "assetsRegister", {"assets": [fields]}


async def _world(database: Database, model: Model) -> World:
    """Return the world as acts are drawn from it: topics, collections, assets and changes go by their public ids."""
    ids = model.ids
    world = World(
        admins={user for user in model.users if model.is_admin(user)},
        groups={name: set(line["members"]) for name, line in model.groups.items()},
        people=list(model.users),
        assets={ids[name]: _asset(model, name) for name in model.asset},
        topics={model.topic_id(slug): Topic(model.topic[slug]["name"], slug) for slug in model.topic_order},
        log=await _log(database),
    )
    for slug in model.order:
        line = model.collection[slug]
        place = (model.topic_id(line["topic"]), ids[line["parent"]] if line.get("parent") else None)
        members = {ids[asset]: Member() for asset in model.members[slug]}
        held = Collection(line["name"], slug, place, line["visibility"], members=members)
        world.collections[ids[slug]] = held
        world.sisters(place).append(ids[slug])
    return world


def _asset(model: Model, name: str) -> Asset:
    line = model.asset[name]
    return Asset(line["owner"], model.status(name), {grant["to"]: ACCESS[grant["role"]] for grant in line["grants"]})


async def _log(database: Database) -> list[Change]:
    change = sql.change
    async with database.snapshot() as snapshot:
        rows = await snapshot.rows(select(change.c.id, change.c.action, change.c.subject_id).order_by(change.c.pk))
    return [Change(row.id, 0, row.action, row.subject_id, "") for row in rows]


def _with_ids(model: Model, given: Any) -> Any:
    """Return the input with public ids where it names people and groups."""
    if isinstance(given, dict):
        return {
            name: model.ids.get(value, value) if name in {"userId", "groupId"} else _with_ids(model, value)
            for name, value in given.items()
        }
    return [_with_ids(model, value) for value in given] if isinstance(given, list) else given
