"""A session of boto3 as a process has it that imports nothing else."""

import boto3
import pytest
from botocore import handlers


def use_new_session(patch: pytest.MonkeyPatch) -> None:
    """Have boto3 make a new session for its clients, with none but botocore's own hooks.

    The session that all clients share keeps the settings that it has once read; and whoever
    imports moto adds a hook to all sessions that come later.
    """
    own = [spec for spec in handlers.BUILTIN_HANDLERS if spec[1].__module__.startswith("botocore")]
    patch.setattr(handlers, "BUILTIN_HANDLERS", own)
    patch.setattr(boto3, "DEFAULT_SESSION", None)
