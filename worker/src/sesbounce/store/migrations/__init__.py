"""The schema's history, for Alembic; `sesbounce.store.migrate` drives it."""
