"""An e-mail backend of Django that asks before another backend sends.

EMAIL_BACKEND = "sesbounce.guard.django.EmailBackend"
EMAIL_GUARD = {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "ON_ERROR": "refuse"}

From Django 6.1 on, in MAILERS, the option `guard` holds what EMAIL_GUARD holds.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string

from sesbounce.guard.messages import configured, send_messages


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Django has no types
    """Wraps the backend that the option `guard`, or the setting `EMAIL_GUARD`, names.

    Attributes:
        backend: the backend that sends; it gets all other options.
    """

    def __init__(
        self, fail_silently: bool = False, guard: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(alias=options.get("alias"))
        self._silent = fail_silently
        found = guard or getattr(settings, "EMAIL_GUARD", None)
        path, self._guard = configured(found, "EMAIL_GUARD")
        if fail_silently:  # Django 6.1 warns of any other value, too
            options["fail_silently"] = True
        self.backend = import_string(path)(**options)

    def open(self) -> bool | None:
        """Open the connection of the backend that sends."""
        opened: bool | None = self.backend.open()
        return opened

    def close(self) -> None:
        """Close the connection of the backend that sends."""
        self.backend.close()

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """Send the messages of which a recipient is left; see `guard.messages.send_messages`."""
        return send_messages(
            self._guard,
            self.backend.send_messages,
            list(email_messages),
            fail_silently=self._silent,
        )
