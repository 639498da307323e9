"""The stream that a mail belongs to: one of several kinds of mail that the sender keeps apart.

A complaint or an opt-out of one stream (the newsletter) must not block the mails of another (the
password reset). A setting says what the stream of a mail is. A mail without one counts for all.
"""

import re
from typing import NamedTuple

from sesbounce.feedback.attribution import attribution_of, read_tags
from sesbounce.feedback.notification import Mail
from sesbounce.feedback.tags import CONFIGURATION_SET, TAG_LENGTH, TAG_NAME, TENANT

# What may be an address names a person, and not a stream, and would outlive its erasure.
_NAME = re.compile(rf"[!-?A-~](?:[ -?A-~]{{0,{TAG_LENGTH - 2}}}[!-?A-~])?")
_TAGS_OF_SES = {"configuration-set": CONFIGURATION_SET, "tenant": TENANT}


class StreamBy(NamedTuple):
    """What the stream of a mail is; by default there are no streams.

    Attributes:
        tag: the tag of the mail whose value names the stream; SES's own tags hold the
            configuration set and the tenant.
        topic: whether the SNS topic names it.
    """

    tag: str = ""
    topic: bool = False


ONE_STREAM = StreamBy()


def read_stream_by(text: str) -> StreamBy:
    """Read the setting: `none`, `configuration-set`, `tenant`, `topic` or `tag:NAME`.

    Raises:
        ValueError: it is something else.
    """
    word, _, tag = text.strip().partition(":")
    match word:
        case "none" if not tag:
            return ONE_STREAM
        case "topic" if not tag:
            return StreamBy(topic=True)
        case "configuration-set" | "tenant" if not tag:
            return StreamBy(_TAGS_OF_SES[word])
        case "tag" if TAG_NAME.fullmatch(tag):
            return StreamBy(tag)
    raise ValueError("the value should be none, configuration-set, tenant, topic or tag:NAME")


def stream_of(by: StreamBy, mail: Mail, topic_arn: str | None) -> str | None:
    """The stream of a mail; None where it has none, or one whose name can't be used.

    Args:
        by: what the stream is.
        mail: the mail, as a message of SES describes it.
        topic_arn: the ARN of the SNS topic that published the message.
    """
    if by.topic:
        return stream_name((topic_arn or "").rpartition(":")[2])
    return stream_name(_tag(mail, by.tag)) if by.tag else None


def stream_name(text: str) -> str | None:
    """The name of a stream in a text; None where it is empty, or can't be a name.

    A name has up to 256 printable ASCII characters, and no `@`.
    """
    text = text.strip()
    return text if _NAME.fullmatch(text) else None


def _tag(mail: Mail, name: str) -> str:
    """The value of a tag; empty where it can't be read, which costs no event."""
    tags = read_tags(attribution_of(mail, tags=(name,)).tags)
    return tags.get(name, "") if tags else ""
