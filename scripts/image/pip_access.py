"""Copies pip's settings on this machine into secret files for the build of an image.

A mirror, a proxy and a company's certificates are settings of the machine. Each build needs them,
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
"""The ids of the two secrets in the Dockerfile."""

_URLS = ("index-url", "extra-index-url", "find-links")
_OPTIONS = (*_URLS, "proxy", "trusted-host", "timeout", "default-timeout", "retries")
# pip's HTTP library and OpenSSL read these where pip has no option `cert`.
_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def secrets(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Write the secrets of a build into `folder`, which only its owner should be able to read.

    Returns:
        The files, by the ids of their secrets; empty where pip has no settings.
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
    """All of pip's options, from files and the environment; the latter override the former."""
    run = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,  # without pip there are no options
    )
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in run.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if section in found:
            found[section][name] = ast.literal_eval(value)
    return {name: value for section in found.values() for name, value in section.items()}


def _reachable(name: str, options: Mapping[str, str]) -> str:
    """The option's value, without paths on this machine's disk."""
    words = options.get(name, "").split()
    if name in _URLS:
        words = [word for word in words if word.startswith(("https://", "http://"))]
    return " ".join(words)


def _certificates(options: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    paths = [options.get("cert"), *(environment.get(name) for name in _CERTIFICATE_VARIABLES)]
    return next((Path(path) for path in paths if path and Path(path).is_file()), None)
