"""This file is the deployment: its version, its settings and its limits."""

import strawberry

from schema.field import field


@strawberry.type(description="The most that the deployment takes or gives at once.")
class Limits:
    """The most at once."""

    depth: int = field("Levels of nested fields of an operation.")
    page_size: int = field("Items of a page of any list.")
    bulk_items: int = field("Items of a bulk change.")
    inline_bulk_items: int = field("Items of a bulk change that is made at once; above, it becomes a Job.")
    collection_depth: int = field("Levels of nested collections.")


@strawberry.type(description="This deployment of Atoll.")
class Deployment:
    """This deployment."""

    version: str = field("Version of Atoll.")
    public_sharing: bool = field("Whether PUBLIC collections are shared with anyone.")
    limits: Limits = field("The most that it takes or gives at once.")
