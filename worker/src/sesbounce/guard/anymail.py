"""A receiver of anymail's signal `pre_send`, for projects that can't change their backend.

from sesbounce.guard.anymail import protect

protect(on_error="refuse")  # once, in AppConfig.ready
"""

from typing import Any, Unpack

from anymail.signals import pre_send

from sesbounce.guard.asking import Guard, Options
from sesbounce.guard.messages import Message, drop, recipients, sender_of

_UID = "sesbounce.guard"


def protect(**options: Unpack[Options]) -> None:
    """Let all backends of anymail ask before they send a message; of several calls the last counts.

    A message of which nobody is left raises `Suppressed`, and with `breaker` one whose sender is
    stopped raises `SendingStopped`. Then anymail sends none of the messages
    that follow it in the same call of `send_messages`; `sesbounce.guard.django` sends them.

    Args:
        options: `on_error` is required; see `Options`.

    Raises:
        TypeError: `on_error` is missing.
        ConfigurationError: an option has a value that does not exist.
    """
    guard = Guard(**options)

    def ask(message: Message, **_: Any) -> None:
        guard.demand_sending(sender_of(message))
        drop(message, guard.refused(recipients([message])))

    pre_send.disconnect(dispatch_uid=_UID)  # Django ignores a second receiver of the same id
    pre_send.connect(ask, weak=False, dispatch_uid=_UID)
