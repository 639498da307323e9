"""The exceptions of sesbounce.

* SesBounceError
  x ConfigurationError      a setting is missing or wrong
  x MessageError            a queue message says nothing that can be understood
    + EnvelopeError         what SNS or SQS wrapped around it
    + NotificationError     what SES said
    + TrustError            who said it
  x CertificateError        the certificate of SNS can't be had now
  x StoreError              the database rejected or can't be reached
    + RowError              it rejected one row, and would take others
    + ConflictError         another writer was in the way; it may be tried again
    + SchemaError           its tables are not the ones that are needed
    + StrikeOffError        a statement for the sender's own tables is wrong
  x DeliveryError           a target of the outbox was not told
  x QueueError              SQS rejected or can't be reached
  x ProcessError            one of several worker processes has failed
  x AddressError            what was asked about is no address
  x ListError               a list to be imported or checked can't be read
  x EntryError              one entry of it can't be
  x HealthError             a worker does not say how it is
  x NothingDeployedError    there is no stack whose wiring could be checked
  x UnknownPolicyError      a policy holds something that can't be judged

Each says what happened, to what, and what to do about it.
"""

import hashlib
import re
from typing import Self

import msgspec

_NUMBERS = re.compile(r"\d+")


class SesBounceError(Exception):
    """Whatever sesbounce raises on purpose."""


class ConfigurationError(SesBounceError):
    """A setting is missing or wrong; the message names the environment variable."""


class MessageError(SesBounceError):
    """A queue message that can't be understood. It stays in the queue, on its way to the DLQ.

    Attributes:
        problem: what is wrong, without any of the message's own text.
        place: where, as a JSON path (`$.bounce.bouncedRecipients[0].emailAddress`).
    """

    def __init__(self, problem: str, place: str = "$") -> None:
        super().__init__(f"{problem} (at {place})")
        self.problem = problem
        self.place = place

    @classmethod
    def of(cls, error: Exception) -> Self:
        """The same failure as msgspec reports it: `Expected …, got … - at `$.bounce``."""
        if isinstance(error, msgspec.ValidationError):
            problem, _, place = str(error).partition(" - at ")
            return cls(problem, place.strip("`") or "$")
        return cls(f"not JSON: {error}")

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that are the same for failures of the same sort.

        Numbers (positions, lengths) are left out, so that a thousand messages broken in one
        way share one fingerprint.
        """
        sort = _NUMBERS.sub("0", f"{type(self).__name__}|{self.problem}|{self.place}")
        return hashlib.sha256(sort.encode()).hexdigest()[:12]


class EnvelopeError(MessageError):
    """The envelope (SNS notification, EventBridge event, raw delivery) can't be opened."""


class NotificationError(MessageError):
    """The SES message inside the envelope can't be read."""


class TrustError(MessageError):
    """A message that does not come from whom it should, or can't prove it."""


class CertificateError(SesBounceError):
    """The certificate that SNS signs with can't be had now; the message is tried again later."""


class StoreError(SesBounceError):
    """The database rejected or can't be reached; nothing of the batch was kept."""


class RowError(StoreError):
    """The database rejected the values of a row; nothing of the batch was kept."""


class ConflictError(StoreError):
    """Another writer was in the way (deadlock, serialization failure); nothing was kept."""


class SchemaError(StoreError):
    """The database's tables are not the ones that this version needs."""


class StrikeOffError(StoreError):
    """A strike-off or restore statement does not fit the sender's own tables."""


class QueueError(SesBounceError):
    """SQS rejected or can't be reached.

    Attributes:
        lasting: asking again would not help.
    """

    def __init__(self, problem: str, *, lasting: bool = False) -> None:
        super().__init__(problem)
        self.lasting = lasting


class ProcessError(SesBounceError):
    """One of several worker processes has failed; the others were stopped."""


class AddressError(SesBounceError):
    """What was asked about is no address."""


class DeliveryError(SesBounceError):
    """A target of the outbox was not told.

    Attributes:
        unreachable: it would not have been told anything else either.
        final: it will never take this; there is no point in telling it again.
    """

    def __init__(self, problem: str, *, unreachable: bool = False, final: bool = False) -> None:
        super().__init__(problem)
        self.unreachable = unreachable
        self.final = final


class ListError(SesBounceError):
    """A list that can't be read at all: of no known format, or of one that has to be named."""


class EntryError(SesBounceError):
    """A row of a list that can't be understood; the others can."""


class HealthError(SesBounceError):
    """Nobody could be asked how a worker is, or nothing answered that makes sense."""


class NothingDeployedError(SesBounceError):
    """There is no stack: deploy it first (`make deploy`)."""


class UnknownPolicyError(SesBounceError):
    """The policy holds something that can't be judged here."""
