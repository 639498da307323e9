"""The fuzz target: whatever a queue may hold, `decode` reads it or refuses it in its own words.

`python -m tests.fuzz.target FILE` runs one input, as libFuzzer does with what it found;
`python -m tests.fuzz.fuzz_decode` makes the corpus and runs many.
"""

import sys
from collections.abc import Sequence
from functools import reduce
from random import Random
from typing import Any

import atheris
import msgspec

with atheris.instrument_imports(include=["sesbounce"]):
    from sesbounce.errors import MessageError
    from sesbounce.feedback.decode import Decoded, decode_all
    from sesbounce.feedback.extract import Event
    from sesbounce.policy.verdict import Policy, judge
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import State
from tests.fuzz import trees
from tests.fuzz.seeds import seeds
from tests.support import AT

POLICY = Policy()
SEEDS = seeds()
# An error names a place and a problem; it does not carry the message.
LONGEST_ERROR = 10_000
# How many events of a message are looked at: a thousand recipients alike teach nothing new.
MOST_FACTS = 20


Outcome = Decoded | tuple[str, str, str]


def outcomes(body: str | bytes) -> list[Outcome]:
    """What decoding comes to; anything but the decoder's own error escapes."""
    return [
        (type(part).__name__, str(part), part.fingerprint)
        if isinstance(part, MessageError)
        else part
        for part in decode_all(body, AT)
    ]


def as_text(body: bytes) -> str | bytes:
    """The body as SQS's client gives it."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body


def check_event(event: Event) -> None:
    """It can be written as JSON and read again."""
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event
    assert msgspec.convert(msgspec.to_builtins(event), Event) == event


def often(event: Event) -> State:
    """What is known after the same has happened to as many mails as a probation takes."""
    mails = (msgspec.structs.replace(event, mail_id=str(n)) for n in range(POLICY.strikes))
    return reduce(merge, map(learn, mails))


def check_states(events: Sequence[Event]) -> None:
    """What the events teach merges in any order, can be kept, and can be judged."""
    forth, back = State(), State()
    for event in events:
        forth = merge(forth, learn(event))
        assert judge(often(event), POLICY).why
    for event in reversed(events):
        back = merge(back, learn(event))
    assert forth == back == merge(forth, back)
    assert msgspec.json.decode(msgspec.json.encode(forth), type=State) == forth
    assert judge(forth, POLICY) == judge(back, POLICY)


def check(body: bytes) -> None:
    """One input."""
    parts = outcomes(body)
    assert parts, "nothing is said of the body"
    assert parts == outcomes(body) == outcomes(as_text(body)), "decoded twice, differently"
    for part in parts:
        check_part(part)


def check_part(decoded: Outcome) -> None:
    """One message of the input."""
    if not isinstance(decoded, Decoded):
        assert len(decoded[1]) < LONGEST_ERROR, "the error is as long as the message"
        return
    if decoded.message:
        decoded.message.payload.decode()
    msgspec.json.encode(decoded)
    events = decoded.events[:MOST_FACTS]
    for event in events:
        check_event(event)
    check_states(events)


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Mostly a mutated tree; sometimes bytes as libFuzzer mutates them."""
    random = Random(seed)
    if random.random() < 1 / 4:
        return mutate_bytes(data, max_size)
    if random.random() < 1 / 8:
        data = random.choice(SEEDS)
    try:
        root: list[Any] = [trees.read(data)]
        trees.mutate(root, random)
        mutated = trees.write(root[0]).encode()
    except (ValueError, RecursionError):
        return mutate_bytes(data, max_size)
    return mutated if len(mutated) <= max_size else mutate_bytes(data, max_size)


def mutate_bytes(data: bytes, max_size: int) -> bytes:
    mutated: bytes = atheris.Mutate(data, max_size)
    return mutated


def main() -> None:
    atheris.Setup(sys.argv, check, custom_mutator=custom_mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
