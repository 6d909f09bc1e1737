"""Deployment: version, settings and limits."""

import strawberry

from schema.field import field
from schema.node import Node, match_rows


@strawberry.type(description="Limits of the viewer's requests to the deployment.")
class Limits:
    """Limits of requests."""

    body_bytes: int = field("The maximum size of a request's body.")
    query_characters: int = field("The maximum length of a document.")
    tokens: int = field("The maximum number of tokens of a document.")
    depth: int = field("The maximum depth of nested fields in an operation.")
    root_fields: int = field("The maximum number of fields at the root of a query.")
    root_mutations: int = field("The maximum number of mutations in one operation.")
    selected_fields: int = field("The maximum number of selected fields in a document, with its fragments expanded.")
    aliases: int = field("The maximum number of aliases in an operation.")
    alias_characters: int = field("The maximum length of an alias.")
    directives: int = field("The maximum number of directives in an operation.")
    objects: int = field(
        "The maximum number of objects that a query may return, estimated from its page sizes: lists within lists"
        " multiply. A mutation may return a quarter. `extensions.cost` of each response has the estimate."
    )
    fields: int = field("The maximum number of fields of all objects that a query may return, estimated likewise.")
    reads: int = field(
        "The maximum weight of the reads for a query, estimated likewise. A page weighs 1 or more, and a count, a facet"
        " or a sorted page of a collection about 10."
    )
    response_bytes: int = field(
        "The maximum size of a query's response. For a mutation, a quarter is the maximum length of all texts in its"
        " payload."
    )
    page_size: int = field("The maximum number of items per page.")
    graph_page_size: int = field("The maximum number of rows per page of `collectionGraph`.")
    graph_page_minutes: int = field(
        "How long the further pages of `collectionGraph` are available after a page, in minutes."
    )
    sync_token_days: int = field("How long a `syncToken` is valid, in days.")
    list_items: int = field("The maximum number of values in a list of an argument or an input, unless it has another.")
    bulk_items: int = field("The maximum number of items in a bulk mutation.")
    inline_bulk_items: int = field(
        "The maximum number of items in a bulk mutation that runs within the request; a larger one runs as a Job."
    )
    active_jobs: int = field("The maximum number of active jobs of a user.")
    daily_job_items: int = field("The maximum number of items in all jobs that a user starts within 24 hours.")
    daily_exports: int = field("The maximum number of exports that a user starts within 24 hours.")
    export_days: int = field("How long the file of an export is available, in days.")
    daily_idempotency_keys: int = field("The maximum number of idempotency keys of a user within 24 hours.")
    active_tokens: int = field("The maximum number of valid API tokens of a user who creates one by `tokenCreate`.")
    token_days: int = field("The maximum lifetime of a token that `tokenCreate` creates, in days.")
    collection_depth: int = field("The maximum depth of nested collections.")
    live_connections: int | None = field(
        "The maximum number of WebSockets and event streams of a user in each process of the server. Null for visitors,"
        " who cannot subscribe."
    )
    subscriptions: int = field("The maximum number of subscriptions of a WebSocket at the same time.")
    message_bytes: int = field("The maximum size of a client's message in a WebSocket.")
    rate_points: int | None = field(
        "The points that the viewer gets each second, up to `rateBurst`. An operation at the limit of `objects`,"
        " `fields` or `reads` takes 1,000 points, and others in proportion, at least 1. Each value of a list in the"
        " input of a mutation counts as an object. Visitors share the points of their address. Null if there is no"
        " rate limit."
    )
    rate_burst: int | None = field("The maximum number of points. Null if there is no rate limit.")


@strawberry.type(description="This deployment of Atoll: its version, settings and limits.")
class Deployment(Node):
    """The deployment of Atoll."""

    is_type_of = match_rows("dep")
    version: str = field("Atoll's version.")
    public_sharing: bool = field(
        "Whether public sharing is on: then anyone can see PUBLIC collections and, in them, assets with a"
        " grant to `public`."
    )
    limits: Limits = field("The limits of requests.")
