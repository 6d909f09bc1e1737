"""This file is Alembic's entry: it runs migrations on the connection that `store.migrate` hands over."""

from alembic import context
from sqlmodel import SQLModel

import store.tables  # noqa: F401 - fills the metadata that autogenerate compares with

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite alters by copying
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
