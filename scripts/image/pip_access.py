"""How this machine's pip reaches PyPI, as files that a container's build can be lent.

A mirror, a proxy and a company's certificates are matters of the machine. Each build needs them,
and no image should keep them.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PIP_CONF = "pip_conf"
CERTIFICATES = "certificates"
"""The ids of the two secrets, as the Dockerfile names them."""

_URLS = ("index-url", "extra-index-url", "find-links")
_OPTIONS = (*_URLS, "proxy", "trusted-host", "timeout", "default-timeout", "retries")
# Where pip's HTTP library and OpenSSL look when pip itself is told nothing.
_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def secrets(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Write what a build needs into `folder`, which only its owner should be able to read.

    Returns:
        The files by the ids of their secrets; empty where pip is set up in no way.
    """
    options = _options(environment)
    certificates = _certificates(options, environment)
    lines = [f"{name} = {value}" for name in _OPTIONS if (value := _reachable(name, options))]
    if certificates:
        lines.append(f"cert = /run/secrets/{CERTIFICATES}")
    if not lines:
        return {}
    conf = folder / "pip.conf"
    conf.touch(0o600)
    conf.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    return {PIP_CONF: conf} | ({CERTIFICATES: certificates} if certificates else {})


def _options(environment: Mapping[str, str]) -> dict[str, str]:
    """All that pip has been told, by files and the environment; what counts most comes last."""
    run = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,  # an environment without a pip has told it nothing
    )
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in run.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found:
            found[section][name] = ast.literal_eval(value)
    return {name: value for section in found.values() for name, value in section.items()}


def _reachable(name: str, options: Mapping[str, str]) -> str:
    """The option's value, without what lies on this machine's disk."""
    words = options.get(name, "").split()
    if name in _URLS:
        words = [word for word in words if word.startswith(("https://", "http://"))]
    return " ".join(words)


def _certificates(options: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    named = [options.get("cert"), *(environment.get(name) for name in _CERTIFICATE_VARIABLES)]
    return next((Path(name) for name in named if name and Path(name).is_file()), None)
