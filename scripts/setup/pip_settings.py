"""What this machine's pip has been told about indexes, proxies and certificates; the same for uv.

uv reads none of pip's configuration, and a mirror or a company's certificates are set up there.
"""

import ast
import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from scripts import ScriptError

# Where pip's HTTP library and OpenSSL look when pip itself is told nothing.
_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class PipError(ScriptError):
    """pip can't read its own configuration."""


def read(python: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return pip's options by name, from its files and the environment.

    Args:
        python: a Python that has a pip.
        environment: holds the `PIP_*` variables.
    """
    run = subprocess.run(
        [str(python), "-m", "pip", "config", "list"],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise PipError(f"`pip config list` failed: {run.stderr.strip()}")
    # The section that counts most comes last.
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in run.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found:
            found[section][name] = ast.literal_eval(value)
    return {name: value for section in found.values() for name, value in section.items()}


def certificates(options: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    """Return the file of certificates that pip trusts, unless it trusts the system's."""
    named = [options.get("cert"), *(environment.get(name) for name in _CERTIFICATE_VARIABLES)]
    return next((Path(name) for name in named if name and Path(name).is_file()), None)


def for_uv(options: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with pip's options as uv's variables.

    A variable of uv's that the user has set counts more than pip's options.
    """
    proxy = options.get("proxy", "")
    translated = {
        "UV_DEFAULT_INDEX": options.get("index-url", ""),
        "UV_INDEX": " ".join(_present(options, "extra-index-url")),
        "UV_FIND_LINKS": ",".join(_present(options, "find-links")),
        # As pip does, uv is to look for a version in all indexes. The hashes say what is right.
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_INSECURE_HOST": " ".join(options.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": options.get("timeout") or options.get("default-timeout", ""),
        "UV_HTTP_RETRIES": options.get("retries", ""),
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "UV_SYSTEM_CERTS": "true" if _system_has_certificates() else "",
    }
    told = {name: value for name, value in translated.items() if value}
    trusted = certificates(options, environment)
    return told | dict(environment) | ({"SSL_CERT_FILE": str(trusted)} if trusted else {})


def _present(options: Mapping[str, str], name: str) -> list[str]:
    """Return the option's locations without folders that are missing, which pip passes over."""
    return [place for place in options.get(name, "").split() if _is_present(place)]


def _is_present(place: str) -> bool:
    if place.startswith("file:"):
        return Path(url2pathname(urlsplit(place).path)).exists()
    return "://" in place or Path(place).expanduser().exists()


def _system_has_certificates() -> bool:
    """Whether uv can rely on the system's certificates, as pip does; else it brings its own."""
    return sys.platform == "darwin" or ssl.get_default_verify_paths().cafile is not None
