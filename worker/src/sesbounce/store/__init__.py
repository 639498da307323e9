"""The database: schema, migrations, reading and recording."""
