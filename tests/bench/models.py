"""The competitors' models: the SNS envelope and the SES message as one writes them for pydantic.

`Ses` has the fields that sesbounce types, and skips the headers as sesbounce does: the most
that pydantic can be spared. `WholeSes` types all that SES documents for a bounce and a delivery.
"""

from datetime import datetime

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel, to_pascal


class Sns(BaseModel):
    """The SNS envelope in SQS."""

    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=to_pascal))

    type: str
    message_id: str
    topic_arn: str
    subject: str | None = None
    message: str
    timestamp: str
    signature_version: str | None = None
    signature: str | None = None
    signing_cert_url: str | None = Field(default=None, validation_alias="SigningCertURL")
    unsubscribe_url: str | None = Field(default=None, validation_alias="UnsubscribeURL")


class _Ses(BaseModel):
    model_config = ConfigDict(alias_generator=AliasGenerator(validation_alias=to_camel))


class Mail(_Ses):
    """`mail` without what sesbounce leaves unread."""

    message_id: str | None = None
    timestamp: str | None = None
    source: str | None = None
    source_arn: str | None = None
    source_ip: str | None = None
    caller_identity: str | None = None
    sending_account_id: str | None = None
    destination: list[str] = []
    headers_truncated: bool | None = None


class BouncedRecipient(_Ses):
    """One recipient of a bounce."""

    email_address: str
    action: str | None = None
    status: str | None = None
    diagnostic_code: str | None = None


class Bounce(_Ses):
    """`bounce`."""

    bounced_recipients: list[BouncedRecipient]
    bounce_type: str | None = None
    bounce_sub_type: str | None = None
    timestamp: str | None = None
    feedback_id: str | None = None
    reporting_mta: str | None = Field(default=None, validation_alias="reportingMTA")
    remote_mta_ip: str | None = None


class ComplainedRecipient(_Ses):
    """One recipient of a complaint."""

    email_address: str


class Complaint(_Ses):
    """`complaint`."""

    complained_recipients: list[ComplainedRecipient]
    complaint_feedback_type: str | None = None
    complaint_sub_type: str | None = None
    timestamp: str | None = None
    arrival_date: str | None = None
    feedback_id: str | None = None
    user_agent: str | None = None


class Delivery(_Ses):
    """`delivery`."""

    recipients: list[str]
    timestamp: str | None = None
    processing_time_millis: int | None = None
    smtp_response: str | None = None
    reporting_mta: str | None = Field(default=None, validation_alias="reportingMTA")
    remote_mta_ip: str | None = None


class Ses(_Ses):
    """A bounce, complaint or delivery in either schema."""

    notification_type: str | None = None
    event_type: str | None = None
    mail: Mail
    bounce: Bounce | None = None
    complaint: Complaint | None = None
    delivery: Delivery | None = None


class Header(_Ses):
    """One header of the mail."""

    name: str
    value: str


class CommonHeaders(_Ses):
    """The headers that SES takes apart."""

    sender: list[str] = Field(default=[], validation_alias="from")
    to: list[str] = []
    message_id: str | None = None
    date: str | None = None
    subject: str | None = None


class WholeMail(Mail):
    """`mail`, every field."""

    timestamp: datetime  # type: ignore[assignment]
    headers: list[Header] = []
    common_headers: CommonHeaders | None = None
    tags: dict[str, list[str]] = {}


class WholeBounce(Bounce):
    """`bounce` with its time read."""

    timestamp: datetime  # type: ignore[assignment]


class WholeDelivery(Delivery):
    """`delivery` with its time read."""

    timestamp: datetime  # type: ignore[assignment]


class WholeSes(Ses):
    """A bounce or delivery, every field typed and every time read."""

    mail: WholeMail
    bounce: WholeBounce | None = None
    delivery: WholeDelivery | None = None
