"""The errors of a database server.

* ServerError
  x ServerMissing
"""


class ServerError(Exception):
    """A database server does not start, or can't be reached."""


class ServerMissing(ServerError):  # noqa: N818 - it is said of a server
    """This machine has no such server, and no way to get one."""
