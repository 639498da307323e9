"""Signatures that a real SNS has made: LocalStack signs, and serves the certificate."""

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from sesbounce.aws.sns_signature import certificate_url, verify
from sesbounce.errors import TrustError
from sesbounce.feedback.envelope import Sns, open_envelope
from tests.support import said

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient


@pytest.fixture
def body(session: Any, sqs: "SQSClient", outputs: dict[str, Any]) -> str:
    sns = session.boto3.client("sns")
    sns.publish(TopicArn=outputs["topic_arn"], Message=json.dumps(said()), Subject="Amazon SES")
    received = sqs.receive_message(QueueUrl=outputs["queue_url"], WaitTimeSeconds=20)
    return received["Messages"][0]["Body"]


def events(body: str) -> Sns:
    sns = open_envelope(body).sns
    assert sns
    return sns


def key_of(sns: Sns) -> RSAPublicKey:
    with urllib.request.urlopen(sns.signing_cert_url or "") as answer:  # noqa: S310
        key = load_pem_x509_certificate(answer.read()).public_key()
    assert isinstance(key, RSAPublicKey)
    return key


def test_the_signature_verifies_and_a_flipped_byte_does_not(body: str) -> None:
    sns = events(body)
    key = key_of(sns)
    verify(sns, key)
    flipped = body.replace("jane@example.com", "jane@example.con", 1)
    assert flipped != body
    with pytest.raises(TrustError, match="the signature is wrong"):
        verify(events(flipped), key)


def test_the_version_is_the_one_that_the_topic_asks_for(body: str) -> None:
    assert events(body).signature_version == "2"


def test_a_certificate_of_localstack_is_none_of_aws(body: str) -> None:
    with pytest.raises(TrustError, match="certificate is not from"):
        certificate_url(events(body))
