"""What all unit tests have in common."""

import functools

import botocore.session
import pytest

# pytest-localstack changes what a session has read: only the unit tests share it.
_loader = functools.cache(botocore.session.create_loader)


@pytest.fixture(autouse=True)
def _descriptions_of_services_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each session of boto3 would read them anew, and some tests make many."""
    monkeypatch.setattr(botocore.session, "create_loader", _loader)
