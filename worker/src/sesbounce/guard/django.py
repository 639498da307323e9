"""An e-mail backend of Django that asks before another backend sends.

EMAIL_BACKEND = "sesbounce.guard.django.EmailBackend"
EMAIL_GUARD = {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "ON_ERROR": "refuse"}
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.module_loading import import_string

from sesbounce.guard.messages import configured, send_messages


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Django has no types
    """Wraps the backend that the setting `EMAIL_GUARD` names.

    Attributes:
        backend: the backend that sends.
    """

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(fail_silently=fail_silently)
        path, self._guard = configured(getattr(settings, "EMAIL_GUARD", None), "EMAIL_GUARD")
        self.backend = import_string(path)(fail_silently=fail_silently, **options)

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
            fail_silently=self.fail_silently,
        )
