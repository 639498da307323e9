"""For the code that sends mail, where it reaches the HTTP API and no database.

from sesbounce.api_client import ApiClient

api = ApiClient("https://sesbounce.example.com", token="sesbounce_…")
allowed = api.may_mail(["jane@example.com", "Mary <mary@example.com>"])
# {"jane@example.com": False, "Mary <mary@example.com>": True}

It loads neither SQLAlchemy nor boto3: the standard library's HTTP and msgspec are enough.
"""

from sesbounce.api_client.client import ApiClient, Decision, SendingAnswer
from sesbounce.errors import ApiAccessError, ApiError, ApiUnavailableError
from sesbounce.feedback.address import Address, parse
from sesbounce.policy.answer import Answer

__all__ = [
    "Address",
    "Answer",
    "ApiAccessError",
    "ApiClient",
    "ApiError",
    "ApiUnavailableError",
    "Decision",
    "SendingAnswer",
    "parse",
]
