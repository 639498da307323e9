"""Alembic's environment: runs the migrations on the connection of `sesbounce.store.migrate`."""

from alembic import context

from sesbounce.store.migrate import VERSION_TABLE, is_ours
from sesbounce.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=is_ours,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
