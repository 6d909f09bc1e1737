"""This file is the acts that give sight and take it back: over HTTP at a server, or in the database by the platform."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.tokens import create_token, revoke_token
from store.catalogue.importer import import_catalogue
from store.database import Database
from tests.conftest import set_public_sharing, write_lines
from tests.mutations import Mutation
from tests.oracle import Line

OWNER, ADMINISTRATOR = "olu", "ada"
Client = httpx.AsyncClient


@dataclass(frozen=True)
class Stage:
    """What all who act have in common."""

    database: Database
    folder: Path
    urls: Mapping[str, str]  # by the name of the server
    ids: Mapping[str, str]  # of users, groups and assets by the platform's; of collections by "collection:" and slug
    tokens: dict[str, str]  # by person

    async def mutate(self, client: Client, who: str, name: str, **given: Any) -> None:
        """Send a mutation; fail unless it is accepted."""
        asked = {"query": Mutation(name, "__typename").query, "variables": {"input": given}}
        headers = {"authorization": f"Bearer {self.tokens[who]}"}
        answer = (await client.post("/graphql", json=asked, headers=headers)).json()
        assert "errors" not in answer, answer
        assert answer["data"][name]["userErrors"] == [], answer


Act = Callable[[Stage, Client], Awaitable[None]]
"""The client is of the server that is written to, where the act is a mutation."""


def granted(asset: str, access: str, **to: str | bool) -> Act:
    """The owner grants an access, to `userId` or `groupId` by the platform's id, `everyone` or `public`."""

    async def act(stage: Stage, client: Client) -> None:
        grants = [{"to": _principal(stage, to), "access": access}]
        await stage.mutate(client, OWNER, "assetGrantsUpdate", assetId=stage.ids[asset], set=grants)

    return act


def revoked(asset: str, **to: str | bool) -> Act:
    """The owner takes the grant back that those hold, named as above."""

    async def act(stage: Stage, client: Client) -> None:
        await stage.mutate(client, OWNER, "assetGrantsUpdate", assetId=stage.ids[asset], revoke=[_principal(stage, to)])

    return act


def _principal(stage: Stage, to: Mapping[str, str | bool]) -> dict[str, str | bool]:
    return {kind: stage.ids[value] if isinstance(value, str) else value for kind, value in to.items()}


def registered(asset: str, status: str) -> Act:
    """The platform tells the status of an asset, which is a model of the owner's."""

    async def act(stage: Stage, client: Client) -> None:
        known = {"externalId": asset, "kind": "MODEL", "name": asset, "ownerId": stage.ids[OWNER]}
        await stage.mutate(client, ADMINISTRATOR, "assetsRegister", assets=[known | {"status": status}])

    return act


def updated(collection: str, visibility: str) -> Act:
    """An administrator sets the visibility of a collection."""

    async def act(stage: Stage, client: Client) -> None:
        id_ = stage.ids[f"collection:{collection}"]
        await stage.mutate(client, ADMINISTRATOR, "collectionUpdate", id=id_, visibility=visibility)

    return act


def held(change: str, name: str) -> Act:
    """The owner adds ("Add") an asset to the collection of its name, or takes it out ("Remove")."""

    async def act(stage: Stage, client: Client) -> None:
        collection, asset = stage.ids[f"collection:{name}"], stage.ids[name]
        await stage.mutate(client, OWNER, f"collectionAssets{change}", collectionId=collection, assetIds=[asset])

    return act


def loaded(line: Line) -> Act:
    """The platform writes a line of its catalogue."""

    async def act(stage: Stage, _client: Client) -> None:
        path = write_lines(stage.folder / f"{line['id']}.jsonl", [dict(line)])
        await import_catalogue(stage.database, path, "proof", lambda _bytes: None)

    return act


def shared(*, publicly: bool) -> Act:
    """The deployment turns public sharing on or off."""

    async def act(stage: Stage, _client: Client) -> None:
        await set_public_sharing(stage.database, is_on=publicly)

    return act


def in_turn(*acts: Act) -> Act:
    """One act after the other."""

    async def act(stage: Stage, client: Client) -> None:
        for each in acts:
            await each(stage, client)

    return act


def token_made(user: str) -> Act:
    """The user is given a token."""

    async def act(stage: Stage, _client: Client) -> None:
        stage.tokens[user] = await create_token(stage.database, user, 3_600)

    return act


def token_revoked(user: str) -> Act:
    """The user's token is taken back."""

    async def act(stage: Stage, _client: Client) -> None:
        assert await revoke_token(stage.database, stage.tokens[user])

    return act
