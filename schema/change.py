"""Change log: changes, their fields, and filters for them."""

from typing import Optional

import strawberry

from permissions.directive import DeniedResult, PermissionScope, permission
from permissions.permission import Permission
from resolvers import change as resolve
from schema import field as declare
from schema.asset import AssetConnection
from schema.connection import PageInfo, edges_field, nodes_field, page_info_field
from schema.enums import ChangeAction, SubjectType
from schema.field import field, forward_arguments, optional
from schema.filter import DateTimeRange
from schema.node import Node, match_rows
from schema.scalars import DateTime
from schema.user import User


@strawberry.type(description="A change of one field of an object.")
class FieldChange:
    """A change of one field."""

    # Called through its module, because the attribute `field` shadows the function.
    field: str = declare.field("The field's name.")
    before: str | None = declare.field(
        "The value before the change. Null if there was none, or if it is the id of an object that is"
        " deleted or hidden from the viewer."
    )
    after: str | None = declare.field(
        "The value after the change. Null if there is none, or if it is the id of an object that is"
        " deleted or hidden from the viewer."
    )


@strawberry.type(
    description="An entry of the change log (history, audit log): the effect of one mutation on one object."
)
class Change(Node):
    """An entry of the change log (history, audit log): the effect of one mutation on one object."""

    is_type_of = match_rows("chg")
    at: DateTime = field("The date and time when the change was made.")
    actor: User | None = field("The user who made the change; null for a catalogue import.", resolver=resolve.actor)
    action: ChangeAction = field("The kind of change.")
    subject: Node | None = field(
        "The changed object. Null if it has been deleted, is hidden from the viewer, or is the deployment.",
        resolver=resolve.subject,
    )
    subject_id: strawberry.ID = field("The id of the changed object, which stays readable after the object is deleted.")
    subject_type: SubjectType = field("The type of the changed object.", resolver=resolve.subject_type)
    subject_name: str | None = field(
        "The name of the object right after the change; of a deletion, before it. It stays readable after the object is"
        " deleted, for those who could see it then. Null for the deployment."
    )
    origin: str | None = field("The file of the import that made the change; null for any other change.")
    can_undo: bool = field(
        "Whether `changeUndo` with the id of the change would undo it now, or at least one of its assets: the viewer"
        " may, it is at most 30 days old, and later changes do not prevent it. False for a change of more than 1,000"
        " assets, which is undone with its job.",
        resolver=resolve.can_undo,
    )
    undoes: Optional["Change"] = field(
        "The change that this one undid; null if it is no undo.", resolver=resolve.undoes
    )
    undone_by: Optional["Change"] = field(
        "The change that undid this one, the last if there were several; null if none did.", resolver=resolve.undone_by
    )
    fields: list[FieldChange] = field(
        "The changed fields, without those that are hidden from the viewer.", resolver=resolve.fields
    )
    assets: AssetConnection = field(
        "The visible assets that the change added, removed, moved or handed over, sorted by name.",
        permission(Permission.ASSET_DISCOVER, on=PermissionScope.ITEM, denied=DeniedResult.OMIT),
        resolver=resolve.assets,
        arguments=forward_arguments(),
    )
    request_id: str = field("The id of the request; all changes of one request share it.")


@strawberry.type(description="An edge in a list of changes.")
class ChangeEdge:
    """An edge in a list of changes."""

    cursor: str = field("The change's cursor in the list.")
    node: Change = field("The change.")


@strawberry.type(description="A page of changes, newest first.")
class ChangeConnection:
    """A page of changes, newest first. It has no total count, whose cost would grow with the log."""

    edges: list[ChangeEdge] = edges_field("changes")
    nodes: list[Change] = nodes_field("changes")
    page_info: PageInfo = page_info_field()


@strawberry.input(
    description="Filters for changes. Fields combine with AND; the values of a list, at most 100, with OR."
)
class ChangeFilter:
    """Filters for changes."""

    actor_ids: list[strawberry.ID] | None = optional("Ids of the users who made the change.")
    actions: list[ChangeAction] | None = optional("Kinds of change.")
    subject_ids: list[strawberry.ID] | None = optional(
        "Ids of the changed objects, deleted ones included; `deployment` for the deployment."
    )
    subject_types: list[SubjectType] | None = optional("Types of the changed objects.")
    text: str | None = optional("Text that occurs in the name of the changed object, ignoring case.")
    at: DateTimeRange | None = optional("When the change was made.")
