"""What is left of an address that was forgotten: a keyed hash of it, and facts that name nobody.

A person's address must go, and must stay suppressed. So its rows are renamed to an HMAC of the
address under a key that is not in the database: whoever has the key recognises the address when
it is asked about, nobody can read it back.
"""

import re

import msgspec

from sesbounce.feedback.decode import Decoded
from sesbounce.feedback.extract import Feedback
from sesbounce.policy.state import Delivered, Evidence, State, map_evidence
from sesbounce.privacy.keyed_hash import Hash
from sesbounce.privacy.mentions import ERASED, Mentions

# Words of AWS and of the RFCs (`Permanent`, `5.1.1`, `not-spam`): they name nobody.
_TERM = re.compile(r"[A-Za-z0-9.-]{1,40}")


def hidden_fact(fact: Feedback, hashed: Hash) -> Feedback:
    """A fact about a forgotten address: what happened and when, and nothing that names anybody."""
    return msgspec.structs.replace(
        fact,
        address=hashed.name,
        original=hashed.name,
        mail_id=hashed.of(fact.mail_id) if fact.mail_id else None,
        source=None,
        type=_term(fact.type),
        sub_type=_term(fact.sub_type),
        status=_term(fact.status),
        action=_term(fact.action),
        diagnostic=None,
        feedback_id=None,
        basis=ERASED,
        dedupe_key=hashed.of(fact.dedupe_key),
    )


def hidden_state(state: State, hashed: Hash) -> State:
    """The state that the hidden facts amount to."""

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


def hidden_message(message: Decoded, names: dict[str, Hash]) -> Decoded:
    """A message that names forgotten addresses, without them; its payload is given up whole.

    Args:
        message: what came.
        names: how to hash what belongs to each of the addresses, by their keys.
    """
    mentions = Mentions(names)
    feedback = [
        hidden_fact(fact, names[fact.address]) if fact.address in names else mentions.cut_fact(fact)
        for fact in message.feedback
    ]
    return msgspec.structs.replace(
        message, feedback=feedback, mail_id=None, payload=ERASED.encode()
    )
