"""Alembic environment: runs migrations on the connection that `store.migrate` passes on."""

from alembic import context
from sqlmodel import SQLModel

from store.model_comparison import COMPARISON

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,
    **COMPARISON,
)
with context.begin_transaction():
    context.run_migrations()
