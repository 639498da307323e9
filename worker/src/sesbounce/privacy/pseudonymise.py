"""What is left of an address that was forgotten: a keyed hash of it, and events that name nobody.

A person's address must go, and must stay suppressed. So its rows are renamed to an HMAC of the
address under a key that is not in the database: whoever has the key recognises the address when
it is asked about, nobody can read it back.
"""

import re

import msgspec

from sesbounce.feedback.extract import Event
from sesbounce.feedback.recording import Recording
from sesbounce.policy.state import Delivered, Evidence, State, map_evidence
from sesbounce.privacy.keyed_hash import Hash
from sesbounce.privacy.mentions import ERASED, Mentions

# Words of AWS and of the RFCs (`Permanent`, `5.1.1`, `not-spam`): they name nobody.
_TERM = re.compile(r"[A-Za-z0-9.-]{1,40}")


def hidden_event(event: Event, hashed: Hash) -> Event:
    """A event about a forgotten address: what happened and when, and nothing that names anybody."""
    return msgspec.structs.replace(
        event,
        address=hashed.name,
        original=hashed.name,
        mail_id=hashed.of(event.mail_id) if event.mail_id else None,
        source=None,
        type=_term(event.type),
        sub_type=_term(event.sub_type),
        status=_term(event.status),
        action=_term(event.action),
        diagnostic=None,
        feedback_id=None,
        basis=ERASED,
        dedupe_key=hashed.of(event.dedupe_key),
    )


def hidden_state(state: State, hashed: Hash) -> State:
    """The state that the hidden events amount to."""

    def hide(evidence: Evidence) -> Evidence:
        return msgspec.structs.replace(
            evidence,
            mail_id=hashed.of(evidence.mail_id),
            status=_term(evidence.status) or "",
            note="",
        )

    deliveries = tuple(Delivered(one.at, hashed.of(one.mail_id)) for one in state.deliveries)
    return map_evidence(msgspec.structs.replace(state, spelling=None, deliveries=deliveries), hide)


def _term(text: str | None) -> str | None:
    return text if text and _TERM.fullmatch(text) else None


def hidden_recording(recording: Recording, names: dict[str, Hash]) -> Recording:
    """A recording that names forgotten addresses, without them and without its payload.

    Args:
        recording: what came.
        names: how to hash what belongs to each of the addresses, by their keys.
    """
    mentions = Mentions(names)
    events = [
        hidden_event(event, names[event.address])
        if event.address in names
        else mentions.cut_event(event)
        for event in recording.events
    ]
    message = recording.message and msgspec.structs.replace(
        recording.message, mail_id=None, payload=ERASED.encode()
    )
    return Recording(events, message)
