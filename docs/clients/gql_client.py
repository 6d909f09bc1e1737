"""Queries and a mutation with gql, synchronous and asynchronous. Arguments: URL, token, path of schema.graphql."""

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from gql import Client, GraphQLRequest, gql
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport, HTTPXTransport
from gql.utilities import update_schema_scalars
from graphql import GraphQLScalarType, GraphQLSchema, build_schema

ASSETS = gql("""
  query Assets($first: Int!, $after: String, $filter: AssetFilter) {
    assets(first: $first, after: $after, filter: $filter, orderBy: {field: NAME}) {
      nodes { ... on AssetFields { name createdAt url } ... on DataAsset { sizeBytes } }
      pageInfo { endCursor hasNextPage }
    }
  }
""")
REGISTER = gql("""
  mutation Register($input: AssetsRegisterInput!) {
    assetsRegister(input: $input) { results { status } userErrors { code message path } }
  }
""")
AUDIT_LOG = gql("{ auditLog(first: 1) { nodes { at } } }")

DATE_TIME = GraphQLScalarType("DateTime", serialize=datetime.isoformat, parse_value=datetime.fromisoformat)


def read_schema(path: str) -> GraphQLSchema:
    """Return the schema, with DateTime as datetime; Long is an int and URL a str without more ado."""
    schema = build_schema(Path(path).read_text(encoding="utf-8"))
    update_schema_scalars(schema, [DATE_TIME])
    return schema


def build_client(transport: HTTPXTransport | HTTPXAsyncTransport, schema: GraphQLSchema) -> Client:
    """Return a client that validates documents and converts scalars in variables and results."""
    return Client(transport=transport, schema=schema, serialize_variables=True, parse_results=True)


def assets_page(after: str | None, until: datetime) -> GraphQLRequest:
    """Return a request for the page after the cursor, of assets created before the time."""
    variables = {"first": 4, "after": after, "filter": {"createdAt": {"until": until}}}
    return GraphQLRequest(ASSETS, variable_values=variables)


def read_assets(client: Client, until: datetime) -> list[dict[str, Any]]:
    """Return all pages of assets created before the time."""
    assets, after, has_next = [], None, True
    with client as session:
        while has_next:
            page = session.execute(assets_page(after, until))["assets"]
            assets += page["nodes"]
            after, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return assets


async def read_assets_async(client: Client, until: datetime) -> list[dict[str, Any]]:
    """Return all pages of assets created before the time."""
    assets, after, has_next = [], None, True
    async with client as session:
        while has_next:
            page = (await session.execute(assets_page(after, until)))["assets"]
            assets += page["nodes"]
            after, has_next = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return assets


def error_codes(client: Client, request: GraphQLRequest) -> list[str]:
    """Return the codes of a request's errors, none if it succeeds."""
    try:
        client.execute(request)
    except TransportQueryError as error:
        return [each["extensions"]["code"] for each in error.errors or []]
    return []


def main(url: str, token: str, schema_path: str) -> None:
    """Print the results as JSON."""
    settings = {"url": url, "headers": {"authorization": f"Bearer {token}"}}
    schema, until = read_schema(schema_path), datetime.fromisoformat("2024-06-01T00:00:00Z")
    client = build_client(HTTPXTransport(**settings), schema)
    assets = read_assets(client, until)
    client_async = build_client(HTTPXAsyncTransport(**settings), schema)
    result = {
        "names": [asset["name"] for asset in assets],
        "created": sorted({asset["createdAt"].year for asset in assets}),
        "urls": sum(asset["url"] is not None for asset in assets),
        "is_equal_async": asyncio.run(read_assets_async(client_async, until)) == assets,
        "codes": error_codes(client, AUDIT_LOG),
    }
    if not result["codes"]:
        nothing = client.execute(GraphQLRequest(REGISTER, variable_values={"input": {"assets": []}}))
        result["user_errors"] = [error["code"] for error in nothing["assetsRegister"]["userErrors"]]
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
