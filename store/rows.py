"""Types of the rows that SELECTs of the tables return.

At run time each is SQLAlchemy's `Row`. To a type checker each has the columns of its table, declared once in
`tables.py`, and those that `permissions.visible` adds: a wrong column is an error. State the type where a row is
fetched: a loader is generic in it (`RowByColumn[int, AssetRow]`); elsewhere annotate or cast the result.
"""

from typing import TYPE_CHECKING

from sqlalchemy import Row

if TYPE_CHECKING:
    from store import tables

    class AssetRow(tables.Asset):
        """An asset, with the viewer's access to it."""

        viewer_access: int

    class ChangeRow(tables.Change):
        """A change, with the viewer's access to its subject; 0 where that is not an asset."""

        subject_access: int

    class GrantRow(tables.Principal):
        """A holder of a grant, with the access that it gives."""

        access: int

    CollectionRow = tables.Collection
    JobRow = tables.Job
    MembershipRow = tables.Membership
    PrincipalRow = tables.Principal
    TopicRow = tables.Topic
else:
    AssetRow = ChangeRow = CollectionRow = GrantRow = JobRow = MembershipRow = PrincipalRow = TopicRow = Row

NodeRow = AssetRow | ChangeRow | CollectionRow | JobRow | PrincipalRow | TopicRow
"""A row of any table whose objects have a public id."""
