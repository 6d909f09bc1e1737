"""The SQL floor: one statement that builds the JSON of an operation, one Starlette route, one thread hop.

`uvicorn benchmarks.race.servers.sql_floor:app` with DATABASE set to the peers' SQLite file. It knows the
operations by name and no GraphQL: the cost of a server that does nothing beside its SQL.
"""

import asyncio
import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from time import time

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

VISIBLE = """exists (select 1 from access_grant g where g.asset_pk = a.pk
  and g.principal_pk in (select value from json_each(:principals))
  and (g.access = 4 or a.status not in ('ARCHIVED', 'WITHDRAWN')))"""
TYPE = """case a.kind when 'CAPSULE' then 'Capsule' when 'PIPELINE' then 'Pipeline' when 'NO_CODE_APP' then 'NoCodeApp'
  when 'DATA_ASSET' then 'DataAsset' else 'Model' end"""
ASSET = f"""'__typename', {TYPE}, 'id', a.id, 'kind', a.kind, 'name', a.name, 'description', a.description,
  'version', a.version, 'createdAt', a.created_at, 'doi', a.doi"""
DASHBOARD = f"""select json_object('data', json_object('topic', (
  select json_object('id', t.id, 'name', t.name, 'collections', (
    select json_group_array(json_object('id', c.id, 'name', c.name, 'description', c.description, 'assets', (
      select json_group_array(json(one)) from (
        select json_object({ASSET}, 'owner', json_object('id', p.id, 'name', p.name)) as one
        from membership m indexed by membership_in_order
        join asset a on a.pk = m.asset_pk join principal p on p.pk = a.owner_pk
        where m.collection_pk = c.pk and {VISIBLE} order by m.rank limit 20))))
    from (select * from collection c where c.topic_pk = t.pk order by rank limit 20) c))
  from topic t where t.id = :id)))"""
FILTERED = f"""select json_object('data', json_object('topic', (
  select json_object('id', t.id, 'name', t.name, 'collections', (
    select json_group_array(json_object('id', c.id, 'name', c.name, 'description', c.description, 'assets', (
      select json_group_array(json(one)) from (
        select json_object({ASSET}, 'owner', json_object('id', p.id, 'name', p.name)) as one
        from membership m indexed by membership_in_order
        join asset a on a.pk = m.asset_pk join principal p on p.pk = a.owner_pk
        where m.collection_pk = c.pk and a.kind in ('CAPSULE', 'MODEL') and {VISIBLE} order by a.name, a.pk limit 20))))
    from (select * from collection c where c.topic_pk = t.pk order by rank limit 20) c))
  from topic t where t.id = :id)))"""
ONE_ASSET = f"""select json_object('data', json_object('asset', (
  select json_object({ASSET}) from asset a where a.id = :id and {VISIBLE})))"""
COUNTS = f"""with counted as materialized (
  select m.collection_pk, a.kind, count(*) as number from membership m join asset a on a.pk = m.asset_pk
  where {VISIBLE} group by 1, 2),
sums as materialized (
  select collection_pk, json_object('total', sum(number),
    'capsules', coalesce(sum(number) filter (where kind = 'CAPSULE'), 0),
    'pipelines', coalesce(sum(number) filter (where kind = 'PIPELINE'), 0),
    'noCodeApps', coalesce(sum(number) filter (where kind = 'NO_CODE_APP'), 0),
    'dataAssets', coalesce(sum(number) filter (where kind = 'DATA_ASSET'), 0),
    'models', coalesce(sum(number) filter (where kind = 'MODEL'), 0)) as counts
  from counted group by collection_pk)
select json_object('data', json_object('topics', (
  select json_group_array(json_object('collections', (
    select json_group_array(json_object('id', c.id, 'assetCounts', json(s.counts)))
    from (select * from collection where topic_pk = t.pk order by rank) c join sums s on s.collection_pk = c.pk)))
  from (select * from topic order by rank limit 20) t)))"""
TREE = """select json_object('data', json_object('topics', (
  select json_group_array(json_object('id', t.id, 'name', t.name, 'collections', (
    select json_group_array(json_object('id', a.id, 'name', a.name, 'children', (
      select json_group_array(json_object('id', b.id, 'name', b.name, 'children', (
        select json_group_array(json_object('id', d.id, 'name', d.name))
        from (select * from collection where parent_pk = b.pk order by rank) d)))
      from (select * from collection where parent_pk = a.pk order by rank) b)))
    from (select * from collection where topic_pk = t.pk and parent_pk is null order by rank) a)))
  from (select * from topic order by rank limit 20) t)))"""
STATEMENTS = {"D": DASHBOARD, "N": ONE_ASSET, "C": COUNTS, "T": TREE, "E": FILTERED}

database = sqlite3.connect(os.environ["DATABASE"], check_same_thread=False)
thread = ThreadPoolExecutor(1)


def answer(token: str, operation: str, variables: dict[str, str]) -> str | None:
    """Return the JSON of an operation; None for a bad token."""
    digest, now = sha256(token.encode()).hexdigest(), int(time() * 1_000)
    user = database.execute(
        "select user_pk from api_token where digest = ? and expires_at > ?", (digest, now)
    ).fetchone()
    if user is None:
        return None
    groups = database.execute("select group_pk from group_member where user_pk = ?", user).fetchall()
    principals = json.dumps([1, 2, user[0], *(pk for (pk,) in groups)])
    values = {"principals": principals, **variables}
    return str(database.execute(STATEMENTS[operation], values).fetchone()[0])


async def graphql(request: Request) -> Response:
    """Answer one of the operations by its name."""
    body = orjson.loads(await request.body())
    _, _, token = request.headers.get("authorization", "").partition("Bearer ")
    arguments = (token, body["operationName"], body.get("variables") or {})
    text = await asyncio.get_running_loop().run_in_executor(thread, answer, *arguments)
    return Response(status_code=401) if text is None else Response(text, media_type="application/json")


app = Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])
