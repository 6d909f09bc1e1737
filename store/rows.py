"""Row types for the type checker, so that it reports wrong column names.

At run time each type is SQLAlchemy's `Row`. The type checker sees the columns of the table, as declared in `tables.py`,
and those that `permissions.visible` adds. State the type in the code that fetches a row: as the type parameter of a
loader (`RowByColumn[int, AssetRow]`), otherwise by an annotation or a cast. A row that is a part of a fetched one is of
a `row_type`.
"""

from collections import namedtuple
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

if TYPE_CHECKING:
    from store import tables

    class AssetRow(tables.Asset):
        """An asset, with the viewer's access to it."""

        viewer_access: int

    class ChangeRow(tables.Change):
        """A change, with the viewer's access to its subject; 0 if the subject is not an asset."""

        subject_access: int

    class GrantRow(tables.Principal):
        """A principal that holds a grant, with the access granted."""

        access: int

    ApiTokenRow = tables.ApiToken
    CollectionRow = tables.Collection
    JobRow = tables.Job
    MembershipRow = tables.Membership
    PrincipalRow = tables.Principal
    TopicRow = tables.Topic
else:
    ApiTokenRow = AssetRow = ChangeRow = CollectionRow = GrantRow = JobRow = MembershipRow = PrincipalRow = TopicRow = (
        Row
    )

NodeRow = ApiTokenRow | AssetRow | ChangeRow | CollectionRow | JobRow | PrincipalRow | TopicRow
"""A row of any table whose objects have a public id."""


@cache
def row_type(name: str, columns: tuple[str, ...]) -> Any:
    """Return the type of rows that are a part of other rows, with these columns."""
    return namedtuple(name, columns)  # noqa: PYI024 - a `typing.NamedTuple` needs fields that the type checker knows
