"""What pip has been told, asked of the real pip, and what uv is told of it."""

import os
from pathlib import Path

import pytest

from scripts.setup import pip_settings, uv


@pytest.fixture
def base() -> dict[str, str]:
    """An environment in which nobody has told pip anything."""
    return {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull}


def for_uv(environment: dict[str, str]) -> dict[str, str]:
    return pip_settings.for_uv(pip_settings.read(uv.install() / "python", environment), environment)


def test_a_machine_without_settings_leaves_uv_its_own(base: dict[str, str]) -> None:
    told = {name for name in for_uv(base) if name not in base}
    assert told <= {"UV_INDEX_STRATEGY", "UV_SYSTEM_CERTS"}


def test_the_index_of_the_configuration_is_uv_s(tmp_path: Path, base: dict[str, str]) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text(
        "[global]\n"
        "index-url = https://me:100%secret@mirror.example/simple\n"
        "trusted-host = mirror.example\n"
        "    other.example\n"
        "proxy = http://proxy.example:3128\n"
        "timeout = 99\n"
        "[install]\n"
        "extra-index-url = https://one.example/simple\n"
        "    https://two.example/simple\n"
    )
    told = for_uv(base | {"PIP_CONFIG_FILE": str(conf)})
    assert told["UV_DEFAULT_INDEX"] == "https://me:100%secret@mirror.example/simple"
    assert told["UV_INDEX"] == "https://one.example/simple https://two.example/simple"
    assert told["UV_INSECURE_HOST"] == "mirror.example other.example"
    assert told["HTTPS_PROXY"] == told["HTTP_PROXY"] == "http://proxy.example:3128"
    assert told["UV_HTTP_TIMEOUT"] == "99"


def test_a_variable_of_uv_s_counts_more(base: dict[str, str]) -> None:
    environment = base | {
        "PIP_INDEX_URL": "https://one.example/simple",
        "UV_DEFAULT_INDEX": "https://two.example/simple",
    }
    assert for_uv(environment)["UV_DEFAULT_INDEX"] == "https://two.example/simple"


def test_folders_that_are_missing_are_passed_over(tmp_path: Path, base: dict[str, str]) -> None:
    (tmp_path / "wheels").mkdir()
    places = f"{tmp_path}/wheels {tmp_path}/none https://mirror.example/files"
    urls = f"file://{tmp_path}/wheels file://{tmp_path}/none https://mirror.example/simple"
    told = for_uv(base | {"PIP_FIND_LINKS": places, "PIP_EXTRA_INDEX_URL": urls})
    assert told["UV_FIND_LINKS"] == f"{tmp_path}/wheels,https://mirror.example/files"
    assert told["UV_INDEX"] == f"file://{tmp_path}/wheels https://mirror.example/simple"


def test_pip_s_certificates_count_more_than_the_environment_s(
    tmp_path: Path, base: dict[str, str]
) -> None:
    own, other = tmp_path / "own.pem", tmp_path / "other.pem"
    own.touch()
    other.touch()
    environment = base | {"PIP_CERT": str(own), "SSL_CERT_FILE": str(other)}
    assert for_uv(environment)["SSL_CERT_FILE"] == str(own)


def test_a_configuration_that_pip_can_t_read_is_an_error(
    tmp_path: Path, base: dict[str, str]
) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text("index-url\n")
    with pytest.raises(pip_settings.PipError, match="pip config list"):
        for_uv(base | {"PIP_CONFIG_FILE": str(conf)})
