"""Plans of the statements that requests run: none scans a table that grows, or indexes one for a single request."""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.conftest import ANONYMOUS, GraphQLClient
from tests.lists import ask_lists, every_list
from tests.test_listing import load_model

# Tables that grow with assets, users and changes. Topics and collections are few.
GROWING = {
    "access_grant",
    "api_token",
    "asset",
    "asset_tag",
    "asset_use",
    "change",
    "change_asset",
    "group_member",
    "idempotency",
    "job",
    "job_input",
    "job_item",
    "membership",
    "principal",
}
COUNT_OF_LIST = "WITH found AS"  # to count all assets is to read all of them
QUERIES = [
    "{ viewer { user { id } } deployment { publicSharing } }",
    """{ collections { nodes { ancestors { id } topic { id } parent { id } createdBy { id } assetCounts { total }
      containsAsset(assetId: "?") assets {
      edges { addedBy { id } } facets { kinds { count } tags { count } owners { count } } nodes { ... on AssetFields {
      owner { id } goldStandard { awardedBy { id } } grants { access principal { __typename } } } } } } } }""",
    """{ asset(by: {externalId: "explore"}) { ... on NoCodeApp { release { __typename } }
      ... on AssetFields { uses { totalCount } usedBy { totalCount } collections { totalCount } } } }""",
    '{ assets(query: "sequence tag:rna", filter: {kinds: [CAPSULE]}) { totalCount nodes { __typename } } }',
]


class Statements:
    """Statements that a client's requests run, with their parameters."""

    def __init__(self, ask: GraphQLClient) -> None:
        """Record the statements of the client's readers."""
        self.parameters: dict[str, Any] = {}
        ask.database.observe_reads(self._record)
        event.listen(
            ask.database.engines[1].sync_engine,
            "before_cursor_execute",
            lambda _connection, _cursor, statement, parameters, *_: self._record(statement, parameters),
        )

    def _record(self, statement: str, parameters: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            self.parameters.setdefault(statement, parameters)


async def run_requests(ask: GraphQLClient) -> Statements:
    """Run every list and a query of everything else, as an administrator, a member and a visitor."""
    await ask.transport.refresh()  # the index is built from all rows
    statements = Statements(ask)
    model = await load_model(ask)
    for who in ("ada", "sam", ANONYMOUS):
        lists = [each for each in every_list(model, who) if each.exists(model, who)]
        await ask_lists(ask, who, lists)
        for query in QUERIES:
            await ask.response(who, query)
    return statements


async def sqlite_faults(connection: AsyncConnection, statement: str, parameters: Any) -> list[str]:
    """Return the steps of a plan that index a table for this statement alone, or scan one, if it grows."""
    plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))
    tables = {alias: name for name, alias in re.findall(r'"?(\w+)"? AS "?(\w+)"?', statement)}
    return [
        step.detail
        for step in plan
        if (wrong := re.fullmatch(r"SCAN (\w+)|SEARCH (\w+) USING AUTOMATIC .*", step.detail))
        and tables.get(wrong[1] or wrong[2], wrong[1] or wrong[2]) in GROWING
    ]


async def postgresql_faults(connection: AsyncConnection, statement: str, parameters: Any) -> list[str]:
    """Return the tables that grow and that a plan scans although another way would do."""
    await connection.execute(text("SET LOCAL enable_seqscan = off"))
    rows = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", tuple(parameters))
    (plan,) = rows.scalar_one()
    return [
        node["Relation Name"]
        for node in nodes(plan["Plan"])
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in GROWING
    ]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def test_no_statement_scans_a_table_that_grows(ask_own: GraphQLClient) -> None:
    statements = await run_requests(ask_own)
    faults = sqlite_faults if ask_own.database.is_sqlite else postgresql_faults
    found = {}
    async with ask_own.database.engines[1].connect() as connection:
        for statement, parameters in statements.parameters.items():
            wrong = await faults(connection, statement, parameters)
            if wrong and not (statement.startswith(COUNT_OF_LIST) and wrong == ["SCAN asset"]):
                found[statement] = wrong
    assert len(statements.parameters) > 100
    assert found == {}
