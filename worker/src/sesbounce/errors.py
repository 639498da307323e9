"""The exceptions of sesbounce.

* SesBounceError
  x ConfigurationError      a setting is missing or wrong
    + MissingExtraError     a package is missing, which one of the extras brings
  x MessageError            the worker can't read a queue message, or must not trust it
    + EnvelopeError         the envelope of SNS, SQS or EventBridge is broken
    + NotificationError     the message of SES inside the envelope is broken
    + TrustError            the message has the wrong topic or no valid signature
  x CertificateError        SNS's certificate, or a load balancer's public key, can't be fetched
  x IdentityError           a load balancer's header does not say who asks
  x StoreError              the database rejected a statement or can't be reached
    + RowError              the database rejected one row; it may accept the others
    + ConflictError         another transaction was in conflict with this one; retry it
      - TransactionEndedError  a statement of the sender has ended the transaction
    + SchemaError           the database's tables do not fit this version
    + StrikeOffError        a statement does not fit the sender's own tables
  x DeliveryError           an outbox entry could not be delivered to its target
  x QueueError              SQS rejected a call or can't be reached
    + QueueAccessError      IAM does not permit the call
  x SesError                SES rejected a call or can't be reached
  x SecretError             a secret can't be read from AWS
  x InvocationError         AWS Lambda called the function with an event that it does not know
  x ProcessError            one of several worker processes has failed
  x AddressError            the text is no e-mail address
  x ListError               a list can't be read
  x EntryError              one entry of a list can't be read
  x IncidentError           there is no such incident, or it can't be changed so
  x TokenError              there is no such token, or it can't be made so
  x ApiError                the HTTP API gives no answer that can be used
    + ApiUnavailableError   the HTTP API can't be reached, or can't answer at the moment
    + ApiAccessError        the HTTP API rejects the token; a ConfigurationError, too
  x GateError               there is no such sender, or it is not stopped
  x HealthError             a worker's health can't be read
  x NothingDeployedError    nothing is deployed that could be checked
  x UnknownPolicyError      an IAM policy holds an element that can't be evaluated
  x Suppressed              a mail has no recipient that may be mailed
  x SendingStopped          the sender of a mail is stopped
  x NotCheckedError         a check of the doctor can't be made
    - NotSubscribedError    no topic sends to the queue, so there is no path to check

Each message says what happened, to what, and what to do about it.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Self

import msgspec

_NUMBERS = re.compile(r"\d+")


class SesBounceError(Exception):
    """The base of all exceptions that sesbounce raises."""


class ConfigurationError(SesBounceError):
    """A setting is missing or wrong; the message names the environment variable."""


class MissingExtraError(ConfigurationError):
    """A package is not installed; the message names the extra that brings it.

    Attributes:
        extra: the extra, such as `worker`.
    """

    def __init__(self, problem: str, extra: str) -> None:
        super().__init__(f"{problem}: pip install 'sesbounce[{extra}]'")
        self.extra = extra


class MessageError(SesBounceError):
    """The worker can't read a queue message, or must not trust it.

    The message returns to the queue; after the last receive, SQS moves it to the DLQ.

    Attributes:
        problem: what is wrong, without any of the message's own text.
        place: the JSON path of the problem (`$.bounce.bouncedRecipients[0].emailAddress`).
    """

    def __init__(self, problem: str, place: str = "$") -> None:
        super().__init__(f"{problem} (at {place})")
        self.problem = problem
        self.place = place

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Make the exception from one of msgspec: `Expected …, got … - at `$.bounce``."""
        if isinstance(error, msgspec.ValidationError):
            problem, _, place = str(error).partition(" - at ")
            return cls(problem, place.strip("`") or "$")
        return cls(f"not JSON: {error}")

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that are equal for failures of one type.

        Numbers (positions, lengths) do not count, so that a thousand messages that are broken
        in the same way share one fingerprint.
        """
        text = _NUMBERS.sub("0", f"{type(self).__name__}|{self.problem}|{self.place}")
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class EnvelopeError(MessageError):
    """The envelope (SNS notification, EventBridge event, raw delivery) can't be read."""


class NotificationError(MessageError):
    """The SES message inside the envelope can't be read."""


class TrustError(MessageError):
    """The message comes from a topic that is not allowed, or has no valid signature of SNS."""


class CertificateError(SesBounceError):
    """SNS's certificate, or a load balancer's public key, can't be fetched.

    Attributes:
        lasting: whether the host answers, but not with what was asked for, so that only this URL
            is wrong; otherwise a retry may help.
    """

    def __init__(self, problem: str, *, lasting: bool = False) -> None:
        super().__init__(problem)
        self.lasting = lasting


class IdentityError(SesBounceError):
    """A load balancer's header does not say who asks: it is forged, expired or meant for others."""


class StoreError(SesBounceError):
    """The database rejected a statement or can't be reached; nothing was committed."""


class RowError(StoreError):
    """The database rejected the values of a row; nothing was committed."""


class ConflictError(StoreError):
    """Another transaction was in conflict (deadlock, serialization failure); retry this one."""


class TransactionEndedError(ConflictError):
    """A statement of the sender has ended the transaction; retry it without the statements."""


class SchemaError(StoreError):
    """The database's tables are not the ones that this version needs."""


class StrikeOffError(StoreError):
    """A strike-off or restore statement does not fit the sender's own tables."""


class QueueError(SesBounceError):
    """SQS rejected a call or can't be reached.

    Attributes:
        lasting: whether a retry would fail in the same way.
        code: SQS's error code (`AccessDenied`), or the name of botocore's exception.
    """

    def __init__(self, problem: str, *, lasting: bool = False, code: str = "") -> None:
        super().__init__(problem)
        self.lasting = lasting
        self.code = code


class QueueAccessError(QueueError):
    """IAM does not permit a call to SQS or SNS; the message names the right that is missing."""


class SesError(SesBounceError):
    """SES rejected a call or can't be reached.

    Attributes:
        wrong_token: whether SES rejected the token that continues a list.
    """

    def __init__(self, problem: str, *, wrong_token: bool = False) -> None:
        super().__init__(problem)
        self.wrong_token = wrong_token


class SecretError(SesBounceError):
    """A secret can't be read from Secrets Manager or from the Parameter Store."""


class InvocationError(SesBounceError):
    """AWS Lambda called the function with an event that it does not know."""


class ProcessError(SesBounceError):
    """One of several worker processes has failed; the others were stopped."""


class AddressError(SesBounceError):
    """The text is no e-mail address."""


class DeliveryError(SesBounceError):
    """An outbox entry could not be delivered to its target.

    Attributes:
        unreachable: whether the target can't accept any other entry at the moment either.
        final: whether the target will never accept this entry, so that a retry is useless.
        gone: whether the target wants no entry any more, until a person says otherwise.
        retry_after: the seconds for which the target asks to be left alone, 0 if it does not say
            how long; None if it does not ask.
    """

    def __init__(
        self,
        problem: str,
        *,
        unreachable: bool = False,
        final: bool = False,
        gone: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(problem)
        self.unreachable = unreachable
        self.final = final
        self.gone = gone
        self.retry_after = retry_after


class ListError(SesBounceError):
    """A list can't be read: its format is unknown, or must be given."""


class EntryError(SesBounceError):
    """One entry of a list can't be read; the other entries are read."""


class IncidentError(SesBounceError):
    """There is no such incident, or it can't be changed in this way."""


class TokenError(SesBounceError):
    """There is no such token of the HTTP API, or it can't be made in this way."""


class ApiError(SesBounceError):
    """The HTTP API gives no answer that can be used, so nothing is known about the address.

    Attributes:
        status: the HTTP status of the reply; None without a reply.
    """

    def __init__(self, problem: str, *, status: int | None = None) -> None:
        super().__init__(problem)
        self.status = status


class ApiUnavailableError(ApiError):
    """The HTTP API can't be reached, or can't answer at the moment.

    Attributes:
        retry_after: the seconds for which the server asks to be left alone; None if it does not
            say.
    """

    def __init__(
        self, problem: str, *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(problem, status=status)
        self.retry_after = retry_after


class ApiAccessError(ApiError, ConfigurationError):
    """The HTTP API rejects the token: it is wrong, expired or revoked, or lacks a scope."""


class GateError(SesBounceError):
    """There is no such sender, or it is not stopped."""


class HealthError(SesBounceError):
    """No worker, or no server, answers on its port, or another program answers there."""


class NothingDeployedError(SesBounceError):
    """There is no stack: deploy it first (`make deploy`)."""


class UnknownPolicyError(SesBounceError):
    """An IAM policy holds an element that `sesbounce.doctor` can't evaluate."""


class Suppressed(SesBounceError):  # noqa: N818  it says a verdict, and nothing has failed
    """No recipient of a mail may be mailed, so the guard has not sent it.

    Attributes:
        refused: why each recipient may not be mailed, in one sentence, by recipient.
        sent: how many other mails of the same call were sent.
    """

    def __init__(self, refused: Mapping[str, str], *, sent: int = 0) -> None:
        super().__init__(
            "; ".join(f"{who} may not be mailed: {why}" for who, why in refused.items())
        )
        self.refused = dict(refused)
        self.sent = sent

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), sent=self.sent), (self.refused,)


class SendingStopped(SesBounceError):  # noqa: N818  it says a verdict, and nothing has failed
    """The sender of a mail is stopped, so the guard has not sent it.

    Attributes:
        sender: the address or domain that the mail is from.
        why: the reason in one sentence.
    """

    def __init__(self, sender: str, why: str) -> None:
        super().__init__(f"{sender} is stopped: {why}")
        self.sender = sender
        self.why = why

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.sender, self.why)


class NotCheckedError(SesBounceError):
    """A check of the doctor can't be made; the message says what would make it possible."""


class NotSubscribedError(NotCheckedError):
    """No topic sends to the queue, so that the doctor finds no path to check."""
