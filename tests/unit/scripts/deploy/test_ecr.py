import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from scripts.deploy import ecr
from scripts.deploy.aws import AwsError
from scripts.deploy.ecr import Repository

URL = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/sesbounce"
DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "ecr", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stub:
        yield stub


@pytest.fixture
def repository(client: Any) -> Repository:
    return replace(Repository.at(URL), _client=client)


def test_a_repository_is_identified_by_its_url() -> None:
    found = Repository.at(URL)
    assert (found.account, found.name) == ("123456789012", "team/sesbounce")
    assert found._client.meta.region_name == "eu-west-1"


def test_another_registry_is_refused() -> None:
    with pytest.raises(AwsError, match="not an ECR repository"):
        Repository.at("ghcr.io/acme/sesbounce")


@pytest.mark.parametrize(
    ("arn", "url"),
    [
        ("arn:aws:ecr:eu-west-1:123456789012:repository/team/sesbounce", URL),
        (
            "arn:aws-cn:ecr:cn-north-1:123456789012:repository/sesbounce",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/sesbounce",
        ),
    ],
)
def test_an_arn_has_a_url(arn: str, url: str) -> None:
    assert ecr.url_of(arn) == url
    assert Repository.at(url).url == url


def test_another_arn_is_refused() -> None:
    with pytest.raises(AwsError, match="not the ARN of a repository"):
        ecr.url_of("arn:aws:sqs:eu-west-1:123456789012:x")


def test_an_image_is_found_by_its_tag(repository: Repository, stub: Stubber) -> None:
    expected = {
        "registryId": "123456789012",
        "repositoryName": "team/sesbounce",
        "imageIds": [{"imageTag": "sha-1"}],
    }
    stub.add_response("describe_images", {"imageDetails": [{"imageDigest": DIGEST}]}, expected)
    assert repository.find("sha-1") == f"{URL}@{DIGEST}"


@pytest.mark.parametrize("code", ["ImageNotFoundException", "RepositoryNotFoundException"])
def test_what_is_not_there_is_not_found(repository: Repository, stub: Stubber, code: str) -> None:
    stub.add_client_error("describe_images", code)
    assert repository.find("sha-1") is None


def test_a_missing_permission_is_reported(repository: Repository, stub: Stubber) -> None:
    stub.add_client_error("describe_images", "AccessDeniedException", "not you")
    with pytest.raises(AwsError, match=r"not you\. This needs ecr:DescribeImages"):
        repository.find("sha-1")
    stub.add_client_error("get_authorization_token", "AccessDeniedException", "not you")
    with pytest.raises(AwsError, match=r"not you\. This needs ecr:GetAuthorizationToken"):
        repository.credentials()


def test_the_token_is_taken_apart(repository: Repository, stub: Stubber) -> None:
    token = base64.b64encode(b"AWS:pass:word").decode()
    stub.add_response(
        "get_authorization_token", {"authorizationData": [{"authorizationToken": token}]}
    )
    credentials = repository.credentials()
    assert (credentials.username, credentials.password) == ("AWS", "pass:word")
    assert "pass:word" not in repr(credentials)
