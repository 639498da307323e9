"""An ECR repository: its images, and credentials to push to it."""

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scripts.deploy import aws
from scripts.deploy.aws import AwsError
from scripts.image.container_engine import Credentials
from sesbounce.aws.clients import error_text

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
_URL = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<name>.+)"
)
_ARN = re.compile(
    r"arn:(?P<partition>[^:]+):ecr:(?P<region>[^:]+):(?P<account>\d{12}):repository/(?P<name>.+)"
)


@dataclass(frozen=True)
class Repository:
    """A repository, and the URL that images are pushed to."""

    url: str
    account: str
    name: str
    _client: "ECRClient" = field(repr=False)

    @classmethod
    def at(cls, url: str) -> "Repository":
        """The repository with this URL.

        Raises:
            AwsError: it is not the URL of an ECR repository.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise AwsError(
                f"{url} is not an ECR repository, ACCOUNT.dkr.ecr.REGION.amazonaws.com/…"
            )
        client = aws.session(found["region"]).client("ecr")
        return cls(url, found["account"], found["name"], client)

    def find(self, tag: str) -> str | None:
        """The image with a tag, as URL and digest; None without such an image or repository.

        Raises:
            AwsError: ECR rejects the call.
        """
        try:
            answer = self._client.describe_images(
                registryId=self.account, repositoryName=self.name, imageIds=[{"imageTag": tag}]
            )
        except (
            self._client.exceptions.ImageNotFoundException,
            self._client.exceptions.RepositoryNotFoundException,
        ):
            return None
        except ClientError as error:
            raise AwsError(
                f"Can't read from ECR whether {self.name} holds the image {tag}: "
                f"{error_text(error)}. This needs ecr:DescribeImages."
            ) from error
        return f"{self.url}@{answer['imageDetails'][0]['imageDigest']}"

    def credentials(self) -> Credentials:
        """Credentials that the registry accepts for twelve hours.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html

        Raises:
            AwsError: ECR rejects the call.
        """
        try:
            answer = self._client.get_authorization_token()
        except ClientError as error:
            raise AwsError(
                f"ECR issues no password: {error_text(error)}. This needs "
                "ecr:GetAuthorizationToken."
            ) from error
        token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
        username, _, password = token.partition(":")
        return Credentials(username, password)


def url_of(arn: str) -> str:
    """The URL of the repository with this ARN.

    Raises:
        AwsError: it is not the ARN of an ECR repository.
    """
    found = _ARN.fullmatch(arn)
    if found is None:
        raise AwsError(
            f"{arn} is not the ARN of a repository, arn:aws:ecr:REGION:ACCOUNT:repository/…"
        )
    domain = "amazonaws.com.cn" if found["partition"] == "aws-cn" else "amazonaws.com"
    return f"{found['account']}.dkr.ecr.{found['region']}.{domain}/{found['name']}"
