"""Requests are written, and answers are read, as botocore does it from SQS's own model."""

import json
from typing import Any

import botocore.session
import msgspec
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from sesbounce.aws.sqs_protocol import DELETE, OPERATIONS, RECEIVE, SET_VISIBILITY, Operation

QUEUE = "https://sqs.eu-west-1.amazonaws.com/000000000000/Fäden \"'\\\u2028😀"
MODEL = botocore.session.get_session().get_service_model("sqs")
text = st.text(st.characters(codec="utf-8"), max_size=20)


def read_by_botocore(operation: Operation[Any], body: bytes) -> Any:
    shape = MODEL.operation_model(operation.name).output_shape
    assert shape
    answer = {"status_code": 200, "headers": {}, "body": body}
    parsed = create_parser("json").parse(answer, shape)
    return operation.convert(parsed)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        (
            RECEIVE,
            {
                "QueueUrl": QUEUE,
                "MaxNumberOfMessages": 10,
                "WaitTimeSeconds": 20,
                "VisibilityTimeout": 60,
                "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
            },
        ),
        (DELETE, {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": 'r"\\ä\x7f'}]}),
        (
            SET_VISIBILITY,
            {
                "QueueUrl": QUEUE,
                "Entries": [{"Id": "9", "ReceiptHandle": "AQEB+/=", "VisibilityTimeout": 43200}],
            },
        ),
    ],
)
def test_a_request_is_what_botocore_writes(
    operation: Operation[Any], parameters: dict[str, Any]
) -> None:
    model = MODEL.operation_model(operation.name)
    written = create_serializer("json").serialize_to_request(parameters, model)
    assert json.loads(operation.encode(parameters)) == json.loads(written["body"])
    assert operation.headers == {key.lower(): value for key, value in written["headers"].items()}
    assert written["method"] == "POST"
    assert written["url_path"] == "/"


message = st.fixed_dictionaries(
    {"ReceiptHandle": text},
    optional={
        "MessageId": text,
        "Body": text,
        "MD5OfBody": text,
        "Attributes": st.fixed_dictionaries(
            {}, optional={"ApproximateReceiveCount": text, "SentTimestamp": text, "SenderId": text}
        ),
        "MessageAttributes": st.dictionaries(text, st.fixed_dictionaries({"DataType": text})),
    },
)
failure = st.fixed_dictionaries(
    {"Id": text}, optional={"SenderFault": st.booleans(), "Code": text, "Message": text}
)


@given(st.none() | st.lists(message), st.booleans())
def test_messages_are_what_botocore_reads(messages: Any, escaped: bool) -> None:
    body = json.dumps({"Messages": messages}, ensure_ascii=escaped).encode()
    assert RECEIVE.decode(body) == read_by_botocore(RECEIVE, body)


@pytest.mark.parametrize("operation", [DELETE, SET_VISIBILITY])
@given(failed=st.none() | st.lists(failure))
def test_failures_are_what_botocore_reads(operation: Operation[Any], failed: Any) -> None:
    body = json.dumps({"Successful": [{"Id": "0"}], "Failed": failed}).encode()
    assert operation.decode(body) == read_by_botocore(operation, body)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_an_empty_answer_is_what_botocore_reads(operation: Operation[Any]) -> None:
    assert operation.decode(b"{}") == read_by_botocore(operation, b"{}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"Messages": [{}]}',
        b'{"Messages": [{"ReceiptHandle": 1}]}',
        b'{"Messages": [{"ReceiptHandle": "r", "Body": "\xff"}]}',
        b'{"Messages": [{"ReceiptHandle": "r"}',
        b"{}{}",
    ],
)
def test_what_is_no_answer_is_not_read(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        RECEIVE.decode(body)
