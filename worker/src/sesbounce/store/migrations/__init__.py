"""The migrations of the schema, which `sesbounce.store.migrate` runs with Alembic."""
