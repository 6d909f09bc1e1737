"""This file is changes: the one log of what was done, as its viewers may read it."""

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import change as resolve
from resolvers.listing import connection as resolve_connection
from schema import field as declare
from schema.asset import AssetConnection
from schema.connection import PageInfo, edges_field, nodes_field
from schema.enums import ChangeAction
from schema.field import field, forward_arguments, optional
from schema.filter import DateTimeRange
from schema.node import Node, match_rows
from schema.scalars import DateTime
from schema.user import User


@strawberry.type(description="What became of one field of an object.")
class FieldChange:
    """What became of one field."""

    # By its module: the first name of this class is that of the function.
    field: str = declare.field("Name of the field.")
    before: str | None = declare.field(
        "Value of the field before the change; null when there was none, and for the id of what is gone or the viewer"
        " may not see."
    )
    after: str | None = declare.field(
        "Value of the field after the change; null when there is none, and for the id of what is gone or the viewer"
        " may not see."
    )


@strawberry.type(description="One accepted mutation's effect on one object.")
class Change(Node):
    """One accepted mutation's effect on one object."""

    is_type_of = match_rows("chg_")
    at: DateTime = field("Timestamp of the change.")
    actor: User | None = field("User who made the change; null when it came with a catalogue.", resolver=resolve.actor)
    action: ChangeAction = field("What was done.")
    subject: Node | None = field(
        "Object that was changed; null when it was deleted since, or the viewer may not see it, or it is the"
        " deployment.",
        resolver=resolve.subject,
    )
    fields: list[FieldChange] = field(
        "Fields that were changed, less those that the viewer may not see of the object.", resolver=resolve.fields
    )
    assets: AssetConnection = field(
        "Assets that the change added, removed or moved and the viewer may see, by name.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve.assets,
        arguments=forward_arguments(),
    )
    request_id: str = field("Ties the changes of one request together.")


@strawberry.type(description="A change in a list.")
class ChangeEdge:
    """A change in a list."""

    cursor: str = field("Cursor of the change in the list.")
    node: Change = field("The change.")


@strawberry.type(description="A page of changes, the newest first.")
class ChangeConnection:
    """A page of changes; a log is read from its end, and nobody asks how long it is."""

    edges: list[ChangeEdge] = edges_field("changes")
    nodes: list[Change] = nodes_field("changes")
    page_info: PageInfo = field("Where the page lies in the list.", resolver=resolve_connection.page_info)


@strawberry.input(description="What changes a list keeps. All that is given must hold; within a list any may.")
class ChangeFilter:
    """What changes a list keeps."""

    actor_ids: list[strawberry.ID] | None = optional("Ids of the user who made the change.")
    actions: list[ChangeAction] | None = optional("Actions of the change.")
    subject_ids: list[strawberry.ID] | None = optional(
        "Ids of the object that was changed, which may be gone; `deployment` for the deployment."
    )
    at: DateTimeRange | None = optional("Span in which the change was made.")
