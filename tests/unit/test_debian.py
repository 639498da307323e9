"""What a test lacks is installed by root alone; elsewhere the skip says what to install."""

import os

import pytest

from tests import debian


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(debian, "apt_get", lambda *_: pytest.fail("only root installs packages"))
    with pytest.raises(pytest.skip.Exception) as skipped:
        debian.demand("the recipe for Perl", "no-such-package")
    assert str(skipped.value) == (
        "NOT TESTED: the recipe for Perl. Install what it needs (Debian: apt-get install "
        "--no-install-recommends no-such-package); only root installs packages, on Debian"
    )
