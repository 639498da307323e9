"""Published payloads of other projects: each is decoded, or is an error."""

import pytest

from sesbounce.errors import MessageError
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from tests.corpus import bodies, edge, listed, needs_corpus, payload
from tests.support import AT

# The errors of broken payloads: an envelope that SNS never writes ("Messages"), a message without
# the object of its kind, or with placeholders.
BROKEN = {
    "cds-notify__mocks-L145-complaint.json": "holds no Message",
    "cds-notify__mocks-L164-complaint.json": "holds no Message",
    "cds-notify__ses_hard_bounce_callback.json": "holds no Message",
    "cds-notify__ses_unknown_bounce_callback.json": "holds no Message",
    "cds-notify__messages-array-delivery.json": "holds no Message",
    "cds-notify__process_ses_receipts_tasks-L712-delivery.json": "Delivery without its object",
    "miguelaferreira__DeserializationServiceTest-L20-delivery.json": "Delivery without its object",
    "teknasyon__DeliveryEmailTest-L23-delivery.json": "Delivery without its object",
    "teknasyon__DispatcherTest-L69-bounce.json": "Bounce without its object",
    "teknasyon__DispatcherTest-L95-complaint.json": "Complaint without its object",
}
# SES also receives mail; sesbounce ignores those messages.
UNKNOWN = {"Received"}


def problem_of(content: bytes) -> str | None:
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
def test_each_payload_decodes_as_its_manifest_says_or_is_an_error(row: dict[str, str]) -> None:
    content = payload(row["file"])
    problem = problem_of(content)
    if row["file"] in BROKEN:
        assert BROKEN[row["file"]] in (problem or "")
        return
    if not is_message_of_ses(row):
        decoded = [] if problem else [decode(body, AT) for body in bodies(content)]
        assert all(d.kind in (Kind.SETUP, Kind.UNKNOWN) for d in decoded), problem
        return
    assert problem is None
    for body in bodies(content):
        agrees(decode(body, AT), row)


def agrees(decoded: Decoded, row: dict[str, str]) -> None:
    if row["kind"] in UNKNOWN:
        assert decoded.kind is Kind.UNKNOWN
        return
    assert decoded.type == row["kind"]
    recipients = [parse(r).key for r in row["recipients"].split(",") if r]
    assert [event.address for event in decoded.events] == recipients
    if decoded.kind is Kind.BOUNCE:
        assert {f"{f.type}/{f.sub_type}" for f in decoded.events} == {row["type"]}


# The table writes `blocked` for all of these.
POLICIES = {
    Reason.BLOCKED,
    Reason.SENDER_BLOCKED,
    Reason.SENDER_UNAUTHENTICATED,
    Reason.RECIPIENT_POLICY,
}
# The replies that plainly name the sender's fault.
SENDERS_FAULTS = {
    "551-rdns.json",
    "gmx-policy.json",
    "qq-dmarc.json",
    "comcast-dmarc.json",
    "orange-506.json",
    "ironport-571.json",
    "control-sender-verify-unrouteable.json",
    "control-sender-domain-not-found.json",
}


@needs_corpus
@pytest.mark.parametrize("row", listed("EDGE.tsv"), ids=lambda row: row["file"])
def test_each_payload_at_the_edge_has_its_reason(row: dict[str, str]) -> None:
    right = Reason(row["right_reason"])
    for body in bodies(edge(row["file"])):
        (event,) = decode(body, AT).events
        assert event.reason in (POLICIES if right is Reason.BLOCKED else {right}), event.basis
        if row["file"] in SENDERS_FAULTS:
            assert event.effect is Effect.SENDER
