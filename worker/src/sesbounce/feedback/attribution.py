"""Finds out by which part of the sender's set-up a mail was sent.

Event publishing of a configuration set has the tags of the mail, and among them SES's own
(`ses:configuration-set`, `ses:tenant-name`). Notifications of an identity have none; but the
sender's headers say the same, if SES is configured to include them.

Nothing here costs an event: what can't be read, or is longer than SES allows, counts as absent.

Sources: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html,
https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list-tenant-level.html
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

import msgspec

from sesbounce.errors import NotificationError
from sesbounce.feedback.notification import Mail
from sesbounce.feedback.tags import CONFIGURATION_SET, TAG_LENGTH, TENANT

MOST_TAGS = 10
_VALUE = re.compile(rf"[ -~]{{1,{TAG_LENGTH}}}")
# SES allows 320 characters for an address.
_IDENTITY = re.compile("[ -~]{1,320}")
_REGION = re.compile("[a-z]{2,8}(?:-[a-z0-9]{1,16}){1,4}")
_ACCOUNT = re.compile("[0-9]{12}")
_OWN = (CONFIGURATION_SET, TENANT)
# The header that says the same as a tag of SES; the names of headers are in lower case here.
_HEADERS = {"x-ses-configuration-set": CONFIGURATION_SET, "x-ses-tenant": TENANT}
_TAGS_HEADER = "x-ses-message-tags"
# Most mails have no such header. A search for their names is cheaper than reading all headers.
_IN_HEADERS = re.compile(rb"-[Ss][Ee][Ss]-")
# Of longer texts the results are not kept: SES writes none, and they would fill the memory.
_MOST_KEPT = 4096
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
# SES writes a list of values; some emulators write the value alone.
_Values = list[str] | str
_tags = msgspec.json.Decoder(dict[str, _Values])


class Attribution(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """By which part of the sender's set-up a mail was sent; None is not known.

    Attributes:
        configuration_set: the name of the configuration set.
        identity: the domain or address that SES has verified for the sender.
        region: the AWS region of SES: `us-east-1`.
        tenant: the name of the tenant.
        tags: the chosen tags of the mail that it has, as a JSON object of texts.
        account_id: the number of the AWS account that sent: `111122223333`.
    """

    configuration_set: str | None = None
    identity: str | None = None
    region: str | None = None
    tenant: str | None = None
    tags: str | None = None
    account_id: str | None = None


UNKNOWN = Attribution()


def attribution_of(
    mail: Mail,
    *,
    topic_arn: str | None = None,
    region: str | None = None,
    tags: tuple[str, ...] = (),
) -> Attribution:
    """The attribution of one mail.

    Args:
        mail: the mail, as a message of SES describes it.
        topic_arn: the ARN of the SNS topic; its region and its account count if the mail names
            none.
        region: the region that EventBridge names; it counts where there is no other.
        tags: the names of the tags to keep, at most `MOST_TAGS`; SES's own may be among them.
    """
    named = _Named(
        mail.source_arn or "", topic_arn or "", region or "", mail.sending_account_id or ""
    )
    raw = bytes(mail.tags)
    if not raw and _IN_HEADERS.search(mail.headers):
        return _attribution(named, tags, dict(_in_headers(mail)))
    if sum(map(len, named)) + len(raw) > _MOST_KEPT:
        return _attribution(named, tags, _published(raw))
    return _kept(named, tags, raw)


def completed(one: Attribution, other: Attribution) -> Attribution:
    """All that two messages say about one mail.

    Where they contradict each other, the greater text counts, so that their order does not matter.
    """
    if one == other:
        return one
    pairs = zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)
    return Attribution(*(max(a, b) if a and b else a or b for a, b in pairs))


def read_tags(tags: str | None) -> dict[str, str] | None:
    """The tags of an attribution by their names."""
    return msgspec.json.decode(tags, type=dict[str, str]) if tags else None


class _Named(NamedTuple):
    """What a message names beside the tags; empty is not named."""

    identity_arn: str
    topic_arn: str
    region: str
    account_id: str


@lru_cache(maxsize=1024)  # the mails of a mailing have all of it in common
def _kept(named: _Named, names: tuple[str, ...], raw: bytes) -> Attribution:
    return _attribution(named, names, _published(raw))


def _attribution(named: _Named, names: tuple[str, ...], tags: dict[str, _Values]) -> Attribution:
    arn, topic = _read_arn(named.identity_arn), _read_arn(named.topic_arn)
    values = {name: _value(tags[name]) for name in (*_OWN, *names) if name in tags}
    chosen = {name: value for name in names if (value := values.get(name))}
    return Attribution(
        configuration_set=values.get(CONFIGURATION_SET),
        identity=arn.identity,
        region=arn.region or topic.region or _region(named.region),
        tenant=values.get(TENANT),
        tags=msgspec.json.encode(chosen).decode() if chosen else None,
        account_id=_account(named.account_id) or arn.account_id or topic.account_id,
    )


class _Arn(NamedTuple):
    region: str | None
    account_id: str | None
    identity: str | None


def _read_arn(arn: str) -> _Arn:
    """The parts of `arn:aws:ses:us-east-1:111122223333:identity/example.com`."""
    _, _, _, region, account_id, resource, *_ = [*arn.split(":", 5), *[""] * 6]
    kind, _, name = resource.partition("/")
    is_identity = kind == "identity" and _IDENTITY.fullmatch(name)
    return _Arn(_region(region), _account(account_id), name if is_identity else None)


def _region(text: str) -> str | None:
    return text if _REGION.fullmatch(text) else None


def _account(text: str) -> str | None:
    return text if _ACCOUNT.fullmatch(text) else None


def _value(values: _Values) -> str | None:
    """The value, of several the first, if it is one that SES allows."""
    value = values if isinstance(values, str) else next(iter(values), "")
    return value if _VALUE.fullmatch(value) else None


def _published(raw: bytes) -> dict[str, _Values]:
    """The tags that event publishing writes."""
    try:
        return _tags.decode(raw) if raw else {}
    except _UNREADABLE:
        return dict(_readable(raw))


def _readable(raw: bytes) -> Iterator[tuple[str, _Values]]:
    """The tags that can be read, beside others that can't."""
    with suppress(*_UNREADABLE):
        for name, values in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items():
            with suppress(*_UNREADABLE):
                yield name, msgspec.json.decode(values, type=_Values)


def _in_headers(mail: Mail) -> Iterator[tuple[str, _Values]]:
    """The tags that the sender's own headers name."""
    try:
        headers = mail.read_headers()
    except NotificationError:
        return
    for header in headers:
        name = header.name.lower()
        if name == _TAGS_HEADER:
            pairs = (pair.partition("=") for pair in header.value.split(","))
            yield from ((key.strip(), value.strip()) for key, _, value in pairs)
        elif name in _HEADERS:
            yield _HEADERS[name], header.value.strip()
