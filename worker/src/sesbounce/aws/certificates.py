"""Fetches what AWS publishes to verify its signatures: SNS's certificates, public keys.

`sns_trust` keeps the keys of the certificates.
"""

import threading
from contextlib import closing
from queue import Empty, SimpleQueue

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from urllib3.exceptions import HTTPError

from sesbounce.aws.http import open_session
from sesbounce.errors import CertificateError

_TIMEOUT_SECONDS = 5
_DEADLINE_SECONDS = 10.0
_LARGEST_CERTIFICATE = 64 * 1024

_OK = 200
# The host may answer otherwise later: it is busy (408, 425, 429) or has a fault (5xx).
_BUSY = frozenset({408, 425, 429})
_FAULT = 500


def fetch(url: str) -> bytes:
    """Fetch a certificate, or what else is published like it, within ten seconds.

    Raises:
        CertificateError: it can't be fetched. The error is lasting where the host answers, but
            not with a certificate.
    """
    # No timeout of a socket bounds the DNS, or an answer that comes byte by byte.
    answers: SimpleQueue[bytes | Exception] = SimpleQueue()
    threading.Thread(
        target=lambda: answers.put(_answer(url)), name="certificate", daemon=True
    ).start()
    try:
        answer = answers.get(timeout=_DEADLINE_SECONDS)
    except Empty:
        raise _failure(url, f"there is no answer after {_DEADLINE_SECONDS:.0f} seconds") from None
    if isinstance(answer, bytes):
        return answer
    if isinstance(answer, CertificateError):
        raise answer
    raise _failure(url, str(answer)) from answer


def _answer(url: str) -> bytes | Exception:
    """The content that the host answers with, or the error."""
    try:
        return _request(url)
    except (CertificateError, BotoCoreError, HTTPError, OSError, ValueError) as error:
        return error


def _request(url: str) -> bytes:
    with closing(open_session(url, _TIMEOUT_SECONDS)) as session:
        answer = session.send(AWSRequest("GET", url, stream_output=True).prepare())
        with closing(answer.raw):
            status = answer.status_code
            if status != _OK:
                lasting = status < _FAULT and status not in _BUSY
                raise _failure(url, f"the host answers with HTTP status {status}", lasting=lasting)
            content: bytes = answer.raw.read(_LARGEST_CERTIFICATE + 1)
    if len(content) > _LARGEST_CERTIFICATE:
        problem = f"the answer is longer than {_LARGEST_CERTIFICATE // 1024} KiB"
        raise _failure(url, problem, lasting=True)
    return content


def _failure(url: str, problem: str, *, lasting: bool = False) -> CertificateError:
    advice = "" if lasting else ": sesbounce needs HTTPS to this host (it honours HTTPS_PROXY)"
    return CertificateError(
        f"{url} can't be fetched: {problem.rstrip('.')}{advice}", lasting=lasting
    )
