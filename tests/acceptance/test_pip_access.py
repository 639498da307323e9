"""The secrets that a build gets from this machine's pip settings, as the real pip reports them."""

import os
import stat
from collections.abc import Mapping
from configparser import RawConfigParser
from pathlib import Path

import pytest

from scripts.image import pip_access


@pytest.fixture
def base() -> dict[str, str]:
    """An environment in which pip has no settings."""
    return {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull}


def options(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The options of the pip.conf that a build gets."""
    conf = RawConfigParser()
    conf.read(pip_access.secrets(folder, environment)[pip_access.PIP_CONF])
    return dict(conf["global"])


def test_without_settings_there_are_no_secrets(tmp_path: Path, base: dict[str, str]) -> None:
    assert pip_access.secrets(tmp_path, base) == {}


def test_a_mirror_of_the_configuration_is_copied(tmp_path: Path, base: dict[str, str]) -> None:
    own = tmp_path / "own.conf"
    own.write_text(
        "[global]\n"
        "index-url = https://me:100%secret@mirror.example/simple\n"
        "trusted-host = mirror.example\n"
        "[install]\n"
        "extra-index-url = https://one.example/simple\n"
        "    https://two.example/simple\n"
    )
    copied = options(tmp_path, base | {"PIP_CONFIG_FILE": str(own)})
    assert copied["index-url"] == "https://me:100%secret@mirror.example/simple"
    assert copied["trusted-host"] == "mirror.example"
    assert copied["extra-index-url"] == "https://one.example/simple https://two.example/simple"


def test_the_environment_overrides_the_configuration(tmp_path: Path, base: dict[str, str]) -> None:
    own = tmp_path / "own.conf"
    own.write_text("[install]\nindex-url = https://one.example/simple\n")
    environment = {"PIP_CONFIG_FILE": str(own), "PIP_INDEX_URL": "https://two.example/simple"}
    assert options(tmp_path, base | environment)["index-url"] == "https://two.example/simple"


def test_paths_on_this_machine_are_left_out(tmp_path: Path, base: dict[str, str]) -> None:
    environment = {
        "PIP_EXTRA_INDEX_URL": "file:///srv/simple https://mirror.example/simple",
        "PIP_FIND_LINKS": "/srv/wheels",
        "PIP_CONSTRAINT": "/srv/constraints.txt",
    }
    assert options(tmp_path, base | environment) == {
        "extra-index-url": "https://mirror.example/simple"
    }


@pytest.mark.parametrize("name", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_certificates_get_the_path_of_the_secret(
    tmp_path: Path, base: dict[str, str], name: str
) -> None:
    certificates = tmp_path / "company.pem"
    certificates.touch()
    environment = base | {name: str(certificates)}
    assert options(tmp_path, environment) == {"cert": "/run/secrets/certificates"}
    secret = pip_access.secrets(tmp_path, environment)[pip_access.CERTIFICATES]
    assert secret == certificates


def test_missing_certificates_are_left_out(tmp_path: Path, base: dict[str, str]) -> None:
    assert pip_access.secrets(tmp_path, base | {"PIP_CERT": str(tmp_path / "none.pem")}) == {}


def test_nobody_else_can_read_it(tmp_path: Path, base: dict[str, str]) -> None:
    environment = base | {"PIP_INDEX_URL": "https://me:secret@mirror.example/simple"}
    conf = pip_access.secrets(tmp_path, environment)[pip_access.PIP_CONF]
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600
