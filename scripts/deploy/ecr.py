"""A repository of ECR: what it holds, and who may push to it."""

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
    """A repository, by the address that images are pushed to."""

    url: str
    account: str
    name: str
    _client: "ECRClient" = field(repr=False)

    @classmethod
    def at(cls, url: str) -> "Repository":
        """The repository with this address.

        Raises:
            AwsError: it is none of ECR.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise AwsError(f"{url} is no repository of ECR, ACCOUNT.dkr.ecr.REGION.amazonaws.com/…")
        client = aws.session(found["region"]).client("ecr")
        return cls(url, found["account"], found["name"], client)

    def find(self, tag: str) -> str | None:
        """The image that bears a tag, by its digest; None without one, or without a repository.

        Raises:
            AwsError: ECR does not say.
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
                f"ECR does not say whether {self.name} holds the image {tag}: {error_text(error)}. "
                "It takes ecr:DescribeImages."
            ) from error
        return f"{self.url}@{answer['imageDetails'][0]['imageDigest']}"

    def credentials(self) -> Credentials:
        """What the registry takes for the next twelve hours.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html

        Raises:
            AwsError: ECR gives none.
        """
        try:
            answer = self._client.get_authorization_token()
        except ClientError as error:
            raise AwsError(
                f"ECR gives no password: {error_text(error)}. It takes ecr:GetAuthorizationToken."
            ) from error
        token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
        username, _, password = token.partition(":")
        return Credentials(username, password)


def url_of(arn: str) -> str:
    """The address of the repository with this ARN.

    Raises:
        AwsError: it is none.
    """
    found = _ARN.fullmatch(arn)
    if found is None:
        raise AwsError(
            f"{arn} is not the ARN of a repository, arn:aws:ecr:REGION:ACCOUNT:repository/…"
        )
    domain = "amazonaws.com.cn" if found["partition"] == "aws-cn" else "amazonaws.com"
    return f"{found['account']}.dkr.ecr.{found['region']}.{domain}/{found['name']}"
