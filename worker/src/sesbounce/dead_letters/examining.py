"""Says of each dead letter whether this version understands it, and selects letters."""

import hashlib
from collections.abc import Callable, Collection
from datetime import datetime

import msgspec

from sesbounce.aws.dead_letters import Letter
from sesbounce.aws.sns_trust import Trust
from sesbounce.dead_letters.grouping import Diagnosis
from sesbounce.errors import CertificateError, MessageError
from sesbounce.feedback.decode import Decoded, decode_all


class Examiner:
    """Decodes and verifies messages as the worker does, and records nothing."""

    def __init__(
        self,
        trust: Trust,
        decode_body: Callable[..., list[Decoded | MessageError]] = decode_all,
    ) -> None:
        """Make an examiner.

        Args:
            trust: verifies that messages come from the allowed SNS topics.
            decode_body: decodes the body of a queue message that was sent at a time.
        """
        self._trust = trust
        self._decode_body = decode_body

    def examine(self, letter: Letter) -> Diagnosis:
        """Decode a message; fetch the certificate that it names, where signatures are checked."""
        types: set[str] = set()
        try:
            for part in self._decode_body(letter.body, letter.sent_at):
                if isinstance(part, MessageError):
                    return _not_understood(part)
                self._trust.check(part.sns)
                types.add(part.type)
        except MessageError as error:
            return _not_understood(error)
        except CertificateError:
            problem = "the certificate of its signature can't be fetched"
            return Diagnosis(
                understood=False, fingerprint=_fingerprint(problem), problem=problem, place="$"
            )
        kind = ", ".join(sorted(types))
        return Diagnosis(
            understood=True, fingerprint=_fingerprint(f"understood|{kind}"), problem=kind
        )


class Wanted(msgspec.Struct, frozen=True):
    """Which letters a command is about.

    Attributes:
        before: only letters that were sent before this time.
        since: only letters that were sent since this time.
        codes: only letters with one of these values of `ErrorCode`; empty for all.
        fingerprints: only letters with one of these fingerprints; empty for all.
        understood: only letters that are understood, or only those that are not; None for all.
        ids: only letters with one of these ids of SQS; empty for all.
    """

    before: datetime | None = None
    since: datetime | None = None
    codes: Collection[str] = ()
    fingerprints: Collection[str] = ()
    understood: bool | None = None
    ids: Collection[str] = ()

    @property
    def everything(self) -> bool:
        """Whether it selects every letter."""
        return self == Wanted()

    def selects(self, letter: Letter, diagnosis: Diagnosis) -> bool:
        """Whether the command is about a letter. One whose time is not known has any age."""
        at = letter.sent_at
        return (
            (self.before is None or at is None or at < self.before)
            and (self.since is None or at is None or at >= self.since)
            and (not self.codes or letter.code in self.codes)
            and (not self.fingerprints or diagnosis.fingerprint in self.fingerprints)
            and (self.understood is None or diagnosis.understood is self.understood)
            and (not self.ids or letter.id in self.ids)
        )


def _not_understood(error: MessageError) -> Diagnosis:
    return Diagnosis(
        understood=False,
        fingerprint=error.fingerprint,
        problem=error.problem,
        place=error.place,
    )


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
