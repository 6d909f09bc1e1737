"""A query with the synchronous client of ariadne-codegen (`async_client = false`). Arguments: URL, token."""

import json
import sys

from atoll_client import Client


def main(url: str, token: str) -> None:
    """Print the names of a collection's first assets, and the size of the data among them."""
    with Client(url, headers={"authorization": f"Bearer {token}"}) as client:
        collection = client.collection_page(slug="members", first=2).collection
    print(json.dumps([edge.node.name for edge in collection.assets.edges]))


if __name__ == "__main__":
    main(*sys.argv[1:])
