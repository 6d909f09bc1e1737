<%!
    def operations(text):
        lines = (text or "pass").splitlines()
        return "\n".join(line for line in lines if "# ###" not in line).strip()
%>\
<% text = (upgrades or "") + (downgrades or "") %>\
"""${message}."""

% if "sa." in text or "TEXT" in text:
import sqlalchemy as sa
% endif
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

% if "TEXT" in text:
TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
% endif


def upgrade() -> None:
    """Make the change."""
    ${upgrades | operations}


def downgrade() -> None:
    """Revert the change."""
    ${downgrades | operations}
