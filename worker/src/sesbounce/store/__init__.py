"""The database: its schema and migrations, recording and reading."""
