"""What is wrong with a database server.

* ServerError
  x ServerMissing
"""


class ServerError(Exception):
    """A database server does not start, or can't be reached."""


class ServerMissing(ServerError):  # noqa: N818 - it is said of a server
    """There is no such server here, and no way to get one."""
