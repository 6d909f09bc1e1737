"""Differential test of mutations: Atoll and the model must respond alike and end in the same state."""

import asyncio
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from sqlalchemy import select, update

from app.tokens import create_token
from store import sql
from tests.conftest import ANONYMOUS, VIEWERS, GraphQLClient, World, catalogue_lines
from tests.db_snapshot import db_snapshot
from tests.model import build_world
from tests.model_membership import adopt
from tests.model_write import MUTATIONS, run_mutation

RESULTS = "status error { code path }"
SELECTIONS = {
    "fromCollection": "fromCollection { id }",
    "toCollection": "toCollection { id }",
    "formerTopic": "formerTopic { id }",
    "formerParent": "formerParent { id }",
    "subjects": "subjects { id }",
    "addedEdges": "addedEdges { node { ... on AssetFields { id } } }",
    "removedAssetIds": "removedAssetIds",
    "removedCollectionIds": "removedCollectionIds",
    "changes": "changes { id }",
    "movedCollectionCount": "movedCollectionCount",
    "collection": "collection { id }",
    "topic": "topic { id }",
    "asset": "asset { ... on AssetFields { id } }",
    "change": "change { id }",
    "deployment": "deployment { publicSharing }",
    "movedCollections": "movedCollections { id }",
    "deletedTopicIds": "deletedTopicIds",
    "deletedTopicId": "deletedTopicId",
    "deletedCollectionId": "deletedCollectionId",
    "user": "user { id }",
    "group": "group { id }",
    "results": f"results {{ id: assetId shown: asset {{ ... on AssetFields {{ id }} }} {RESULTS} }}",
    "summary": "summary { requested changed unchanged failed dryRun }",
}
OF_COLLECTIONS = {
    "results": f"results {{ id: collectionId shown: collection {{ id }} {RESULTS} }}",
    "addedEdges": "addedEdges { node { id } }",
}
"""Selections of `assetCollectionsUpdate`, whose items are collections."""
UNORDERED = ("userErrors", "addedEdges", "changes", "subjects")
VIEW = """query($isMember: Boolean!) {
  topics(first: 100) { nodes { id name slug version collections(first: 100) { nodes {
    id name slug visibility version parent { id } assetCounts { total }
    assets(first: 100) { edges { note addedBy { id } viewerCanRemove node { ... on AssetFields { id } } } }
  } } } }
  assets(first: 100, orderBy: {field: NAME}) { nodes { ... on AssetFields {
    id status viewerAccess goldStandard { note }
  } } }
  users(first: 100) @include(if: $isMember) { nodes { id name isAdmin isActive provisionedBy } }
  groups(first: 100) @include(if: $isMember) { nodes { id name provisionedBy members(first: 100) { nodes { id } } } }
}"""
TOKEN_SECONDS = 86_400
ORDER = """query($id: ID!) {
  collection(by: {id: $id}) { assets(first: 100) { nodes { ... on AssetFields { id } } } }
}"""
NAMES = """{
  topics { nodes { id slug } } collections { nodes { id slug } }
  assets(first: 100) { nodes { ... on AssetFields { id name } } }
}"""


class Both:
    """A copy of the tests' world, served in an event loop of its own, and its model."""

    def __init__(self, world: World) -> None:
        """Serve the world's database."""
        self._runner = asyncio.Runner()
        self._runner.get_loop()
        self._ask = self._runner.run(_open(world))
        self.model = build_world(catalogue_lines())
        self._id_of: dict[str, str] = self._runner.run(self._first_ids())
        self._last_pk = 0
        self._runner.run(self._hand_over_groups())
        self._runner.run(self._new_changes())  # skip the changes of the import
        self._whole = self._runner.run(db_snapshot(self._ask.database))

    def close(self) -> None:
        """Close every connection, and the loop."""
        self._runner.run(self._ask.close())
        self._runner.close()

    def mutate(self, who: str, mutation: str, given: Mapping[str, Any]) -> None:
        """Send a mutation, its input in labels; fail if its response or effect differs from the model's."""
        self._runner.run(self._mutate(who, mutation, given))

    def set_status(self, asset: str, status: str) -> None:
        """Set an asset's status, as the platform does."""
        self._runner.run(self._set_status(asset, status))

    def compare_views(self, viewers: Iterable[str] = VIEWERS) -> None:
        """Fail if a viewer's view of the world differs from the model's."""
        for who in viewers:
            expected = None if who in self.model.inactive else self.model.view(who)
            _compare(self._runner.run(self._view(who)), expected, who)

    async def _mutate(self, who: str, mutation: str, given: Mapping[str, Any]) -> None:
        made, logged = self.model.made, len(self.model.log)
        expected = run_mutation(self.model, who, mutation, given)
        answer = (await self._ask.response(who, _document(mutation), input=self._with_ids(given))).json()
        if "errors" in answer:
            assert [error["extensions"]["code"] for error in answer["errors"]] == [expected], answer
        else:
            payload = answer["data"][mutation]
            if self.model.made > made:
                self._name(payload)
            changes = await self._new_changes()
            expected_changes = {
                (change.action, change.subject): set(change.touched) for change in self.model.log[logged:]
            }
            self._name_changes(changes, logged)
            labels = self._labels()
            told = {(action, labels[subject]): assets for _, action, subject, assets in changes}
            _compare(told, expected_changes)
            _compare(_flat(payload, self._labels()), expected)
        await self._compare_rows(given, is_same=len(self.model.log) == logged)
        if mutation == "userReactivate" and len(self.model.log) > logged:
            await self._sign_in(given["userId"])
        for label in self.model.put_back:
            adopt(self.model, label, await self._order(label))

    async def _hand_over_groups(self) -> None:
        """Let administrators change the members of the groups, which mutations seldom hand over to them."""
        self.model.sources |= dict.fromkeys(self.model.groups, "MANUAL")
        async with self._ask.database.write() as connection:
            groups = sql.principal.c.kind == "GROUP"
            await connection.execute(update(sql.principal).where(groups).values(source="MANUAL"))

    async def _sign_in(self, who: str) -> None:
        """Give a user a token, because the former ones ended."""
        token = await create_token(self._ask.database, who, TOKEN_SECONDS)
        self._ask.tokens = self._ask.tokens | {who: token}
        self._whole = await db_snapshot(self._ask.database)

    async def _compare_rows(self, given: Mapping[str, Any], *, is_same: bool) -> None:
        before, self._whole = self._whole, await db_snapshot(self._ask.database)
        if is_same and "idempotencyKey" in given:  # the result may have been stored, which increments the revision
            before |= {name: self._whole[name] for name in ("idempotency", "deployment")}
        if is_same:
            changed = [name for name, rows in self._whole.items() if rows != before[name]]
            assert not changed, {name: (before[name], self._whole[name]) for name in changed}

    async def _new_changes(self) -> list[tuple[str, str, str, set[str]]]:
        """Return id, action, subject and assets of each change since the last call."""
        change, touched = sql.change, sql.change_asset
        assets = touched.outerjoin(sql.asset, sql.asset.c.pk == touched.c.asset_pk)
        rows = (
            select(change.c.pk, change.c.id, change.c.action, change.c.subject_id, sql.asset.c.name)
            .select_from(change.outerjoin(assets, touched.c.change_pk == change.c.pk))
            .where(change.c.pk > self._last_pk)
            .order_by(change.c.pk)
        )
        found: dict[str, tuple[str, str, str, set[str]]] = {}
        async with self._ask.database.snapshot() as snapshot:
            for row in await snapshot.rows(rows):
                self._last_pk = row.pk
                told = found.setdefault(row.id, (row.id, row.action, row.subject_id, set()))
                told[3].update([row.name] if row.name else [])
        return list(found.values())

    def _name(self, payload: Mapping[str, Any]) -> None:
        """Store the id of the topic or collection created last, under its label."""
        made: Mapping[str, Any] = payload.get("topic") or payload["collection"]
        kind = "t" if "topic" in payload else "c"
        self._id_of[f"{kind}{self.model.made}"] = made["id"]

    def _name_changes(self, changes: Iterable[tuple[str, str, str, set[str]]], logged: int) -> None:
        labels = self._labels()
        for change in self.model.log[logged:]:
            for id_, action, subject, _ in changes:
                if (action, labels.get(subject)) == (change.action, change.subject):
                    self._id_of[change.label] = id_

    def _labels(self) -> dict[str, str]:
        return {id_: label for label, id_ in self._id_of.items()}

    def _with_ids(self, given: Any, field: str = "") -> Any:
        """Return the input with ids for labels; an unknown label gets an unknown id."""
        if isinstance(given, dict):
            return {name: self._with_ids(value, name) for name, value in given.items()}
        if isinstance(given, list):
            return [self._with_ids(value, field) for value in given]
        is_id = field in {"id", "addTo", "removeFrom", "moveCollectionsTo"} or field.endswith(("Id", "Ids"))
        if is_id and not field.lower().endswith("externalid") and isinstance(given, str):
            return self._id_of.setdefault(given, f"non_{given.replace('#', '')}")
        return given

    async def _view(self, who: str) -> dict[str, Any] | None:
        """Return the world as the viewer sees it; None for one who cannot sign in."""
        response = await self._ask.response(who, VIEW, isMember=who != ANONYMOUS)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            return None
        found, labels = response.json(), self._labels()
        assert "errors" not in found, found["errors"]
        return {name: _flat(held["nodes"], labels) for name, held in found["data"].items()}

    async def _order(self, label: str) -> list[str]:
        found = await self._ask(self.model.administrators()[0], ORDER, id=self._id_of[label])
        labels = self._labels()
        return [labels[node["id"]] for node in found["collection"]["assets"]["nodes"]]

    async def _set_status(self, asset: str, status: str) -> None:
        self.model.assets[asset].status = status
        async with self._ask.database.write() as connection:
            of_asset = sql.asset.c.id == self._id_of[asset]
            await connection.execute(update(sql.asset).where(of_asset).values(status=status))
        self._whole = await db_snapshot(self._ask.database)

    async def _first_ids(self) -> dict[str, str]:
        found = await self._ask("ada", NAMES)
        ids = {node.get("slug") or node["name"]: node["id"] for held in found.values() for node in held["nodes"]}
        async with self._ask.database.snapshot() as snapshot:
            people = await snapshot.rows(select(sql.principal.c.external_id, sql.principal.c.id))
        return {**ids, **{row.external_id: row.id for row in people if row.external_id}, "deployment": "deployment"}


async def _open(world: World) -> GraphQLClient:
    return GraphQLClient(world)


def _compare(found: Any, expected: Any, where: str = "") -> None:
    """Fail, with the path, if the actual value differs from the model's."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for name in found:
            _compare(found[name], expected[name], f"{where}.{name}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            _compare(one, other, f"{where}.{index}")
    else:
        assert found == expected, f"{where}: the graph says {found!r}, the model {expected!r}"


def _document(mutation: str) -> str:
    selections = SELECTIONS | (OF_COLLECTIONS if mutation == "assetCollectionsUpdate" else {})
    shown = [selections[field] for field in MUTATIONS[mutation][2]]
    kind = f"{mutation[0].upper()}{mutation[1:]}Input"
    return f"""mutation($input: {kind}!) {{
        {mutation}(input: $input) {{ {" ".join(shown)} userErrors {{ code path }} }}
    }}"""


def _flat(found: Any, labels: Mapping[str, str]) -> Any:
    """Return a response with labels for ids and with errors in the model's form."""
    if isinstance(found, list):
        return [_flat(each, labels) for each in found]
    if not isinstance(found, dict):
        return labels.get(found, found) if isinstance(found, str) else found
    if found.keys() == {"code", "path"}:
        return (found["code"], ".".join(found["path"]).removeprefix("input."))
    if found.keys() == {"publicSharing"}:
        return "deployment"
    if len(found) == 1 and found.keys() <= {"id", "total", "nodes", "edges", "node"}:
        return _flat(next(iter(found.values())), labels)
    flat = {name: _flat(value, labels) for name, value in found.items()}
    return flat | {name: sorted(flat[name]) for name in UNORDERED if name in flat}
