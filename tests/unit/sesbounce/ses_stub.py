"""SES's suppression list behind HTTP, for the real boto3, as the API's documentation has it.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
"""

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.listening import listening

Query = dict[str, list[str]]


class Listed(NamedTuple):
    """An address on the list of a region."""

    region: str
    address: str
    reason: str
    at: datetime


class Answer(NamedTuple):
    """What SES answers instead of a page."""

    status: int
    code: str
    message: str = "no"
    body: bytes | None = None
    content_type: str = "application/json"


class SesStub:
    """SES's lists in all regions.

    Attributes:
        listed: the addresses on the lists.
        most: the most addresses on a page, whatever is asked for: SES may give less, too.
        before: called with the number of a call, from 1 on; returns an error to answer with.
        calls: the region and the query of each call.
        times: when the calls came, in seconds.
    """

    def __init__(self) -> None:
        self.listed: list[Listed] = []
        self.most = 1000
        self.before: Callable[[int], Answer | None] = lambda _: None
        self.calls: list[tuple[str, Query]] = []
        self.times: list[float] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # the library's name
                url = urlsplit(self.path)
                credential = re.search(
                    r"Credential=[^/]+/\d+/([^/]+)/ses/", self.headers["Authorization"]
                )
                assert credential
                assert url.path == "/v2/email/suppression/addresses"
                answer = stub.answer(credential[1], parse_qs(url.query))
                body = answer.body or json.dumps({"message": answer.message}).encode()
                self.send_response(answer.status)
                if answer.code:
                    self.send_header("x-amzn-ErrorType", answer.code)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def put(self, region: str, address: str, reason: str, at: datetime) -> None:
        """Put an address on the list of a region."""
        self.listed.append(Listed(region, address, reason, at))

    def answer(self, region: str, query: Query) -> Answer:
        """A page, or an error."""
        self.times.append(time.monotonic())
        self.calls.append((region, query))
        size = int(query.get("PageSize", ["1000"])[0])
        if not 1 <= size <= 1000:
            return Answer(400, "BadRequestException", "PageSize")
        wanted = json.dumps([region, *(query.get(k) for k in ("Reason", "StartDate", "EndDate"))])
        start = 0
        if "NextToken" in query:
            try:
                start, of = json.loads(base64.b64decode(query["NextToken"][0], validate=True))
            except ValueError:
                return Answer(400, "BadRequestException", "NextToken")
            if of != wanted:
                return Answer(400, "InvalidNextTokenException", "")
        if error := self.before(len(self.calls)):
            return error
        return self._page(region, query, wanted, start, min(size, self.most))

    def _page(self, region: str, query: Query, wanted: str, start: int, size: int) -> Answer:
        begin, end = (
            datetime.fromisoformat(query[name][0]) if name in query else None
            for name in ("StartDate", "EndDate")
        )
        found = [
            {
                "EmailAddress": one.address,
                "Reason": one.reason,
                "LastUpdateTime": one.at.timestamp(),
            }
            for one in self.listed
            if one.region == region
            and one.reason in query.get("Reason", [one.reason])
            and (begin is None or one.at >= begin)
            and (end is None or one.at < end)
        ]
        body: dict[str, Any] = {"SuppressedDestinationSummaries": found[start : start + size]}
        if start + size < len(found):
            token = json.dumps([start + size, wanted]).encode()
            body["NextToken"] = base64.b64encode(token).decode()
        return Answer(200, "", body=json.dumps(body).encode())


@contextmanager
def serving() -> Iterator[SesStub]:
    """A stub that listens while the block runs."""
    stub = SesStub()
    with listening(stub.http):
        yield stub
