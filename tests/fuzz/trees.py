"""Mutations of JSON that keep it JSON, or break it in one place only.

A tree is what `json.loads` gives, with three differences: an object is a list of pairs, so that
a key may stand twice; a string that holds an object is that object, wrapped; and a number is
its text, so that one which no float can hold survives.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple


class Pairs(list[tuple[str, Any]]):
    """An object."""


class Wrapped(NamedTuple):
    """A string that holds JSON."""

    inner: Any


class Text(NamedTuple):
    """JSON as it is to be written, right or wrong."""

    json: str


# What SQS carries. Repetitions of repetitions, or wrappings of them, would fill the memory.
LONGEST = 1 << 20
# Each wrapping doubles the backslashes.
MOST_WRAPPINGS = 4


def read(data: bytes, wrappings: int = MOST_WRAPPINGS) -> Any:
    """The tree of a body.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is too deep for Python.
    """
    return _unwrapped(
        json.loads(
            data.decode(),
            object_pairs_hook=Pairs,
            parse_int=Text,
            parse_float=Text,
            parse_constant=Text,
        ),
        wrappings,
    )


def _unwrapped(node: Any, wrappings: int) -> Any:
    if isinstance(node, Pairs):
        return Pairs((key, _unwrapped(value, wrappings)) for key, value in node)
    if isinstance(node, list):
        return [_unwrapped(value, wrappings) for value in node]
    if isinstance(node, str) and node.startswith(("{", '"')) and wrappings:
        try:
            return Wrapped(read(node.encode(), wrappings - 1))
        except ValueError:
            return node
    return node


def write(node: Any) -> str:
    """The tree as JSON.

    Raises:
        ValueError: it is too long to be wrapped once more.
    """
    match node:
        case Text():
            return node.json
        case Wrapped():
            return json.dumps(_bounded(write(node.inner)))
        case Pairs():
            return "{" + ",".join(f"{json.dumps(key)}:{write(value)}" for key, value in node) + "}"
        case list():
            return "[" + ",".join(map(write, node)) + "]"
        case _:
            return json.dumps(node)


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        raise ValueError("too long")
    return text


class Place(NamedTuple):
    """A value in a tree: where it hangs, and where in it."""

    parent: Any
    at: int

    def get(self) -> Any:
        value = self.parent[self.at]
        return value[1] if isinstance(self.parent, Pairs) else value

    def put(self, value: Any) -> None:
        old = self.parent[self.at]
        self.parent[self.at] = (old[0], value) if isinstance(self.parent, Pairs) else value


def places(root: list[Any]) -> list[Place]:
    """Every place, the root's own being `Place(root, 0)`."""
    return list(_places(root))


def _places(parent: Any) -> Iterator[Place]:
    for index in range(len(parent)):
        place = Place(parent, index)
        yield place
        value = place.get()
        while isinstance(value, Wrapped):
            value = value.inner
        if isinstance(value, list):
            yield from _places(value)


# What has broken decoders: of the wrong type, too large, too deep, of no meaning.
HOSTILE = (
    *("null", "true", "false", "0", "-1", "-0", "1e400", "-1e-400", "NaN", "Infinity", "1.5"),
    *("9" * 30, "9" * 5000, "9223372036854775808", "0." + "0" * 400 + "1", "01", "+1", ""),
    *("[]", "{}", "[[]]", '[""]', '[{"emailAddress":""}]', '{"a":1,"a":2}', '{"":{}}'),
    *('""', '" "', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"\\x"', '"'),
    *('"' + "a" * 400 + '@example.com"', '"' + "@" * 300 + '"', '"' + "<" * 2000 + '"'),
    *("[" * 200 + "]" * 200, "[" * 3000 + "]" * 3000, '{"a":' * 1500 + "1" + "}" * 1500),
    *('"' + text * 40000 + '"' for text in ("a@", "250 ", "\u0315\u0300")),
    *("[" * 20000, '"' + "\\u0041" * 2000 + '"', '"' + "\\n" * 500 + '"'),
)
# Strings that lead somewhere in the code.
TELLING = (
    *("Bounce", "Complaint", "Delivery", "DeliveryDelay", "Send", "Reject", "Open", "Click"),
    *("Rendering Failure", "Subscription", "AmazonSnsSubscriptionSucceeded", "Tomorrow"),
    *("Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"),
    *("Permanent", "Transient", "Undetermined", "General", "NoEmail", "Suppressed"),
    *("OnAccountSuppressionList", "UnsubscribedRecipient", "MailboxFull", "not-spam", "abuse"),
    *(
        "failed",
        "delayed",
        "delivered",
        "5.1.1",
        "4.2.2",
        "5.1.10 (x)",
        "5..1",
        "5.1." + "1" * 5000,
    ),
    *("²", "5.1.²", "5.1.\u0661", "550 5.1.1", "smtp; 550-5.1.1 x 452 4.2.2 y", "550 " * 900),
    *("2026-11-20T12:00:00.000Z", "2018-10-08T14:05:45 +0000", "2026-11-20", "2026-W47-5"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z"),
    *("1969-12-31T23:59Z", "2026-11-20T24:00:00Z", "2026-11-20T12:00:60Z", "9999-12-30T00:00:00Z"),
    *("2199-12-31T23:59:59.999999Z", "2026-11-20T12:00:00+00:00:00.5", "12:00"),
    *("Jane <jane@example.com>", "<jane@example.com>", '"a b"@example.com', '"@"@example.com'),
    *("jane@EXAMPLE.com.", "jane@bücher.example", "jane@xn--bcher-kva.example", "jane@xn--a"),
    *("jøhn@example.com", "jane@[192.0.2.1]", "jane@[IPv6:::1]", "jane@[", "a@b@c", "@", "jane@"),
    *("jane@ß.example", "jane@" + "ü" * 300, "ﷺ" * 100 + "@example.com", "İ@İ.example"),
    *(
        "e\u0301" * 200 + "@example.com",
        "\u0315\u0300" * 200 + "@example.com",
        "\u202ejane@example.com",
        "jane@a\u3002b",
        "jane@\u00ad",
    ),
    *("jane@example.com>", "<<jane@example.com>>", '"\\"@example.com', '"', '""@example.com'),
    *("{", '{"Type":', "[]", "\ufeff{}", "Successfully validated SNS topic", "\u2028", "\x7f"),
)
KEYS = (
    *("notificationType", "eventType", "mail", "bounce", "complaint", "delivery"),
    *("deliveryDelay", "open", "click", "reject", "failure", "subscription", "messageId"),
    *("timestamp", "destination", "bouncedRecipients", "complainedRecipients", "recipients"),
    *("delayedRecipients", "emailAddress", "status", "action", "diagnosticCode", "feedbackId"),
    *("arrivalDate", "newTopicPreferences", "unsubscribeAll", "source", "processingTimeMillis"),
    *("Type", "Message", "Timestamp", "detail-type", "detail", "", "\x00", "headers", "tags"),
)

MANY = (2, 17, 300)


def mutate(root: list[Any], random: Random) -> None:
    """Change the tree that is the list's one element, in one place or a few."""
    for _ in range(random.choice((1, 1, 2, 4))):
        random.choice(MUTATIONS)(random.choice(places(root)), random)


def _hostile(place: Place, random: Random) -> None:
    place.put(Text(random.choice(HOSTILE)))


def _telling(place: Place, random: Random) -> None:
    place.put(random.choice(TELLING))


def _glue(place: Place, random: Random) -> None:
    """Two strings for one."""
    value = place.get()
    if isinstance(value, str):
        place.put("".join(random.sample((value, random.choice(TELLING)), 2)))


def _repeat(place: Place, random: Random) -> None:
    """A value many times: a string longer, a list's or object's elements anew."""
    value, times = place.get(), random.choice(MANY)
    if isinstance(value, str | list) and len(write(value)) * times <= LONGEST:
        place.put(type(value)(value * times))


def _duplicate(place: Place, random: Random) -> None:
    """An element or key once more, with a value of its own."""
    twin = place.parent[place.at]
    at = random.randint(0, len(place.parent))
    if len(place.parent) > 1 or isinstance(place.parent, Pairs):
        place.parent.insert(at, twin)
        if random.random() < 1 / 2:
            _hostile(Place(place.parent, at), random)


def _delete(place: Place, random: Random) -> None:
    if len(place.parent) > 1:
        del place.parent[random.randrange(len(place.parent))]


def _rename(place: Place, random: Random) -> None:
    if isinstance(place.parent, Pairs):
        place.parent[place.at] = (random.choice(KEYS), place.get())


def _wrap(place: Place, random: Random) -> None:
    """A value as a string, a list or an object that holds it."""
    value = place.get()
    key = random.choice(KEYS)
    place.put(random.choice((Wrapped(value), [value], Pairs([(key, value)]))))


def _unwrap(place: Place, _: Random) -> None:
    value = place.get()
    if isinstance(value, Wrapped):
        place.put(value.inner)


def _nest(place: Place, random: Random) -> None:
    """Deep, around what was there."""
    depth = random.choice((10, 100, 1100))
    place.put(Text("[" * depth + write(place.get()) + "]" * depth))


MUTATIONS: tuple[Callable[[Place, Random], None], ...] = (
    *(_hostile, _hostile, _telling, _telling, _telling, _glue, _glue, _repeat),
    *(_duplicate, _duplicate, _delete, _rename, _wrap, _unwrap, _nest),
)
