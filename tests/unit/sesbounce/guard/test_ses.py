"""Real clients of boto3; what they would send over HTTP is caught, and answered as SES does."""

import base64
import json
import pickle
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, assert_type
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ParamValidationError
from hypothesis import given
from hypothesis import strategies as st

from sesbounce import guard
from sesbounce.errors import ConfigurationError, SesBounceError, StoreError
from sesbounce.feedback.address import parse
from tests.unit.sesbounce.guard.asked import Suppressing

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient

JANE, MARY, ANN = "jane@example.com", "mary@example.com", "ann@example.com"
SIMPLE = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}
MESSAGE = {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}
FROM_V1 = {"Source": "me@example.com"}
FROM_V2 = {"FromEmailAddress": "me@example.com"}
MIME = (
    b"From: me@example.com\r\nTo: Jane <jane@example.com>,\r\n Mary <mary@example.com>\r\n"
    b"Bcc: ann@example.com,\r\n joe@example.com\r\nSubject: Bcc: is no header\r\n\r\n"
    b"Hello\r\nBcc: the body\r\n"
)


class Wire:
    """What a client has sent, and the answers of SES."""

    def __init__(self, client: Any) -> None:
        self.bodies: list[Any] = []
        service = client.meta.service_model.service_name
        client.meta.events.register("before-send", self.v1 if service == "ses" else self.v2)

    def v1(self, request: Any, **_: Any) -> AWSResponse:
        sent = {name: values[0] for name, values in parse_qs(request.body).items()}
        self.bodies.append(sent)
        action = sent["Action"]
        count = sum(name.endswith("Destination.ToAddresses.member.1") for name in sent)
        statuses = "".join(
            f"<member><Status>Success</Status><MessageId>m{n}</MessageId></member>"
            for n in range(count)
        )
        bulk = f"<Status>{statuses}</Status>" if "Bulk" in action else "<MessageId>m</MessageId>"
        body = f"<{action}Response><{action}Result>{bulk}</{action}Result></{action}Response>"
        return answer(request, body)

    def v2(self, request: Any, **_: Any) -> AWSResponse:
        sent = json.loads(request.body)
        self.bodies.append(sent)
        results = [
            {"Status": "SUCCESS", "MessageId": f"m{n}"}
            for n, _ in enumerate(sent.get("BulkEmailEntries", ()))
        ]
        return answer(request, json.dumps({"MessageId": "m", "BulkEmailEntryResults": results}))

    def recipients(self, kind: str = "") -> list[str]:
        """The recipients of all calls of v1."""
        return [
            value
            for sent in self.bodies
            for name, value in sent.items()
            if "Destination" in name and kind in name and "@" in value
        ]


def answer(request: Any, body: str) -> AWSResponse:
    class Raw:
        def stream(self, *_: Any, **__: Any) -> list[bytes]:
            return [body.encode()]

    return AWSResponse(request.url, 200, HTTPHeaders(), Raw())


def make(name: Any) -> Any:
    return boto3.client(
        name, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


@pytest.fixture
def suppressing() -> Suppressing:
    return Suppressing(JANE)


@pytest.fixture
def v1(suppressing: Suppressing) -> Any:
    return guard.protect(make("ses"), on_error="refuse", answers=suppressing)


@pytest.fixture
def v2(suppressing: Suppressing) -> Any:
    return guard.protect(make("sesv2"), on_error="refuse", answers=suppressing)


def test_the_suppressed_are_dropped_from_each_field(v1: Any) -> None:
    wire = Wire(v1)
    destination = {
        "ToAddresses": ["Jane <JANE@example.com>", '"Mary, Q." <mary@example.com>'],
        "CcAddresses": [ANN, JANE],
        "BccAddresses": ["bounce@simulator.amazonses.com", "no address", "jane@example.com;"],
    }
    before = json.dumps(destination)
    v1.send_email(Destination=destination, Message=MESSAGE, **FROM_V1)
    assert wire.recipients("ToAddresses") == ['"Mary, Q." <mary@example.com>']
    assert wire.recipients("CcAddresses") == [ANN]
    assert wire.recipients("BccAddresses") == ["bounce@simulator.amazonses.com"]
    assert json.dumps(destination) == before, "the caller's own"


# Each call that sends, with clients of v1 and v2 and a destination.
CALLS: list[Callable[[Any, Any, Any], object]] = [
    lambda v1, _, to: v1.send_email(Destination=to, Message=MESSAGE, **FROM_V1),
    lambda v1, _, to: v1.send_raw_email(Destinations=to["ToAddresses"], RawMessage={"Data": MIME}),
    lambda v1, *_: v1.send_raw_email(RawMessage={"Data": b"To: jane@example.com\n\nHello"}),
    lambda v1, _, to: v1.send_templated_email(
        Destination=to, Template="t", TemplateData="{}", **FROM_V1
    ),
    lambda v1, _, to: v1.send_bulk_templated_email(
        Destinations=[{"Destination": to}] * 2,
        Template="t",
        DefaultTemplateData="{}",
        **FROM_V1,
    ),
    lambda _, v2, to: v2.send_email(Destination=to, Content=SIMPLE, **FROM_V2),
    lambda _, v2, to: v2.send_email(Destination=to, Content={"Raw": {"Data": MIME}}),
    lambda _, v2, __: v2.send_email(Content={"Raw": {"Data": b"Cc: jane@example.com\n\n"}}),
    lambda _, v2, to: v2.send_email(
        Destination=to, Content={"Template": {"TemplateName": "t"}}, **FROM_V2
    ),
    lambda _, v2, to: v2.send_bulk_email(
        BulkEmailEntries=[{"Destination": to}],
        DefaultContent={"Template": {"TemplateName": "t", "TemplateData": "{}"}},
    ),
]


@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_sent_where_nobody_is_left(
    v1: Any, v2: Any, call: Callable[[Any, Any, Any], object]
) -> None:
    wires = Wire(v1), Wire(v2)
    with pytest.raises(guard.Suppressed, match=r"jane@example.com may not be mailed: hard") as told:
        call(v1, v2, {"ToAddresses": [JANE]})
    assert told.value.refused == {JANE: "hard bounce"}
    assert isinstance(told.value, SesBounceError)
    assert pickle.loads(pickle.dumps(told.value)).refused == told.value.refused  # noqa: S301
    assert [wire.bodies for wire in wires] == [[], []]


def test_raw_mail_goes_to_the_headers_recipients_and_the_rest_stays(v1: Any, v2: Any) -> None:
    wire_1, wire_2 = Wire(v1), Wire(v2)
    v1.send_raw_email(RawMessage={"Data": MIME})
    v2.send_email(Content={"Raw": {"Data": MIME}})
    (first,), (second,) = wire_1.bodies, wire_2.bodies
    assert [first[f"Destinations.member.{n}"] for n in (1, 2, 3)] == [MARY, ANN, "joe@example.com"]
    assert second["Destination"] == {
        "ToAddresses": [MARY],
        "CcAddresses": [],
        "BccAddresses": [ANN, "joe@example.com"],
    }
    unblind = MIME.replace(b"Bcc: ann@example.com,\r\n joe@example.com\r\n", b"")
    assert base64.b64decode(first["RawMessage.Data"]) == unblind
    assert base64.b64decode(second["Content"]["Raw"]["Data"]) == unblind


def test_raw_mail_of_which_nobody_is_dropped_is_not_touched(v1: Any) -> None:
    wire = Wire(v1)
    message = MIME.replace(b"Jane <jane@example.com>", b"x@simulator.amazonses.com")
    v1.send_raw_email(RawMessage={"Data": message})
    assert base64.b64decode(wire.bodies[0]["RawMessage.Data"]) == message
    assert not [name for name in wire.bodies[0] if name.startswith("Destinations")]


def test_with_destinations_the_headers_do_not_count_and_stay(v1: Any) -> None:
    wire = Wire(v1)
    v1.send_raw_email(RawMessage={"Data": MIME}, Destinations=[JANE, ANN])
    assert base64.b64decode(wire.bodies[0]["RawMessage.Data"]) == MIME
    assert wire.bodies[0]["Destinations.member.1"] == ANN
    assert "Destinations.member.2" not in wire.bodies[0]


@pytest.mark.parametrize(
    ("header", "left"),
    [
        ("To: jane@example.com, Müller <Mary@bücher.example>", ["Mary@xn--bcher-kva.example"]),
        ('To: jane@example.com, "a b"@example.com', ['"a b"@example.com']),
        ("To: =?utf-8?q?J=C3=A4ne?= <jane@example.com>, ann@example.com", [ANN]),
        ("To: Team: jane@example.com, ann@example.com;", [ANN]),
        ("to: jane@example.com\nCC: ann@example.com", [ANN]),
        ("To: jane@example.com\nTo: ann@example.com", [ANN]),
        ("To : jane@example.com,\n ann@example.com", [ANN]),
        ("X Y: no header\nTo: jane@example.com, ann@example.com", [ANN]),
        # As mail servers read what breaks the rules.
        ("To: x@example.com <jane@example.com>, ann@example.com", [ANN]),
        ("To: ann@example.com <ann@example.com>, <jane@example.com>", [ANN]),
        ("To: <jane@example.com> <ann@example.com>", [ANN]),
        ("To: ann@example.com; jane@example.com", [ANN]),
        ("To: [news] <ann@example.com>, jane@example.com", [ANN]),
        ('To: "Roe, (Ann" x@y <ann@example.com>, Team: jane@example.com;', [ANN]),
        ("To: ann@example.com jane@example.com, mary@example.com", [MARY]),
        ("To: A: B: jane@example.com;;, ann@example.com", [ANN]),
    ],
)
def test_headers_are_read_as_they_are_written(v1: Any, header: str, left: list[str]) -> None:
    wire = Wire(v1)
    v1.send_raw_email(RawMessage={"Data": f"{header}\n\nHello".encode()})
    found = {k: v for k, v in wire.bodies[0].items() if k.startswith("Destinations")}
    assert list(found.values()) == left


@pytest.mark.parametrize(
    "message",
    [
        b"To: jane@example.com, mary@example.com\nBcc: ann@example.com",
        b"To: jane@example.com, mary@example.com\rbcc : ann@example.com,\r\tjoe@example.com\r\rHi",
        b"Bcc: ann@example.com\r\nTo: jane@example.com\r\n\r\nBcc: ann is no header\r\n",
    ],
)
def test_nobody_reads_who_gets_a_blind_copy_however_lines_end(v1: Any, message: bytes) -> None:
    wire = Wire(v1)
    v1.send_raw_email(RawMessage={"Data": message})
    (sent,) = wire.bodies
    assert ANN in {value for name, value in sent.items() if name.startswith("Destinations")}
    assert b"ann@example.com" not in base64.b64decode(sent["RawMessage.Data"])


@pytest.mark.parametrize(
    "destination",
    [None, "x", {"ToAddresses": None}, {"ToAddresses": JANE}, {"ToAddresses": [None]}],
)
def test_wrong_parameters_raise_what_boto3_raises(v1: Any, v2: Any, destination: Any) -> None:
    body = {"Message": MESSAGE, **FROM_V1}
    with pytest.raises(ParamValidationError, match="Destination"):
        v1.send_email(Destination=destination, **body)
    with pytest.raises(ParamValidationError, match="Destination"):
        v2.send_email(Destination=destination, Content=SIMPLE)
    with pytest.raises(ParamValidationError, match="Destination"):
        v1.send_bulk_templated_email(
            Destinations=[{"Destination": destination}, {}],
            Template="t",
            DefaultTemplateData="{}",
            **FROM_V1,
        )


def test_a_message_that_ses_only_examines_is_not_touched(v2: Any, suppressing: Suppressing) -> None:
    wire = Wire(v2)
    content = {"Raw": {"Data": MIME}}
    v2.create_deliverability_test_report(FromEmailAddress="me@example.com", Content=content)
    assert base64.b64decode(wire.bodies[0]["Content"]["Raw"]["Data"]) == MIME
    assert suppressing.asked == []


def test_each_mail_of_a_bulk_counts_by_itself_and_keeps_its_place(v1: Any, v2: Any) -> None:
    wire_1, wire_2 = Wire(v1), Wire(v2)
    entries = [
        {"Destination": {"ToAddresses": to}} for to in ([JANE], [MARY, JANE], [JANE], [ANN], [JANE])
    ]
    template = {"Template": "t", "DefaultTemplateData": "{}"}
    first = v1.send_bulk_templated_email(Destinations=entries, **template, **FROM_V1)["Status"]
    second = v2.send_bulk_email(
        BulkEmailEntries=entries,
        DefaultContent={"Template": {"TemplateName": "t", "TemplateData": "{}"}},
    )["BulkEmailEntryResults"]
    assert wire_1.recipients() == [MARY, ANN]
    assert [e["Destination"]["ToAddresses"] for e in wire_2.bodies[0]["BulkEmailEntries"]] == [
        [MARY],
        [ANN],
    ]
    assert [one.get("MessageId") for one in first] == [None, "m0", None, "m1", None]
    assert [one.get("MessageId") for one in second] == [None, "m0", None, "m1", None]
    assert first[0]["Status"] == "MessageRejected"
    assert second[4] == {
        "Status": "MESSAGE_REJECTED",
        "Error": "jane@example.com may not be mailed: hard bounce",
    }
    assert len(entries) == 5


def test_two_guards_of_one_client_keep_the_places(v2: Any) -> None:
    guard.protect(v2, on_error="refuse", answers=Suppressing(MARY))
    Wire(v2)
    results = v2.send_bulk_email(
        BulkEmailEntries=[{"Destination": {"ToAddresses": [to]}} for to in (MARY, JANE, ANN, MARY)],
        DefaultContent={"Template": {"TemplateName": "t", "TemplateData": "{}"}},
    )["BulkEmailEntryResults"]
    assert [one.get("MessageId") for one in results] == [None, None, "m0", None]
    assert [one.get("Error", "")[:4] for one in results] == ["mary", "jane", "", "mary"]


@pytest.mark.parametrize("kind", ["boto3", "botocore"])
def test_a_session_guards_the_clients_that_it_makes(kind: str, suppressing: Suppressing) -> None:
    session = boto3.Session(
        region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    guarded = session if kind == "boto3" else session._session
    assert guard.protect(guarded, on_error="refuse", answers=suppressing) is guarded
    v1: SESClient = session.client("ses")
    wire = Wire(v1)
    with pytest.raises(guard.Suppressed):
        v1.send_email(
            Source="me@example.com",
            Destination={"ToAddresses": [JANE]},
            Message={"Subject": {"Data": "x"}, "Body": {}},
        )
    assert wire.bodies == []


def test_when_the_database_is_away_the_caller_has_chosen(
    v1: Any, suppressing: Suppressing, caplog: pytest.LogCaptureFixture
) -> None:
    sending = guard.protect(make("ses"), on_error="send", answers=suppressing)
    wire, other = Wire(v1), Wire(sending)
    suppressing.fails = True
    call = {"Destination": {"ToAddresses": [MARY]}, "Message": MESSAGE, **FROM_V1}
    with pytest.raises(StoreError):
        v1.send_email(**call)
    sending.send_email(**call)
    assert (wire.recipients(), other.recipients()) == ([], [MARY])
    assert "could not check: the database can't answer" in caplog.text


def test_what_can_not_be_guarded_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="pass a client of SES"):
        guard.protect(make("sqs"), on_error="send")
    with pytest.raises(TypeError, match="pass a client of SES"):
        guard.protect("ses", on_error="send")
    with pytest.raises(TypeError, match="on_error"):
        guard.protect(make("ses"))  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="on_error"):
        guard.protect(make("ses"), on_error="ignore")  # type: ignore[arg-type]


def test_the_type_of_the_client_stays() -> None:
    client: SESClient = make("ses")
    assert_type(guard.protect(client, on_error="refuse", stream="news"), "SESClient")


people = st.lists(st.sampled_from([f"{name}@example.com" for name in "abcdefg"]), max_size=4)
CLIENT = make("ses")
WIRE = Wire(CLIENT)
ALL = Suppressing()
guard.protect(CLIENT, on_error="refuse", answers=ALL, cache_seconds=0)


@given(people, people, people, st.sets(st.sampled_from([f"{n}@example.com" for n in "abcdefg"])))
def test_exactly_the_mailable_get_mail(
    to: list[str], cc: list[str], bcc: list[str], suppressed: set[str]
) -> None:
    WIRE.bodies.clear()
    ALL.suppressed = suppressed
    fields = {"ToAddresses": to, "CcAddresses": cc, "BccAddresses": bcc}
    expected = [
        one for group in fields.values() for one in group if parse(one).key not in suppressed
    ]
    call = partial(CLIENT.send_email, Destination=fields, Message=MESSAGE, **FROM_V1)
    if not expected and (to or cc or bcc):
        with pytest.raises(guard.Suppressed) as told:
            call()
        assert set(told.value.refused) == {*to, *cc, *bcc}
        assert WIRE.bodies == []
    else:
        call()
        assert WIRE.recipients() == expected
