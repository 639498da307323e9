"""Django of either kind: with the setting `MAILERS`, which 6.1 has brought, or without it."""

import warnings
from collections.abc import Mapping
from typing import Any

import django
from django.conf import settings
from django.core import mail

GUARDED = "sesbounce.guard.django.EmailBackend"
HAS_MAILERS = django.VERSION >= (6, 1)

if not settings.configured:
    settings.configure(INSTALLED_APPS=["anymail"])
    django.setup()


def by_backend(path: str, **options: Any) -> dict[str, Any]:
    """The settings that choose a backend."""
    if HAS_MAILERS:
        return {"MAILERS": {"default": {"BACKEND": path, "OPTIONS": options}}}
    return {"EMAIL_BACKEND": path}


def by_guard(guard: Mapping[str, Any] | None) -> dict[str, Any]:
    """The settings that choose the guard and what it wraps."""
    if HAS_MAILERS:
        return by_backend(GUARDED, guard=guard)
    return by_backend(GUARDED) | {"EMAIL_GUARD": guard}


def connect(*, fail_silently: bool = False) -> Any:
    """The connection that the settings choose."""
    if HAS_MAILERS and not fail_silently:
        return mail.mailers.default
    with warnings.catch_warnings(action="ignore"):  # Django 6.1 will drop both
        return mail.get_connection(fail_silently=fail_silently)
