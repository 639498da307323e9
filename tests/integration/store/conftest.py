from tests.databases.fixtures import (  # noqa: F401
    database_url,
    server_database_url,
    server_urls,
)
