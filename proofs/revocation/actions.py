"""Actions that grant access and revoke it: mutations over HTTP, or writes by the platform to the database."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.tokens import create_token, revoke_token
from proofs.proof import BrokenPromiseError
from store.catalogue.importer import import_catalogue
from store.database import Database
from tests.conftest import set_public_sharing, write_lines
from tests.mutations import Mutation
from tests.oidc.fake_issuer import FakeIssuer, signing_key
from tests.oracle import Line

OWNER, ADMINISTRATOR = "olu", "ada"
ISSUER_KEY = signing_key("k1", "ES256")
REFUSED = "a server refused a write: {}"
Client = httpx.AsyncClient


@dataclass(frozen=True)
class Deployment:
    """The servers, their database, and the ids and tokens of its users."""

    database: Database
    folder: Path
    urls: Mapping[str, str]  # by the name of the server
    ids: Mapping[str, str]  # by external id; of collections by "collection:" and slug
    tokens: dict[str, str]  # by person
    issuer: FakeIssuer  # of which the servers take over claims

    async def mutate(self, client: Client, who: str, name: str, **mutation_input: Any) -> None:
        """Send a mutation. Raises BrokenPromiseError if it is refused."""
        query = Mutation(name, "__typename").query
        data = await _send(client, self.tokens[who], query=query, variables={"input": mutation_input})
        if data[name]["userErrors"]:
            raise BrokenPromiseError(REFUSED.format(data))


async def _send(client: Client, token: str, **body: Any) -> Any:
    """Send an operation and return its data. Raises BrokenPromiseError for errors."""
    response = (await client.post("/graphql", json=body, headers={"authorization": f"Bearer {token}"})).json()
    if "errors" in response:
        raise BrokenPromiseError(REFUSED.format(response))
    return response["data"]


Action = Callable[[Deployment, Client], Awaitable[None]]
"""Takes the client of the server that receives the mutation. Direct writes to the database ignore it."""


def grant_access(asset: str, access: str, **to: str | bool) -> Action:
    """Let the owner grant access to `userId` or `groupId` (external ids), `everyone` or `public`."""

    async def run(deployment: Deployment, client: Client) -> None:
        grants = [{"to": _principal(deployment, to), "access": access}]
        await deployment.mutate(client, OWNER, "assetGrantsUpdate", assetId=deployment.ids[asset], set=grants)

    return run


def revoke_access(asset: str, **to: str | bool) -> Action:
    """Let the owner revoke the grant of the holder, named as in `grant_access`."""

    async def run(deployment: Deployment, client: Client) -> None:
        await deployment.mutate(
            client, OWNER, "assetGrantsUpdate", assetId=deployment.ids[asset], revoke=[_principal(deployment, to)]
        )

    return run


def _principal(deployment: Deployment, to: Mapping[str, str | bool]) -> dict[str, str | bool]:
    return {kind: deployment.ids[value] if isinstance(value, str) else value for kind, value in to.items()}


def register_status(asset: str, status: str) -> Action:
    """Let the platform register the status of one of the owner's models."""

    async def run(deployment: Deployment, client: Client) -> None:
        registration = {"externalId": asset, "kind": "MODEL", "name": asset, "ownerId": deployment.ids[OWNER]}
        await deployment.mutate(client, ADMINISTRATOR, "assetsRegister", assets=[registration | {"status": status}])

    return run


def set_visibility(collection: str, visibility: str) -> Action:
    """Let an administrator set the visibility of a collection."""

    async def run(deployment: Deployment, client: Client) -> None:
        id_ = deployment.ids[f"collection:{collection}"]
        await deployment.mutate(client, ADMINISTRATOR, "collectionUpdate", id=id_, visibility=visibility)

    return run


def change_membership(change: str, name: str) -> Action:
    """Let the owner add an asset to the collection of the same name ("Add") or remove it ("Remove")."""

    async def run(deployment: Deployment, client: Client) -> None:
        collection, asset = deployment.ids[f"collection:{name}"], deployment.ids[name]
        await deployment.mutate(client, OWNER, f"collectionAssets{change}", collectionId=collection, assetIds=[asset])

    return run


def import_line(line: Line) -> Action:
    """Let the platform import a catalogue line."""

    async def run(deployment: Deployment, _client: Client) -> None:
        path = write_lines(deployment.folder / f"{line['id']}.jsonl", [dict(line)])
        await import_catalogue(deployment.database, path, "proof", lambda _bytes: None)

    return run


def switch_public_sharing(*, is_on: bool) -> Action:
    """Turn public sharing of the deployment on or off."""

    async def run(deployment: Deployment, _client: Client) -> None:
        await set_public_sharing(deployment.database, is_on=is_on)

    return run


def in_sequence(*actions: Action) -> Action:
    """Run the actions one after the other."""

    async def run(deployment: Deployment, client: Client) -> None:
        for action in actions:
            await action(deployment, client)

    return run


def issue_token(user: str) -> Action:
    """Create a token for the user."""

    async def run(deployment: Deployment, _client: Client) -> None:
        deployment.tokens[user] = await create_token(deployment.database, user, 3_600)

    return run


def sign_in(user: str, *groups: str, shares: str | None = None) -> Action:
    """Let a user sign in with a newer token that states these groups.

    With `shares`, the owner lets the first group view that asset, and the token is the one that the user reads with.
    So after the next sign-in, the user reads with a token that states a group that was revoked.
    """

    async def run(deployment: Deployment, client: Client) -> None:
        at = time.time()
        token = deployment.issuer.token(ISSUER_KEY, sub=user, iat=at, exp=at + 3_600, groups=list(groups))
        data = await _send(client, token, query="{ viewer { groups { nodes { id name } } } }")
        ids = {group["name"]: group["id"] for group in data["viewer"]["groups"]["nodes"]}
        if shares is not None:
            grants = [{"to": {"groupId": ids[groups[0]]}, "access": "VIEWER"}]
            await deployment.mutate(client, OWNER, "assetGrantsUpdate", assetId=deployment.ids[shares], set=grants)
            deployment.tokens[user] = token

    return run


def withdraw_token(user: str) -> Action:
    """Revoke the user's token."""

    async def run(deployment: Deployment, _client: Client) -> None:
        assert await revoke_token(deployment.database, deployment.tokens[user])

    return run
