from tests.databases import database_url, server_database_url, server_urls  # noqa: F401
