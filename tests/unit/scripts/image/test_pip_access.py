"""What a build is lent of this machine's way to PyPI, asked of the real pip."""

import os
import stat
from collections.abc import Mapping
from configparser import RawConfigParser
from pathlib import Path

import pytest

from scripts.image import pip_access


@pytest.fixture
def base() -> dict[str, str]:
    """An environment in which nobody has told pip anything."""
    return {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull}


def lent(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The options of the pip.conf that is lent."""
    conf = RawConfigParser()
    conf.read(pip_access.secrets(folder, environment)[pip_access.PIP_CONF])
    return dict(conf["global"])


def test_a_machine_without_settings_lends_nothing(tmp_path: Path, base: dict[str, str]) -> None:
    assert pip_access.secrets(tmp_path, base) == {}


def test_a_mirror_of_the_configuration_is_lent(tmp_path: Path, base: dict[str, str]) -> None:
    own = tmp_path / "own.conf"
    own.write_text(
        "[global]\n"
        "index-url = https://me:100%secret@mirror.example/simple\n"
        "trusted-host = mirror.example\n"
        "[install]\n"
        "extra-index-url = https://one.example/simple\n"
        "    https://two.example/simple\n"
    )
    options = lent(tmp_path, base | {"PIP_CONFIG_FILE": str(own)})
    assert options["index-url"] == "https://me:100%secret@mirror.example/simple"
    assert options["trusted-host"] == "mirror.example"
    assert options["extra-index-url"] == "https://one.example/simple https://two.example/simple"


def test_the_environment_counts_more_than_the_configuration(
    tmp_path: Path, base: dict[str, str]
) -> None:
    own = tmp_path / "own.conf"
    own.write_text("[install]\nindex-url = https://one.example/simple\n")
    environment = {"PIP_CONFIG_FILE": str(own), "PIP_INDEX_URL": "https://two.example/simple"}
    assert lent(tmp_path, base | environment)["index-url"] == "https://two.example/simple"


def test_what_lies_on_the_disk_is_left_out(tmp_path: Path, base: dict[str, str]) -> None:
    environment = {
        "PIP_EXTRA_INDEX_URL": "file:///srv/simple https://mirror.example/simple",
        "PIP_FIND_LINKS": "/srv/wheels",
        "PIP_CONSTRAINT": "/srv/constraints.txt",
    }
    assert lent(tmp_path, base | environment) == {
        "extra-index-url": "https://mirror.example/simple"
    }


@pytest.mark.parametrize("name", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_are_lent_under_another_name(
    tmp_path: Path, base: dict[str, str], name: str
) -> None:
    certificates = tmp_path / "company.pem"
    certificates.touch()
    environment = base | {name: str(certificates)}
    assert lent(tmp_path, environment) == {"cert": "/run/secrets/certificates"}
    lent_too = pip_access.secrets(tmp_path, environment)[pip_access.CERTIFICATES]
    assert lent_too == certificates


def test_certificates_that_are_not_there_are_not_lent(tmp_path: Path, base: dict[str, str]) -> None:
    assert pip_access.secrets(tmp_path, base | {"PIP_CERT": str(tmp_path / "none.pem")}) == {}


def test_nobody_else_can_read_it(tmp_path: Path, base: dict[str, str]) -> None:
    environment = base | {"PIP_INDEX_URL": "https://me:secret@mirror.example/simple"}
    conf = pip_access.secrets(tmp_path, environment)[pip_access.PIP_CONF]
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600
