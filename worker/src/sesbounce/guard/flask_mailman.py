"""A backend of Flask-Mailman that asks before another backend sends.

app.config["MAIL_BACKEND"] = "sesbounce.guard.flask_mailman"
app.config["MAIL_GUARD"] = {"BACKEND": "smtp", "ON_ERROR": "refuse"}
"""

from collections.abc import Sequence
from typing import Any

from flask import current_app
from flask_mailman.backends.base import BaseEmailBackend

from sesbounce.guard.messages import configured, send_messages


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # Flask-Mailman has no types
    """Wraps the backend that `MAIL_GUARD` names.

    Attributes:
        backend: the backend that sends.
    """

    def __init__(self, mailman: Any, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(mailman=mailman, fail_silently=fail_silently)
        path, self._guard = configured(current_app.config.get("MAIL_GUARD"), "MAIL_GUARD")
        wrapped = mailman.import_backend(path)
        self.backend = wrapped(mailman=mailman, fail_silently=fail_silently, **options)

    def open(self) -> bool | None:
        """Open the connection of the backend that sends."""
        opened: bool | None = self.backend.open()
        return opened

    def close(self) -> None:
        """Close the connection of the backend that sends."""
        self.backend.close()

    def send_messages(self, messages: Sequence[Any]) -> int:
        """Send the messages of which a recipient is left; see `guard.messages.send_messages`."""
        return send_messages(
            self._guard,
            self.backend.send_messages,
            list(messages),
            fail_silently=self.fail_silently,
        )
