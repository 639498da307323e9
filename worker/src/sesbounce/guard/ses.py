"""Guards boto3's clients of SES, by handlers of botocore's events.

The event `before-parameter-build` comes after all other handlers of the parameters, so the guard
judges what would be sent. A handler that raises ends the call before anything is sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, Unpack

from sesbounce.errors import Suppressed
from sesbounce.guard.asking import Guard, Options
from sesbounce.guard.recipients import everybody, in_headers, kept, sender_in_headers, without_bcc

T = TypeVar("T")

_SERVICES = ("ses", "sesv2")
_DROPPED = "sesbounce.guard"


class _Bulk(NamedTuple):
    """The names that one of the bulk operations uses.

    Attributes:
        entries: the parameter that holds the mails.
        results: the field of the answer that holds a result for each mail, in their order.
        rejected: the status of a mail that SES does not take.
    """

    entries: str
    results: str
    rejected: str


_BULK = {
    "SendBulkTemplatedEmail": _Bulk("Destinations", "Status", "MessageRejected"),
    "SendBulkEmail": _Bulk("BulkEmailEntries", "BulkEmailEntryResults", "MESSAGE_REJECTED"),
}
_SENDING = frozenset({"SendEmail", "SendRawEmail", "SendTemplatedEmail", *_BULK})
_OF_HEADERS = {"to": "ToAddresses", "cc": "CcAddresses", "bcc": "BccAddresses"}


def protect(client_or_session: T, **options: Unpack[Options]) -> T:
    """Let a client of SES (v1 or v2), or each client that a session will make, ask before it sends.

    From then on, each call of `send_email`, `send_raw_email`, `send_templated_email`,
    `send_bulk_templated_email` and `send_bulk_email` drops the recipients that may not be mailed.
    It raises `Suppressed`, and sends nothing, if nobody is left. In a bulk, each mail counts by
    itself: a mail of which nobody is left is not sent, and its place in the answer says that it
    was rejected; the call raises `Suppressed` if no mail is left. With `breaker`, a call whose
    sender is stopped raises `SendingStopped`.

    Args:
        client_or_session: a client or session of boto3 or botocore.
        options: `on_error` is required; see `Options`.

    Returns:
        The same client or session.

    Raises:
        TypeError: `on_error` is missing, or this is no client of SES and no session.
        ConfigurationError: an option has a value that does not exist.
    """
    handlers = _Handlers(Guard(**options))
    events = _events(client_or_session)
    for service in _SERVICES:
        events.register_last(f"before-parameter-build.{service}", handlers.drop)
        events.register(f"after-call.{service}", handlers.tell)
    return client_or_session


def _events(target: Any) -> Any:
    """The emitter of a client's or a session's events."""
    if hasattr(target, "get_component"):  # a session of botocore
        return target.get_component("event_emitter")
    if hasattr(target, "meta") and hasattr(target.meta, "service_model"):
        if target.meta.service_model.service_name in _SERVICES:
            return target.meta.events
    elif hasattr(target, "events"):  # a session of boto3
        return target.events
    raise TypeError(f"pass a client of SES or a session of boto3, not {target!r}")


class _Handlers:
    """The handlers of one guard."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def drop(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        """Take the recipients that may not be mailed out of the parameters of a call.

        The caller's own dicts and lists stay as they are.

        Raises:
            Suppressed: nobody is left.
            SendingStopped: the sender is stopped.
            ParamValidationError: the parameters are not what the call takes.
        """
        if model.name not in _SENDING:
            return
        _demand_valid(params, model)
        if self._guard.asks_about_senders:
            self._guard.demand_sending(_sender(params))
        if bulk := _BULK.get(model.name):
            self._drop_of_bulk(params, bulk, context)
        elif message := _raw_message(params):
            self._drop_of_raw(params, message)
        elif "Destination" in params:
            self._drop_of(params)

    def tell(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        """Put a result for each mail of a bulk that was not sent into the answer, at its place."""
        bulk = _BULK.get(model.name)
        if bulk is None or bulk.results not in parsed:
            return
        for dropped in reversed(context.pop(_DROPPED, [])):  # one of each guard
            for place, error in sorted(dropped.items()):
                result = {"Status": bulk.rejected, "Error": error}
                parsed[bulk.results].insert(place, result)

    def _drop_of(self, mail: dict[str, Any]) -> None:
        groups = mail["Destination"]
        mail["Destination"] = kept(groups, self._guard.refused(everybody(groups)))

    def _drop_of_raw(self, params: dict[str, Any], message: Mapping[str, Any]) -> None:
        """As SES does: the parameter names the recipients, or without it the headers do."""
        if params.get("Destinations"):  # of v1
            groups = {"Destinations": params["Destinations"]}
            params |= kept(groups, self._guard.refused(everybody(groups)))
        elif everybody(params.get("Destination") or {}):  # of v2
            self._drop_of(params)
        else:
            self._drop_of_headers(params, message)

    def _drop_of_headers(self, params: dict[str, Any], message: Mapping[str, Any]) -> None:
        data = _bytes(message["Data"])
        groups = in_headers(data)
        refused = self._guard.refused(everybody(groups))
        if not refused:
            return
        left = kept(groups, refused)
        # SES takes the header Bcc out where it reads the recipients from the headers. Here the
        # parameter names them, and nobody may read who gets a blind copy.
        unblind = {**message, "Data": without_bcc(data)}
        if "RawMessage" in params:
            params |= {"RawMessage": unblind, "Destinations": everybody(left)}
        else:
            params["Content"] = {**params["Content"], "Raw": unblind}
            params["Destination"] = {_OF_HEADERS[name]: left[name] for name in left}

    def _drop_of_bulk(self, params: dict[str, Any], bulk: _Bulk, context: dict[str, Any]) -> None:
        entries: Sequence[dict[str, Any]] = params.get(bulk.entries) or []
        refused = self._guard.refused(
            recipient for entry in entries for recipient in everybody(entry["Destination"])
        )
        left: list[dict[str, Any]] = []
        dropped: dict[int, str] = {}
        all_refused: dict[str, str] = {}
        for place, entry in enumerate(entries):
            try:
                left.append({**entry, "Destination": kept(entry["Destination"], refused)})
            except Suppressed as error:
                dropped[place] = str(error)
                all_refused |= error.refused
        if dropped and not left:
            raise Suppressed(all_refused)
        params[bulk.entries] = left
        context.setdefault(_DROPPED, []).append(dropped)


def _demand_valid(params: Mapping[str, Any], model: Any) -> None:
    """Raise what boto3 raises of wrong parameters, before anything reads them as the right ones.

    Of `ToAddresses="jane@example.com"` each letter would be a recipient.
    """
    from botocore.validate import validate_parameters  # noqa: PLC0415  only those with boto3 come here

    validate_parameters(params, model.input_shape)


def _sender(params: Mapping[str, Any]) -> str | None:
    """The identity or address that a call sends from; None if it does not say."""
    for name in ("FromEmailAddressIdentityArn", "SourceArn", "FromArn"):
        if identity := str(params.get(name) or "").partition(":identity/")[2]:
            return identity
    for name in ("FromEmailAddress", "Source"):
        if address := params.get(name):
            return str(address)
    message = _raw_message(params)
    return sender_in_headers(_bytes(message["Data"])) if message else None


def _bytes(data: Any) -> bytes:
    return data.encode() if isinstance(data, str) else bytes(data)


def _raw_message(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The raw message of a call; None if it has another content."""
    found = params.get("RawMessage") or (params.get("Content") or {}).get("Raw")
    return found if found and "Data" in found else None
