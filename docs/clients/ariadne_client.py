"""Queries and mutations with the client that ariadne-codegen generated. Arguments: URL, token."""

import asyncio
import json
import sys
from datetime import UTC, datetime

from atoll_client import Client
from atoll_client.enums import AssetKind
from atoll_client.exceptions import GraphQLClientGraphQLMultiError
from atoll_client.input_types import AssetFilter, AssetRegistration, AssetsRegisterInput, DateTimeRange


async def read_names(client: Client, until: datetime) -> list[str]:
    """Return the names of all data assets created before the time."""
    filter_ = AssetFilter(kinds=[AssetKind.DATA_ASSET], createdAt=DateTimeRange(until=until))
    names, after, has_next = [], None, True
    while has_next:
        page = (await client.assets(first=2, after=after, filter_=filter_)).assets
        names += [edge.node.name for edge in page.edges]
        after, has_next = page.page_info.end_cursor, page.page_info.has_next_page
    return names


async def error_codes(client: Client) -> list[str]:
    """Return the codes of the errors of the audit log, which is for administrators."""
    try:
        await client.audit_log()
    except GraphQLClientGraphQLMultiError as error:
        return [each.extensions["code"] for each in error.errors]
    return []


async def register(client: Client, owner_id: str, size_bytes: int) -> dict[str, str | int]:
    """Register a data asset of the size, and return its scalars."""
    registration = AssetRegistration(
        externalId="large",
        kind=AssetKind.DATA_ASSET,
        name="large",
        ownerId=owner_id,
        sizeBytes=size_bytes,
        url="https://example.org/large",
        grants=[{"to": {"userId": owner_id}, "access": "OWNER"}],
    )
    payload = (await client.register_assets(AssetsRegisterInput(assets=[registration]))).assets_register
    asset = payload.results[0].asset
    return {"name": asset.name, "size": asset.size_bytes, "zone": asset.created_at.tzname()}


async def main(url: str, token: str) -> None:
    """Print the results as JSON."""
    async with Client(url, headers={"authorization": f"Bearer {token}"}) as client:
        result = {
            "names": await read_names(client, datetime(2024, 6, 1, tzinfo=UTC)),
            "codes": await error_codes(client),
        }
        if not result["codes"]:
            viewer = (await client.viewer_name()).viewer
            result["registered"] = await register(client, viewer.user.id, 2**53)
            nothing = (await client.register_assets(AssetsRegisterInput(assets=[]))).assets_register
            result["user_errors"] = [error.code for error in nothing.user_errors]
        print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
