"""Reads SES's suppression list of the account; each region has a list of its own.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
"""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from botocore.parsers import ResponseParserError

from sesbounce.aws.clients import error_text, open_client
from sesbounce.backoff import pause
from sesbounce.errors import SesError

if TYPE_CHECKING:
    from types_boto3_sesv2.client import SESV2Client
    from types_boto3_sesv2.literals import SuppressionListReasonType
    from types_boto3_sesv2.type_defs import (
        ListSuppressedDestinationsRequestTypeDef,
        ListSuppressedDestinationsResponseTypeDef,
        SuppressedDestinationSummaryTypeDef,
    )

# The most entries that SES puts on a page.
_PAGE_SIZE = 1000
# SES takes one call a second that does not send mail, for each account and region; the quota can't
# be raised. https://docs.aws.amazon.com/ses/latest/dg/quotas.html#quotas-api
_SECONDS_A_CALL = 1.0
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4}, connect_timeout=5, read_timeout=30
)
# SES may throttle longer than boto3 retries, where others use the account's quota up.
_ATTEMPTS = 8
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0

_THROTTLED = {"TooManyRequestsException", "Throttling", "ThrottlingException"}
_WRONG_TOKEN = "the token is wrong or has expired"  # noqa: S105  no password
_NO_PERMISSION = (
    "allow your AWS user or role ses:ListSuppressedDestinations on the resource *; SES has no "
    "narrower one for this list"
)
_WRONG_CREDENTIALS = "the AWS credentials are wrong, or the account has not enabled this region"
_EXPIRED_CREDENTIALS = "the AWS credentials have expired; get new ones"
_ADVICE = {
    "AccessDenied": _NO_PERMISSION,
    "AccessDeniedException": _NO_PERMISSION,
    "InvalidClientTokenId": _WRONG_CREDENTIALS,
    "UnrecognizedClientException": _WRONG_CREDENTIALS,
    "SignatureDoesNotMatch": _WRONG_CREDENTIALS,
    "ExpiredToken": _EXPIRED_CREDENTIALS,
    "ExpiredTokenException": _EXPIRED_CREDENTIALS,
} | dict.fromkeys(_THROTTLED, "other programs call SES in this account, too; wait some minutes")
_NO_CREDENTIALS = "name a profile in AWS_PROFILE, or set AWS_ACCESS_KEY_ID and its secret"
_NOT_SES = "the answer is not one of SES"
_UNREACHABLE = "check the network, AWS_ENDPOINT_URL, and whether SES is in this region"

_ERRORS = (ClientError, BotoCoreError, ResponseParserError)
_Error: TypeAlias = ClientError | BotoCoreError | ResponseParserError


class Wanted(NamedTuple):
    """Which entries of the list to read.

    Attributes:
        reason: SES's reason of the entries; None for both.
        since: reads only entries that SES has put on the list since this time.
        until: reads only entries that SES has put on the list before this time.
    """

    reason: "SuppressionListReasonType | None" = None
    since: datetime | None = None
    until: datetime | None = None


class Page(NamedTuple):
    """A page of the list.

    Attributes:
        entries: the entries as boto3 returns them; SES may leave a page empty.
        next_token: the token of the next page; None on the last page.
    """

    entries: "list[SuppressedDestinationSummaryTypeDef]"
    next_token: str | None


class SuppressionList:
    """SES's suppression list of the account in one region.

    Attributes:
        region: the region.
    """

    def __init__(self, client: "SESV2Client", wanted: Wanted) -> None:
        self._client = client
        self._request = _request(wanted)
        self.region = client.meta.region_name

    def pages(self, token: str | None = None) -> Iterator[Page]:
        """Yield the pages, at most one a second.

        Args:
            token: the token of the page to begin with; None for the first page.

        Raises:
            SesError: SES rejects a call, throttles for minutes, or can't be reached.
        """
        while True:
            called_at = time.monotonic()
            page = self._page(token)
            yield page
            token = page.next_token
            if token is None:
                return
            time.sleep(max(0.0, called_at + _SECONDS_A_CALL - time.monotonic()))

    def _page(self, token: str | None) -> Page:
        """Read one page; retry while SES throttles."""
        request = self._request
        if token is not None:
            request = {**request, "NextToken": token}
        failures = 0
        while True:
            try:
                answer = self._client.list_suppressed_destinations(**request)
            except _ERRORS as error:
                failures += 1
                if _code(error) not in _THROTTLED or failures == _ATTEMPTS:
                    self._raise(error, token)
                time.sleep(pause(failures, _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS))
            else:
                return self._read(answer, token)

    def _read(self, answer: "ListSuppressedDestinationsResponseTypeDef", token: str | None) -> Page:
        # boto3 takes every text that is no JSON for an answer without entries.
        if not _is_json(answer):
            raise self._problem(f"{_NOT_SES}: {_UNREACHABLE}")
        next_token = answer.get("NextToken") or None
        if next_token is not None and next_token == token:
            raise self._problem("the list has no end, because each page is the same")
        return Page(answer.get("SuppressedDestinationSummaries") or [], next_token)

    def _problem(self, text: str, *, wrong_token: bool = False) -> SesError:
        return SesError(
            f"can't read SES's suppression list in {self.region} "
            f"(ses:ListSuppressedDestinations): {text}",
            wrong_token=wrong_token,
        )

    def _raise(self, error: _Error, token: str | None) -> NoReturn:
        code = _code(error)
        # SES's documentation does not say which of them answers a text that is no token.
        wrong = token is not None and code in {"InvalidNextTokenException", "BadRequestException"}
        if isinstance(error, ClientError):
            text, advice = error_text(error), _WRONG_TOKEN if wrong else _ADVICE.get(code)
        elif isinstance(error, BotoConnectionError | HTTPClientError):
            # Its own text holds the URL with the token, and is long.
            text, advice = f"SES can't be reached ({type(error).__name__})", _UNREACHABLE
        elif isinstance(error, ResponseParserError):
            text, advice = _NOT_SES, _UNREACHABLE
        else:
            no_credentials = isinstance(error, NoCredentialsError | PartialCredentialsError)
            text, advice = str(error).rstrip("."), _NO_CREDENTIALS if no_credentials else None
        problem = f"{text}: {advice}" if advice else text
        raise self._problem(problem, wrong_token=wrong) from error


def open_suppression_list(region: str | None, wanted: Wanted) -> SuppressionList:
    """Open the list, with boto3's own settings (credentials, `AWS_ENDPOINT_URL`, …).

    Args:
        region: the region; None for the one in boto3's settings (`AWS_REGION`).
        wanted: which entries to read.

    Raises:
        ConfigurationError: the region is missing or wrong, or the endpoint is no URL.
    """
    return SuppressionList(open_client("sesv2", _CONFIG, region), wanted)


def _request(wanted: Wanted) -> "ListSuppressedDestinationsRequestTypeDef":
    request: ListSuppressedDestinationsRequestTypeDef = {"PageSize": _PAGE_SIZE}
    if wanted.reason:
        request["Reasons"] = [wanted.reason]
    if wanted.since:
        request["StartDate"] = wanted.since
    if wanted.until:
        request["EndDate"] = wanted.until
    return request


def _code(error: _Error) -> str:
    """AWS's error code; empty where AWS did not answer."""
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _is_json(answer: "ListSuppressedDestinationsResponseTypeDef") -> bool:
    return "json" in answer["ResponseMetadata"]["HTTPHeaders"].get("content-type", "")
