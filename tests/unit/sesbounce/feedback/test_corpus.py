"""Payloads that others have published: each is decoded, or refused with a reason."""

import pytest

from sesbounce.errors import MessageError
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.notification import Kind
from tests.corpus import bodies, listed, needs_corpus, payload
from tests.support import AT

# Why some are refused: an envelope that SNS never writes ("Messages"), a message without what
# it tells about, or placeholders in it.
REFUSED = {
    "cds-notify__mocks-L145-complaint.json": "holds no Message",
    "cds-notify__mocks-L164-complaint.json": "holds no Message",
    "cds-notify__ses_hard_bounce_callback.json": "holds no Message",
    "cds-notify__ses_unknown_bounce_callback.json": "holds no Message",
    "cds-notify__messages-array-delivery.json": "holds no Message",
    "cds-notify__process_ses_receipts_tasks-L712-delivery.json": "Delivery without its object",
    "localstack__ses_sns_topic_integration_send_email-delivery.json": "not an ISO 8601 time",
    "localstack__ses_sns_topic_integration_send_email-send.json": "not an ISO 8601 time",
    "localstack__ses_sns_topic_integration_send_templated-delivery.json": "not an ISO 8601 time",
    "miguelaferreira__DeserializationServiceTest-L20-delivery.json": "Delivery without its object",
    "teknasyon__DeliveryEmailTest-L23-delivery.json": "Delivery without its object",
    "teknasyon__DispatcherTest-L69-bounce.json": "Bounce without its object",
    "teknasyon__DispatcherTest-L95-complaint.json": "Complaint without its object",
}
# Received mail is SES too, and of no interest here.
UNKNOWN = {"Received"}


def refusal(content: bytes) -> str | None:
    try:
        for body in bodies(content):
            decode(body, AT)
    except MessageError as error:
        return str(error)
    return None


def is_message_of_ses(row: dict[str, str]) -> bool:
    return row["schema"] in ("notificationType", "eventType") and "object)" not in row["kind"]


@needs_corpus
@pytest.mark.parametrize("row", listed("MANIFEST.tsv"), ids=lambda row: row["file"])
def test_it_decodes_as_its_manifest_says_or_is_refused(row: dict[str, str]) -> None:
    content = payload(row["file"])
    said = refusal(content)
    if row["file"] in REFUSED:
        assert REFUSED[row["file"]] in (said or "")
        return
    if not is_message_of_ses(row):
        decoded = [] if said else [decode(body, AT) for body in bodies(content)]
        assert all(d.kind in (Kind.SETUP, Kind.UNKNOWN) for d in decoded), said
        return
    assert said is None
    for body in bodies(content):
        agrees(decode(body, AT), row)


def agrees(decoded: Decoded, row: dict[str, str]) -> None:
    if row["kind"] in UNKNOWN:
        assert decoded.kind is Kind.UNKNOWN
        return
    assert decoded.type == row["kind"]
    recipients = [parse(r).key for r in row["recipients"].split(",") if r]
    assert [fact.address for fact in decoded.feedback] == recipients
    if decoded.kind is Kind.BOUNCE:
        assert {f"{f.type}/{f.sub_type}" for f in decoded.feedback} == {row["type"]}
