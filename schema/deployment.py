"""Deployment: version, settings and limits."""

import strawberry

from schema.field import field


@strawberry.type(description="Limits of requests to the deployment.")
class Limits:
    """Limits of requests."""

    depth: int = field("The maximum depth of nested fields in an operation.")
    page_size: int = field("The maximum number of items per page.")
    bulk_items: int = field("The maximum number of items in a bulk mutation.")
    inline_bulk_items: int = field(
        "The maximum number of items in a bulk mutation that runs within the request; a larger one runs as a Job."
    )
    collection_depth: int = field("The maximum depth of nested collections.")


@strawberry.type(description="This deployment of Atoll: its version, settings and limits.")
class Deployment:
    """The deployment of Atoll."""

    version: str = field("Atoll's version.")
    public_sharing: bool = field(
        "Whether public sharing is on: then anyone can see PUBLIC collections and, in them, assets with a"
        " grant to `public`."
    )
    limits: Limits = field("The limits of requests.")
