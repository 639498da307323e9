"""The schema's history, for Alembic; `sesbounce.migrate` drives it."""
