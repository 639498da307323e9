"""Copies pip's settings on this machine into secret files for the build of an image.

A mirror, a proxy and a company's certificates are settings of the machine. Each build needs them,
and no image should keep them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from scripts.setup import pip_settings, uv

PIP_CONF = "pip_conf"
CERTIFICATES = "certificates"
"""The ids of the two secrets in the Dockerfile."""

_URLS = ("index-url", "extra-index-url", "find-links")
_OPTIONS = (*_URLS, "proxy", "trusted-host", "timeout", "default-timeout", "retries")


def secrets(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Write the secrets of a build into `folder`, which only its owner should be able to read.

    Returns:
        The files, by the ids of their secrets; empty where pip has no settings.
    """
    options = pip_settings.read(uv.install() / "python", environment)
    certificates = pip_settings.certificates(options, environment)
    lines = [f"{name} = {value}" for name in _OPTIONS if (value := _reachable(name, options))]
    if certificates:
        lines.append(f"cert = /run/secrets/{CERTIFICATES}")
    if not lines:
        return {}
    conf = folder / "pip.conf"
    conf.touch(0o600)
    conf.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    return {PIP_CONF: conf} | ({CERTIFICATES: certificates} if certificates else {})


def _reachable(name: str, options: Mapping[str, str]) -> str:
    """The option's value, without paths on this machine's disk."""
    words = options.get(name, "").split()
    if name in _URLS:
        words = [word for word in words if word.startswith(("https://", "http://"))]
    return " ".join(words)
