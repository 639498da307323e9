"""Replaces a forgotten address by its keyed hash in events, states and recordings.

A person may demand the erasure of an address (GDPR, article 17), and it must stay suppressed.
So its rows stay, with the hash in place of the address and without any text that could identify
the person.
"""

import re

import msgspec

from sesbounce.feedback.extract import Event
from sesbounce.feedback.recording import Recording
from sesbounce.policy.merge import map_evidence
from sesbounce.policy.state import Delivered, Evidence, State
from sesbounce.privacy.keyed_hash import Hash
from sesbounce.privacy.mentions import ERASED, Mentions

# Terms of AWS and of the RFCs (`Permanent`, `5.1.1`, `not-spam`) identify nobody.
_TERM = re.compile(r"[A-Za-z0-9.-]{1,40}")


def pseudonymise_event(event: Event, hashed: Hash) -> Event:
    """Replace the address of an event by its hash, and remove text that could identify a person.

    The tags are removed, for they may hold anything about the recipient. The configuration set, the
    identity, the region, the account and the tenant are the sender's own.
    """
    return msgspec.structs.replace(
        event,
        address=hashed.pseudonym,
        original=hashed.pseudonym,
        mail_id=hashed.digest(event.mail_id) if event.mail_id else None,
        source=None,
        type=_term(event.type),
        sub_type=_term(event.sub_type),
        status=_term(event.status),
        action=_term(event.action),
        diagnostic=None,
        feedback_id=None,
        basis=ERASED,
        dedupe_key=hashed.digest(event.dedupe_key),
        attribution=msgspec.structs.replace(event.attribution, tags=None),
    )


def pseudonymise_state(state: State, hashed: Hash) -> State:
    """Do the same with the address's state: it equals the state of the pseudonymised events."""

    def pseudonymise(evidence: Evidence) -> Evidence:
        return msgspec.structs.replace(
            evidence,
            mail_id=hashed.digest(evidence.mail_id),
            status=_term(evidence.status) or "",
            note="",
            provider="",
        )

    def delivered(one: Delivered) -> Delivered:
        return Delivered(one.at, hashed.digest(one.mail_id))

    deliveries = tuple(map(delivered, state.deliveries))
    first = state.first_delivery and delivered(state.first_delivery)
    without = msgspec.structs.replace(
        state, spelling=None, first_delivery=first, deliveries=deliveries
    )
    return map_evidence(without, pseudonymise)


def _term(text: str | None) -> str | None:
    return text if text and _TERM.fullmatch(text) else None


def pseudonymise_recording(recording: Recording, hashes: dict[str, Hash]) -> Recording:
    """Remove forgotten addresses from a recording, and the payload of its message.

    Args:
        recording: the recording, with or without events about the addresses.
        hashes: the hash of each forgotten address, by the key of the address.
    """
    mentions = Mentions(hashes)
    hidden = (
        pseudonymise_event(event, hashes[event.address]) if event.address in hashes else event
        for event in recording.events
    )
    events = [mentions.cut_event(event) for event in hidden]
    message = recording.message and msgspec.structs.replace(
        recording.message, mail_id=None, payload=ERASED.encode()
    )
    return Recording(events, message)
